"""Cohort folders: uids stay text, bytes are hashed, problems are named, centres stay whole."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datkit.data import Cohort, grouped_folds, open_folder
from datkit.errors import ChecksumError, CohortError, ScanError, UsageError
from datkit.files import sha256_file
from datkit.io.scan import save_scan

# What a spreadsheet or a careless reader turns into numbers, dates, booleans or nothing.
TRICKY = ["007", "1e5", "1.0", "NA", "null", "True", "2026-01-02", "0x1F", "inf"]


def volume(path: Path, fill: int = 1) -> None:
    voxels = np.arange(8**3, dtype=np.uint16).reshape(8, 8, 8) + fill
    save_scan(voxels, np.diag([4.0, 4.0, 4.0, 1.0]), path)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a cohort folder: make(uids, volumes=[…], exams="…")."""

    def write(uids: list[str], *, volumes: list[str] | None = None, **tables: str) -> Path:
        folder = tmp_path / "demo"
        (folder / "niftis").mkdir(parents=True)
        for index, uid in enumerate(uids if volumes is None else volumes):
            volume(folder / "niftis" / f"{uid}.nii.gz", fill=index)
        rows = "".join(f"{uid},{float(index % 2)}\n" for index, uid in enumerate(uids))
        texts = {"train_labels": f"uid,is_pathologic\n{rows}"} | tables
        for name, text in texts.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    return write


def describe(folder: Path, **keys: Any) -> None:
    """Write cohort.json with the hash of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
    (folder / "cohort.json").write_text(json.dumps({"sha256": hashes} | keys))


def problems_of(folder: Path, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(CohortError) as caught:
        open_folder(folder, **settings)
    assert str(folder) in str(caught.value)
    return caught.value.problems


# ------------------------------------------------------------ sound folders


def test_the_challenges_own_folder_opens(make):
    cohort = open_folder(make(["a", "b", "c"]))
    assert (cohort.name, len(cohort), list(cohort)) == ("demo", 3, ["a", "b", "c"])
    assert cohort.labels.tolist() == [0.0, 1.0, 0.0] and cohort.labels.dtype == float
    assert cohort.truth is None and cohort.info == {}
    assert cohort.path_of("b").name == "b.nii.gz"
    assert cohort.load("b").data[0, 0, 0] == 1
    assert repr(cohort) == "<Cohort demo: 3 exams, 2 normal, 1 abnormal>"


def test_uids_are_text_to_the_letter_in_the_order_of_the_table(make):
    rows = "".join(f"{uid},1\n" for uid in TRICKY)
    cohort = open_folder(make(TRICKY, exams="uid,centre\n" + rows, truth="uid,votes\n" + rows))
    assert cohort.uids == TRICKY and all(type(uid) is str for uid in cohort.uids)
    assert list(cohort.truth.index) == list(cohort.labels.index) == TRICKY
    assert cohort.load("1e5").data[0, 0, 0] == 1


def test_tables_follow_the_labels_and_numbers_are_numbers_but_codes_are_text(make):
    cohort = open_folder(
        make(
            ["a", "b", "c"],
            exams="uid,centre,camera,age,sex\nc,1,,61,F\na,2,x,,M\nb,1,y,70.5,F\n",
            truth="uid,putamen_left,votes\nb,1.5,011\na,2.0,000\nc,1e-1,111\n",
        )
    )
    assert list(cohort.exams) == ["is_pathologic", "centre", "camera", "age", "sex"]
    assert cohort.exams["centre"].tolist() == ["2", "1", "1"]
    assert cohort.exams["camera"].isna().tolist() == [False, False, True]
    assert np.array_equal(cohort.exams["age"], [np.nan, 70.5, 61.0], equal_nan=True)
    assert cohort.truth["putamen_left"].tolist() == [2.0, 1.5, 0.1]
    assert cohort.truth["votes"].tolist() == ["000", "011", "111"]


def test_a_table_saved_by_a_spreadsheet_opens(make):
    folder = make(["a", "b"])
    text = '\ufeffuid,is_pathologic\r\n"a",0\r\n\r\nb,1\r\n'  # byte-order mark, quotes, empty line
    (folder / "train_labels.csv").write_bytes(text.encode())
    assert open_folder(folder).labels.to_dict() == {"a": 0.0, "b": 1.0}


def test_cohort_json_gives_name_and_provenance(make):
    folder = make(["a", "b"])
    describe(folder, name="simulated", version="1", licence="MIT", seed=7, settings={"noise": 1})
    cohort = open_folder(folder)
    assert cohort.name == "simulated" and cohort.info["seed"] == 7
    assert cohort.load("a").shape == (8, 8, 8)


# ------------------------------------------------------------ without labels


def test_without_labels_the_rows_of_the_submission_format_are_the_exams(make):
    folder = make(["b", "a", "c"], submission_format="uid,is_pathologic\nb,0.5\na,0.5\n")
    (folder / "train_labels.csv").unlink()
    cohort = open_folder(folder, require_labels=False)
    assert cohort.uids == ["b", "a"] and cohort.labels.isna().all()
    assert repr(cohort) == "<Cohort demo: 2 exams, 0 normal, 0 abnormal, 2 unknown>"
    assert "train_labels.csv: expected CSV" in problems_of(folder)[0]


def test_without_any_table_the_volumes_are_the_exams(make):
    folder = make(["b", "a"])
    (folder / "train_labels.csv").unlink()
    (folder / "niftis" / "._a.nii.gz").write_bytes(b"left by a Mac")
    cohort = open_folder(folder, require_labels=False)
    assert cohort.uids == ["a", "b"] and cohort.labels.isna().all()


def test_without_labels_required_an_empty_label_is_unknown_and_a_wrong_one_still_wrong(make):
    folder = make(["a", "b"], train_labels="uid,is_pathologic\na,\nb,1\n")
    labels = open_folder(folder, require_labels=False).labels
    assert np.array_equal(labels, [np.nan, 1.0], equal_nan=True)
    (folder / "train_labels.csv").write_text("uid,is_pathologic\na,\nb,maybe\n")
    assert "found 'maybe' for 'b'" in problems_of(folder, require_labels=False)[0]


# ------------------------------------------------------------ faulty folders


LABELS = "uid,is_pathologic\n"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"train_labels": LABELS + "a,0\na,1\nb,1\n"}, "several rows for 'a'; keep one per exam"),
        ({"train_labels": "uid,label\na,0\nb,1\n"}, "uid and is_pathologic among them, found"),
        ({"train_labels": "uid;is_pathologic\na;0\n"}, "the separator is a comma"),
        ({"train_labels": "uid,is_pathologic,uid\na,0,a\n"}, "expected distinct columns"),
        ({"train_labels": ""}, "expected distinct columns"),
        ({"train_labels": LABELS + "a,0\nb,2\n"}, "0 or 1 in is_pathologic, found '2' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,\n"}, "0 or 1 in is_pathologic, found '' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,0.5\n"}, "found '0.5' for 'b'; correct the labels"),
        ({"train_labels": LABELS + "a,0\nb,nan\n"}, "found 'nan' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,1\nc,1\n"}, "volume for every exam, found none for 'c'"),
        ({"train_labels": LABELS + "a,0\n"}, "a row for every volume, found none for 'b'"),
        ({"train_labels": LABELS + 'a,0\n"b,1\n'}, "train_labels.csv: expected CSV in UTF-8"),
        ({"exams": "uid,age\na,61\n"}, "exams.csv: expected a row for every exam, found"),
        ({"exams": "uid,age\na,1\nb,2\nc,3\n"}, "exams.csv: expected exams of this cohort, found"),
        ({"exams": "name,age\na,61\n"}, "exams.csv: expected distinct columns, uid among them"),
        ({"exams": "uid,age\na,1\nb,2\nb,3\n"}, "exams.csv: expected each uid once, found several"),
        ({"exams": "uid,is_pathologic\na,1\nb,2\n"}, "exams.csv: expected the labels in train_lab"),
        ({"truth": "uid,sbr\na,1\n"}, "truth.csv: expected a row for every exam, found"),
    ],
)
def test_one_fault_is_one_sentence_with_file_and_remedy(make, tables, said):
    problems = problems_of(make(["a", "b"], **tables))
    assert [said in problem for problem in problems] == [True]
    assert problems[0].endswith(".") and ";" in problems[0]


def test_a_line_of_the_wrong_length_is_named_by_its_number(make):
    folder = make(["a", "b"], exams="uid,age\na,61\nb,61,5\n")
    assert "exams.csv: expected 2 values in each line, found 3 in line 3" in problems_of(folder)[0]


@pytest.mark.parametrize("uid", ["../a", "a/b", "", ".a", "a b", "-a", "é", "a\x00", "x" * 101])
def test_a_uid_that_is_no_safe_file_name_is_refused(make, uid):
    folder = make(["a"], train_labels=LABELS + f'a,0\n"{uid}",1\n')
    problems = problems_of(folder)
    assert len(problems) == 1 and "expected uids of letters, digits" in problems[0]


def test_a_spreadsheet_that_ate_the_zeros_is_suspected(make):
    problems = problems_of(make(["7"], volumes=["007"]))
    assert "found none for '7'" in problems[0] and "a spreadsheet turns 007 into 7" in problems[0]
    assert "found none for '007'" in problems[1] and len(problems) == 2


def test_every_problem_of_every_file_is_listed_at_once(make):
    folder = make(
        ["a"],
        volumes=["a", "stray"],
        train_labels=LABELS + "a,0\na,9\n../up,1\ngone,1\nshort\n",
        exams="uid,age\na,61\nother,5\n",
        truth="exam\na\n",
    )
    (folder / "cohort.json").write_text("{")
    said = [
        "cohort.json: expected JSON",
        "train_labels.csv: expected 2 values in each line, found 1 in line 6",
        "train_labels.csv: expected 0 or 1 in is_pathologic, found '9' for 'a'",
        "train_labels.csv: expected uids of letters",
        "train_labels.csv: expected each uid once",
        "niftis: expected a volume for every exam, found none for 'gone'",
        "train_labels.csv: expected a row for every volume, found none for 'stray'",
        "exams.csv: expected exams of this cohort, found 'other'",
        "exams.csv: expected a row for every exam, found none for 'gone'",
        "truth.csv: expected distinct columns",
    ]
    problems = problems_of(folder)
    assert all(problem.startswith(start) for problem, start in zip(problems, said, strict=True))


def test_many_faults_of_one_kind_are_counted_not_poured_out(make):
    uids = [f"gone{index}" for index in range(500)]
    problems = problems_of(make(uids, volumes=[]))
    assert len(problems) == 1
    assert "found none for 'gone0', 'gone1', 'gone2' and 497 more" in problems[0]


def test_an_empty_cohort_is_no_cohort(make):
    folder = make([])
    assert "expected at least one exam" in problems_of(folder)[0]
    (folder / "train_labels.csv").unlink()
    assert "expected at least one exam" in problems_of(folder, require_labels=False)[0]


def test_a_folder_without_labels_or_volumes_is_told_both(tmp_path):
    problems = problems_of(tmp_path)
    assert [problem.split(":")[0] for problem in problems] == ["train_labels.csv", "niftis"]


def test_a_path_that_is_no_folder_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        open_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["[]", '{"sha256": []}', "{", "\xff"])
def test_a_broken_cohort_json_is_named(make, text):
    folder = make(["a"])
    (folder / "cohort.json").write_bytes(text.encode("latin-1"))
    assert problems_of(folder)[0].startswith("cohort.json: expected")


# ------------------------------------------------------------ hashes


def test_a_table_that_is_not_the_one_described_is_named_with_both_hashes(make):
    folder = make(["a", "b"])
    describe(folder)
    before = sha256_file(folder / "train_labels.csv")
    (folder / "train_labels.csv").write_text(LABELS + "a,1\nb,0\n")
    after = sha256_file(folder / "train_labels.csv")
    problem = problems_of(folder)[0]
    assert problem.startswith("train_labels.csv: ") and before in problem and after in problem


def test_a_volume_whose_bytes_changed_is_never_loaded_not_on_the_second_call_either(make):
    folder = make(["a", "b"])
    describe(folder)
    cohort = open_folder(folder)
    volume(cohort.path_of("a"), fill=9)
    found = hashlib.sha256(cohort.path_of("a").read_bytes()).hexdigest()
    for some in (cohort, cohort, cohort.subset(["a"])):
        with pytest.raises(ChecksumError, match=found) as caught:
            some.load("a", repair=True)
        assert "niftis/a.nii.gz" in str(caught.value) and "\n" not in str(caught.value)
    assert cohort.load("b").data[0, 0, 0] == 1


def test_a_volume_that_went_away_or_broke_is_told(make):
    folder = make(["a", "b"])
    cohort = open_folder(folder)
    cohort.path_of("a").unlink()
    with pytest.raises(UsageError, match="a.nii.gz"):
        cohort.load("a")
    cohort.path_of("b").write_bytes(cohort.path_of("b").read_bytes()[:100])
    with pytest.raises(ScanError, match="b.nii.gz"):
        cohort.load("b")


# ------------------------------------------------------------ subsets and folds


def test_a_subset_keeps_the_order_asked_for_and_leaves_the_whole_alone(make):
    table = "uid,age\na,1\nb,2\nc,3\n"
    cohort = open_folder(make(["a", "b", "c"], exams=table, truth=table))
    some = cohort.subset(["c", "a"])
    assert isinstance(some, Cohort) and some.uids == ["c", "a"]
    assert some.exams["age"].tolist() == some.truth["age"].tolist() == [3, 1]
    assert some.load("c").data[0, 0, 0] == 2 and len(cohort) == 3
    with pytest.raises(CohortError, match="expected exams of this cohort, found 'b'"):
        some.path_of("b")


def test_a_subset_of_unknown_or_repeated_exams_is_refused(make):
    cohort = open_folder(make(["007", "8"]))
    with pytest.raises(CohortError, match=r"found 7; .*text: '007', not 7"):
        cohort.subset([7])
    with pytest.raises(CohortError, match="found '8' several times"):
        cohort.subset(["8", "007", "8"])
    with pytest.raises(CohortError, match="found '../007'"):
        cohort.load("../007")


def test_left_out_centres_are_never_seen_in_training():
    centres = pd.Series(["north", "south", "north", "east", "south", "north"])
    folds = grouped_folds(centres)
    assert [sorted(set(centres[test])) for _, test in folds] == [["east"], ["north"], ["south"]]
    for train, test in folds:
        assert not set(centres[train]) & set(centres[test])
        assert sorted([*train, *test]) == list(range(6))


@pytest.mark.parametrize("n_splits", [None, 2, 3, 5])
def test_every_exam_is_tested_once_and_no_group_is_split(n_splits):
    groups = np.random.default_rng(0).integers(0, 5, 60)
    folds = grouped_folds(groups, n_splits)
    assert len(folds) == (n_splits or 5)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)


def test_folds_do_not_depend_on_what_the_groups_are_called():
    numbers = [2, 1, 2, 3, 1]
    renamed = [f"centre {number}" for number in numbers]
    for one, other in zip(grouped_folds(numbers), grouped_folds(renamed), strict=True):
        assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize(
    ("groups", "n_splits"), [(["a", "a"], None), (["a", "b"], 3), (["a", "b"], 1), ([], None)]
)
def test_folds_that_cannot_be_made_are_wrong_use(groups, n_splits):
    with pytest.raises(UsageError, match="ask for fewer folds or group the exams differently"):
        grouped_folds(groups, n_splits)


def test_an_exam_without_a_group_is_refused():
    with pytest.raises(CohortError, match="found none for 1 of 3"):
        grouped_folds(["a", None, "b"])


def test_the_inference_path_stays_light():
    absent = {"pydantic", "yaml", "pooch", "requests", "nilearn", "matplotlib", "sklearn", "torch"}
    # nibabel takes pydicom along where that is installed, and pydicom takes requests
    code = "import sys; sys.modules['pydicom'] = None; import datkit.data; "
    code += f"print({absent} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
