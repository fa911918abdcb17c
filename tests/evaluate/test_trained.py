"""A trained model, its card and what it predicts; out of fold no model saw the exam's group."""

from __future__ import annotations

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
from datkit.models import (
    ConstantClassifier,
    MeasuresClassifier,
    TemperatureCalibrated,
    VolumeClassifier,
    load_model,
    read_card,
)


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
        train_model(ConstantClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=0)


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


def test_the_folds_are_recorded(tmp_path):
    X, y, centres = make_exams()
    p = cross_validate(
        MeasuresClassifier(), X, y, centres, n_splits=2, record=tmp_path / "folds.csv"
    )
    table = pd.read_csv(tmp_path / "folds.csv", index_col="row")
    np.testing.assert_allclose(table["probability"], p, rtol=1e-12)
    np.testing.assert_array_equal(table["label"], y)
    assert sorted(table["fold"].unique()) == [0, 1]
    assert (table.groupby("group")["fold"].nunique() == 1).all()


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
