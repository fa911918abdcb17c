"""What other probabilities than the model's own would save: flatter ones, and one half.

The calibration ladder carries a slope found out of fold to the public and the private set.

In the challenge the slope that would have been best fell at each step: 1.04 in cross-validation,
about 0.85 on the public and 0.74 on the private set, as its sixth place reports
(https://github.com/paul-bd/DAT_challenge). So one ships a bracket of flatter slopes. Exams whose
probability is too near one half may be left undecided.
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

__all__ = ["calibration_ladder", "risk_coverage", "scale_logits", "score_undecided"]


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
    steps: Mapping[str, tuple[ArrayLike, ArrayLike]],
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


def risk_coverage(y: ArrayLike, p: ArrayLike) -> pd.DataFrame:
    """Return how the risk falls as the exams nearest one half are left undecided.

    Exams as far from one half as each other are decided together. Geifman and El-Yaniv (2017),
    https://arxiv.org/abs/1705.08500. :func:`datkit.view.plot_lines` draws the error, or the log
    loss, against the coverage.

    Parameters
    ----------
    y, p : array, shape (n,)
        Labels and probabilities.

    Returns
    -------
    pandas.DataFrame
        A row for each distance from one half, from the surest exams alone to all of them: coverage
        (the share that is decided), n (decided), low and high (an exam strictly between these is
        undecided), error (the share of the decided called wrong, called abnormal from 0.5),
        log_loss (of the decided), log_loss_half (of all, the undecided given one half).

    Raises
    ------
    UsageError
        If p is not one probability per label.
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    >>> table = risk_coverage([0, 1, 0, 1], [0.1, 0.9, 0.6, 0.8])
    >>> table[["coverage", "error"]].round(3).values.tolist()
    [[0.5, 0.0], [0.75, 0.0], [1.0, 0.25]]
    """
    labels, values = check_scored(y, p)
    loss, wrong = exam_losses(labels, values), (values >= 0.5) != labels
    exams = pd.DataFrame({"n": 1, "wrong": wrong, "loss": loss})
    decided = exams.groupby(_distance(values)).sum().sort_index(ascending=False).cumsum()
    n, reach = decided["n"], decided.index.to_numpy()
    columns = {
        "coverage": n / len(labels), "n": n, "low": 0.5 - reach, "high": 0.5 + reach,
        "error": decided["wrong"] / n, "log_loss": decided["loss"] / n,
        "log_loss_half": (decided["loss"] + (len(labels) - n) * np.log(2)) / len(labels),
    }  # fmt: skip
    return pd.DataFrame(columns).reset_index(drop=True)


def score_undecided(
    y: ArrayLike,
    p: ArrayLike,
    *,
    band: tuple[float, float] | float = (0.3, 0.7),
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
) -> pd.DataFrame:
    """Score a band of probabilities whose exams are left undecided.

    The gain is how much log loss one half for each of these exams would save. It is an honest
    question, since a calibrated model loses by it: only one that is too sure within the band gains.

    Parameters
    ----------
    y, p : array, shape (n,)
        Labels and probabilities.
    band : two float, or one
        Exams between the two, both included, are undecided; or the share of exams, those nearest
        one half, with any that are as near as the last of them.
    strata, seed, n_boot
        As in :func:`score_probabilities`.

    Returns
    -------
    pandas.DataFrame
        Rows coverage, decided_log_loss, decided_error, gain; columns value, low, high (the 95 %
        interval), n, seed. NaN where no exam, or none in a draw, is decided.

    Raises
    ------
    UsageError
        If the band does not lie within 0 and 1, or p is not one probability per label.
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    >>> table = score_undecided([0, 1, 0, 1], [0.1, 0.9, 0.6, 0.8], band=(0.3, 0.7))
    >>> table["value"].round(3).tolist()  # the gain: (ln 0.5 − ln 0.4) / 4
    [0.75, 0.145, 0.0, 0.056]
    """
    labels, values = check_scored(y, p)
    undecided, loss = _undecided(values, band), exam_losses(labels, values)
    counts = draw_exams(labels, strata, seed, n_boot).counts
    decided = counts @ ~undecided
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: none is decided
        draws = {
            "coverage": decided / len(labels),
            "decided_log_loss": counts @ (loss * ~undecided) / decided,
            "decided_error": counts @ (((values >= 0.5) != labels) & ~undecided) / decided,
            "gain": counts @ ((loss - np.log(2)) * undecided) / len(labels),
        }
    rows = [(*bound(spread), len(labels), seed) for spread in draws.values()]
    return pd.DataFrame(rows, index=list(draws), columns=["value", "low", "high", "n", "seed"])


def _undecided(p: np.ndarray, band: tuple[float, float] | float) -> np.ndarray:
    """Return which exams are left undecided, shape (n,)."""
    low, high = (0, band) if isinstance(band, int | float) else band
    if not 0 <= low <= high <= 1:
        expected = "Expected a band within 0 and 1 such as (0.3, 0.7), or a share of exams"
        raise UsageError(f"{expected}, found {band}.")
    if not isinstance(band, int | float):
        return (p >= low) & (p <= high)
    undecided = int(np.ceil(round(band * len(p), 9)))  # 0.07 of 100 exams are 7
    last = np.sort(_distance(p))[undecided - 1] if undecided else -1
    return _distance(p) <= last


def _distance(p: np.ndarray) -> np.ndarray:
    """Return how far probabilities are from one half: as far for 0.1 as for 0.9."""
    return np.abs(p - 0.5).round(12)
