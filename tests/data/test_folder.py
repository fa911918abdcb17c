"""Cohort folders: uids stay text, tables are hashed, every problem is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exams import describe_cohort

from datkit.data import open_folder
from datkit.errors import CohortError, UsageError
from datkit.files import sha256_file

# What a spreadsheet or a careless reader turns into numbers, dates, booleans or nothing.
TRICKY = ["007", "1e5", "1.0", "NA", "null", "True", "2026-01-02", "0x1F", "inf"]


def problems_of(folder: Path, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(CohortError) as caught:
        open_folder(folder, **settings)
    assert str(folder) in str(caught.value)
    return tuple(map(str, caught.value.problems))


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


@pytest.mark.parametrize("age", ["9" * 5000, "1e999"])
def test_a_cell_that_no_number_can_hold_is_text(make, age):
    cohort = open_folder(make(["a", "b"], exams=f"uid,age\na,61\nb,{age}\n"))
    assert cohort.exams["age"].tolist() == ["61", age]


def test_a_table_saved_by_a_spreadsheet_opens(make):
    folder = make(["a", "b"])
    text = '\ufeffuid,is_pathologic\r\n"a",0\r\n\r\nb,1\r\n'  # byte-order mark, quotes, empty line
    (folder / "train_labels.csv").write_bytes(text.encode())
    assert open_folder(folder).labels.to_dict() == {"a": 0.0, "b": 1.0}


def test_cohort_json_gives_name_and_provenance(make):
    folder = make(["a", "b"])
    describe_cohort(
        folder, name="simulated", version="1", licence="MIT", seed=7, settings={"noise": 1}
    )
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
        ({"train_labels": LABELS + "a,0\na,1\nb,1\n"}, "several rows for 'a'. Keep one per exam"),
        ({"train_labels": "uid,label\na,0\nb,1\n"}, "uid and is_pathologic among them, found"),
        ({"train_labels": "uid;is_pathologic\na;0\n"}, "the separator is ','"),
        ({"train_labels": "uid,is_pathologic,uid\na,0,a\n"}, "expected distinct columns"),
        ({"train_labels": ""}, "expected distinct columns"),
        ({"train_labels": LABELS + "a,0\nb,2\n"}, "0 or 1 in is_pathologic, found '2' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,\n"}, "0 or 1 in is_pathologic, found '' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,0.5\n"}, "found '0.5' for 'b'. Correct the labels"),
        ({"train_labels": LABELS + "a,0\nb,nan\n"}, "found 'nan' for 'b'"),
        ({"train_labels": LABELS + "a,0\nb,1\nc,1\n"}, "volume for every exam, found none for 'c'"),
        ({"train_labels": LABELS + "a,0\n"}, "a row for every volume, found none for 'b'"),
        ({"train_labels": LABELS + 'a,0\n"b,1\n'}, "train_labels.csv: expected CSV in UTF-8"),
        ({"exams": "uid,age\na,61\n"}, "exams.csv: expected a row for every exam, found"),
        ({"exams": "uid,age\na,1\nb,2\nc,3\n"}, "exams.csv: expected exams of this cohort, found"),
        (
            {"exams": "name,age\na,61\n"},
            "exams.csv, line 1: expected distinct columns, uid among them",
        ),
        ({"exams": "uid,age\na,1\nb,2\nb,3\n"}, "exams.csv: expected each uid once, found several"),
        ({"exams": "uid,is_pathologic\na,1\nb,2\n"}, "exams.csv: expected the labels in train_lab"),
        ({"truth": "uid,sbr\na,1\n"}, "truth.csv: expected a row for every exam, found"),
    ],
)
def test_one_fault_is_one_sentence_with_file_and_remedy(make, tables, said):
    problems = problems_of(make(["a", "b"], **tables))
    assert [said in problem for problem in problems] == [True]
    assert problems[0].endswith(".") and problems[0].count(". ") >= 1


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
        "truth.csv, line 1: expected distinct columns",
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
    describe_cohort(folder)
    before = sha256_file(folder / "train_labels.csv")
    (folder / "train_labels.csv").write_text(LABELS + "a,1\nb,0\n")
    after = sha256_file(folder / "train_labels.csv")
    problem = problems_of(folder)[0]
    assert problem.startswith("train_labels.csv: ") and before in problem and after in problem


def test_a_table_that_cohort_json_lists_may_not_be_gone(make):
    folder = make(["01", "02"])
    (folder / "cohort.json").write_text('{"sha256": {"exams.csv": "0", "truth.csv": "0"}}')
    assert problems_of(folder) == (  # truth may be withheld
        "exams.csv: expected the table that cohort.json lists, found none. Restore the file.",
    )
