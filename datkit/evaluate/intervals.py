"""How sure a score is: the bootstrap of exams, and DeLong's intervals of the AUROC.

The bootstrap draws exams within each class, and within each centre where centres are given, so that
the mix of the cohort stays as it is. Of m exams m − 1 are drawn, and each counts m / (m − 1): this
keeps the variance of small centres right (Rao and Wu 1988, 10.1080/01621459.1988.10478591), where m
draws of m make an interval too narrow. One draw is one row of counts, and a score of all draws is a
few products with the table of counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from datkit.errors import UsageError
from datkit.models.base import check_labels

__all__ = ["Draws", "bound", "delong_covariance", "delong_interval", "draw_exams"]

LEVEL = 0.95  #: of every interval


@dataclass(frozen=True)
class Draws:
    """Labels (n,), how much each draw counts an exam (draws, n), and the seed.

    The first row of counts counts each exam once: that is the score itself.
    """

    y: np.ndarray
    counts: np.ndarray
    seed: int


def draw_exams(y: np.ndarray, strata: ArrayLike | None, seed: int, n_boot: int) -> Draws:
    """Draw exams with replacement, within class and stratum (centre), `n_boot` times.

    Raises
    ------
    UsageError
        If strata are not one per exam, or there is no draw.
    """
    strata = np.zeros(len(y)) if strata is None else np.asarray(strata)
    if len(strata) != len(y) or n_boot < 1:
        expected = f"Expected {len(y)} strata, one per exam, and at least one draw"
        raise UsageError(f"{expected}; found {len(strata)} strata and n_boot={n_boot}.")
    rng = np.random.default_rng(seed)
    counts = np.ones((n_boot + 1, len(y)))
    cells = pd.DataFrame({"stratum": strata, "label": y})
    for _, exams in cells.groupby(["stratum", "label"], dropna=False):
        n, drawn = len(exams), max(len(exams) - 1, 1)
        counts[1:, exams.index] = rng.multinomial(drawn, np.full(n, 1 / n), n_boot) * (n / drawn)
    return Draws(y, counts, seed)


def bound(spread: np.ndarray) -> tuple[float, float, float]:
    """Return the score, first of the draws, and the interval that holds 95 % of the others.

    The interval is NaN where a draw has no value.
    """
    low, high = np.percentile(spread[1:], [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(spread[0]), float(low), float(high)


def delong_covariance(y: ArrayLike, *models: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROC of k models on the same exams, and how these vary together.

    DeLong, DeLong and Clarke-Pearson (1988), 10.2307/2531595, by the ranks of Sun and Xu (2014),
    10.1109/LSP.2014.2337313. It takes all exams for one sample: centres play no part.

    Parameters
    ----------
    y : array, shape (n,)
        Labels 0 or 1, both present.
    *models : arrays, shape (n,)
        Probabilities, or any number that is higher in abnormal exams.

    Returns
    -------
    aurocs : array, shape (k,)
    covariance : array, shape (k, k)
        NaN where a class has fewer than two exams.

    Raises
    ------
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    Of 2 × 2 pairs three are in the right order:

    >>> aurocs, covariance = delong_covariance([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8])
    >>> float(aurocs[0]), float(covariance[0, 0])
    (0.75, 0.125)
    """
    p = np.array(models, dtype=np.float64)
    labels = check_labels(y, p.shape[1])
    everywhere = rankdata(p, axis=1)
    shares = []
    for label in (1, 0):
        within, others = labels == label, np.sum(labels != label)
        above = (everywhere[:, within] - rankdata(p[:, within], axis=1)) / others
        shares.append(above if label else 1 - above)  # of pairs in the right order, per exam
    if min(part.shape[1] for part in shares) < 2:
        return shares[0].mean(axis=1), np.full((len(p), len(p)), np.nan)
    covariance = sum(np.atleast_2d(np.cov(part)) / part.shape[1] for part in shares)
    return shares[0].mean(axis=1), covariance


def delong_interval(y: np.ndarray, *models: np.ndarray) -> tuple[float, float, float, float]:
    """Return the AUROC of one model, or of the first minus that of the second of two.

    Returns
    -------
    value, low, high : float
        With the 95 % interval, as if it were normal; NaN where a class has one exam.
    p_value : float
        Two-sided, of the value being 0.
    """
    aurocs, covariance = delong_covariance(y, *models)
    signs = np.array([1, -1])[: len(models)]
    value = float(signs @ aurocs)
    error = float(np.sqrt(np.maximum(signs @ covariance @ signs, 0)))
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    p_value = float(2 * norm.sf(abs(value) / error)) if error > 0 else float(value == 0)
    return value, value - reach, value + reach, p_value
