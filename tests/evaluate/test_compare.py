"""Two models on the same exams, and ranks in which ties are ties."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.evaluate import Difference, paired_difference, rank_models, score_probabilities


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
