"""A trained model, its card and what it predicts; out of fold no model saw the exam's group."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from datkit.errors import ModelError, UsageError
from datkit.evaluate import (
    auroc,
    cross_validate,
    predict_prepared,
    score_probabilities,
    train_model,
)
from datkit.evaluate.trained import check_alone
from datkit.models import (
    BlendClassifier,
    ConstantClassifier,
    MeasuresClassifier,
    ProjectionClassifier,
    TemperatureCalibrated,
    VolumeClassifier,
    load_model,
    read_card,
)
from datkit.models.own import FILES
from datkit.models.registry import make_model
from datkit.models.store import PRETRAINED


def test_a_card_says_what_the_model_was_trained_on_and_how_good_it_is(
    tiny_cohort, prepared_tiny, tmp_path
):
    card = train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=3)
    stored = read_card(tmp_path)
    assert {"kind": "measures"} | stored == card
    assert stored["exams"] == 24 and len(stored["sha256"]) == 64
    assert stored["abnormal"] == (prepared_tiny.labels == 1).sum()
    assert stored["note"] == "Simulated training, not for diagnosis."
    score = stored["out_of_fold"]
    loss = score["scores"][0]
    assert (score["folds"], score["groups"], loss["name"]) == (3, "centre", "log_loss")
    assert loss["low"] < loss["value"] < loss["high"]
    assert score["said"][0].startswith(f"log loss {loss['value']:.3f} (95 % CI")
    base = train_model(ConstantClassifier(), tiny_cohort, prepared_tiny, tmp_path / "c", folds=3)
    assert base["out_of_fold"]["scores"][0]["value"] == pytest.approx(score["constant"], abs=1e-9)
    said = f"a constant on the same folds: log loss {score['constant']:.3f} (95 % CI"
    assert score["said"][-1].startswith(said)


def test_a_card_says_what_training_started_from(tiny_cohort, prepared_tiny, tmp_path):
    further = ProjectionClassifier(epochs=1, start="pretrained", accelerator="cpu")
    members = [further, MeasuresClassifier()]
    how = {"cohort": tiny_cohort, "prepared": prepared_tiny, "folds": 0}
    card = train_model(further, folder=tmp_path / "a", **how)
    (start,) = card["started_from"]
    assert (start["kind"], start["exams"], start["seed"]) == ("projection", 800, 777001)
    shipped = json.loads((PRETRAINED / "projection/model.json").read_text())
    assert start["sha256"] == shipped["weights"]["sha256"]
    blend = BlendClassifier(members, n_splits=2)
    assert train_model(blend, folder=tmp_path / "b", **how)["started_from"] == [start]
    assert train_model(MeasuresClassifier(), folder=tmp_path / "c", **how)["started_from"] == []


def test_each_exam_is_predicted_alone(tiny_cohort, prepared_tiny, tmp_path):
    train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=0)
    assert read_card(tmp_path)["out_of_fold"] is None
    model, seen = load_model(tmp_path), []

    class Watched(MeasuresClassifier):
        def decision_function(self, X):
            seen.append(list(X.index))
            return model.decision_function(X)

    p = predict_prepared(Watched(), prepared_tiny)
    assert seen == [[uid] for uid in prepared_tiny.uids] and list(p.index) == prepared_tiny.uids
    assert ((p > 0) & (p < 1)).all()


def test_progress_and_process_leave_no_trace(tiny_cohort, prepared_tiny, tmp_path):
    """The same seed gives the same bytes, whether or not a bar was shown."""
    for name, progress in {"a": True, "b": False}.items():
        model = VolumeClassifier(epochs=1, width=2, seed=4, accelerator="cpu")
        train_model(model, tiny_cohort, prepared_tiny, tmp_path / name, folds=0, progress=progress)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_model_that_is_not_stored_whole_is_refused(
    tiny_cohort, prepared_tiny, tmp_path, monkeypatch
):
    def forget(self, folder, document):
        self.prior_ = document["prior"] + 0.01

    monkeypatch.setattr(ConstantClassifier, "read_state", forget)
    with pytest.raises(ModelError, match=r"found that a probability differs by 0\.01\."):
        train_model(ConstantClassifier(), tiny_cohort, prepared_tiny, tmp_path / "new", folds=0)
    assert [*tmp_path.iterdir()] == [], "nothing is left that could be used"


def test_a_model_that_looks_at_the_other_exams_is_refused(
    tiny_cohort, prepared_tiny, tmp_path, monkeypatch
):
    alone = MeasuresClassifier.decision_function
    monkeypatch.setattr(
        MeasuresClassifier, "decision_function", lambda self, X: alone(self, X - X.mean(axis=0))
    )
    with pytest.raises(ModelError, match="for an exam alone as among others, in any order, found"):
        train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=0)
    assert not (tmp_path / "model.json").exists()


def test_an_order_that_matters_is_refused():
    class Counting:
        def predict_proba(self, X):
            p = np.full(len(X), 0.5)
            p[1:] += 0.01  # the first is another
            return np.column_stack([1 - p, p])

    X = pd.DataFrame({"a": range(5)})
    with pytest.raises(ModelError, match="one differs by 0.01"):
        check_alone(Counting(), X, Counting().predict_proba(X)[:, 1])


FOREST = """
from sklearn.ensemble import RandomForestClassifier

class Forest:
    def fit(self, X, y):
        print("fitted on", len(X))
        self.forest = RandomForestClassifier(3, random_state=0).fit(X, y)

    def predict_proba(self, X):
        return self.forest.predict_proba(X)
"""
SAVED = """
    def save(self, folder):
        joblib.dump(self.forest, folder / "forest.joblib")

    def load(self, folder):
        self.forest = joblib.load(folder / "forest.joblib")
"""


def test_what_cannot_be_stored_is_refused_before_it_is_trained(
    tiny_cohort, prepared_tiny, tmp_path, capsys
):
    path, model = tmp_path / "forest.py", tmp_path / "model"
    how = {"cohort": tiny_cohort, "prepared": prepared_tiny, "folder": model, "folds": 3}
    for more in ("", SAVED.partition("\n    def load")[0]):  # one of both is not enough
        path.write_text("import joblib\n" + FOREST + more)
        with pytest.raises(ModelError, match="in its attribute forest. Give the class methods"):
            train_model(make_model(f"{path}:Forest"), **how)
        assert capsys.readouterr().out == "fitted on 16\n" and not model.exists()
    path.write_text("import joblib\n" + FOREST + SAVED)
    assert train_model(make_model(f"{path}:Forest"), **how)["kind"] == "Forest"
    assert capsys.readouterr().out.endswith("fitted on 24\n")
    FILES.clear()


def test_exams_without_a_label_are_left_out(tiny_cohort, prepared_tiny, tmp_path):
    from dataclasses import replace

    table = prepared_tiny.table.copy()
    table.loc[table.index[:4], "is_pathologic"] = np.nan
    fewer = replace(prepared_tiny, table=table)
    card = train_model(ConstantClassifier(), tiny_cohort, fewer, tmp_path, folds=0)
    assert card["exams"] == 20


def make_exams(n: int = 80) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = np.array(["A", "B", "C", "D"])[np.arange(n) % 4]
    y = (np.arange(n) // 4) % 2
    return pd.DataFrame({"putamen": rng.normal(2 - y, 0.5)}), y, centres


def test_out_of_fold_means_trained_without_the_group():
    X, y, centres = make_exams()
    p = cross_validate(MeasuresClassifier(), X, y, centres)
    others = centres != "B"
    model = MeasuresClassifier().fit(X[others], y[others])
    np.testing.assert_array_equal(p[~others], model.predict_proba(X[~others])[:, 1])
    assert score_probabilities(y, p, strata=centres)["auroc"].low > 0.8


def test_a_model_that_memorises_its_groups_gains_nothing():
    """Each centre is of one class and has its own level: random folds would score 1."""
    centres = np.repeat(np.arange(10), 8)
    y = centres % 2
    X = pd.DataFrame(np.eye(10)[centres], columns=[f"centre {i}" for i in range(10)])
    assert auroc(y, cross_validate(MeasuresClassifier(), X, y, centres)) <= 0.5


def test_groups_reach_a_model_that_asks_for_them():
    X, y, centres = make_exams()
    model = TemperatureCalibrated(MeasuresClassifier(), n_splits=3)
    p = cross_validate(model, X, y, centres)
    others = centres != "A"
    expected = model.fit(X[others], y[others], groups=centres[others]).predict_proba(X[~others])
    np.testing.assert_array_equal(p[~others], expected[:, 1])


def test_groups_of_another_length_are_refused():
    X, y, centres = make_exams()
    with pytest.raises(UsageError, match="Expected 80 groups, one per exam, found 79"):
        cross_validate(MeasuresClassifier(), X, y, centres[:-1])
