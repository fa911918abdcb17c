"""Files are written whole or not at all."""

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datkit.files import (
    data_folder,
    locked,
    read_sealed,
    replace_atomically,
    sha256_file,
    write_json,
    write_sealed,
)


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


def test_a_write_to_a_full_disk_names_what_was_written(tmp_path):
    path = tmp_path / "exam.json"
    said = pytest.raises(OSError, match=r"No space left on device: '.*exam\.json'")
    with said, replace_atomically(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not [*tmp_path.iterdir()]


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


# ---------------------------------------------------------------- documents with a seal

DOCUMENT = {"b": 0.1, "a": [1, None, "ä"], "c": {"x": -2e-7}}


def test_a_sealed_document_comes_back_as_it_was(tmp_path):
    write_sealed(tmp_path / "a.json", DOCUMENT)
    assert read_sealed(tmp_path / "a.json") == DOCUMENT
    write_sealed(tmp_path / "b.json", {"a": {10: "ten", 2: "two"}})
    assert read_sealed(tmp_path / "b.json") == {"a": {"10": "ten", "2": "two"}}  # as JSON has it


def test_every_byte_that_is_changed_is_noticed_or_says_nothing(tmp_path):
    path = tmp_path / "a.json"
    write_sealed(path, DOCUMENT)
    before, noticed = path.read_bytes(), 0
    for place in range(len(before)):
        changed = bytearray(before)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            assert read_sealed(path) == DOCUMENT
        except ValueError:
            noticed += 1
    assert noticed > len(before) - 10


@pytest.mark.parametrize("text", ["", "[1]", '"text"', "{" * 100_000, "\x00", '{"a": NaN}', "{}"])
def test_what_is_no_sealed_document_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        read_sealed(tmp_path / "a.json")


def test_a_document_may_have_no_seal_where_a_person_may_have_written_it(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_sealed(tmp_path / "a.json", needed=False) == {"a": 1}
    write_sealed(tmp_path / "a.json", {"a": 1})
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"a": 1', '"a": 2'))
    with pytest.raises(ValueError, match="its document_sha256 is"):
        read_sealed(tmp_path / "a.json", needed=False)


# ---------------------------------------------------------------- one process at a time


def test_a_lock_is_waited_for_and_leaves_nothing_beside_what_it_is_of(tmp_path):
    def other():
        with locked(tmp_path / "c"):
            return "done"

    with ThreadPoolExecutor(1) as threads:
        with locked(tmp_path / "sub" / ".." / "c"):  # the same place
            waiting = threads.submit(other)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
        assert waiting.result(timeout=60) == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_where_no_lock_can_be_made_nobody_waits(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "file"))
    with locked(tmp_path / "c"):
        pass
