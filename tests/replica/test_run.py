"""A submission is run as the platform would run it, and every fault of the run is found."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path

import pytest
from exams import save_stand_ins

from datkit.cli import main
from datkit.data import open_folder
from datkit.errors import CohortError, SubmissionError, UsageError
from datkit.replica import run_submission
from datkit.replica.folders import choose_uids

SUBMISSIONS = Path(__file__).parents[1] / "hostile" / "submissions"
UIDS = ["007", "1e5", "00031", "100012", "12"]  # text, though each reads as a number
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


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    """Five exams that only look like exams: no test here reads their voxels."""
    folder = save_stand_ins(tmp_path_factory.mktemp("stand-in"), UIDS)
    rows = [f"{uid},{index % 2}.0\n" for index, uid in enumerate(UIDS)]
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n" + "".join(rows))
    return folder


def zip_of(main: Path, folder: Path) -> Path:
    path = folder / f"{main.stem}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(main, "main.py")
    return path


def run(name: str, cohort_folder: Path, tmp_path: Path, **settings):
    packed = zip_of(SUBMISSIONS / f"{name}.py", tmp_path)
    return run_submission(packed, cohort_folder, progress=False, **settings)


def test_every_submission_of_the_folder_is_tested():
    names = {path.stem for path in SUBMISSIONS.glob("*.py")} - {"conftest"}
    assert {name for name in names if not name.startswith("good_")} == FAULTS.keys() | OTHERS


@pytest.mark.parametrize("name", sorted(path.stem for path in SUBMISSIONS.glob("good_*.py")))
def test_good_submissions_pass(name, cohort_folder, tmp_path):
    report = run(name, cohort_folder, tmp_path)
    assert report.ok, str(report)
    assert (report.exams, report.exit_code) == (5, 0)
    assert set(report.predictions) == set(UIDS)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_no_other(name, cohort_folder, tmp_path):
    before = {path: path.read_bytes() for path in cohort_folder.rglob("*") if path.is_file()}
    limit = 1.5 if name == "never_ends" else 60
    report = run(name, cohort_folder, tmp_path, time_limit=limit)
    errors = sorted(problem.code for problem in report.problems if problem.is_error)
    assert errors == FAULTS[name], str(report)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_process_is_judged_as_well(name, cohort_folder, tmp_path):
    limit = 1.5 if name == "never_ends" else 60
    report = run(name, cohort_folder, tmp_path, time_limit=limit, isolation="plain")
    assert sorted(problem.code for problem in report.problems) == PLAIN[name], str(report)
    assert "NO SANDBOX" in report.isolation


def test_the_command_takes_an_isolation_and_makes_trials(cohort_folder, tmp_path, capsys):
    packed = zip_of(SUBMISSIONS / "good_pandas.py", tmp_path)
    words = ["submit", "run", packed, "--cohort", cohort_folder, "--exams", "3", "--json"]
    words += ["--isolation", "plain", "--trials"]
    assert main([str(word) for word in words]) == 1
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    # It scales by the largest exam of all, which no exam may know of, and does not wait.
    assert {problem["code"] for problem in report["problems"]} == {
        "depends-on-others",
        "late-mount",
    }
    assert "NO SANDBOX" in report["isolation"] and "NO SANDBOX" in captured.err


def test_log_loss_is_given_for_information(cohort_folder, tmp_path):
    report = run("good_csv_module", cohort_folder, tmp_path)
    assert report.log_loss == pytest.approx(0.693147, abs=1e-6)
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True
    assert "no problem found" in str(report)


def test_no_label_is_needed(cohort_folder, tmp_path):
    unlabelled = open_folder(cohort_folder)
    unlabelled.exams["is_pathologic"] = float("nan")
    packed = zip_of(SUBMISSIONS / "good_csv_module.py", tmp_path)
    report = run_submission(packed, unlabelled, progress=False)
    assert report.ok and report.log_loss is None


def test_nothing_of_the_environment_reaches_the_run(cohort_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_TEST_SECRET", "s3cret")
    assert run("reads_the_environment", cohort_folder, tmp_path).ok


def test_no_process_is_left_behind(cohort_folder, tmp_path):
    report = run("leaves_a_process_behind", cohort_folder, tmp_path, isolation="plain")
    assert [problem.code for problem in report.problems] == ["process-left"], str(report)
    status = Path(f"/proc/{int(report.log[0])}/status")
    for _ in range(50):  # a killed process stays in the table until its new parent has noticed
        if not status.exists() or "\nState:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the helper still runs")


def test_a_traceback_is_shown(cohort_folder, tmp_path):
    report = run("raises", cohort_folder, tmp_path)
    assert report.exit_code == 1
    assert "ValueError: voxel size 0.001 mm" in str(report)


def test_a_zip_that_is_not_safe_is_not_run(cohort_folder, tmp_path):
    path = tmp_path / "nested.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/main.py", "open('here', 'w')")
        archive.writestr("../outside.py", "")
    report = run_submission(path, cohort_folder, progress=False)
    assert {problem.code for problem in report.problems} == {"main-nested", "unsafe-path"}
    assert (report.exams, report.exit_code, report.isolation) == (0, None, "not run")


def test_findings_of_the_zip_stand_beside_those_of_the_run(cohort_folder, tmp_path):
    packed = zip_of(SUBMISSIONS / "sorts_rows.py", tmp_path)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("notes.ipynb", "{}")
    report = run_submission(packed, cohort_folder, progress=False)
    assert [problem.code for problem in report.problems] == ["notebook", "order"]


def test_a_part_of_the_cohort_is_drawn(cohort_folder, tmp_path, capsys):
    packed = zip_of(SUBMISSIONS / "good_csv_module.py", tmp_path)
    report = run_submission(packed, cohort_folder, exams=2)
    assert report.exams == 2 == len(report.predictions)
    assert "main.py on 2 exams" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_never_the_sorted_one(seed):
    chosen = choose_uids(["a", "b", "c"], None, seed)
    assert sorted(chosen) == ["a", "b", "c"] != chosen


def test_wrong_use_is_said(cohort_folder, tmp_path):
    packed = zip_of(SUBMISSIONS / "good_csv_module.py", tmp_path)
    with pytest.raises(UsageError, match=r"no file .*absent\.zip"):
        run_submission(tmp_path / "absent.zip", cohort_folder, progress=False)
    with pytest.raises(UsageError, match="cohort folder"):
        run_submission(packed, tmp_path / "absent", progress=False)
    with pytest.raises(CohortError):
        run_submission(packed, tmp_path, progress=False)
    with pytest.raises(SubmissionError, match="no exams|none"):
        run_submission(packed, open_folder(cohort_folder).subset([]), progress=False)


def test_nothing_is_left_in_the_temporary_folder(cohort_folder, tmp_path, monkeypatch):
    packed = zip_of(SUBMISSIONS / "changes_data_in_a_shell.py", tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    run_submission(packed, cohort_folder, progress=False)
    assert os.listdir(tmp_path / "temporary") == []


def test_a_replica_without_guards_is_reported(cohort_folder, tmp_path, monkeypatch):
    (tmp_path / "guard.py").write_text("if __name__ == 'sitecustomize': import os; os._exit(1)")
    monkeypatch.setattr("datkit.replica.hooks.__file__", str(tmp_path / "guard.py"))
    report = run("good_csv_module", cohort_folder, tmp_path)
    assert "no-guards" in {problem.code for problem in report.problems}
