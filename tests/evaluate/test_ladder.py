"""A slope found out of fold, and what it does at the next steps."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.evaluate import calibration_ladder, log_loss, scale_logits

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
