"""A slope found out of fold and what it does at the next steps; exams left undecided, by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.evaluate import (
    calibration_ladder,
    log_loss,
    risk_coverage,
    scale_logits,
    score_undecided,
)

STEPS = {"out of fold": 1.0, "public": 0.85, "private": 0.7}  # the slope that is best there


def test_logits_scaled_by_hand():
    """Odds 9 become 3 at half the slope and 81 at twice it."""
    assert scale_logits([0.9, 0.1, 0.5], 0.5) == pytest.approx([0.75, 0.25, 0.5])
    assert scale_logits([0.9], 2.0) == pytest.approx([81 / 82])
    assert scale_logits([0.0, 1.0], 1.0) == pytest.approx([1e-6, 1 - 1e-6])


def test_the_ladder_by_hand():
    """Three of four are abnormal. Out of fold 0.9 is said, odds 9 for 3: the best slope is 1/2.

    In the private set 0.75 is said, which is right: there the slope of 1/2 makes odds of √3.
    """
    y = [1, 1, 1, 0] * 10
    steps = {"out of fold": (y, [0.9] * 40), "private": (y, [0.75] * 40)}
    table = calibration_ladder(steps, [1.0]).set_index(["step", "slope"])
    assert table["best"].tolist() == pytest.approx([0.5, 0.5, 1, 1], abs=1e-9)
    slope = table.index[1][1]
    three = -(3 * log(0.75) + log(0.25)) / 4
    root = 3**0.5 / (1 + 3**0.5)
    flat = -(3 * log(root) + log(1 - root)) / 4
    sure = -(3 * log(0.9) + log(0.1)) / 4
    losses = table["log_loss"]
    assert losses["out of fold", 1.0] == pytest.approx(sure)
    assert losses["out of fold", slope] == pytest.approx(three)
    assert losses["private", 1.0] == pytest.approx(three)
    assert losses["private", slope] == pytest.approx(flat)
    assert table["gain"].tolist() == pytest.approx([0, sure - three, 0, three - flat])


def make_steps(make_scores, n: int = 3000) -> dict:
    steps = {}
    for seed, (step, best) in enumerate(STEPS.items()):
        y, p = make_scores(n, seed)
        steps[step] = y, scale_logits(p, 1 / best)
    return steps


def test_the_best_slope_falls_and_a_flatter_one_pays(make_scores):
    table = calibration_ladder(make_steps(make_scores), n_boot=300)
    best = table.drop_duplicates("step").set_index("step")
    for step, slope in STEPS.items():
        assert best.loc[step, "best_low"] < slope < best.loc[step, "best_high"]
    assert table["slope"].tolist() == pytest.approx(
        [1, *(best["best"].iloc[0] * f for f in (1, 0.9, 0.8))] * 3
    )
    losses = table.pivot(index="step", columns="slope", values="log_loss")
    flattest, fitted = min(losses), table["slope"][1]
    assert losses.loc["out of fold", fitted] == losses.loc["out of fold"].min()
    assert losses.loc["private", flattest] == losses.loc["private"].min()
    gain = table[table["slope"] == flattest].set_index("step")
    assert 0 < gain.loc["private", "gain_low"] < gain.loc["private", "gain"]


def test_what_is_shipped_has_the_loss_of_the_table(make_scores):
    steps = make_steps(make_scores, 300)
    for _, row in calibration_ladder(steps, n_boot=10).iterrows():
        y, p = steps[row["step"]]
        assert row["log_loss"] == pytest.approx(log_loss(y, scale_logits(p, row["slope"])))


def test_a_step_is_drawn_within_its_centres(make_scores):
    """Each centre gives one probability to each class: within it nothing varies."""
    y, centre = np.array([0, 1] * 50), np.repeat(["easy", "hard"], 50)
    right = np.where(centre == "easy", 0.95, 0.55)
    steps = {"public": (y, np.where(y == 1, right, 1 - right))}
    loose, tight = (calibration_ladder(steps, strata=s) for s in (None, {"public": centre}))
    assert (tight["high"] - tight["low"]).max() < 1e-12 < (loose["high"] - loose["low"]).min()


def test_no_step_and_no_slope_are_refused():
    with pytest.raises(UsageError, match="at least one step"):
        calibration_ladder({})
    for slope in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="Expected a positive slope"):
            scale_logits([0.5], slope)


# Sure and right, sure and right, near one half and wrong, farther and right.
Y, P = [0, 1, 0, 1], [0.1, 0.9, 0.6, 0.8]


def test_risk_and_coverage_by_hand():
    table = risk_coverage(Y, P)
    assert table["n"].tolist() == [2, 3, 4]  # 0.1 and 0.9 are as far from one half
    assert table["low"].tolist() == pytest.approx([0.1, 0.2, 0.4])
    assert table["high"].tolist() == pytest.approx([0.9, 0.8, 0.6])
    assert table["error"].tolist() == pytest.approx([0, 0, 1 / 4])
    right = [-2 * log(0.9), -2 * log(0.9) - log(0.8), -2 * log(0.9) - log(0.8) - log(0.4)]
    assert table["log_loss"].tolist() == pytest.approx([right[0] / 2, right[1] / 3, right[2] / 4])
    half = [(right[0] + 2 * log(2)) / 4, (right[1] + log(2)) / 4, right[2] / 4]
    assert table["log_loss_half"].tolist() == pytest.approx(half)


def test_the_last_row_decides_all(make_scores):
    y, p = make_scores()
    last = risk_coverage(y, p).iloc[-1]
    assert (last["coverage"], last["log_loss"]) == pytest.approx((1, log_loss(y, p)))
    assert last["error"] == pytest.approx(np.mean((p >= 0.5) != y))


def test_the_surer_the_exams_the_fewer_are_wrong(make_scores):
    table = risk_coverage(*make_scores(2000))
    error = [table["error"][table["n"].searchsorted(n)] for n in (500, 1000, 1500, 2000)]
    assert error == sorted(error)


def test_the_curve_is_drawn_as_lines(make_scores):
    from datkit.view import plot_lines

    table = risk_coverage(*make_scores())
    lines = {"network": (table["coverage"], table["error"])}
    (axes,) = plot_lines(lines, x_label="coverage (share decided)", y_label="error (share)").axes
    assert axes.lines[0].get_xdata()[-1] == 1


@pytest.mark.parametrize("band", [(0.3, 0.7), [0.6, 0.6], 0.25, 0.1])
def test_a_band_by_hand(band):
    """The exam at 0.6 is undecided: normal, it costs −ln 0.4, and one half would cost ln 2."""
    values = score_undecided(Y, P, band=band, n_boot=10)["value"]
    assert values["coverage"] == 3 / 4
    assert values["decided_error"] == 0
    assert values["decided_log_loss"] == pytest.approx(-(2 * log(0.9) + log(0.8)) / 3)
    assert values["gain"] == pytest.approx((-log(0.4) - log(2)) / 4)


def test_exams_as_near_as_the_last_are_undecided_too():
    assert score_undecided(Y, P, band=0.75, n_boot=10)["value"]["coverage"] == 0
    assert score_undecided(Y, P, band=0.0, n_boot=10)["value"]["coverage"] == 1
    hundred = np.linspace(0.01, 0.49, 100)
    table = score_undecided([0, 1] * 50, hundred, band=0.07, n_boot=10)
    assert table["value"]["coverage"] == pytest.approx(0.93)  # 0.07 · 100 is 7.000000000000001


def test_where_none_is_decided_there_is_no_error():
    table = score_undecided(Y, P, band=(0.0, 1.0), n_boot=10)
    assert table["value"].isna().tolist() == [False, True, True, False]


def test_a_calibrated_model_loses_by_one_half_and_a_sure_one_gains(make_scores):
    y, p = make_scores(4000)
    sure = p**3 / (p**3 + (1 - p) ** 3)
    calm, hasty = (
        score_undecided(y, q, band=(0.2, 0.8), n_boot=300).loc["gain"] for q in (p, sure)
    )
    assert calm["low"] <= calm["value"] <= calm["high"] < 0
    assert 0 < hasty["low"] <= hasty["value"] <= hasty["high"]


def test_an_interval_is_that_of_the_share(make_scores):
    y, p = make_scores(1000)
    row = score_undecided(y, p, band=0.2).loc["coverage"]
    assert row["value"] == pytest.approx(0.8)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * (0.8 * 0.2 / 1000) ** 0.5, rel=0.1)


@pytest.mark.parametrize("band", [(0.7, 0.3), (-0.1, 0.5), 1.2, -0.5])
def test_a_band_outside_0_and_1_is_refused(band):
    with pytest.raises(UsageError, match="Expected a band within 0 and 1"):
        score_undecided(Y, P, band=band)
