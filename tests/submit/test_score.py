"""A table of predictions is scored as scikit-learn and the challenge score it."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from datkit.cli import main
from datkit.data import open_folder
from datkit.errors import SubmissionError, UsageError
from datkit.submit.score import score_predictions, score_submission

UIDS = ["007", "1e5", "00031", "NA"]
LABELS = [1.0, 0.0, 1.0, 0.0]


@pytest.fixture
def cohort_folder(tmp_path):
    (tmp_path / "niftis").mkdir()
    for uid in UIDS:
        (tmp_path / "niftis" / f"{uid}.nii.gz").write_bytes(b"\x1f\x8b")
    rows = "".join(f"{uid},{label}\n" for uid, label in zip(UIDS, LABELS, strict=True))
    (tmp_path / "train_labels.csv").write_text("uid,is_pathologic\n" + rows)
    return tmp_path


def table(folder, rows: dict):
    path = folder / "submission.csv"
    lines = [f"{uid},{p!r}" for uid, p in rows.items()]
    path.write_text("\n".join(["uid,is_pathologic", *lines]) + "\n")
    return path


def test_one_half_costs_the_logarithm_of_two():
    assert score_predictions({"a": 0.5, "b": 0.5}, pd.Series({"a": 1, "b": 0})) == math.log(2)


@pytest.mark.parametrize("seed", range(5))
def test_a_file_scores_as_scikit_learn_scores_its_numbers(seed, cohort_folder):
    rng = np.random.default_rng(seed)
    values = [float(p) for p in rng.uniform(0, 1, 4) ** 8]
    path = table(cohort_folder, dict(zip(UIDS, values, strict=True)))
    score = score_submission(path, open_folder(cohort_folder))
    assert score["log_loss"] == pytest.approx(log_loss(LABELS, values), rel=0, abs=1e-12)
    by_hand = [-math.log(p if y else 1 - p) for y, p in zip(LABELS, values, strict=True)]
    assert score["log_loss"] == pytest.approx(sum(by_hand) / 4, rel=0, abs=1e-12)


def test_certain_and_wrong_costs_what_the_clipping_says(cohort_folder):
    path = table(cohort_folder, dict(zip(UIDS, [0.0, 0.0, 1.0, 0.0], strict=True)))
    score = score_submission(path, open_folder(cohort_folder))
    epsilon = np.finfo(float).eps
    assert score["log_loss"] == pytest.approx(-math.log(epsilon) / 4, abs=1e-12)
    assert (score["clipped"], score["exams"]) == (4, 4)


def test_exams_without_a_label_do_not_count(cohort_folder):
    cohort = open_folder(cohort_folder)
    cohort.exams.loc["007", "is_pathologic"] = np.nan
    path = table(cohort_folder, {"007": 0.5, "1e5": 0.1})
    score = score_submission(path, cohort)
    assert score == {"log_loss": pytest.approx(-math.log(0.9)), "exams": 1, "clipped": 0}
    cohort.exams["is_pathologic"] = np.nan
    with pytest.raises(UsageError, match=r"train_labels\.csv"):
        score_submission(path, cohort)


def test_every_problem_of_the_table_is_said(cohort_folder):
    cohort = open_folder(cohort_folder)
    path = table(cohort_folder, {"007": 1.5, "x9": float("nan")})
    with pytest.raises(SubmissionError) as caught:
        score_submission(path, cohort)
    assert len(caught.value.problems) == 3 and "'x9'" in str(caught.value)
    with pytest.raises(SubmissionError, match="Write it into the working directory"):
        score_submission(cohort_folder / "absent.csv", cohort)
    path = table(cohort_folder, dict(zip(UIDS, [0.5] * 4, strict=True)))
    with pytest.raises(SubmissionError, match="out of order"):
        score_submission(path, cohort, uids=UIDS[::-1])


def test_the_command_says_the_score(cohort_folder, capsys):
    path = table(cohort_folder, dict(zip(UIDS, [0.5] * 4, strict=True)))
    assert main(["submit", "score", str(path), "--cohort", str(cohort_folder)]) == 0
    assert capsys.readouterr().out == "log loss 0.693147 over 4 exams\n"
    assert main(["submit", "score", str(path), "--cohort", str(cohort_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exams"] == 4
