"""Scores with intervals, controls inside their bands; models compared, and ranks with ties."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from datkit.errors import UsageError
from datkit.evaluate import (
    Difference,
    Score,
    paired_difference,
    rank_models,
    score_groups,
    score_probabilities,
)
from datkit.evaluate.scores import share_ranks


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


def test_a_model_ties_with_itself(make_scores):
    y, p = make_scores()
    difference = paired_difference(y, p, p)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert difference.verdict == "tie"
    assert str(difference).endswith("n = 200, seed 0: tie")


@pytest.mark.parametrize("metric", ["log_loss", "auroc", "brier"])
def test_the_better_model_wins_from_either_side(make_scores, metric):
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


def test_pairing_sees_what_two_intervals_do_not(make_scores):
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


def test_delongs_test_agrees_with_the_bootstrap(make_scores):
    y, p = make_scores(300)
    noisy = np.clip(p + np.random.default_rng(0).normal(0, 0.2, 300), 0, 1)
    drawn, delong = (paired_difference(y, p, noisy, metric="auroc", delong=way) for way in (0, 1))
    assert delong.value == pytest.approx(drawn.value, abs=1e-12)
    assert (delong.low, delong.high) == pytest.approx((drawn.low, drawn.high), abs=0.006)
    assert (delong.p_value < 0.05) == (delong.verdict != "tie")
    assert np.isnan(drawn.p_value)
    assert str(delong).endswith(f"n = 300, DeLong: {delong.verdict}")


def test_slopes_differ_but_none_is_better(make_scores):
    y, p = make_scores(300)
    sure = p**3 / (p**3 + (1 - p) ** 3)
    apart = paired_difference(y, p, sure, metric="calibration_slope")
    assert apart.verdict == "different"


def make_models(make_scores) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    y, p = make_scores(300)
    wrong = np.where(y == 1, 0.9 * p, 1 - 0.9 * (1 - p))  # always a little worse: −ln 0.9
    return y, {"constant": np.full(300, y.mean()), "worse": wrong, "good": p, "same": p.copy()}


def test_models_that_cannot_be_told_from_the_best_share_its_rank(make_scores):
    table = rank_models(*make_models(make_scores)).set_index("model")
    assert table["rank"].to_dict() == {"good": 1, "same": 1, "worse": 3, "constant": 4}
    assert table.loc["worse", "difference"] == pytest.approx(-log(0.9))
    assert table.loc["constant", "difference_low"] > table.loc["worse", "difference_high"]
    assert (
        table.loc["good", ["difference", "difference_low", "difference_high"]].tolist() == [0] * 3
    )
    assert table[["n", "seed"]].drop_duplicates().to_numpy().tolist() == [[300, 0]]


def test_later_ranks_are_shared_too(make_scores):
    y, models = make_models(make_scores)
    models["worse too"] = models["worse"].copy()
    ranks = rank_models(y, models).set_index("model")["rank"]
    assert ranks.to_dict() == {"good": 1, "same": 1, "worse": 3, "worse too": 3, "constant": 5}


@pytest.mark.parametrize("delong", [False, True])
def test_a_rank_by_auroc_has_the_highest_first(make_scores, delong):
    y, models = make_models(make_scores)
    table = rank_models(y, models, metric="auroc", delong=delong, n_boot=200)
    assert table["model"].tolist()[-1] == "constant"
    assert table["rank"].tolist()[0] == 1
    assert (table["difference"] <= 0).all()


def test_a_rank_shows_each_models_own_score(make_scores):
    y, models = make_models(make_scores)
    row = rank_models(y, models, seed=4).set_index("model").loc["worse"]
    score = score_probabilities(y, models["worse"], seed=4)["log_loss"]
    assert (row["value"], row["low"], row["high"]) == (score.value, score.low, score.high)


@pytest.mark.parametrize(
    ("models", "metric"), [({}, "log_loss"), ({"a": [0.5, 0.5]}, "recalibration_slope")]
)
def test_what_cannot_be_ranked_is_refused(models, metric):
    with pytest.raises(UsageError, match=f"found {len(models)} models and '{metric}'"):
        rank_models([0, 1], models, metric=metric)


def test_a_rank_is_never_better_than_that_of_a_better_score():
    ranks = share_ranks("abcd", lambda one, best: (one, best) in {("c", "a"), ("d", "c")})
    assert [*ranks] == [(1, "a"), (2, "b"), (3, "c"), (3, "d")]
