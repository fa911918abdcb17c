"""Rows on disk: what is as it was written is kept, nothing else is."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import pytest

from datkit.files import write_sealed
from datkit.prepare import Prepared
from datkit.prepare.journal import ARRAY, RECORDS, TABLE, Journal

UIDS, SHAPE = ["a", "b", "c"], (2, 2, 2)


def prepared(value: float) -> Prepared:
    return Prepared(np.full(SHAPE, value, np.float32), np.eye(4), {"similarity": value})


@pytest.fixture
def folder(tmp_path):
    """Two exams written, one of them a failure, then an interruption."""
    journal = Journal(tmp_path, UIDS, SHAPE)
    journal.reserve()
    journal.add("a", "no head")
    journal.add("b", prepared(0.5))
    return tmp_path


@pytest.fixture
def finished(folder):
    """The third one too."""
    journal = Journal(folder, UIDS, SHAPE)
    journal.add("c", prepared(0.25))
    journal.finish()
    return folder


def test_whole_rows_are_kept(folder):
    journal = Journal(folder, UIDS, SHAPE)
    assert journal.missing == ["c"]
    assert journal.failures == {"a": "no head"} and journal.quality == {"b": {"similarity": 0.5}}


def test_finished_journal_leaves_array_and_table_alone(finished):
    journal = Journal(finished, UIDS, SHAPE)
    assert not journal.missing
    assert sorted(path.name for path in finished.iterdir()) == [TABLE, ARRAY]
    assert np.load(finished / ARRAY)[:2, 0, 0, 0].tolist() == [0.5, 0.25]
    assert journal.volumes[:2, 1, 1, 1].tolist() == [0.5, 0.25]


def test_opening_writes_nothing(tmp_path):
    assert Journal(tmp_path / "new", UIDS, SHAPE).missing == UIDS
    assert not (tmp_path / "new").exists()


def test_row_whose_bytes_differ_is_not_kept(folder):
    volumes = np.load(folder / ARRAY, mmap_mode="r+")
    volumes[0, 1, 1, 1] = 7
    volumes.flush()
    assert Journal(folder, UIDS, SHAPE).missing == ["b", "c"]


def test_what_was_made_of_other_exams_is_not_kept(finished, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved")
    for name, missing in ((finished.name, []), ("of-other-exams", UIDS)):
        shutil.copytree(finished, moved / name)
        assert Journal(moved / name, UIDS, SHAPE).missing == missing


@pytest.mark.parametrize("place", [TABLE, f"{RECORDS}/0.json"])
@pytest.mark.parametrize("document", [{"licence": "CC0-1.0", "sha256": {"a": "0"}}, {"quality": 7}])
def test_a_sealed_document_of_another_kind_is_no_record(place, document, tmp_path):
    write_sealed(tmp_path / place, document)
    assert Journal(tmp_path, UIDS, SHAPE).missing == UIDS


@pytest.mark.parametrize("rows", [[1, 0, 2], [0, 0, 2]], ids=["swapped", "doubled"])
def test_rows_in_other_places_are_made_again(finished, rows):
    content = np.load(finished / ARRAY)
    np.save(finished / ARRAY, content[rows])
    journal = Journal(finished, UIDS, SHAPE)
    assert journal.missing == [
        uid for uid, row in zip("bc", rows, strict=False) if uid != "bc"[row]
    ]
    for uid in journal.missing:
        journal.add(uid, prepared({"b": 0.5, "c": 0.25}[uid]))
    journal.finish()
    assert not Journal(finished, UIDS, SHAPE).missing
    np.testing.assert_array_equal(np.load(finished / ARRAY)[:2], content[:2])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (TABLE, lambda text: text.replace(b"0.25", b"0.26")),
        (TABLE, lambda text: text.replace(b'"a": "no head"', b"")),
        (TABLE, lambda text: text[:-30]),
        (TABLE, lambda text: bytes(len(text))),
        (TABLE, lambda _: b"[" * 100_000),
        (TABLE, lambda _: b"[1]"),
        (ARRAY, lambda text: text.replace(b"<f4", b">f4")),  # the same bytes, other numbers
        (ARRAY, lambda text: text.replace(b"False", b"True ")),
        (ARRAY, lambda text: text[:-9]),
        (ARRAY, lambda _: b""),
    ],
)
def test_what_is_not_as_it_was_written_is_made_again(finished, name, change):
    before = np.load(finished / ARRAY)
    path = finished / name
    path.write_bytes(change(path.read_bytes()))
    journal = Journal(finished, UIDS, SHAPE)
    assert journal.missing
    journal.reserve()
    for uid in journal.missing:
        journal.add(uid, {"a": "no head", "b": prepared(0.5), "c": prepared(0.25)}[uid])
    journal.finish()
    again = Journal(finished, UIDS, SHAPE)
    assert not again.missing and again.failures == {"a": "no head"}
    np.testing.assert_array_equal(again.volumes[:2], before[:2])


def test_an_exam_that_fails_the_second_time_moves_no_other_into_its_place(finished):
    volumes = np.load(finished / ARRAY, mmap_mode="r+")
    volumes[0, 0, 0, 0] = 7
    volumes.flush()
    journal = Journal(finished, UIDS, SHAPE)
    assert journal.missing == ["b"]
    journal.add("b", "no striata")
    journal.finish()
    assert Journal(finished, UIDS, SHAPE).missing == ["c"]  # its row is another now


@pytest.mark.parametrize("cut", [1, 20, None])
def test_a_record_cut_short_or_lost_is_not_kept(folder, cut):
    record = folder / RECORDS / "1.json"
    record.write_bytes(record.read_bytes()[:-cut]) if cut else record.unlink()
    journal = Journal(folder, UIDS, SHAPE)
    assert journal.missing == (["c"] if cut == 1 else ["b", "c"])  # the last byte is a line's end
    if cut != 1:
        journal.add("b", prepared(0.75))
        assert Journal(folder, UIDS, SHAPE).quality == {"b": {"similarity": 0.75}}


def test_another_shape_starts_anew(folder):
    assert Journal(folder, UIDS, (2, 2, 3)).missing == ["b", "c"]
    assert Journal(folder, [*UIDS, "d"], SHAPE).missing == ["b", "c", "d"]


# ---------------------------------------------------------------- a full disk


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room")
def test_room_for_all_is_taken_first(tmp_path):
    Journal(tmp_path, UIDS, (64, 64, 64)).reserve()
    found = (tmp_path / ARRAY).stat()
    assert found.st_blocks * 512 >= found.st_size > 3 * 64**3 * 4


def test_a_disk_that_is_too_small_is_told_before_any_work(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        Journal(tmp_path, UIDS, SHAPE).reserve()
    assert not list(tmp_path.iterdir())


def test_no_row_is_written_through_the_map(folder):
    """On a full disk such a write ends the process (SIGBUS); an ordinary one raises."""
    assert not Journal(folder, UIDS, SHAPE).volumes.flags.writeable
