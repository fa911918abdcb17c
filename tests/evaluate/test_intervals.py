"""DeLong's method against published values, and intervals that hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics

from datkit.errors import ModelError, UsageError
from datkit.evaluate import delong_covariance
from datkit.evaluate.intervals import bound, delong_interval, draw_exams
from datkit.evaluate.scores import _compare, make_score

# 113 patients with an aneurysmal subarachnoid haemorrhage, by outcome, grade of the World
# Federation of Neurosurgical Societies (WFNS) and S100β in 0.01 µg/l: Turck et al. (2010),
# 10.1007/s00134-009-1641-y, the example of the R package pROC (Robin et al. 2011,
# 10.1186/1471-2105-12-77).
GOOD = {
    1: "4 4 4 4 5 5 6 6 7 7 7 7 8 8 8 8 9 9 9 9 10 10 10 10 11 11 13 13 14 14 14 15 16 18 19 48 50",
    2: "4 7 8 8 9 9 10 10 10 11 11 13 14 15 15 15 16 17 19 43",
    3: "5 7 33",
    4: "16 17 28 32 34 38 45 47",
    5: "24 46 47 50",
}
POOR = {
    1: "7 8",
    2: "7 7 9 9 10 10 11 14 25 30 41 58",
    3: "13",
    4: "13 16 23 26 27 48 71 96",
    5: "3 12 22 32 33 35 44 44 49 52 56 70 71 74 77 82 86 207",
}


def subarachnoid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [
        (label, grade, float(s100b))
        for label, outcome in enumerate((GOOD, POOR))
        for grade, values in outcome.items()
        for s100b in values.split()
    ]
    outcome, wfns, s100b = np.array(rows).T
    return outcome.astype(int), wfns, s100b


def test_delong_is_that_of_the_published_example():
    """The values that pROC's own tests hold (tests/testthat/test-var.R, test-cov.R)."""
    aurocs, covariance = delong_covariance(*subarachnoid())
    assert aurocs == pytest.approx([0.823678861788618, 0.731368563685637], abs=1e-12)
    expected = [
        [0.00146991470882363, 0.00119615567376754],
        [0.00119615567376754, 0.00266868245717244],
    ]
    np.testing.assert_allclose(covariance, expected, rtol=1e-12)


def test_delongs_paired_test_is_that_of_the_published_example():
    """By pROC: Z = 2.209, p = 0.02718, interval of the difference 0.0104 to 0.1742."""
    value, low, high, p_value = delong_interval(*subarachnoid())
    assert (low, high) == pytest.approx((0.0104061769564846, 0.174214419249478), abs=1e-12)
    assert p_value == pytest.approx(0.0271757822291882, rel=1e-10)
    assert value / (high - value) * norm.ppf(0.975) == pytest.approx(2.20898359144091, rel=1e-10)


def test_delong_by_hand():
    """Two abnormal exams that stand above all and half of two normal ones: 1 and 1/2.

    The normal ones are right with both and with one of two: 1 and 1/2 as well. Both variances are
    1/8, each divided by two exams: 1/8 in all.
    """
    aurocs, covariance = delong_covariance([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8])
    assert (aurocs[0], covariance[0, 0]) == (0.75, 0.125)


def test_delong_agrees_with_scikit_learn_and_takes_any_numbers(make_scores):
    y, p = make_scores(80)
    p = np.round(p, 1)
    logits = 3 * p - 7
    aurocs, covariance = delong_covariance(y, p, logits, 1 - p)
    area = metrics.roc_auc_score(y, p)
    assert aurocs == pytest.approx([area, area, 1 - area], abs=1e-12)
    assert covariance[0, 1] == pytest.approx(covariance[0, 0], abs=1e-15)
    assert covariance[0, 2] == pytest.approx(-covariance[0, 0], abs=1e-15)


def test_delong_does_not_depend_on_the_order_or_on_mirrored_labels(make_scores):
    y, p = make_scores(80)
    q = np.random.default_rng(0).permutation(p)
    order = np.random.default_rng(1).permutation(80)
    expected = delong_interval(y, p, q)
    assert delong_interval(y[order], p[order], q[order]) == pytest.approx(expected, abs=1e-12)
    assert delong_interval(1 - y, 1 - p, 1 - q) == pytest.approx(expected, abs=1e-12)


def test_equal_models_differ_by_nothing(make_scores):
    y, p = make_scores(40)
    assert delong_interval(y, p, p**2) == (0, 0, 0, 1)  # the same order of exams


def test_one_exam_of_a_class_has_no_variance():
    assert np.isnan(delong_covariance([0, 0, 1], [0.1, 0.4, 0.3])[1]).all()
    with pytest.raises(ModelError, match="one class only"):
        delong_covariance([1, 1], [0.2, 0.3])


def test_a_draw_keeps_class_and_centre():
    y, centres = np.array([0, 1, 1, 0, 1, 0, 1]), np.array(["A", "A", "A", "B", "B", None, "B"])
    draws = draw_exams(y, centres, 0, 50)
    assert draws.counts.shape == (51, 7)
    assert (draws.counts[0] == 1).all()
    assert (draws.counts[:, [0, 3, 5]] == 1).all()  # alone in their class and centre
    assert (draws.counts[:, 1:3].sum(axis=1) == 2).all()
    assert (draws.counts[:, [4, 6]].sum(axis=1) == 2).all()
    assert (draws.counts[:, 1] != 1).any()


@pytest.mark.parametrize(("strata", "n_boot"), [(["A"], 10), (None, 0)])
def test_draws_that_cannot_be_made_are_refused(strata, n_boot):
    with pytest.raises(UsageError, match="Expected 2 strata, one per exam, and at least one draw"):
        draw_exams(np.array([0, 1]), strata, 0, n_boot)


def test_the_interval_holds_the_middle_of_the_draws():
    assert bound(np.array([7.0, *range(101)])) == pytest.approx((7, 2.5, 97.5))
    assert np.isnan(bound(np.array([7.0, 1, np.nan]))[1:]).all()


SEPARATION = 1.3  # between the classes, in standard deviations of either


def test_intervals_cover_at_their_nominal_rate():
    """600 cohorts of 120 exams from 12 small centres: 95 % of intervals hold the true value.

    Normal exams have the score x ~ N(0, 1), abnormal ones N(1.3, 1): the log odds of abnormal are
    1.3 x − 1.3² / 2, and the AUROC is Φ(1.3 / √2). Every second centre's log odds are halved, so
    that they claim less than they could.
    """
    rng = np.random.default_rng(0)
    y, centre = np.arange(120) % 2, np.arange(120) // 10
    x = rng.normal(size=(600, 120)) + SEPARATION * y
    odds = SEPARATION * x - SEPARATION**2 / 2
    p, q = (1 / (1 + np.exp(-odds * factor)) for factor in (np.where(centre % 2, 0.5, 1), 1))
    area = norm.cdf(SEPARATION / 2**0.5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    certain = SEPARATION * nodes + SEPARATION**2 / 2  # log odds of the truth, of either class
    sharp, flat = (weights @ np.logaddexp(0, -factor * certain) for factor in (1, 0.5))
    truth = np.array([(sharp + flat) / 2, (flat - sharp) / 2, area, area])
    draws = draw_exams(y, centre, 0, 500)
    inside = np.zeros(4, dtype=int)
    for first, second, scores in zip(p, q, x, strict=True):
        drawn = [make_score("log_loss", first, draws), make_score("auroc", scores, draws)]
        drawn.insert(1, _compare("log_loss", (first, second), draws, delong=False))
        ends = [(score.low, score.high) for score in drawn] + [delong_interval(y, scores)[1:3]]
        low, high = np.transpose(ends)
        inside += (low <= truth) & (truth <= high)
    # 95 % of 600 is 570, with a standard deviation of 5.3; m draws of m exams give 550, 544 and 554
    assert ((inside >= 554) & (inside <= 586)).all(), inside
