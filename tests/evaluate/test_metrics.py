"""Every score by hand, as scikit-learn has it, and unmoved by what should not matter."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from datkit.errors import ModelError, UsageError
from datkit.evaluate import (
    METRICS,
    auroc,
    brier,
    calibration_slope,
    log_loss,
    recalibrate,
    score_probabilities,
)
from datkit.evaluate.intervals import draw_exams
from datkit.evaluate.metrics import find_metric
from datkit.models import fit_temperature

NAMES = [f"{name}@0.4" if one.at_threshold else name for name, one in METRICS.items()]


def value(name: str, y, p) -> float:
    counts = np.ones((1, len(y)))
    return float(find_metric(name).draws(np.asarray(y), np.asarray(p), counts)[0])


def test_pencil_cases():
    y, p = [1, 1, 0, 0], [0.8, 0.4, 0.4, 0.2]
    # Given to the true class: 0.8, 0.4, 0.6, 0.8.
    assert log_loss(y, p) == pytest.approx(-(2 * log(0.8) + log(0.4) + log(0.6)) / 4)
    # Pairs: 0.8 > 0.4, 0.8 > 0.2, 0.4 = 0.4 counts half, 0.4 > 0.2: 3.5 of 4.
    assert auroc(y, p) == 3.5 / 4
    # Squared distances: 0.04, 0.36, 0.16, 0.04.
    assert brier(y, p) == pytest.approx(0.15)


def test_scikit_learn_agrees(make_scores):
    y, p = make_scores()
    p = np.round(p, 1).clip(0.05, 0.95)  # with ties
    assert log_loss(y, p) == pytest.approx(metrics.log_loss(y, p))
    assert auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p))
    assert brier(y, p) == pytest.approx(metrics.brier_score_loss(y, p))


def test_control_surely_wrong_is_bounded_by_the_clip():
    assert log_loss([0, 1], [1.0, 0.0]) == pytest.approx(-log(1e-6))


def test_the_slope_of_calibrated_and_overconfident_models(make_scores):
    y, p = make_scores(5000)
    logit = np.log(p / (1 - p))
    assert calibration_slope(y, p) == pytest.approx(1, abs=0.1)
    twice = 1 / (1 + np.exp(-2 * logit))
    assert calibration_slope(y, twice) == pytest.approx(calibration_slope(y, p) / 2, rel=1e-3)


def test_pandas_series_do(make_scores):
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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Abnormal exams have 0.8 and 0.4, normal ones 0.4 and 0.2; an exam at t is called abnormal.
        ("sensitivity@0.5", 1 / 2),
        ("sensitivity@0.4", 1),
        ("specificity@0.5", 1),
        ("specificity@0.4", 1 / 2),
        ("specificity@0.1", 0),
        # At 0.5 one of four is found, no false alarm: 1/4. At 0.4 two, and one false alarm that
        # counts 0.4/0.6. At 0.2 all are called abnormal: 2/4 − 2/4 · 0.2/0.8.
        ("net_benefit@0.5", 1 / 4),
        ("net_benefit@0.4", 2 / 4 - 1 / 4 * 2 / 3),
        ("net_benefit@0.2", 2 / 4 - 2 / 4 / 4),
        ("net_benefit@0.9", 0),
    ],
)
def test_scores_at_a_threshold_by_hand(name, expected):
    assert value(name, [1, 1, 0, 0], [0.8, 0.4, 0.4, 0.2]) == pytest.approx(expected, abs=1e-15)


def test_calling_every_exam_abnormal_is_a_line_of_the_decision_curve():
    """Three of four are abnormal: 3/4 − 1/4 · t / (1 − t), which is nothing at t = 3/4."""
    everyone = [value(f"net_benefit@{t}", [1, 1, 1, 0], [1.0] * 4) for t in (0.25, 0.5, 0.75)]
    assert everyone == pytest.approx([3 / 4 - 1 / 12, 1 / 2, 0], abs=1e-15)


def test_recalibration_by_hand():
    """At 0.5 one of five exams is abnormal, odds 1/4; at 0.9, odds 9, four of five, odds 4."""
    y, p = [1, 0, 0, 0, 0, 1, 1, 1, 1, 0], [0.5] * 5 + [0.9] * 5
    assert recalibrate(y, p) == pytest.approx((-log(4), 2 * log(4) / log(9)), abs=1e-12)


def test_recalibration_has_no_value_where_none_is_best():
    assert np.isnan(recalibrate([0, 1, 0, 1], [0.3] * 4)).all()  # no spread: any slope will do
    assert np.isnan(recalibrate([0, 1, 0, 1], [0.3, 0.6, 0.2, 0.9])).all()  # separated: no end
    assert np.isnan(calibration_slope([0, 1], [0.5, 0.5]))


def test_the_calibration_slope_keeps_to_its_bounds():
    assert calibration_slope([0, 1, 0, 1], [0.3, 0.6, 0.2, 0.9]) == 10
    assert calibration_slope([1, 0, 1, 0], [0.3, 0.6, 0.2, 0.9]) == 0.1


def test_the_calibration_slope_is_one_over_the_temperature(make_scores):
    y, p = make_scores(300)
    logits = 1.7 * np.log(p / (1 - p))
    slope = calibration_slope(y, 1 / (1 + np.exp(-logits)))
    assert slope == pytest.approx(1 / fit_temperature(logits, y), abs=1e-5)


def test_draws_are_scikit_learns_weights(make_scores):
    """Each draw's score is scikit-learn's, with the draw's counts as weights, to 1e-12."""
    y, p = make_scores(150)
    p = np.round(p, 2).clip(0.01, 0.99)  # with ties
    draws, called = draw_exams(y, None, 0, 20), p >= 0.4
    theirs = {
        "log_loss": lambda w: metrics.log_loss(y, p, sample_weight=w),
        "auroc": lambda w: metrics.roc_auc_score(y, p, sample_weight=w),
        "brier": lambda w: metrics.brier_score_loss(y, p, sample_weight=w),
        "sensitivity@0.4": lambda w: metrics.recall_score(y, called, sample_weight=w),
        "specificity@0.4": lambda w: metrics.recall_score(y, called, pos_label=0, sample_weight=w),
    }
    for name, score in theirs.items():
        expected = [score(counts) for counts in draws.counts]
        ours = find_metric(name).draws(y, p, draws.counts)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12, err_msg=name)


def test_recalibration_is_scikit_learns_logistic_regression(make_scores):
    y, p = make_scores(150)
    logits = np.log(p / (1 - p))
    draws = draw_exams(y, None, 0, 5)
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    fits = [model.fit(logits[:, None], y, sample_weight=c) for c in draws.counts[-1:]]
    for name, expected in (
        ("recalibration_slope", fits[0].coef_[0, 0]),
        ("recalibration_intercept", fits[0].intercept_[0]),
    ):
        ours = find_metric(name).draws(y, p, draws.counts)[-1]
        assert ours == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_exams_does_not_matter(make_scores, name):
    y, p = make_scores(60)
    order = np.random.default_rng(0).permutation(60)
    assert value(name, y[order], p[order]) == pytest.approx(value(name, y, p), abs=1e-12)


@pytest.mark.parametrize("name", ["log_loss", "auroc", "brier", "calibration_slope"])
def test_mirrored_labels_have_the_same_score(make_scores, name):
    y, p = make_scores(60)
    assert value(name, 1 - y, 1 - p) == pytest.approx(value(name, y, p), abs=1e-9)


def test_mirrored_labels_swap_sensitivity_and_specificity(make_scores):
    y, p = make_scores(60)
    mirrored = value("specificity@0.7", 1 - y, 1 - p)
    assert mirrored == pytest.approx(value("sensitivity@0.3", y, p), abs=1e-12)


def test_mirrored_labels_turn_the_intercept_round(make_scores):
    y, p = make_scores(60)
    intercept, slope = recalibrate(y, p)
    assert recalibrate(1 - y, 1 - p) == pytest.approx((-intercept, slope), abs=1e-9)


def test_every_exam_twice_changes_no_score(make_scores):
    y, p = make_scores(60)
    for name in NAMES:
        assert value(name, [*y, *y], [*p, *p]) == pytest.approx(value(name, y, p), abs=1e-9), name


@pytest.mark.parametrize(
    "name",
    ["sensitivity", "sensitivity@", "sensitivity@1", "specificity@0", "net_benefit@x", "auroc@0.5"],
)
def test_a_metric_that_is_not_known_is_refused(name):
    with pytest.raises(UsageError, match=f"among log_loss, .*sensitivity@0.5.*found '{name}'"):
        find_metric(name)
