"""What is learnt from and scored: labelled exams, their folds, and volumes that stay on disk."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from datkit.data.cohort import Cohort
from datkit.errors import UsageError
from datkit.evaluate.benchmark.exams import BenchmarkExams


@pytest.fixture(scope="module")
def tiny(tiny_cohort, prepared_tiny):
    return BenchmarkExams.gather(tiny_cohort, lambda _: prepared_tiny)


def test_everything_that_may_be_read_has_a_row_an_exam(tiny, prepared_tiny):
    assert {*tiny.inputs} == {"measures", "volumes", "scanner", "age", "oracle", "panel"}
    assert list(tiny.table.index) == prepared_tiny.uids
    volumes = tiny.inputs["volumes"]
    np.testing.assert_array_equal(volumes[np.array([5, 0])], prepared_tiny.volumes[[5, 0]])
    assert len(pickle.dumps(volumes)) < 10_000  # places, no voxels
    assert tiny.table["shuffled"].sum() == tiny.table["label"].sum()
    assert (tiny.table["shuffled"] != tiny.table["label"]).any()


def test_an_exam_without_a_label_is_left_out(tiny_cohort, prepared_tiny):
    table = prepared_tiny.table.copy()
    table.loc[prepared_tiny.uids[2], "is_pathologic"] = np.nan
    exams = BenchmarkExams.gather(tiny_cohort, lambda _: replace(prepared_tiny, table=table))
    assert len(exams.table) == 23 and prepared_tiny.uids[2] not in exams.cohort.uids
    row = exams.inputs["volumes"][np.array([2])]
    np.testing.assert_array_equal(row[0], prepared_tiny.volumes[3])
    table["is_pathologic"] = np.nan
    with pytest.raises(UsageError, match="expected exams with labels, found none"):
        BenchmarkExams.gather(tiny_cohort, lambda _: replace(prepared_tiny, table=table))


def test_where_centres_are_not_named_families_stand_for_them(tiny_cohort, prepared_tiny):
    exams = tiny_cohort.exams.drop(columns="centre")
    unnamed = Cohort(**vars(tiny_cohort) | {"exams": exams, "truth": None})
    gathered = BenchmarkExams.gather(unnamed, lambda _: prepared_tiny)
    assert gathered.by == "family" and gathered.table["centre"].str.contains("mm").all()
    assert not {"oracle", "panel"} & {*gathered.inputs}


@pytest.mark.parametrize(("split", "count"), [("random", 4), ("grouped", 4), ("centres", 5)])
def test_folds_test_each_exam_once_and_keep_centres_whole(exams, split, count):
    folds = exams.folds(split, n_splits=4)
    assert len(folds) == count
    assert sorted(uid for fold in folds for uid in fold.test) == sorted(exams.table.index)
    centres = exams.table["centre"]
    shared = [{*centres[[*fold.train]]} & {*centres[[*fold.test]]} for fold in folds]
    assert bool(any(shared)) == (split == "random")


def test_a_setting_scores_its_own_exams(exams):
    table = exams.table.copy()
    table.loc[table.index[:30], "set"] = "public"
    table.loc[table.index[30:60], "set"] = "private"
    table.loc[table.index[50:60], "centre"] = "new"
    tests = replace(exams, table=table)
    sizes = {one: len(tests.scored(one)) for one in ("grouped", "public", "private", "unseen")}
    assert sizes == {"grouped": 140, "public": 30, "private": 30, "unseen": 10}
