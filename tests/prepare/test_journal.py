"""Rows on disk: what is whole is kept, what is half-written is not."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.prepare import Prepared
from datkit.prepare.journal import PART, RECORDS, Journal, is_complete

UIDS, SHAPE = ["a", "b", "c"], (3, 2, 2, 2)


def prepared(value: float) -> Prepared:
    return Prepared(np.full(SHAPE[1:], value, np.float32), np.eye(4), {"similarity": value})


@pytest.fixture
def folder(tmp_path):
    """Two exams written, one of them a failure, then an interruption."""
    journal = Journal(tmp_path, UIDS, SHAPE)
    journal.add("a", "no head")
    journal.add("b", prepared(0.5))
    return tmp_path


def test_whole_rows_are_kept(folder):
    journal = Journal(folder, UIDS, SHAPE)
    assert journal.done == 2
    assert journal.failures == {"a": "no head"} and journal.quality == {"b": {"similarity": 0.5}}


def test_finished_journal_leaves_array_and_table_alone(folder):
    journal = Journal(folder, UIDS, SHAPE)
    journal.add("c", prepared(0.25))
    assert not is_complete(folder, SHAPE)
    journal.finish()
    assert is_complete(folder, SHAPE) and not is_complete(folder, (4, 2, 2, 2))
    assert sorted(path.name for path in folder.iterdir()) == ["prepared.json", "volumes.npy"]
    assert np.load(folder / "volumes.npy")[:2, 0, 0, 0].tolist() == [0.5, 0.25]


def test_row_whose_bytes_differ_is_not_kept(folder):
    volumes = np.load(folder / PART, mmap_mode="r+")
    volumes[0, 1, 1, 1] = 7
    volumes.flush()
    assert Journal(folder, UIDS, SHAPE).done == 1


@pytest.mark.parametrize("cut", [1, 20, None])
def test_a_record_cut_short_or_lost_is_not_kept(folder, cut):
    record = folder / RECORDS / "1.json"
    record.write_bytes(record.read_bytes()[:-cut]) if cut else record.unlink()
    journal = Journal(folder, UIDS, SHAPE)
    assert journal.done == (2 if cut == 1 else 1)  # the last byte is a line's end
    if cut != 1:
        journal.add("b", prepared(0.75))
        assert Journal(folder, UIDS, SHAPE).quality == {"b": {"similarity": 0.75}}


def test_other_exams_start_anew(folder):
    assert Journal(folder, ["x", "a", "b"], SHAPE).done == 0
    assert Journal(folder, UIDS, (5, 2, 2, 2)).done == 0
