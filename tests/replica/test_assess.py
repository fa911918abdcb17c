"""Every fault of a run is found by its code, in a sandbox and in a plain process."""

from __future__ import annotations

from pathlib import Path

import pytest
from zips import save_zip

from datkit.replica import run_submission
from datkit.replica.assess import RUN
from datkit.replica.sandbox import choose_level

pytestmark = pytest.mark.usefixtures("any_isolation")

SUBMISSIONS = Path(__file__).parents[1] / "hostile" / "submissions"
FAULTS = {
    "changes_data_in_a_shell": ["data-written", "log-uid"],
    "connects": ["network", "network-use"],
    "deletes_an_exam": ["data-written"],
    "floods_the_log": ["log-flood", "log-lines", "log-width", "no-predictions"],
    "imports_the_checkout": ["exit-code", "no-predictions"],
    "imports_what_is_absent": ["exit-code", "no-predictions"],
    "lists_the_folder": ["order"],
    "looks_up_a_name": ["network", "network-use"],
    "moves_data_away": ["data-written"],
    "never_ends": ["no-predictions", "time-limit"],
    "predicts_logits": ["out-of-range"] * 5,
    "predicts_nan": ["not-finite"] * 5,
    "prints_long_lines": ["log-width"],
    "prints_many_lines": ["log-lines"],
    "prints_uids": ["log-uid"],
    "raises": ["exit-code", "no-predictions"],
    "reads_uids_as_numbers": ["uid-missing"] * 5 + ["uid-unknown"] * 5,
    "sorts_rows": ["order"],
    "writes_elsewhere": ["no-predictions"],
    "writes_in_a_worker": ["data-written"],
    "writes_into_data": ["data-written"],
    "writes_outside": ["written-outside"],
    "writes_the_index": ["columns"] * 5 + ["header"] + ["uid-missing"] * 5 + ["uid-unknown"] * 5,
    "writes_through_a_link": ["data-written"],
}
# What a plain process can do, a sandbox refuses before it is done.
PLAIN = {
    "changes_data_in_a_shell": ["data-changed"],
    "connects": ["network", "network-use"],
    "never_ends": ["no-predictions", "time-limit"],
    "writes_in_a_worker": ["data-written"],
    "writes_outside": ["written-outside"],
}
# They name a file here, or ask for what only this machine has: their tests stand on their own.
OTHERS = {"leaves_a_process_behind", "reads_the_environment"}


@pytest.fixture
def run(cohort_folder, tmp_path):
    """Run one of the folder; only that which never ends gets little time."""

    def act(name: str, isolation: str):
        code = (SUBMISSIONS / f"{name}.py").read_text()
        packed = save_zip(tmp_path / "submission.zip", {"main.py": code})
        limit = 1.5 if name == "never_ends" else 60
        settings = {"time_limit": limit, "isolation": isolation, "progress": False}
        return run_submission(packed, cohort_folder, **settings)

    return act


def test_every_submission_of_the_folder_is_tested():
    names = {path.stem for path in SUBMISSIONS.glob("*.py")} - {"conftest"}
    assert {name for name in names if not name.startswith("good_")} == FAULTS.keys() | OTHERS


@pytest.mark.parametrize("name", sorted(path.stem for path in SUBMISSIONS.glob("good_*.py")))
def test_good_submissions_pass(name, run, cohort_folder):
    report = run(name, choose_level())
    assert report.ok, str(report)
    assert (report.exams, report.exit_code) == (5, 0)
    assert {f"{uid}.nii.gz" for uid in report.predictions} == {
        path.name for path in (cohort_folder / "niftis").iterdir()
    }


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_no_other(name, run, cohort_folder):
    before = {path: path.read_bytes() for path in cohort_folder.rglob("*") if path.is_file()}
    level = choose_level()
    report = run(name, level)
    errors = sorted(problem.code for problem in report.problems if problem.is_error)
    assert errors == (PLAIN if level == "plain" else {}).get(name, FAULTS[name]), str(report)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_process_is_assessed_as_well(name, run):
    report = run(name, "plain")
    assert sorted(problem.code for problem in report.problems) == PLAIN[name], str(report)
    assert "NO SANDBOX" in report.isolation


def test_a_line_of_the_log_is_named_by_its_number(run):
    [problem] = run("prints_long_lines", "plain").problems
    assert (problem.code, problem.line) == ("log-width", 1)


def test_every_rule_of_a_run_is_tried_somewhere():
    shown = {code for codes in (*FAULTS.values(), *PLAIN.values()) for code in codes}
    by_attacks = {"memory-limit", "process-limit", "disk-limit", "process-left", "read-outside"}
    by_attacks |= {"interrupted"}
    by_faults_of_datkit = {"replica", "no-hooks"}
    assert RUN.codes - shown == by_attacks | by_faults_of_datkit
