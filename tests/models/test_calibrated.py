"""Temperature scaling: the value a pencil finds, and no exam calibrated on its own training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from stored import forge

from datkit.data import grouped_folds
from datkit.errors import ModelError
from datkit.evaluate import log_loss
from datkit.models import (
    MeasuresClassifier,
    TemperatureCalibrated,
    VolumeClassifier,
    fit_temperature,
    load_model,
    save_model,
)


def make_exams(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measures, noisy labels and four centres."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 12))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(int)
    return X, y, np.arange(n) % 4


@pytest.mark.parametrize("claimed", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("right", [6, 7, 8, 9])
def test_it_finds_what_a_pencil_finds(claimed, right):
    """Of ten exams with logit L, `right` are abnormal: L / T must be ln(right / wrong)."""
    y = np.arange(10) < right
    expected = claimed / np.log(right / (10 - right))
    expected = min(max(expected, 0.1), 10)
    assert fit_temperature(np.full(10, claimed), y) == pytest.approx(expected, rel=1e-4)


def test_temperature_scales_with_the_logits():
    X, y, _ = make_exams()
    once = fit_temperature(X[:, 0], y)
    assert fit_temperature(3 * X[:, 0], y) == pytest.approx(3 * once, rel=1e-4)
    assert fit_temperature(X[:, 0], y) == once


def test_perfect_and_useless_logits_stay_in_bounds():
    y = np.array([0, 1] * 10)
    assert fit_temperature(2.0 * y - 1, y) == pytest.approx(0.1, rel=1e-3)
    assert fit_temperature(1 - 2.0 * y, y) == pytest.approx(10, rel=1e-3)
    assert np.isfinite(fit_temperature(np.full(20, 1e300), y))


@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        ([0.1, np.nan], [0, 1], "Expected finite logits"),
        ([0.1, 0.2], [0, 1, 1], "the labels: expected 2, one per exam, found 3"),
        ([0.1, 0.2], [1, 1], "one class only"),
    ],
)
def test_wrong_inputs_are_refused(logits, y, message):
    with pytest.raises(ModelError, match=message):
        fit_temperature(logits, y)


def test_it_is_the_temperature_of_exams_left_out_by_group():
    X, y, centres = make_exams()
    base = MeasuresClassifier(C=100)
    logits = np.empty(len(y))
    for fitted, left_out in grouped_folds(centres):
        logits[left_out] = clone(base).fit(X[fitted], y[fitted]).decision_function(X[left_out])
    model = TemperatureCalibrated(base).fit(X, y, groups=centres)
    assert model.temperature_ == fit_temperature(logits, y)
    expected = base.fit(X, y).decision_function(X) / model.temperature_
    np.testing.assert_allclose(model.decision_function(X), expected)


def test_many_groups_are_put_into_n_splits_parts():
    X, y, _ = make_exams()
    seen = []

    class Spy(MeasuresClassifier):
        def fit(self, X, y):
            seen.append(len(X))
            return super().fit(X, y)

    TemperatureCalibrated(Spy(), n_splits=3).fit(X, y, groups=np.arange(60) // 5)
    assert seen == [40, 40, 40, 60]


def test_an_overconfident_model_is_cooled_and_its_order_kept():
    X, y, _ = make_exams()
    X_new, y_new, _ = make_exams(400, seed=1)
    raw = MeasuresClassifier(C=1e4).fit(X, y)
    calibrated = TemperatureCalibrated(MeasuresClassifier(C=1e4)).fit(X, y)
    assert calibrated.temperature_ > 1
    before, after = (model.predict_proba(X_new)[:, 1] for model in (raw, calibrated))
    assert log_loss(y_new, after) < log_loss(y_new, before)
    np.testing.assert_array_equal(np.argsort(before), np.argsort(after))


def test_two_fits_agree_and_parameters_reach_inside():
    X, y, _ = make_exams()
    model = TemperatureCalibrated(MeasuresClassifier(), seed=3).set_params(estimator__C=0.2)
    temperatures = [clone(model).fit(X, y).temperature_ for _ in range(2)]
    assert temperatures[0] == temperatures[1]
    assert model.get_params()["estimator__C"] == 0.2
    assert not hasattr(model.estimator, "coef_")  # what was given stays unfitted


def test_a_volume_model_is_calibrated_like_any_other(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(1, 0.2, size=(8, 64, 80, 48)).astype(np.float32)
    y = np.arange(8) % 2
    X[y == 1] += 1
    model = TemperatureCalibrated(VolumeClassifier(epochs=1, width=2), n_splits=2).fit(X, y)
    save_model(model, tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).predict_proba(X), model.predict_proba(X))


def test_a_stored_model_predicts_the_same(tmp_path):
    X, y, centres = make_exams()
    model = TemperatureCalibrated(MeasuresClassifier(C=3), n_splits=4).fit(X, y, groups=centres)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert (loaded.n_splits, loaded.estimator.C) == (4, 3)


def test_a_temperature_found_elsewhere_can_be_put_on():
    X, y, _ = make_exams()
    raw = MeasuresClassifier().fit(X, y)
    model = TemperatureCalibrated.from_fitted(raw, 2)
    np.testing.assert_array_equal(model.decision_function(X), raw.decision_function(X) / 2)
    for wrong in (0, -1, float("nan"), 100.0, "1", None, True):
        with pytest.raises(ModelError, match="Expected a temperature from 0.1 to 10"):
            TemperatureCalibrated.from_fitted(raw, wrong)


@pytest.mark.parametrize("temperature", [0, -1, 1e9, "hot", None, float("nan")])
def test_a_stored_temperature_out_of_range_is_refused(tmp_path, temperature):
    X, y, _ = make_exams()
    save_model(TemperatureCalibrated.from_fitted(MeasuresClassifier().fit(X, y), 1.5), tmp_path)
    forge(tmp_path, temperature=temperature)
    with pytest.raises(ModelError, match="is damaged. Expected a temperature"):
        load_model(tmp_path)


def test_a_missing_inner_model_is_refused(tmp_path):
    X, y, _ = make_exams()
    save_model(TemperatureCalibrated.from_fitted(MeasuresClassifier().fit(X, y), 1.5), tmp_path)
    (tmp_path / "estimator" / "model.json").unlink()
    with pytest.raises(ModelError, match="There is no model in .*estimator"):
        load_model(tmp_path)
