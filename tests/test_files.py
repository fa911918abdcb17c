"""Files are written whole or not at all."""

from pathlib import Path

import pytest

from datkit.files import data_folder, replace_atomically, sha256_file, write_json


def test_data_folder_follows_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("DATKIT_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "datkit"


def test_sha256_of_abc(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # the test vector of FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replace_atomically(path) as part:  # noqa: PT012
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_part_keeps_its_suffixes(tmp_path):
    with replace_atomically(tmp_path / "new" / "exam.nii.gz") as part:
        assert part.suffixes == [".nii", ".gz"]
        part.write_text("x")
    assert Path(tmp_path / "new" / "exam.nii.gz").read_text() == "x"


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2]})
    assert (tmp_path / "a.json").read_text() == '{\n "a": [\n  2\n ],\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="nan"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_a_folder_is_not_replaced_and_named_as_it_is(tmp_path):
    with pytest.raises(IsADirectoryError, match="expected a file to write") as refused:
        write_json(tmp_path, {})
    assert refused.value.filename == str(tmp_path) and not list(tmp_path.iterdir())
