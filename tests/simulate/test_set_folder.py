"""One set on disk: nothing of another's is touched, only what has its recorded hash is kept."""

from __future__ import annotations

import pytest

from datkit.data.folder import UNFINISHED, open_folder
from datkit.errors import CohortError
from datkit.files import read_sealed, sha256_file, write_json
from datkit.simulate.set_folder import INFO, SetFolder

INFORMATION = {"name": "few", "version": "5", "seed": 5, "settings": {"size": "few"}}
UIDS = ["sim-5-0000", "sim-5-0001"]


@pytest.fixture
def one(tmp_path):
    return SetFolder(tmp_path / "set", INFORMATION, UIDS)


def made(one, uid, content=b"a volume"):
    """Write a volume and its record, as a process that makes exams does."""
    path = one.path / "niftis" / f"{uid}.nii.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    record = {f"niftis/{path.name}": sha256_file(path)}
    write_json(one.path / UNFINISHED / f"{uid}.json", record)
    return record


def again(one):
    """The same set, seen by a later call."""
    fresh = SetFolder(one.path, INFORMATION, UIDS)
    fresh.check([])
    fresh.verify()
    return fresh


def test_a_set_is_whole_when_its_last_volume_is_there(one):
    one.begin()
    assert not one.is_whole and (one.path / UNFINISHED / INFO).is_file()
    for uid in UIDS:
        assert not (one.path / INFO).exists()
        one.add(made(one, uid))
    assert one.is_whole and again(one).is_whole
    names = {path.name for path in one.path.iterdir()}
    assert names == {"niftis", INFO, "train_labels.csv", "exams.csv", "truth.csv"}
    info = read_sealed(one.path / INFO)
    assert set(info.pop("sha256")) == {*one.hashes} and info == INFORMATION


def test_what_was_made_before_is_taken_up_and_a_record_without_its_volume_is_not(one):
    one.begin()
    made(one, UIDS[0])
    made(one, UIDS[1])
    (one.path / "niftis" / f"{UIDS[1]}.nii.gz").write_bytes(b"half")
    assert again(one).missing == [UIDS[1]]


@pytest.mark.parametrize("record", ['{"niftis/si', "[]", "7", ""])
def test_a_damaged_record_counts_as_none(one, record):
    one.begin()
    made(one, UIDS[0])
    made(one, UIDS[1])
    (one.path / UNFINISHED / f"{UIDS[0]}.json").write_text(record)
    assert again(one).missing == [UIDS[0]]


def test_a_whole_set_that_lost_a_table_needs_no_volume(one):
    one.begin()
    for uid in UIDS:
        one.add(made(one, uid))
    before = (one.path / "truth.csv").read_bytes()
    (one.path / "truth.csv").unlink()
    later = again(one)
    assert not later.missing and not later.is_whole
    later.begin()
    assert later.is_whole and (one.path / "truth.csv").read_bytes() == before


def test_a_power_cut_after_the_last_file_is_made_up_for(one):
    one.begin()
    for uid in UIDS:
        one.add(made(one, uid))
    write_json(one.path / UNFINISHED / INFO, INFORMATION)  # as if it had not been taken away
    later = again(one)
    assert not later.is_whole
    later.begin()
    assert later.is_whole and not (one.path / UNFINISHED).exists()


@pytest.mark.parametrize("name", ["notes.txt", "niftis/mine.nii.gz", f"{UNFINISHED}/notes.txt"])
def test_what_is_not_of_this_set_is_refused(one, name):
    path = one.path / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(CohortError, match="found other files; choose another"):
        one.check(["public_test"])


def test_a_set_of_other_settings_is_refused_and_an_inner_set_is_not(one):
    (one.path / "public_test").mkdir(parents=True)
    one.check(["public_test"])
    SetFolder(one.path, INFORMATION | {"settings": {}}, UIDS).begin()
    with pytest.raises(
        CohortError, match="with the same settings, found few version 5, where size differ; "
    ):
        one.check(["public_test"])


@pytest.mark.parametrize("count", [0, 1])
def test_an_unfinished_set_is_no_cohort(one, count):
    one.begin()
    for uid in UIDS[:count]:
        one.add(made(one, uid))
    with pytest.raises(CohortError, match="unfinished.*same datkit simulate again"):
        open_folder(one.path, require_labels=False)
