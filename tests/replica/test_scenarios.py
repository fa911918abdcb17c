"""A submission answers alike whatever else changes; where it does not, a rule says why."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from zips import save_zip

from datkit.data import open_folder
from datkit.replica import SCENARIOS, RunReport, run_submission
from datkit.replica.sandbox import choose_level

pytestmark = pytest.mark.usefixtures("any_isolation")

UIDS = ["007", "1e5", "00031", "100012"]
# A sound submission in few lines, with places where a fault can be put in.
GOOD = """
import csv, time
from pathlib import Path

import nibabel as nib
import numpy as np

for _ in range(600):
    if Path("data/submission_format.csv").exists():
        break
    time.sleep(0.1)
with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]


def predict(uid):
    try:
        data = np.nan_to_num(np.asarray(nib.load(f"data/niftis/{uid}.nii.gz").dataobj, float))
        return float(np.clip(data.mean() / 10, 0.01, 0.99)) if data.any() else 0.5
    except Exception:
        return 0.5


found = [predict(uid) for uid in uids]
# then
with open("submission.csv", "w", newline="") as stream:
    csv.writer(stream).writerows([("uid", "is_pathologic"), *zip(uids, found)])
"""
UID_CODES = ("depends-on-uid", "uid-as-nothing")
NUMBERS, NOTHING = "a run under uids such as 0007", "a run under uids such as NA"
# A fault, its code, and the only runs that show it.
ALONE, HALF = "a run on one exam alone", "a run on 2 of 4 exams"
ORDER, COPIES = "a run in another order", "a run with 4 copies of one exam"
FAULTS = {
    "draws at random": (
        "not-deterministic",
        "found = [np.random.rand() for _ in uids]",
        {"a second run"},
    ),
    "swallows everything": (
        "constant-output",
        "found = [0.5 for _ in uids]",
        {"submission.csv"},
    ),
    "ranks": (
        "depends-on-others",
        "found = list(np.argsort(np.argsort(found)) / 100)",
        {HALF, ALONE, COPIES, "a run with damaged exams"},
    ),
    "centres": (
        "depends-on-others",
        "found = list(0.5 + np.array(found) - np.mean(found))",
        {HALF, ALONE, "a run with damaged exams"},
    ),
    "remembers": (
        "depends-on-others",
        "found = list(np.cumsum(found) / len(found))",
        {ORDER, HALF, ALONE, COPIES, "a run with damaged exams"},
    ),
    "lists": (
        "needs-listing",
        "import os; os.listdir('data/niftis')",
        {"a run where data/niftis cannot be listed"},
    ),
    "counts files": (
        "needs-listing",
        "import glob; found = [p / len(glob.glob('data/niftis/*')) for p in found]",
        {"a run where data/niftis cannot be listed"},
    ),
    "prints each": (
        "log-projected",
        "for p in found: print('an exam')",
        {"the log of 3000 exams, projected"},
    ),
}


# How uids are read, and whether the same exams under other uids get the same probabilities then.
READERS = {
    "as pandas guesses": ("pd.read_csv(table)['uid']", {NUMBERS: "error", NOTHING: "warning"}),
    "as text, but for NA": ("pd.read_csv(table, dtype={'uid': str})['uid']", {NOTHING: "warning"}),
    "but for numbers": ("pd.read_csv(table, keep_default_na=False)['uid']", {NUMBERS: "error"}),
    "as text": ("pd.read_csv(table, dtype={'uid': str}, keep_default_na=False)['uid']", {}),
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Four volumes of 8³ voxels, each of another mean."""
    return four_exams(tmp_path_factory.mktemp("four"), UIDS)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The same under names that nothing reads as numbers."""
    return four_exams(tmp_path_factory.mktemp("named"), ["exam-a", "exam-b", "exam-c", "exam-d"])


def four_exams(folder, uids):
    (folder / "niftis").mkdir()
    for index, uid in enumerate(uids):
        data = np.full((8, 8, 8), index + 1, dtype=np.float32)
        data[4, 4, 4] += 1
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "niftis" / f"{uid}.nii.gz")
    rows = "".join(f"{uid},0.0\n" for uid in uids)
    (folder / "submission_format.csv").write_text("uid,is_pathologic\n" + rows)
    return open_folder(folder, require_labels=False)


def report_of(code: str, cohort, tmp_path, *scenarios: str) -> RunReport:
    packed = save_zip(tmp_path / "submission.zip", {"main.py": code})
    return run_submission(packed, cohort, scenarios=scenarios or True, progress=False)


def codes(report: RunReport) -> list[str]:
    return [problem.code for problem in report.problems]


def test_a_sound_submission_passes_in_every_scenario(cohort, tmp_path, capsys):
    packed = save_zip(tmp_path / "submission.zip", {"main.py": GOOD})
    report = run_submission(packed, cohort, scenarios=True)
    assert report.problems == [] and len(report.predictions) == 4
    said = [line.partition("submit run: ")[2] for line in capsys.readouterr().err.splitlines()]
    late = next(
        line for line in said if line.startswith("a run where data/ is empty for the first")
    )
    assert said[2:] == [
        "main.py on 4 exams of four0",
        "a second run",
        ORDER,
        HALF,
        ALONE,
        ALONE,
        "a run with damaged exams",
        "a run on the first exam alone",
        COPIES,
        NUMBERS,
        NOTHING,
        "a run where data/niftis cannot be listed",
        late,
        "0 problems found",
    ]


def test_a_large_run_is_followed_by_scenarios_on_few_exams(tmp_path, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("eight")
    (folder / "niftis").mkdir()
    for number in range(8):
        data = np.full((4, 4, 4), number + 1, dtype=np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "niftis" / f"exam{number}.nii.gz")
    cohort = open_folder(folder, require_labels=False)
    packed = save_zip(tmp_path / "submission.zip", {"main.py": GOOD})
    report = run_submission(packed, cohort, scenarios=["constant-output"])
    assert report.exams == len(report.predictions) == 8
    assert "main.py on 6 of them" in capsys.readouterr().err


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_shows_in_its_scenario(name, cohort, tmp_path, needed):
    code, fault, where = FAULTS[name]
    listing = code == "needs-listing"
    needed(not listing or choose_level() != "plain", "without a sandbox root may list any folder")
    report = report_of(GOOD.replace("# then", fault), cohort, tmp_path, code)
    found = [problem for problem in report.problems if problem.code != "lists-data"]
    assert {problem.code for problem in found} == {code}
    assert {problem.where for problem in found} == where


@pytest.mark.parametrize("name", READERS)
def test_uids_that_are_not_read_as_text_are_found(name, named, tmp_path):
    reader, where = READERS[name]
    read = f"import pandas as pd; table = 'data/submission_format.csv'; uids = list({reader})"
    again = f"{read}; found = [predict(uid) for uid in uids]"
    report = report_of(GOOD.replace("# then", again), named, tmp_path, *UID_CODES)
    found = [problem for problem in report.problems if problem.code in UID_CODES]
    assert {problem.where: problem.severity for problem in found} == where
    assert len(report.predictions) == 4, "the exams' own uids are read by all of them"


def test_answers_made_from_a_uid_are_found(named, tmp_path):
    code = GOOD.replace("# then", "found = [len(uid) / 100 for uid in uids]")
    (problem,) = report_of(code, named, tmp_path, "depends-on-uid").problems
    assert problem.found == "4 of 4 differ, by up to 0.03"


def test_a_submission_that_does_not_wait_is_told(cohort, tmp_path):
    hasty = GOOD.replace("range(600)", "range(0)")
    assert codes(report_of(hasty, cohort, tmp_path, "late-mount")) == ["late-mount"]


def test_a_slow_submission_is_told_before_it_is_uploaded(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("datkit.replica.scenarios.TEST_SECONDS", 600)
    slow = GOOD.replace("# then", "time.sleep(0.5 * len(uids))")  # 1500 s for 3,000 exams
    assert codes(report_of(slow, cohort, tmp_path, "time-projected")) == ["time-projected"]


def test_hostile_exams_are_named_one_by_one(cohort, tmp_path):
    trusting = GOOD.replace("except Exception", "except FileNotFoundError")
    problems = report_of(trusting, cohort, tmp_path, "hostile-exam").problems
    assert {problem.code for problem in problems} == {"hostile-exam"}
    culprits = {problem.where.partition(" that has ")[2] for problem in problems}
    assert culprits == {"a file that was cut short", "a file without content"}


def test_a_nan_that_moves_a_probability_is_found(cohort, tmp_path):
    moved = GOOD.replace("np.nan_to_num(", "np.nan_to_num(nan=500.0, x=")
    assert codes(report_of(moved, cohort, tmp_path, "nan-moves")) == ["nan-moves"]


def test_a_first_run_that_fails_is_reported_alone(cohort, tmp_path):
    report = report_of("raise SystemExit(3)", cohort, tmp_path)
    assert codes(report) == ["exit-code", "no-predictions"]


def test_every_scenario_is_tried_here():
    shown = {code for code, _, _ in FAULTS.values()} | {*UID_CODES}
    assert SCENARIOS.codes - shown == {"late-mount", "hostile-exam", "nan-moves", "time-projected"}
