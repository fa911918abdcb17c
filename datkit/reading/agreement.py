"""Agreement of readers beyond chance: Cohen's, Fleiss' and Krippendorff's coefficients.

Of two readers it is scikit-learn's :func:`~sklearn.metrics.cohen_kappa_score`. A coefficient has no
value, NaN, where all ratings are one class: there is no disagreement that chance could explain.
"""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["cohen_kappa", "compare_readers", "fleiss_kappa", "krippendorff_alpha"]


def cohen_kappa(one: npt.ArrayLike, two: npt.ArrayLike, scale: str = "nominal") -> float:
    """Return Cohen's kappa of two readers of the same exams; quadratic weights if ordinal.

    Examples
    --------
    >>> cohen_kappa([0, 0, 1, 1], [0, 0, 1, 0])
    0.5
    """
    from sklearn.metrics import cohen_kappa_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it has no value
        weights = "quadratic" if scale == "ordinal" else None
        return float(cohen_kappa_score(one, two, weights=weights))


def _count(ratings: pd.DataFrame) -> np.ndarray:
    """Return how many readers chose each class, shape (exams, classes)."""
    values = ratings.to_numpy(float)
    return np.stack([(values == one).sum(1) for one in np.unique(values[~np.isnan(values)])], 1)


def fleiss_kappa(ratings: pd.DataFrame) -> float:
    """Return Fleiss' kappa: mean agreement of pairs beyond that of the classes' shares.

    Parameters
    ----------
    ratings : pandas.DataFrame
        A row an exam, a column a reader, classes as numbers; none may be missing.

    Notes
    -----
    Fleiss 1971, doi:10.1037/h0031619.
    """
    counts = _count(ratings)
    readers = counts.sum(1)[0]
    seen = ((counts**2).sum(1) - readers).mean() / (readers * (readers - 1))
    chance = ((counts.sum(0) / counts.sum()) ** 2).sum()
    return float((seen - chance) / (1 - chance)) if chance < 1 else float("nan")


def krippendorff_alpha(ratings: pd.DataFrame, scale: str = "nominal") -> float:
    """Return Krippendorff's alpha: one minus disagreement seen over that expected by chance.

    Parameters
    ----------
    ratings : pandas.DataFrame
        A row an exam, a column a reader, classes as numbers; NaN where a reader did not answer.
    scale : {"nominal", "ordinal"}

    Notes
    -----
    Hayes and Krippendorff 2007, doi:10.1080/19312450709336664.

    Examples
    --------
    >>> round(krippendorff_alpha(pd.DataFrame({"a": [0, 0, 1], "b": [0, 1, 1]})), 3)
    0.444
    """
    return _alpha(_count(ratings), scale)


def _alpha(counts: np.ndarray, scale: str) -> float:
    counts = counts[counts.sum(1) > 1]
    within = counts.sum(1) - 1
    pairs = (counts / within[:, None]).T @ counts - np.diag((counts / within[:, None]).sum(0))
    totals = pairs.sum(0)
    apart = 1.0 - np.eye(len(totals))
    if scale == "ordinal":
        middle = np.cumsum(totals) - totals / 2
        apart = (middle[:, None] - middle) ** 2
    expected = (np.outer(totals, totals) * apart).sum() / (totals.sum() - 1)
    return float(1 - (pairs * apart).sum() / expected) if expected else float("nan")


def compare_readers(
    ratings: pd.DataFrame, scale: str = "nominal", *, n_boot: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Return every coefficient of one question.

    Parameters
    ----------
    ratings : pandas.DataFrame
        A row an exam, a column a reader, classes as numbers.
    scale : {"nominal", "ordinal"}
    n_boot : int
        How many times exams are drawn anew for the 95 % interval of alpha.
    seed : int

    Returns
    -------
    dict
        ``cohen`` by pairs of readers, ``fleiss``, ``krippendorff`` with ``low`` and ``high``.
    """
    rng, counts = np.random.default_rng(seed), _count(ratings)
    draws = rng.integers(0, len(counts), (n_boot, len(counts)))
    spread = [value for draw in draws if (value := _alpha(counts[draw], scale)) == value]
    low, high = np.percentile(spread, [2.5, 97.5]) if spread else (np.nan, np.nan)
    pairs = {
        f"{one} and {two}": cohen_kappa(ratings[one], ratings[two], scale)
        for one, two in combinations(ratings.columns, 2)
    }
    alpha = {"value": _alpha(counts, scale), "low": float(low), "high": float(high)}
    fleiss = fleiss_kappa(ratings) if pairs else float("nan")
    return {"cohen": pairs, "fleiss": fleiss, "krippendorff": alpha}
