"""Boosted trees: the arrays that are stored are the trees that scikit-learn grew."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from sklearn.ensemble import HistGradientBoostingClassifier
from stored import forge

from datkit.errors import ModelError
from datkit.files import sha256_file
from datkit.measure import MEASURES
from datkit.models import BoostingClassifier, load_model, save_model
from datkit.models.boosting import _export


@pytest.fixture(scope="module")
def table():
    """Measures of noise, in which an exam is abnormal where exactly one of two is high."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(200, len(MEASURES))), columns=MEASURES)
    return X, ((X["putamen_left"] > 0) ^ (X["putamen_right"] > 0)).astype(int)


@pytest.fixture(scope="module")
def model(table):
    return BoostingClassifier(trees=30, leaves=8).fit(*table)


def test_it_learns_what_no_straight_line_can_say(model, table):
    assert (model.predict(table[0]) == table[1]).mean() > 0.9


def test_its_arrays_give_scikit_learns_own_logits(table):
    booster = HistGradientBoostingClassifier(max_iter=25, random_state=0).fit(table[0], table[1])
    ours = BoostingClassifier(trees=1).fit(*table)
    ours.trees_, ours.baseline_ = _export(booster)
    other = pd.DataFrame(
        np.random.default_rng(1).normal(size=(50, len(MEASURES))), columns=MEASURES
    )
    expected = booster.decision_function(other)
    np.testing.assert_allclose(ours.decision_function(other), expected, rtol=0, atol=1e-12)


def test_it_is_stored_as_arrays_and_gives_the_same_logits(model, table, tmp_path):
    save_model(model, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded, mixed = load_model(tmp_path), table[0][sorted(MEASURES)]
    np.testing.assert_array_equal(
        loaded.decision_function(mixed), model.decision_function(table[0])
    )
    assert loaded.get_params() == model.get_params()


def test_the_same_seed_grows_the_same_trees(model, table):
    again = BoostingClassifier(trees=30, leaves=8).fit(*table)
    for name, values in model.trees_.items():
        np.testing.assert_array_equal(again.trees_[name], values)


@pytest.mark.parametrize(
    ("name", "value"), [("left", 0), ("right", 10**6), ("feature", -1), ("feature", 999)]
)
def test_trees_that_lead_nowhere_are_refused(name, value, model, tmp_path):
    """A node that leads back would be followed for ever."""
    save_model(model, tmp_path)
    trees = {key: values.copy() for key, values in model.trees_.items()}
    trees[name][1] = value
    save_file(trees, tmp_path / "weights.safetensors")
    forge(tmp_path, weights={"sha256": sha256_file(tmp_path / "weights.safetensors")})
    with pytest.raises(ModelError, match="nodes lead to later ones"):
        load_model(tmp_path)


def test_faults_of_the_table_are_told(table):
    X, y = table
    holed = X.copy()
    holed.iloc[3, 0] = np.nan
    with pytest.raises(ModelError, match="finite measures, found NaN or infinity in 1 of 200"):
        BoostingClassifier().fit(holed, y)
    with pytest.raises(ModelError, match="Missing: southampton"):
        BoostingClassifier(columns=["southampton"]).fit(X, y)
