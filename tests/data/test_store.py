"""Fetched files: where they lie, and that none is handed out which is not the promised one."""

from __future__ import annotations

import hashlib
import json

import pytest
from file_server import BAD, GOOD

from datkit.data import fetch, load_folder, load_path, verify, where
from datkit.data.download import part_of
from datkit.errors import ArchiveError, ChecksumError, FetchError, UsageError


def test_a_damaged_file_is_never_returned_not_on_the_second_call_either(offering):
    manifest = offering("good")
    path = fetch("demo", manifest=manifest)[0]
    path.write_bytes(BAD)
    for _ in range(2):
        with pytest.raises(ChecksumError) as caught:
            load_path("demo", manifest=manifest)
        message = str(caught.value)
        assert str(path) in message and "`datkit data fetch demo` to replace" in message
        assert hashlib.sha256(GOOD).hexdigest() in message
        assert hashlib.sha256(BAD).hexdigest() in message
    assert path.read_bytes() == BAD, "a load must not delete what a person may want to inspect"
    assert [check.state for check in verify("demo", manifest=manifest)] == ["damaged"]
    assert fetch("demo", manifest=manifest) == [path]
    assert load_path("demo", manifest=manifest).read_bytes() == GOOD


def test_a_folder_in_the_place_of_a_file_is_damage_not_a_crash(offering, cached):
    cached.mkdir(parents=True)
    manifest = offering("good")
    assert [check.state for check in verify("demo", manifest=manifest)] == ["damaged"]
    with pytest.raises(ChecksumError, match="found no access"):
        load_path("demo", manifest=manifest)
    with pytest.raises(FetchError, match="map.nii"):
        fetch("demo", manifest=manifest)
    assert part_of(cached).read_bytes() == GOOD, "what has arrived waits until the folder is gone"
    cached.rmdir()
    assert fetch("demo", manifest=manifest)[0].read_bytes() == GOOD


def test_a_folder_of_ones_own_choice_is_kept_to(tmp_path, offering):
    manifest = offering("good")
    path = fetch("demo", folder=tmp_path / "mine", manifest=manifest)[0]
    assert path == tmp_path / "mine" / "demo" / "map.nii"
    assert load_path("demo", folder=tmp_path / "mine", manifest=manifest) == path
    with pytest.raises(FetchError):
        load_path("demo", manifest=manifest)


def test_verify_gives_one_plain_record_for_each_file(offering, cached):
    check = verify(manifest=offering("good"))[0]
    digest = hashlib.sha256(GOOD).hexdigest()
    assert json.loads(json.dumps(check.to_dict())) == {
        "name": "demo",
        "file": "map.nii",
        "path": str(cached),
        "state": "missing",
        "algorithm": "sha256",
        "expected": digest,
        "found": None,
    }


def test_unknown_data_sets_and_files_are_wrong_use(offering):
    manifest = offering("good")
    for call in (fetch, load_path, verify):
        with pytest.raises(UsageError, match="found 'nothing'"):
            call("nothing", manifest=manifest)
    with pytest.raises(UsageError, match="map.nii"):
        load_path("demo", "other.nii", manifest=manifest)
    with pytest.raises(UsageError, match="built in"):
        load_path("simulated")


def test_one_variable_moves_the_whole_cache(tmp_path, offering, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "elsewhere"))
    manifest = offering("good")
    [path] = fetch("demo", manifest=manifest)
    assert path == tmp_path / "elsewhere" / "open" / "demo" / "map.nii"
    assert where("demo", manifest=manifest) == path.parent


def test_a_file_with_an_md5_only_is_checked_by_it(offering, cached):
    keys = {"sha256": None, "md5": hashlib.md5(GOOD).hexdigest(), "size": None, "why": "None."}
    told: list[str] = []
    fetch("demo", manifest=offering("bad", "good", **keys), notify=told.append)
    assert "map.nii, size not published" in " ".join(told)
    assert verify("demo", manifest=offering("good", **keys))[0].algorithm == "md5"
    cached.write_bytes(BAD)
    with pytest.raises(ChecksumError, match="expected md5 "):
        load_path("demo", manifest=offering("good", **keys))


@pytest.fixture
def phantom(shared_data, monkeypatch) -> str:
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    fetch("auer-dat-phantom", offline=True)
    return "auer-dat-phantom"


def test_an_archive_is_unpacked_and_compared_at_every_load(phantom):
    folder = load_folder(phantom)
    source = folder / "DaT_Source_120x120x120.i33"
    assert source.stat().st_size == 120**3 * 2
    assert load_folder(phantom) == folder
    content = source.read_bytes()
    source.write_bytes(content[:-1] + b"!")
    for _ in range(2):
        with pytest.raises(ChecksumError, match="1 changed or missing, 'DaT_Source_120x120x120.i"):
            load_folder(phantom)
    source.unlink()
    with pytest.raises(ChecksumError, match="delete that folder"):
        load_folder(phantom)


def test_what_is_no_archive_is_not_unpacked(offering, leftovers, cached):
    fetch("demo", manifest=offering("good"))
    with pytest.raises(ArchiveError, match="expected a complete zip archive"):
        load_folder("demo", manifest=offering("good"))
    assert leftovers() == [cached]
