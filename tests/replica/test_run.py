"""A submission is checked and run as the platform would run it, and the report says what showed."""

from __future__ import annotations

import json

import pytest
from attacks import ANSWER
from zips import save_zip

import datkit.io.archive
from datkit.cli import main, parser
from datkit.data import open_folder
from datkit.errors import CohortError, SubmissionError, UsageError
from datkit.replica import SCENARIOS, run_submission
from datkit.replica.run import choose_uids

pytestmark = pytest.mark.usefixtures("any_isolation")

# It scales by the largest exam of all, which no exam may know of, and does not wait.
SCALES = """
import csv, os
with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
sizes = [os.path.getsize(f"data/niftis/{uid}.nii.gz") for uid in uids]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\\n")
    stream.writelines(f"{uid},{size / max(sizes):.6f}\\n" for uid, size in zip(uids, sizes))
"""


@pytest.fixture
def good(tmp_path):
    return save_zip(tmp_path / "good.zip", {"main.py": ANSWER})


def test_scenarios_have_an_older_name():
    words = ["submit", "run", "a.zip", "--cohort", "exams"]
    told = [parser().parse_args([*words, *more]).scenarios for more in ([], ["--trials"])]
    assert told == [False, True]


def test_the_command_takes_an_isolation_and_runs_scenarios(cohort_folder, tmp_path, capsys):
    packed = save_zip(tmp_path / "scales.zip", {"main.py": SCALES})
    words = ["submit", "run", packed, "--cohort", cohort_folder, "--exams", "3", "--json"]
    words += ["--isolation", "plain", "--scenarios"]
    assert main([str(word) for word in words]) == 1
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert {problem["code"] for problem in report["problems"]} == {
        "depends-on-others",
        "late-mount",
    }
    assert "NO SANDBOX" in report["isolation"] and "NO SANDBOX" in captured.err


def test_check_with_a_cohort_finds_the_same(cohort_folder, tmp_path, capsys):
    packed = save_zip(tmp_path / "scales.zip", {"main.py": SCALES})
    words = ["submit", "check", str(packed), "--cohort", str(cohort_folder), "--json"]
    assert main(words) == 1
    found = {problem["code"] for problem in json.loads(capsys.readouterr().out)}
    assert found == {"depends-on-others", "late-mount"}


def test_the_zip_is_verified_once_for_all_runs(cohort_folder, tmp_path, monkeypatch):
    opened = []
    verify = datkit.io.archive.Archive.__init__
    monkeypatch.setattr(
        datkit.io.archive.Archive,
        "__init__",
        lambda archive, path: opened.append(path) or verify(archive, path),
    )
    packed = save_zip(tmp_path / "good.zip", {"main.py": ANSWER})
    settings = {"exams": 3, "scenarios": ["not-deterministic", "needs-listing"]}
    assert run_submission(packed, cohort_folder, progress=False, **settings).ok
    assert opened == [packed]


def test_an_unknown_scenario_is_refused(good, cohort_folder):
    with pytest.raises(UsageError, match="late-mount.*; found late mount"):
        run_submission(good, cohort_folder, scenarios=["late mount"])
    assert "late-mount" in SCENARIOS.codes


def test_log_loss_is_given_for_information(good, cohort_folder):
    report = run_submission(good, cohort_folder, progress=False)
    assert report.log_loss == pytest.approx(0.693147, abs=1e-6)
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True
    assert "no problem found" in str(report)


def test_no_label_is_needed(good, cohort_folder):
    unlabelled = open_folder(cohort_folder)
    unlabelled.exams["is_pathologic"] = float("nan")
    report = run_submission(good, unlabelled, progress=False)
    assert report.ok and report.log_loss is None


def test_a_traceback_is_shown(cohort_folder, tmp_path):
    code = 'raise ValueError("voxel size 0.001 mm")'
    packed = save_zip(tmp_path / "raises.zip", {"main.py": code})
    report = run_submission(packed, cohort_folder, progress=False)
    assert report.exit_code == 1
    assert "ValueError: voxel size 0.001 mm" in str(report)


def test_what_a_run_printed_is_shown_without_commands_to_a_terminal(cohort_folder, tmp_path):
    code = 'raise ValueError("\\x1b[2J\\x07 \\u202e")'
    packed = save_zip(tmp_path / "raises.zip", {"main.py": code})
    report = run_submission(packed, cohort_folder, progress=False)
    assert r"ValueError: \x1b[2J\x07 \u202e" in str(report)
    assert not set("\x1b\x07\u202e") & {*str(report)}


def test_a_zips_name_forges_no_line(cohort_folder, tmp_path, capsys):
    packed = save_zip(tmp_path / "a\n0 errors.zip", {"main.py": "raise SystemExit(1)"})
    report = run_submission(packed, cohort_folder)
    assert main(["submit", "check", str(packed)]) == 0
    said = "".join([str(report), *capsys.readouterr()])
    assert said.count(r"a\n0 errors.zip") == 3 and "\n0 errors" not in said


def test_a_zip_that_is_not_safe_is_not_run(cohort_folder, tmp_path):
    members = {"folder/main.py": "open('here', 'w')", "../outside.py": ""}
    path = save_zip(tmp_path / "nested.zip", members)
    report = run_submission(path, cohort_folder, scenarios=True, progress=False)
    assert {problem.code for problem in report.problems} == {"main-nested", "unsafe-path"}
    assert (report.exams, report.exit_code, report.isolation) == (0, None, "not run")


def test_findings_of_the_zip_stand_beside_those_of_the_run(cohort_folder, tmp_path):
    code = ANSWER.replace("for uid in uids)", "for uid in sorted(uids))")
    packed = save_zip(tmp_path / "sorts.zip", {"main.py": code, "notes.ipynb": "{}"})
    report = run_submission(packed, cohort_folder, progress=False)
    assert [problem.code for problem in report.problems] == ["notebook", "order"]


def test_a_part_of_the_cohort_is_drawn(good, cohort_folder, capsys):
    report = run_submission(good, cohort_folder, exams=2)
    assert report.exams == 2 == len(report.predictions)
    assert "main.py on 2 exams" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_never_the_sorted_one(seed):
    chosen = choose_uids(["a", "b", "c"], None, seed)
    assert sorted(chosen) == ["a", "b", "c"] != chosen


def test_wrong_use_is_said(good, cohort_folder, tmp_path):
    with pytest.raises(UsageError, match=r"no file .*absent\.zip"):
        run_submission(tmp_path / "absent.zip", cohort_folder, progress=False)
    with pytest.raises(UsageError, match="cohort folder"):
        run_submission(good, tmp_path / "absent", progress=False)
    with pytest.raises(CohortError):
        run_submission(good, tmp_path, progress=False)
    with pytest.raises(SubmissionError, match="no exams|none"):
        run_submission(good, open_folder(cohort_folder).subset([]), progress=False)
