"""Models on the same exams: which is better, and where that cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from datkit.errors import UsageError
from datkit.evaluate.intervals import Draws, bound, delong_interval, draw_exams
from datkit.evaluate.metrics import check_scored, find_metric
from datkit.evaluate.scores import Score, make_score
from datkit.models.base import check_labels

__all__ = ["Difference", "paired_difference", "rank_models"]


@dataclass(frozen=True)
class Difference(Score):
    """First minus second model, on the same exams; `p_value` is that of DeLong's test, else NaN.

    Examples
    --------
    >>> print(Difference("log_loss", -0.02, -0.05, 0.01, n=96, seed=0))
    log loss -0.020 (95 % CI -0.050 to 0.010), n = 96, seed 0: tie
    """

    p_value: float = np.nan

    @property
    def verdict(self) -> str:
        """``"tie"`` if the interval holds zero or is missing, else which model is better."""
        better = find_metric(self.name).better
        if not (self.low > 0 or self.high < 0):
            return "tie"
        if not better:
            return "different"
        return "first is better" if (self.low > 0) == (better == "high") else "second is better"

    def __str__(self) -> str:
        interval = f"95 % CI {self.low:.3f} to {self.high:.3f}"
        return f"{self.title} {self.value:+.3f} ({interval}), {self.source}: {self.verdict}"


def paired_difference(
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    *,
    metric: str = "log_loss",
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
    delong: bool = False,
) -> Difference:
    """Compare two models on the same exams: a score of `p_a` minus that of `p_b`, with interval.

    Both are scored on the same draws, so what makes an exam hard for both cancels out. The interval
    holds the luck of the exams only: the same network from another seed may differ by as much.
    Parameters as in :func:`score_probabilities`; with `delong`, two AUROCs are compared by
    DeLong's test.

    Raises
    ------
    UsageError
        If the metric is unknown, or what is scored does not fit (:func:`score_probabilities`).
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    >>> y = [0, 1] * 20
    >>> paired_difference(y, [0.2, 0.8] * 20, [0.3, 0.7] * 20).verdict
    'first is better'
    """
    (labels, first), (_, second) = check_scored(y, p_a), check_scored(y, p_b)
    draws = draw_exams(labels, strata, seed, n_boot)
    return _compare(metric, (first, second), draws, delong)


def rank_models(
    y: ArrayLike,
    models: Mapping[str, ArrayLike],
    *,
    metric: str = "log_loss",
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
    delong: bool = False,
) -> pd.DataFrame:
    """Rank models on the same exams; those that cannot be told from the best share its rank.

    A model ties with the best if the interval of their difference holds zero. The next rank counts
    all models before it, belongs to the best of those that are left, and is shared in the same way.
    No allowance is made for the number of models: of many equal ones, a few fall behind by luck.

    Parameters
    ----------
    y : array, shape (n,)
        Labels 0 or 1, both present.
    models : mapping of str to array, shape (n,)
        Each model's probabilities.
    metric, strata, seed, n_boot, delong
        As in :func:`paired_difference`; the metric must have a better side.

    Returns
    -------
    pandas.DataFrame
        A row a model, the best first: rank, model, value, low, high, difference (to the best of
        all), difference_low, difference_high, n, seed.

    Raises
    ------
    UsageError
        If there is no model, the metric has no better side, or as :func:`paired_difference`.
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    >>> y = [0, 1] * 40
    >>> models = {"b": [0.3, 0.7] * 40, "a": [0.1, 0.9] * 40, "also a": [0.1, 0.9] * 40}
    >>> rank_models(y, models)[["rank", "model"]].values.tolist()
    [[1, 'a'], [1, 'also a'], [3, 'b']]
    """
    kind = find_metric(metric)
    if not models or not kind.better:
        raise UsageError(
            f"Expected models to rank by a score of which more or less is better, found "
            f"{len(models)} models and {metric!r}; rank them by log_loss or auroc."
        )
    p = {name: check_scored(y, values)[1] for name, values in models.items()}
    draws = draw_exams(check_labels(y, np.size(y)), strata, seed, n_boot)
    own = {name: make_score(metric, values, draws, delong) for name, values in p.items()}
    left = sorted(own, key=lambda name: own[name].value, reverse=kind.better == "high")
    best, rows = left[0], []  # type: str, list[tuple[object, ...]]
    while left:
        gaps = {name: _compare(metric, (p[name], p[left[0]]), draws, delong) for name in left}
        rank, tied = len(rows) + 1, [name for name in left if gaps[name].verdict == "tie"]
        for name in tied:
            one, gap = own[name], _compare(metric, (p[name], p[best]), draws, delong)
            score, apart = ((each.value, each.low, each.high) for each in (one, gap))
            rows.append((rank, name, *score, *apart, one.n, seed))
        left = [name for name in left if name not in tied]
    columns = ["rank", "model", "value", "low", "high", "difference", "difference_low"]
    return pd.DataFrame(rows, columns=[*columns, "difference_high", "n", "seed"])


def _compare(
    metric: str, pair: tuple[np.ndarray, np.ndarray], draws: Draws, delong: bool
) -> Difference:
    n, seed = len(draws.y), draws.seed
    if delong and metric == "auroc":
        value, low, high, p_value = delong_interval(draws.y, *pair)
        return Difference(metric, value, low, high, n, seed, "DeLong", p_value=p_value)
    first, second = (find_metric(metric).draws(draws.y, p, draws.counts) for p in pair)
    return Difference(metric, *bound(first - second), n, seed)
