"""The program that Codabench runs gives the kit's scores, and says what is wrong with a table."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datkit.challenge.codabench.programs import score
from datkit.evaluate.metrics import METRICS

UIDS = [f"exam-{number:04d}" for number in range(1, 61)]
SCORES = {
    "log_loss": [0, "log_loss"],
    "auroc": [0, "auroc"],
    "brier": [0, "brier"],
    "sensitivity@0.4": [0, "sensitivity", 0.4],
    "private_net_benefit@0.2": [1, "net_benefit", 0.2],
}


@pytest.fixture
def run(tmp_path):
    """Run the program on a table of predictions, in a process of its own."""
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(score.__file__, program / "score.py")
    (tmp_path / "input" / "ref").mkdir(parents=True)
    (tmp_path / "input" / "res").mkdir()
    rows = [f"{uid},{number % 2},public" for number, uid in enumerate(UIDS)]
    (tmp_path / "input" / "ref" / "truth.csv").write_text("\n".join(["uid,label,part", *rows]))

    def run(text: str, grades: int = 0, scores: dict = SCORES):
        settings = {"column": "is_pathologic", "grades": grades, "scores": scores}
        (program / "settings.json").write_text(json.dumps(settings))
        (tmp_path / "input" / "res" / "submission.csv").write_text(text, encoding="utf-8")
        words = [sys.executable, "-I", "score.py", tmp_path / "input", tmp_path]
        return subprocess.run(words, cwd=program, capture_output=True, text=True)

    return run


def as_table(values) -> str:
    rows = [f"{uid},{value!r}" for uid, value in zip(UIDS, values, strict=False)]
    return "\n".join(["uid,is_pathologic", *rows]) + "\n"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in score.METRICS if name != "cost"])
def test_every_score_is_that_of_the_kit(name, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 400)
    p = rng.choice([rng.uniform(size=400), rng.integers(0, 5, 400) / 4])  # many ties, 0 and 1
    threshold = [0.25] if METRICS[name].at_threshold else []
    named = {"threshold": 0.25} if threshold else {}
    kit = METRICS[name].draws(y, p, np.ones((1, 400)), **named)
    assert abs(np.mean(score.METRICS[name](y, p, *threshold)) - kit[0]) <= 1e-12


def test_an_error_costs_what_the_table_says():
    costs = [[0, 0.1], [0.7, 0]]
    paid = score.METRICS["cost"](np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0]), costs)
    assert paid.tolist() == [0.1, 0.7, 0.0]


def test_it_needs_numpy_and_nothing_of_the_kit():
    tree = ast.parse(Path(score.__file__).read_bytes())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"numpy"}


def test_it_writes_the_scores_of_the_parts_that_there_are(run, tmp_path):
    done = run("\ufeff" + as_table([0.25] * 60))
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert [*scores] == [name for name in SCORES if "private" not in name]
    assert scores["brier"] == 0.3125 and scores["auroc"] == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,p\n1,2\n", "expected the columns uid, is_pathologic, found KeyError"),
        (
            as_table([0.5] * 59),
            "expected a number for every exam, found none: KeyError('exam-0060')",
        ),
        (as_table([0.5] * 59 + ["half"]), "found none: ValueError"),
        (as_table([0.5] * 59 + [float("nan")]), "numbers from 0 to 1; found others"),
        (as_table([0.5] * 59 + [1.5]), "numbers from 0 to 1; found others"),
        (as_table([0.5] * 59 + ["0,5"]), "expected a number for every exam, found none"),
        (as_table([0.5] * 60) + "exam-0001,0.9\n", "expected each exam once"),
        (as_table([0.5] * 60) + "exam-0099,0.9\n", "expected each exam once"),
        ("", "expected a number for every exam"),
    ],
)
def test_a_wrong_table_ends_with_a_sentence(run, text, said):
    done = run(text)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_grades_are_whole_and_known(run):
    costs = {"cost": [0, "cost", [[0, 1], [1, 0]]]}
    assert run(as_table([1] * 60), 2, costs).returncode == 0
    assert "numbers 0 to 1;" in run(as_table([0.5] * 60), 2, costs).stderr
    assert "numbers 0 to 1;" in run(as_table([2] * 60), 2, costs).stderr
