"""Splits: nothing on both sides, proved from the exams; saved, hashed, read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from exams import save_small
from fuzz import repeatable

from datkit.data import (
    Cohort,
    Fold,
    grouped_split,
    leave_one_out_split,
    official_split,
    open_folder,
    random_split,
    read_split,
)
from datkit.data import split as module
from datkit.errors import ChecksumError, CohortError, UsageError


def cohort_of(tmp_path, **columns) -> Cohort:
    """Exams a, b, c, … whose hashes are listed, so that no volume is needed."""
    n = len(next(iter(columns.values())))
    uids = [chr(97 + index) for index in range(n)]
    images = columns.pop("image", uids)
    labels = columns.pop("labels", [index % 2 for index in range(n)])
    exams = pd.DataFrame({"is_pathologic": np.array(labels, float)} | columns, index=uids)
    listed = {f"niftis/{uid}.nii.gz": image for uid, image in zip(uids, images, strict=True)}
    return Cohort("demo", tmp_path, exams, info={"sha256": listed})


def sides(split, column: pd.Series):
    return [(set(column[list(f.train)]), set(column[list(f.test)])) for f in split.folds]


def assert_each_exam_is_tested_once(split, cohort):
    assert sorted(uid for fold in split.folds for uid in fold.test) == sorted(cohort.uids)
    for fold in split.folds:
        assert sorted([*fold.train, *fold.test]) == sorted(cohort.uids)


# ------------------------------------------------------------ the four kinds


def test_a_random_split_keeps_people_and_copies_together(tmp_path):
    cohort = cohort_of(
        tmp_path,
        subject=list("ppqrstuvwx"),
        image=["1", "2", "3", "3", *"456789"],
        centre=["A"] * 10,
    )
    split = random_split(cohort, n_splits=4, seed=1)
    assert_each_exam_is_tested_once(split, cohort)
    assert split.proved == ("subject", "image")
    for fold in split.folds:
        for pair in ({"a", "b"}, {"c", "d"}):
            assert pair <= set(fold.test) or not pair & set(fold.test)


def test_the_same_seed_gives_the_same_split_and_another_another(tmp_path):
    cohort = cohort_of(tmp_path, centre=["A"] * 20)
    assert random_split(cohort, seed=3) == random_split(cohort, seed=3)
    assert random_split(cohort, seed=3).sha256 != random_split(cohort, seed=4).sha256


def test_a_random_split_has_about_equal_shares_of_abnormal_exams(tmp_path):
    cohort = cohort_of(tmp_path, labels=[1] * 5 + [0] * 15, centre=["A"] * 20)
    for fold in random_split(cohort, n_splits=5).folds:
        assert cohort.labels[list(fold.test)].sum() == 1


def test_a_grouped_split_never_shares_a_centre(tmp_path):
    centres = list("AABBCCDDEE")
    cohort = cohort_of(tmp_path, centre=centres)
    split = grouped_split(cohort, "centre", n_splits=3)
    assert_each_exam_is_tested_once(split, cohort)
    assert all(not train & test for train, test in sides(split, cohort.exams["centre"]))
    assert split.proved == ("subject", "image", "centre")


def test_a_person_seen_at_two_centres_ties_them_together(tmp_path):
    cohort = cohort_of(tmp_path, centre=list("AABBCC"), subject=list("pqqrst"))
    split = leave_one_out_split(cohort)
    assert [fold.name for fold in split.folds] == ["A + B", "C"]


def test_leave_one_centre_out_names_its_folds(tmp_path):
    cohort = cohort_of(tmp_path, centre=list("ABCABC"))
    split = leave_one_out_split(cohort, "centre")
    assert [(fold.name, fold.test) for fold in split.folds] == [
        ("A", ("a", "d")),
        ("B", ("b", "e")),
        ("C", ("c", "f")),
    ]


def test_families_stand_in_where_centres_are_not_named(tiny_cohort):
    split = grouped_split(tiny_cohort, "family", n_splits=3)
    assert_each_exam_is_tested_once(split, tiny_cohort)
    assert split.proved == ("subject", "image", "family")
    families = module.ties_of(tiny_cohort, "family")["family"]
    assert all(not train & test for train, test in sides(split, families))


@pytest.fixture
def full(tiny_cohort, tmp_path):
    """A small stand-in for the cohort of the size full: three folders of other exams."""
    root = tmp_path / "full"
    thirds = np.array_split(np.array(tiny_cohort.uids[:6], dtype=object), 3)
    for folder, uids in zip(
        (root, root / "public_test", root / "private_test"), thirds, strict=True
    ):
        (folder / "niftis").mkdir(parents=True)
        for uid in uids:
            shutil.copy(tiny_cohort.path_of(uid), folder / "niftis")
        rows = "".join(f"{uid},{tiny_cohort.labels[uid]}\n" for uid in uids)
        (folder / "train_labels.csv").write_text("uid,is_pathologic\n" + rows)
    return root


def test_the_official_sets_share_no_exam(full):
    split = official_split(open_folder(full))
    names = ["public_test", "private_test", "private_test against public_test"]
    assert [fold.name for fold in split.folds] == names
    assert [(len(fold.train), len(fold.test)) for fold in split.folds] == [(2, 2)] * 3


@pytest.mark.parametrize("other", ["public_test", "private_test"])
def test_an_image_that_leaks_into_a_test_set_is_found(full, other):
    leaked = sorted((full / "niftis").iterdir())[0]
    shutil.copy(leaked, full / other / "niftis" / "renamed.nii.gz")
    table = full / other / "train_labels.csv"
    table.write_text(table.read_text() + "renamed,0\n")
    with pytest.raises(CohortError, match=f"{other}: expected no image on both sides, found 1"):
        official_split(open_folder(full))


def test_a_uid_in_two_sets_is_found(full):
    leaked = sorted((full / "niftis").iterdir())[0]
    shutil.copy(leaked, full / "public_test" / "niftis")
    table = full / "public_test" / "train_labels.csv"
    table.write_text(table.read_text() + f"{leaked.name.removesuffix('.nii.gz')},0\n")
    with pytest.raises(CohortError, match="expected each uid in one set"):
        official_split(open_folder(full))


def test_only_the_full_cohort_has_test_sets(tiny_cohort):
    with pytest.raises(CohortError, match="no public_test and no private_test"):
        official_split(tiny_cohort)


# ------------------------------------------------------------ what holds for every cohort


class TestEveryCohort:
    """Exams, people, copies and centres as chance will have them."""

    MAKERS: ClassVar = {
        "random": lambda cohort: random_split(cohort, n_splits=3, seed=5),
        "grouped": lambda cohort: grouped_split(cohort, "centre", n_splits=3),
        "leave one out": lambda cohort: leave_one_out_split(cohort, "centre"),
    }

    @pytest.fixture(params=MAKERS)
    def make(self, request, needed):
        from importlib.util import find_spec

        needed(find_spec("hypothesis"), "hypothesis is not installed: pip install -e '.[dev]'")
        return self.MAKERS[request.param]

    @staticmethod
    def for_cohorts(check):
        """Run a check on 40 cohorts that can be split, and on each with its rows shuffled."""
        from hypothesis import assume, given
        from hypothesis import strategies as st

        exam = st.tuples(*(st.integers(0, most) for most in (25, 25, 6, 1)))

        @repeatable(40)
        @given(st.lists(exam, min_size=6, max_size=20), st.randoms(use_true_random=False))
        def run(exams, chance):
            people, images, centres, labels = zip(*exams, strict=True)
            uids = [f"{number:03}" for number in range(len(exams))]
            columns = {"is_pathologic": labels, "subject": people, "centre": centres}
            table = pd.DataFrame(columns, index=uids).astype({"subject": str, "centre": str})
            names = [f"niftis/{uid}.nii.gz" for uid in uids]
            info = {"sha256": dict(zip(names, map(str, images), strict=True))}
            chance.shuffle(uids)
            try:
                check(
                    *(
                        Cohort("demo", Path("demo"), rows, info=info)
                        for rows in (table, table.loc[uids])
                    )
                )
            except UsageError:
                assume(False)  # too few people or groups for so many folds

        run()

    def test_nobody_and_nothing_stands_on_both_sides(self, make):
        def check(cohort, _):
            split = make(cohort)
            assert_each_exam_is_tested_once(split, cohort)
            facts = cohort.exams.assign(
                image=[cohort.info["sha256"][f"niftis/{u}.nii.gz"] for u in cohort]
            )
            for column in {*split.proved} & {*facts}:
                assert all(not train & test for train, test in sides(split, facts[column]))
            assert {"subject", "image"} <= {*split.proved}

        self.for_cohorts(check)

    def test_no_side_of_a_fold_is_empty(self, make):
        def check(cohort, _):
            assert all(fold.train and fold.test for fold in make(cohort).folds)

        self.for_cohorts(check)

    def test_the_same_seed_gives_the_same_hash_in_whatever_order_the_rows_stand(self, make):
        def check(cohort, shuffled):
            assert make(cohort).sha256 == make(cohort).sha256 == make(shuffled).sha256

        self.for_cohorts(check)


# ------------------------------------------------------------ the proof itself


@pytest.mark.parametrize(
    ("column", "values"),
    [("subject", list("ppqr")), ("image", list("1123")), ("centre", list("AABC"))],
)
def test_the_proof_refuses_what_stands_on_both_sides(tmp_path, column, values):
    ties = pd.DataFrame(
        {"subject": list("pqrs"), "image": list("1234"), "centre": list("ABCD")} | {column: values},
        index=list("abcd"),
    )
    bad, good = Fold("bad", ("a", "c"), ("b", "d")), Fold("good", ("c", "d"), ("a", "b"))
    with pytest.raises(CohortError, match=f"bad: expected no {column} on both sides, found 1"):
        module.prove_folds([good, bad], ties, tmp_path)
    module.prove_folds([good], ties, tmp_path)


def test_the_proof_refuses_an_exam_on_both_sides(tmp_path):
    ties = pd.DataFrame({"subject": list("pq")}, index=list("ab"))
    with pytest.raises(CohortError, match="expected no uid on both sides"):
        module.prove_folds([Fold("bad", ("a", "b"), ("b",))], ties, tmp_path)


# ------------------------------------------------------------ files


def test_a_split_is_saved_hashed_read_back_and_proved_again(tmp_path):
    cohort = cohort_of(tmp_path, centre=list("AABBCC"))
    split = grouped_split(cohort, "centre", n_splits=3)
    path = split.save(tmp_path / "split.json")
    assert json.loads(path.read_text())["sha256"] == split.sha256
    assert read_split(path) == read_split(path, cohort) == split
    for (train, test), fold in zip(split.positions(cohort), split.folds, strict=True):
        assert [cohort.uids[i] for i in test] == list(fold.test)
        assert [cohort.uids[i] for i in train] == list(fold.train)


def test_a_split_that_was_changed_is_refused(tmp_path):
    cohort = cohort_of(tmp_path, centre=list("AABBCC"))
    path = leave_one_out_split(cohort).save(tmp_path / "split.json")
    content = json.loads(path.read_text())
    content["folds"][0]["train"].append(content["folds"][0]["test"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(ChecksumError, match="split.json: expected sha256"):
        read_split(path)


def test_a_split_that_no_longer_holds_for_its_cohort_is_refused(tmp_path):
    path = leave_one_out_split(cohort_of(tmp_path, centre=list("AABB"))).save(tmp_path / "s.json")
    with pytest.raises(CohortError, match="expected no centre on both sides"):
        read_split(path, cohort_of(tmp_path, centre=list("ABAB")))
    with pytest.raises(CohortError, match="found none for 'c', 'd';"):
        read_split(path, cohort_of(tmp_path, centre=list("AB")))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sha256": 1, "folds": [3], "proved": []}', "\xff"]
)
def test_what_is_no_split_is_one_sentence(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CohortError, match="split.json: expected a split saved by datkit"):
        read_split(path)
    with pytest.raises(UsageError, match="nowhere"):
        read_split(tmp_path / "nowhere.json")


# ------------------------------------------------------------ wrong use


def test_splits_that_cannot_be_made_are_wrong_use(tmp_path):
    cohort = cohort_of(tmp_path, centre=list("AABB"))
    with pytest.raises(UsageError, match="found 5; ask for fewer folds"):
        random_split(cohort, n_splits=5)
    with pytest.raises(UsageError, match="ask for fewer folds"):
        grouped_split(cohort, "centre", n_splits=3)
    with pytest.raises(UsageError, match="Expected to group by centre or family, found 'sex'"):
        grouped_split(cohort, "sex")


def test_a_cohort_without_centres_is_told_of_families(tmp_path):
    with pytest.raises(CohortError, match="or group by 'family'"):
        grouped_split(cohort_of(tmp_path, age=[1, 2]), "centre")
    with pytest.raises(CohortError, match="found none for 1 of 2"):
        grouped_split(cohort_of(tmp_path, centre=["A", None]), "centre")


def test_images_are_read_where_no_hash_is_listed(tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2, "d": 3}.items():
        save_small(tmp_path / f"{name}.nii.gz", seed)
    from datkit.data import open_path

    for fold in random_split(open_path(tmp_path), n_splits=2).folds:
        assert {"a", "b"} <= set(fold.test) or not {"a", "b"} & set(fold.test)
