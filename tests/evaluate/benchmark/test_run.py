"""The benchmark's run: cells are kept, others are computed anew, and one failure stops nobody."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from datkit.errors import UsageError
from datkit.evaluate.benchmark import run
from datkit.evaluate.benchmark.run import benchmark_cohort

MINE = """
import numpy as np

class Mine:
    def __init__(self, p=0.5):
        self.p = p

    def fit(self, X, y):
        self.mean = X.to_numpy().mean()

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(8 * (X.to_numpy().mean(axis=1) - self.mean)))
        return np.column_stack([1 - p, p])
"""


class Broken(ClassifierMixin, BaseEstimator):
    reads = "measures"

    def fit(self, X, y):
        raise ZeroDivisionError("by a mouse")


class Unsure(Broken):
    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)


def bench(exams, models, out=None, **settings):
    settings = {"splits": ["random", "grouped"], "n_jobs": 1, "progress": False} | settings
    return benchmark_cohort(exams.cohort, models, out=out, **settings)


def without_times(board):
    """The board without what differs between two runs."""
    keep = {"object_hook": lambda one: {k: v for k, v in one.items() if k != "seconds"}}
    return json.loads(json.dumps(board, sort_keys=True), **keep)


def count_fits(monkeypatch, stop_after=None):
    """Count the fits from now on; interrupt after some."""
    whole, made = run._fit, []

    def counted(*given):
        if stop_after is not None and len(made) == stop_after:
            raise KeyboardInterrupt
        made.append(given[1]["model"])
        return whole(*given)

    monkeypatch.setattr(run, "_fit", counted)
    return made


def test_killed_and_resumed_equals_not_killed(exams, tmp_path, monkeypatch):
    models, out = ["measures", "boosting trees=3"], tmp_path / "b.json"
    whole = bench(exams, models)
    with monkeypatch.context() as patch:
        count_fits(patch, stop_after=12)
        with pytest.raises(KeyboardInterrupt):
            bench(exams, models, out)
    assert len(json.loads(out.read_text())["cells"]) == 12
    made = count_fits(monkeypatch)
    resumed = bench(exams, models, out)
    assert len(made) == len(whole["cells"]) - 12
    assert (
        without_times(resumed) == without_times(whole) == without_times(json.loads(out.read_text()))
    )
    bench(exams, models, out)
    assert len(made) == len(whole["cells"]) - 12  # nothing more


def test_two_processes_give_what_one_gives(exams):
    one, two = (bench(exams, ["measures"], splits=["grouped"], n_jobs=n) for n in (1, 2))
    assert without_times(one) == without_times(two)


def test_what_another_setting_changes_is_computed_anew(exams, tmp_path, monkeypatch):
    out = tmp_path / "b.json"
    first = bench(exams, {"mine": "measures C=1.0"}, out)
    made = count_fits(monkeypatch)
    second = bench(exams, {"mine": "measures C=0.001", "other": "boosting trees=3"}, out)
    assert made.count("mine") == made.count("other") == 10 and len(made) == 20
    assert first["cells"].keys() < second["cells"].keys()
    third = bench(exams, ["measures"], out, splits=["random"])
    rows = {row["model"] for row in third["scores"] if row["role"] == "model"}
    assert rows == {"mine", "other", "measures"}  # who was there stays on the board


def test_a_model_that_raises_stops_nobody(exams):
    board = bench(exams, {"broken": Broken(), "unsure": Unsure(), "measures": "measures"})
    errors = board["errors"]
    assert errors["broken | random | fold 1"] == "ZeroDivisionError: by a mouse"
    assert "expected 40 probabilities" in errors["unsure | random | fold 1"] and len(errors) == 20
    scored = {row["model"] for row in board["scores"]}
    assert "measures" in scored and not {"broken", "unsure"} & scored


def test_ones_own_file_takes_part(exams, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    name = f"{tmp_path / 'mine.py'}:Mine p=0.4"
    board = bench(exams, {"my own": name, "measures": "measures"}, seeds=[0, 1])
    rows = {row["model"]: row["log_loss"][0] for row in board["scores"] if row["role"] == "model"}
    assert rows.keys() == {"my own", "my own, seed 1", "measures", "measures, seed 1"}
    assert rows["my own"] < 0.6


def test_wrong_use_is_told(exams, tmp_path):
    out = tmp_path / "b.json"
    with pytest.raises(UsageError, match="Expected a split among random, grouped"):
        bench(exams, ["measures"], splits=["folds"])
    with pytest.raises(UsageError, match="boosting"):
        bench(exams, ["forest"])
    out.write_text("{}")
    with pytest.raises(UsageError, match="expected results of a benchmark"):
        bench(exams, ["measures"], out)
    out.write_text(json.dumps({"cells": {}, "cohort": {"sha256": "another", "name": "theirs"}}))
    with pytest.raises(UsageError, match="theirs; name another file"):
        bench(exams, ["measures"], out)
