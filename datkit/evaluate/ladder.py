"""The calibration ladder: a slope found out of fold, carried to the public and the private set.

In the challenge the slope that would have been best fell at each step: 1.04 in cross-validation,
about 0.85 on the public and 0.74 on the private set, as its sixth place reports
(https://github.com/paul-bd/DAT_challenge). So one ships a bracket of flatter slopes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit

from datkit.errors import UsageError
from datkit.evaluate.intervals import bound, draw_exams
from datkit.evaluate.metrics import METRICS, check_scored, clipped_logits, exam_losses

__all__ = ["calibration_ladder", "scale_logits"]

Steps = Mapping[str, tuple[ArrayLike, ArrayLike]]  # labels and probabilities of each step


def scale_logits(p: ArrayLike, slope: float) -> np.ndarray:
    """Return probabilities, shape (n,), whose logits are multiplied by a slope; below 1 is flatter.

    Probabilities are first kept 1e-6 from 0 and 1.

    Raises
    ------
    UsageError
        If the slope is not a positive number.

    Examples
    --------
    Odds of 9 become odds of 3:

    >>> scale_logits([0.5, 0.9], 0.5).round(6).tolist()
    [0.5, 0.75]
    """
    if not 0 < slope < np.inf:
        raise UsageError(f"Expected a positive slope, found {slope}.")
    return expit(slope * clipped_logits(np.asarray(p, dtype=np.float64)))


def calibration_ladder(
    steps: Steps,
    factors: Sequence[float] = (1.0, 0.9, 0.8),
    *,
    strata: Mapping[str, ArrayLike] | None = None,
    seed: int = 0,
    n_boot: int = 2000,
) -> pd.DataFrame:
    """Fit a slope on the first step, and say what it and flatter ones save at each step.

    What to ship is chosen from this table and made by ``scale_logits(p, slope)``. Intervals are of
    95 % and hold the luck of a step's exams; the slopes that are tried are taken as they are, so
    that the first step's gain, on the exams that chose the slope, flatters a little.

    Parameters
    ----------
    steps : mapping of str to (labels, probabilities), each (n,)
        In their order, such as ``{"out of fold": …, "public": …, "private": …}``.
    factors : sequence of float
        A bracket: the slopes tried are the best one of the first step times each of these.
    strata : mapping of str to array, shape (n,), optional
        The centres of a step's exams.
    seed, n_boot : int
        Of the bootstrap, and its number of draws.

    Returns
    -------
    pandas.DataFrame
        A row for each step and slope, first the slope 1, the probabilities as they are: step, best
        (the factor on the logits of least log loss there) with best_low and best_high, slope,
        log_loss with low and high, gain (how much log loss the slope saves on these exams) with
        gain_low and gain_high, n, seed.

    Raises
    ------
    UsageError
        If there is no step, a factor is not positive, or what is scored does not fit
        (:func:`score_probabilities`).
    ModelError
        If the labels of a step are not 0 and 1, both present.

    Examples
    --------
    >>> y = [1, 1, 1, 0] * 10
    >>> steps = {"out of fold": (y, [0.75] * 40), "private": (y, [0.9] * 40)}
    >>> table = calibration_ladder(steps, [0.8]).query("step == 'private'")
    >>> table[["best", "slope", "gain"]].round(3).values.tolist()
    [[0.5, 1.0, 0.0], [0.5, 0.8, 0.056]]
    """
    if not steps:
        raise UsageError("Expected at least one step of labels and probabilities, found none.")
    rows: list[tuple[object, ...]] = []
    slopes: list[float] = []
    for step, (y, p) in steps.items():
        labels, values = check_scored(y, p)
        draws = draw_exams(labels, (strata or {}).get(step), seed, n_boot)
        best = bound(METRICS["calibration_slope"].draws(labels, values, draws.counts))
        slopes = slopes or [1.0, *(best[0] * factor for factor in factors)]
        losses = np.array([exam_losses(labels, scale_logits(values, one)) for one in slopes])
        scores = losses @ draws.counts.T / len(labels)  # (slopes, draws)
        for slope, score in zip(slopes, scores, strict=True):
            gain = bound(scores[0] - score)
            rows.append((step, *best, slope, *bound(score), *gain, len(labels), seed))
    columns = ["step", "best", "best_low", "best_high", "slope", "log_loss", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "gain", "gain_low", "gain_high", "n", "seed"])
