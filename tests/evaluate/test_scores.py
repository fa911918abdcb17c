"""Scores with intervals: controls inside their bands, and groups that are too small say so."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from datkit.errors import UsageError
from datkit.evaluate import Score, score_groups, score_probabilities


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


def test_control_shuffled_labels_are_chance(make_scores):
    y, p = make_scores(400)
    rng = np.random.default_rng(1)
    shuffled = [score_probabilities(rng.permutation(y), p, n_boot=500)["auroc"] for _ in range(20)]
    assert all(0.4 < score.value < 0.6 for score in shuffled)
    assert sum(score.low <= 0.5 <= score.high for score in shuffled) >= 17


def test_scores_name_value_interval_n_and_seed(make_scores):
    score = score_probabilities(*make_scores(96), seed=5)["log_loss"]
    assert (score.n, score.seed) == (96, 5)
    assert score.low < score.value < score.high
    assert str(Score("auroc", 0.9, 0.85, 0.95, 96, 5)) == (
        "AUROC 0.900 (95 % CI 0.850–0.950), n = 96, seed 5"
    )


def test_the_interval_is_that_of_the_bootstrap(make_scores):
    """The interval of a mean: against the normal approximation within the classes."""
    y, p = make_scores(2000)
    loss = (y - p) ** 2
    variance = sum((y == c).mean() ** 2 * loss[y == c].var() / (y == c).sum() for c in (0, 1))
    score = score_probabilities(y, p)["brier"]
    assert score.high - score.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.08)


def test_the_interval_of_auroc_is_that_of_scikit_learn_on_the_same_draws(make_scores):
    y, p = make_scores(40)
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(y == label) for label in (0, 1)]
    counts = np.zeros((300, 40))
    for row in rows:
        n = len(row)  # n − 1 of n exams are drawn, and each counts n / (n − 1)
        counts[:, row] = rng.multinomial(n - 1, np.full(n, 1 / n), 300) * n / (n - 1)
    spread = [metrics.roc_auc_score(y, p, sample_weight=draw) for draw in counts]
    score = score_probabilities(y, p, n_boot=300)["auroc"]
    np.testing.assert_allclose([score.low, score.high], np.percentile(spread, [2.5, 97.5]))


def test_same_seed_same_interval(make_scores):
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


def test_strata_of_another_length_are_refused():
    with pytest.raises(UsageError, match="Expected 2 strata"):
        score_probabilities([0, 1], [0.5, 0.5], strata=["A"])


def test_scores_are_those_that_were_asked_for(make_scores):
    y, p = make_scores(100)
    names = ["sensitivity@0.3", "net_benefit@0.2", "recalibration_slope"]
    scores = score_probabilities(y, p, metrics=names)
    assert list(scores) == [score.name for score in scores.values()] == names
    assert all(score.low < score.value < score.high for score in scores.values())
    assert scores["sensitivity@0.3"].title == "sensitivity (p ≥ 0.3)"


def test_delong_replaces_the_draws_of_the_auroc_alone(make_scores):
    y, p = make_scores(100)
    drawn, delong = (score_probabilities(y, p, delong=way) for way in (False, True))
    assert (drawn["auroc"].method, delong["auroc"].method) == ("bootstrap", "DeLong")
    assert delong["brier"] == drawn["brier"]
    width = [score["auroc"].high - score["auroc"].low for score in (drawn, delong)]
    assert width[1] == pytest.approx(width[0], rel=0.15)
    assert str(delong["auroc"]).endswith("n = 100, DeLong")


def test_an_interval_by_delong_stays_within_0_and_1():
    y = np.array([0] * 10 + [1] * 10)
    p = np.r_[np.linspace(0, 0.5, 10), np.linspace(0.48, 1, 10)]
    assert score_probabilities(y, p, delong=True)["auroc"].high == 1


def test_an_interval_of_no_width_says_why():
    score = score_probabilities([0, 1] * 20, [0.1, 0.9] * 20, metrics=["auroc"])["auroc"]
    assert score.note == "every draw gives the same value"
    assert "CI 1.000–1.000; every draw gives the same value" in str(score)


def test_a_score_without_a_value_says_why():
    score = score_probabilities([0, 1] * 20, [0.1, 0.9] * 20, metrics=["recalibration_slope"])
    text = str(score["recalibration_slope"])
    assert text.startswith("recalibration slope: none (no finite value is best: ")


def test_a_score_that_some_draws_lack_has_no_interval():
    """One exam of ten stands on the wrong side: where it is not drawn the classes are separated."""
    y, p = [0] * 5 + [1] * 5, [0.1, 0.2, 0.3, 0.35, 0.7, 0.6, 0.75, 0.8, 0.9, 0.95]
    score = score_probabilities(y, p, metrics=["recalibration_slope"], n_boot=200)
    one = score["recalibration_slope"]
    assert one.value > 0
    assert np.isnan([one.low, one.high]).all()
    assert str(one).endswith("of 201 draws), n = 10")


def test_one_exam_of_a_class_has_no_interval_by_delong():
    one = score_probabilities([0, 0, 1], [0.1, 0.4, 0.3], delong=True)["auroc"]
    assert str(one) == "AUROC 0.500 (no interval: one exam of a class), n = 3"


def test_groups_by_hand():
    """Centre A says 0.8 of abnormal and 0.4 of normal exams, centre B says one half of all."""
    y = np.tile([0, 1], 40)
    centre = np.repeat(["A", "B"], 40)
    p = np.where(centre == "A", np.where(y == 1, 0.8, 0.4), 0.5)
    table = score_groups(y, p, centre, metrics=["log_loss", "auroc"])
    assert table["group"].tolist() == ["A", "A", "B", "B"]
    assert table["n"].tolist() == [40] * 4
    assert table["abnormal"].tolist() == [20] * 4
    expected = [-(log(0.8) + log(0.6)) / 2, 1, log(2), 0.5]
    assert table["value"].tolist() == pytest.approx(expected, abs=1e-12)


def test_a_group_is_scored_as_if_it_were_alone(make_scores):
    y, p = make_scores(120)
    group, centre = np.arange(120) % 2, np.arange(120) % 3
    table = score_groups(y, p, group, strata=centre, seed=3).set_index(["group", "name"])
    alone = score_probabilities(y[::2], p[::2], strata=centre[::2], seed=3)
    for name, score in alone.items():
        row = table.loc[(0, name)]
        assert (row["value"], row["low"], row["high"]) == (score.value, score.low, score.high)


def test_small_groups_have_a_value_but_no_interval():
    y = np.array([0, 1] * 20 + [0, 1] * 9 + [0] * 30 + [1] * 9)
    p = np.linspace(0.1, 0.9, len(y))
    group = np.repeat(["large", "few", "few abnormal"], [40, 18, 39])
    table = score_groups(y, p, group, metrics=["auroc", "brier"]).set_index(["group", "name"])
    shown = table["low"].notna().to_dict()
    assert shown == {
        ("few", "auroc"): False,
        ("few", "brier"): False,
        ("few abnormal", "auroc"): False,  # it needs both classes
        ("few abnormal", "brier"): True,
        ("large", "auroc"): True,
        ("large", "brier"): True,
    }
    assert table["value"].notna().all()
    assert set(table["note"]) == {"", "fewer than 20 exams, or 10 of a class"}


def test_groups_of_one_class_say_which_is_missing():
    """The normal pattern holds normal exams alone: a log loss, a specificity, no AUROC."""
    y = np.repeat([0, 1], 30)
    p = np.linspace(0.1, 0.9, 60)
    names = ["log_loss", "auroc", "sensitivity@0.5", "specificity@0.3"]
    table = score_groups(y, p, np.where(y, "loss", "normal"), metrics=names)
    notes = table.set_index(["group", "name"])["note"]
    assert notes["loss", "auroc"] == notes["loss", "specificity@0.3"] == "no normal exam"
    assert notes["normal", "auroc"] == notes["normal", "sensitivity@0.5"] == "no abnormal exam"
    assert table.set_index(["group", "name"])["value"].loc["normal", "log_loss"] > 0


def test_bands_keep_their_order_and_exams_without_one_are_a_group():
    severity = np.array([3.0, 1.0, np.nan, 0.2] * 10)
    bands = pd.cut(severity, [0, 0.5, 1.5, 2, 4], labels=["mild", "medium", "none", "severe"])
    y, p = np.array([0, 1, 1, 0, 1, 0, 0, 1] * 5), np.linspace(0.1, 0.9, 40)
    table = score_groups(y, p, bands, metrics=["log_loss"])
    assert table["group"].tolist()[:4] == ["mild", "medium", "none", "severe"]
    assert table["group"].isna().tolist() == [False] * 4 + [True]
    assert table["n"].tolist() == [10, 10, 0, 10, 10]
    assert table["note"][2] == "no exam"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": ["A"]}, "4 exams, found 1 groups and 4 strata"),
        ({"strata": ["A"]}, "4 exams, found 4 groups and 1 strata"),
    ],
)
def test_groups_and_strata_of_another_length_are_refused(given, message):
    rest = {"groups": ["A"] * 4} | given
    with pytest.raises(UsageError, match=message):
        score_groups([0, 1, 0, 1], [0.5] * 4, **rest)
