"""Exams that are left undecided, since their probability is too near one half."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from datkit.errors import UsageError
from datkit.evaluate.intervals import bound, draw_exams
from datkit.evaluate.metrics import check_scored, exam_losses

__all__ = ["risk_coverage", "score_undecided"]


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
        "coverage": n / len(labels),
        "n": n,
        "low": 0.5 - reach,
        "high": 0.5 + reach,
        "error": decided["wrong"] / n,
        "log_loss": decided["loss"] / n,
        "log_loss_half": (decided["loss"] + (len(labels) - n) * np.log(2)) / len(labels),
    }
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
        raise UsageError(
            f"Expected a band within 0 and 1 such as (0.3, 0.7), or a share of exams, found {band}."
        )
    if not isinstance(band, int | float):
        return (p >= low) & (p <= high)
    undecided = int(np.ceil(round(band * len(p), 9)))  # 0.07 of 100 exams are 7
    last = np.sort(_distance(p))[undecided - 1] if undecided else -1
    return _distance(p) <= last


def _distance(p: np.ndarray) -> np.ndarray:
    """Return how far probabilities are from one half: as far for 0.1 as for 0.9."""
    return np.abs(p - 0.5).round(12)
