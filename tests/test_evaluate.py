"""Scores that a pencil can check, controls inside their bands, and intervals that hold."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from datkit.errors import ModelError, UsageError
from datkit.evaluate import (
    Difference,
    Score,
    auroc,
    brier,
    calibration_slope,
    cross_validate,
    log_loss,
    paired_difference,
    score_probabilities,
)
from datkit.models import MeasuresClassifier, TemperatureCalibrated


def make_scores(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from their own probabilities: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-2 * rng.normal(size=n)))
    return (rng.random(n) < p).astype(int), p


def test_pencil_cases():
    y, p = [1, 1, 0, 0], [0.8, 0.4, 0.4, 0.2]
    # Given to the true class: 0.8, 0.4, 0.6, 0.8.
    assert log_loss(y, p) == pytest.approx(-(2 * log(0.8) + log(0.4) + log(0.6)) / 4)
    # Pairs: 0.8 > 0.4, 0.8 > 0.2, 0.4 = 0.4 counts half, 0.4 > 0.2: 3.5 of 4.
    assert auroc(y, p) == 3.5 / 4
    # Squared distances: 0.04, 0.36, 0.16, 0.04.
    assert brier(y, p) == pytest.approx(0.15)


def test_scikit_learn_agrees():
    y, p = make_scores()
    p = np.round(p, 1).clip(0.05, 0.95)  # with ties
    assert log_loss(y, p) == pytest.approx(metrics.log_loss(y, p))
    assert auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p))
    assert brier(y, p) == pytest.approx(metrics.brier_score_loss(y, p))


def test_control_perfect():
    y = np.array([0, 1] * 20)
    scores = score_probabilities(y, y.astype(float))
    assert scores["log_loss"].value == pytest.approx(0, abs=2e-6)  # the clip costs 1e-6
    assert (scores["auroc"].low, scores["auroc"].high, scores["brier"].value) == (1, 1, 0)


def test_control_constant_prior_has_the_entropy_of_the_labels():
    y = np.array([1] * 60 + [0] * 40)
    scores = score_probabilities(y, np.full(100, 0.6))
    assert scores["log_loss"].value == pytest.approx(-0.6 * log(0.6) - 0.4 * log(0.4))
    assert (scores["auroc"].low, scores["auroc"].value, scores["auroc"].high) == (0.5, 0.5, 0.5)


def test_control_surely_wrong_is_bounded_by_the_clip():
    assert log_loss([0, 1], [1.0, 0.0]) == pytest.approx(-log(1e-6))


def test_control_shuffled_labels_are_chance():
    y, p = make_scores(400)
    rng = np.random.default_rng(1)
    shuffled = [score_probabilities(rng.permutation(y), p, n_boot=500)["auroc"] for _ in range(20)]
    assert all(0.4 < score.value < 0.6 for score in shuffled)
    assert sum(score.low <= 0.5 <= score.high for score in shuffled) >= 17


def test_scores_name_value_interval_n_and_seed():
    score = score_probabilities(*make_scores(96), seed=5)["log_loss"]
    assert (score.n, score.seed) == (96, 5)
    assert score.low < score.value < score.high
    assert str(Score("auroc", 0.9, 0.85, 0.95, 96, 5)) == (
        "AUROC 0.900 (95 % CI 0.850–0.950), n = 96, seed 5"
    )


def test_the_interval_is_that_of_the_bootstrap():
    """The interval of a mean: against the normal approximation within the classes."""
    y, p = make_scores(2000)
    loss = (y - p) ** 2
    variance = sum((y == c).mean() ** 2 * loss[y == c].var() / (y == c).sum() for c in (0, 1))
    score = score_probabilities(y, p)["brier"]
    assert score.high - score.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.08)


def test_the_interval_of_auroc_is_that_of_scikit_learn_on_the_same_draws():
    y, p = make_scores(40)
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(y == label) for label in (0, 1)]
    counts = np.zeros((300, 40))
    for row in rows:
        counts[:, row] = rng.multinomial(len(row), np.full(len(row), 1 / len(row)), 300)
    spread = [metrics.roc_auc_score(y, p, sample_weight=draw) for draw in counts]
    score = score_probabilities(y, p, n_boot=300)["auroc"]
    np.testing.assert_allclose([score.low, score.high], np.percentile(spread, [2.5, 97.5]))


def test_same_seed_same_interval():
    y, p = make_scores()
    assert score_probabilities(y, p, seed=1) == score_probabilities(y, p, seed=1)
    assert score_probabilities(y, p, seed=1) != score_probabilities(y, p, seed=2)


def test_strata_take_the_difference_between_centres_out_of_the_interval():
    """Two centres, one always easy and one always hard: within each, nothing varies."""
    y = np.array([0, 1] * 50)
    centre = np.repeat(["easy", "hard"], 50)
    right = np.where(centre == "easy", 0.95, 0.55)
    p = np.where(y == 1, right, 1 - right)
    loose = score_probabilities(y, p)["brier"]
    tight = score_probabilities(y, p, strata=centre)["brier"]
    assert tight.high - tight.low < 1e-12 < loose.high - loose.low


def test_pandas_series_do():
    y, p = make_scores(30)
    index = [f"uid{i}" for i in range(30)]
    assert log_loss(pd.Series(y, index, dtype=float), pd.Series(p, index)) == log_loss(y, p)


@pytest.mark.parametrize(
    ("y", "p", "error", "message"),
    [
        ([0, 1], [0.1, 0.2, 0.3], UsageError, "Expected 2 probabilities, one per label"),
        ([0, 1], [[0.9, 0.1], [0.2, 0.8]], UsageError, r"pass the second column: \[:, 1\]"),
        ([0, 1], [0.5, 1.2], UsageError, r"found 1.2 in 1 rows \(counted from 0: 1\)"),
        ([0, 1], [0.5, -1e-9], UsageError, "Expected probabilities from 0 to 1"),
        ([0, 1], [np.nan, 0.5], UsageError, "found nan in 1 rows"),
        ([0, np.nan], [0.5, 0.5], ModelError, "Leave out exams without a label"),
        ([1, 1], [0.5, 0.5], ModelError, "one class only"),
        ([0, 3], [0.5, 0.5], ModelError, "the labels: expected 0 .*found 3 .row 1"),
    ],
)
def test_wrong_inputs_are_refused(y, p, error, message):
    for act in (log_loss, auroc, brier, score_probabilities, calibration_slope):
        with pytest.raises(error, match=message):
            act(y, p)


def test_strata_of_another_length_are_refused():
    with pytest.raises(UsageError, match="Expected 2 strata"):
        score_probabilities([0, 1], [0.5, 0.5], strata=["A"])


def test_a_model_ties_with_itself():
    y, p = make_scores()
    difference = paired_difference(y, p, p)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert difference.verdict == "tie"
    assert str(difference).endswith("n = 200, seed 0: tie")


@pytest.mark.parametrize("metric", ["log_loss", "auroc", "brier"])
def test_the_better_model_wins_from_either_side(metric):
    y, good = make_scores(300)
    poor = 0.5 + 0.2 * (np.random.default_rng(0).permutation(good) - 0.5)
    assert paired_difference(y, good, poor, metric=metric).verdict == "first is better"
    assert paired_difference(y, poor, good, metric=metric).verdict == "second is better"
    forth, back = (
        paired_difference(y, *pair, metric=metric) for pair in ((good, poor), (poor, good))
    )
    assert (forth.value, forth.low, forth.high) == pytest.approx(
        (-back.value, -back.high, -back.low)
    )


def test_pairing_sees_what_two_intervals_do_not():
    """The second model gives each true class nine tenths of what the first gives: −ln 0.9 worse."""
    y, p = make_scores()
    worse = np.where(y == 1, 0.9 * p, 1 - 0.9 * (1 - p))
    first, second = (score_probabilities(y, q)["log_loss"] for q in (p, worse))
    assert first.high > second.low  # the intervals overlap
    difference = paired_difference(y, p, worse)
    assert (difference.value, difference.high) == pytest.approx((log(0.9), log(0.9)))
    assert difference.verdict == "first is better"


def test_an_unknown_metric_is_refused():
    with pytest.raises(UsageError, match="Expected a metric among log_loss, auroc, brier"):
        paired_difference([0, 1], [0.5, 0.5], [0.5, 0.5], metric="accuracy")


def test_a_difference_reads_as_a_sentence():
    text = str(Difference("auroc", 0.02, 0.01, 0.03, n=50, seed=1))
    assert text == "AUROC +0.020 (95 % CI 0.010 to 0.030), n = 50, seed 1: first is better"


def test_the_slope_of_calibrated_and_overconfident_models():
    y, p = make_scores(5000)
    logit = np.log(p / (1 - p))
    assert calibration_slope(y, p) == pytest.approx(1, abs=0.1)
    twice = 1 / (1 + np.exp(-2 * logit))
    assert calibration_slope(y, twice) == pytest.approx(calibration_slope(y, p) / 2, rel=1e-3)


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
