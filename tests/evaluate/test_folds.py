"""Out of fold: no exam is predicted by a model that saw its group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from datkit.errors import UsageError
from datkit.evaluate import auroc, cross_validate, score_probabilities
from datkit.models import MeasuresClassifier, TemperatureCalibrated


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
