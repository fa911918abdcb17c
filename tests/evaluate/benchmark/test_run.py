"""The benchmark's run: cells are kept, others are computed anew, and one failure stops nobody."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from datkit.errors import UsageError
from datkit.evaluate.benchmark import run
from datkit.evaluate.benchmark.entrants import Entrant
from datkit.evaluate.benchmark.exams import Volumes
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


class Standardised(Broken):
    """Sees each exam through the others that it is asked about."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(X.to_numpy()[:, 0] - X.to_numpy()[:, 0].mean()))
        return np.column_stack([1 - p, p])


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
    timed = ("seconds", "sha256")  # a cell's hash holds its time
    keep = {"object_hook": lambda one: {k: v for k, v in one.items() if k not in timed}}
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
    assert "shape (40, 2), found" in errors["unsure | random | fold 1"] and len(errors) == 20
    scored = {row["model"] for row in board["scores"]}
    assert "measures" in scored and not {"broken", "unsure"} & scored


def test_a_model_that_looks_at_the_other_exams_is_told(exams):
    how = {"splits": ["random"], "n_splits": 2}
    board = bench(exams, {"batch": Standardised(), "measures": "measures"}, **how)
    assert {*board["errors"]} == {f"batch | random | fold {n}" for n in (1, 2)}
    said = board["errors"]["batch | random | fold 2"]
    assert said.startswith("ModelError: Expected the same probability for an exam alone as among")
    assert "batch" not in {row["model"] for row in board["scores"]}


CELL = {"model": "mine", "split": "random", "fold": "fold 1", "role": "model", "exams": "e",
        "key": "k", "seconds": 0.5, "p": "0.1 0.25 0.9"}  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        {"p": "nan 0.25 0.9"},
        {"p": "0.1 0.25"},
        {"p": "0.2 0.25 0.9"},
        {"p": 3},
        {"seconds": "many"},
        {"exams": "others"},
        {"fold": "fold 2"},
        {"role": ""},
    ],
)
def test_a_damaged_cell_is_told_and_stays_an_error(damage, capsys):
    name, sound = "mine | random | fold 1", run.seal_cell(CELL)
    assert run._check_cells({name: sound}) == {name: sound} and capsys.readouterr().err == ""
    found = run._check_cells({name: sound | damage, "b | random | fold 1": [1]})
    assert found == {key: {"error": run.DAMAGED} for key in found} and len(found) == 2
    assert f"{name}: expected it as it was written" in capsys.readouterr().err
    assert run._check_cells(found) == found, "it is not forgotten"


def test_a_cell_without_a_hash_is_damaged_if_it_predicts():
    assert run._check_cells({"mine | random | fold 1": CELL})["mine | random | fold 1"] == {
        "error": run.DAMAGED
    }
    slim = {key: value for key, value in run.seal_cell(CELL).items() if key != "p"}
    assert run._check_cells({"mine | random | fold 1": slim}) == {"mine | random | fold 1": slim}


def test_a_damaged_cell_is_fitted_again_once_its_model_is_named(exams, tmp_path, monkeypatch):
    out, how = tmp_path / "b.json", {"splits": ["random"], "n_splits": 2}
    whole = bench(exams, {"mine": "measures"}, out, **how)
    name, stored = "mine | random | fold 1", json.loads(out.read_text())
    stored["cells"][name]["p"] = "nan " + stored["cells"][name]["p"]
    out.write_text(json.dumps(stored))
    made = count_fits(monkeypatch)
    other = bench(exams, {}, out, **how)
    assert "found it damaged; name the model again" in other["errors"][name]
    assert "mine" not in {row["model"] for row in other["scores"]}
    assert made == []
    again = bench(exams, {"mine": "measures"}, out, **how)
    assert made == ["mine"] and without_times(again) == without_times(whole)


class Leaving(Broken):
    def fit(self, X, y):
        raise SystemExit(0)


class Halves(Standardised):
    """Its two probabilities do not add up to 1."""

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.3)


def test_an_exit_and_a_false_sum_are_errors_of_the_model(exams):
    board = bench(exams, {"gone": Leaving(), "halves": Halves()}, splits=["random"], n_splits=2)
    assert board["errors"]["gone | random | fold 1"] == "SystemExit: 0"
    assert "which add up to 1" in board["errors"]["halves | random | fold 2"]
    assert {row["role"] for row in board["scores"]} == {"reference", "control"}


@pytest.mark.parametrize(
    ("models", "named"),
    [
        (["constant"], "constant"),
        ({"oracle": "measures"}, "oracle"),
        ({"a": "measures", "a, seed 1": "measures C=9"}, "a, seed 1"),
    ],
)
def test_a_row_is_of_one_model_only(exams, models, named):
    with pytest.raises(UsageError, match=rf"found several for \['{named}'\]"):
        bench(exams, models, seeds=[0, 1])


def test_no_model_is_given_the_truth(exams):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Standardised, "reads", "panel")
        with pytest.raises(UsageError, match="peep: Expected reads of .*found 'panel'"):
            bench(exams, {"peep": Standardised()})


def test_other_releases_and_other_voxels_are_computed_anew(exams, monkeypatch):
    def keys(reads="measures"):
        with monkeypatch.context() as patch:
            patch.setattr(Halves, "reads", reads)
            work = run._plan([Entrant("one", Halves())], [0], {"random": folds}, exams)
            return [cell["key"] for _, cell, _ in work]

    folds = exams.folds("random", 2)
    before = keys()
    assert keys() == before
    with monkeypatch.context() as patch:
        patch.setattr(run, "RELEASES", "scikit-learn 9.9")
        assert not {*keys()} & {*before}
    for place in ("prepared/a/volumes.npy", "elsewhere/a/volumes.npy", "prepared/b/volumes.npy"):
        monkeypatch.setitem(exams.inputs, "volumes", Volumes([(place, 0)]))
        before.append(keys("volumes")[0])
    assert before[-3] == before[-2] != before[-1]


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
    for text in ("{}", "[]", '{"cells": [], "cohort": {}}', '{"cells": 7, "cohort": []}'):
        out.write_text(text)
        with pytest.raises(UsageError, match="expected results of a benchmark"):
            bench(exams, ["measures"], out)
    out.write_text(json.dumps({"cells": {}, "cohort": {"sha256": "another", "name": "theirs"}}))
    with pytest.raises(UsageError, match="theirs; name another file"):
        bench(exams, ["measures"], out)
