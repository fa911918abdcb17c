"""Scores that say how sure they are: each with a 95 % interval, the number of exams, the seed.

Of models on the same exams, they say which is better, and where that cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from datkit.errors import UsageError
from datkit.evaluate.intervals import Draws, bound, delong_interval, draw_exams
from datkit.evaluate.metrics import Metric, check_scored, find_metric
from datkit.models.base import check_labels

__all__ = ["Difference", "Score", "paired_difference", "rank_models", "score_groups",
           "score_probabilities"]  # fmt: skip

DEFAULT = ("log_loss", "auroc", "brier")
LEAST = 20  # exams with fewer than which a percentile of draws says little


@dataclass(frozen=True)
class Score:
    """A score of `n` exams with its 95 % interval from `low` to `high`.

    `method` says where the interval comes from (``"bootstrap"`` or ``"DeLong"``), and `note`
    why the value or the interval is missing (NaN) or should not be trusted.

    Examples
    --------
    >>> print(Score("log_loss", 0.412, 0.350, 0.480, n=96, seed=0))
    log loss 0.412 (95 % CI 0.350–0.480), n = 96, seed 0
    >>> print(Score("auroc", 0.9, 0.82, 0.98, n=96, seed=0, method="DeLong"))
    AUROC 0.900 (95 % CI 0.820–0.980), n = 96, DeLong
    >>> print(Score("auroc", float("nan"), float("nan"), float("nan"), 7, 0, note="one class only"))
    AUROC: none (one class only), n = 7
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    seed: int
    method: str = "bootstrap"
    note: str = ""

    @property
    def title(self) -> str:
        """The score's name as it is printed."""
        return find_metric(self.name).title

    @property
    def source(self) -> str:
        """The number of exams, and what drew the interval."""
        drawn = f"seed {self.seed}" if self.method == "bootstrap" else self.method
        return f"n = {self.n}, {drawn}"

    def __str__(self) -> str:
        if np.isnan(self.value):
            return f"{self.title}: none ({self.note}), n = {self.n}"
        if np.isnan(self.low):
            return f"{self.title} {self.value:.3f} (no interval: {self.note}), n = {self.n}"
        note = f"; {self.note}" if self.note else ""
        interval = f"95 % CI {self.low:.3f}–{self.high:.3f}{note}"
        return f"{self.title} {self.value:.3f} ({interval}), {self.source}"


def score_probabilities(
    y: ArrayLike,
    p: ArrayLike,
    *,
    metrics: Sequence[str] = DEFAULT,
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
    delong: bool = False,
) -> dict[str, Score]:
    """Score probabilities of abnormal exams, each score with its interval.

    Parameters
    ----------
    y : array, shape (n,)
        Labels 0 or 1, both present.
    p : array, shape (n,)
        Probabilities of class 1.
    metrics : sequence of str
        Names of :data:`datkit.evaluate.METRICS`, those at a threshold as ``"sensitivity@0.5"``.
    strata : array, shape (n,), optional
        The centre of each exam. A centre with one exam of a class keeps it in every draw, so
        very small centres make intervals too narrow.
    seed, n_boot : int
        Of the bootstrap, and its number of draws.
    delong : bool
        Whether the AUROC has DeLong's interval, which needs no draws and knows no centres.

    Returns
    -------
    dict
        Name → Score.

    Raises
    ------
    UsageError
        If p is not one probability per label, strata are not one per label, or a metric is unknown.
    ModelError
        If the labels are not 0 and 1, both present.

    Examples
    --------
    >>> y, p = [0, 1] * 20, [0.2, 0.8] * 10 + [0.6, 0.7] * 10
    >>> for score in score_probabilities(y, p, metrics=["auroc", "specificity@0.5"]).values():
    ...     print(score)
    AUROC 1.000 (95 % CI 1.000–1.000; every draw gives the same value), n = 40, seed 0
    specificity (p ≥ 0.5) 0.500 (95 % CI 0.263–0.737), n = 40, seed 0
    """
    labels, values = check_scored(y, p)
    draws = draw_exams(labels, strata, seed, n_boot)
    return {name: make_score(name, values, draws, delong) for name in metrics}


def score_groups(
    y: ArrayLike,
    p: ArrayLike,
    groups: ArrayLike,
    *,
    metrics: Sequence[str] = DEFAULT,
    least: int = LEAST,
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
    delong: bool = False,
) -> pd.DataFrame:
    """Score each group of exams: centres, patterns, or bands of severity (:func:`pandas.cut`).

    Parameters
    ----------
    y, p : array, shape (n,)
        Labels and probabilities.
    groups : array, shape (n,)
        The group of each exam. A categorical keeps its order; exams without a group (NaN) are a
        group too.
    least : int
        A group with fewer exams, or a score with fewer than half of that in a class that it needs,
        has no interval.
    metrics, strata, seed, n_boot, delong
        As in :func:`score_probabilities`.

    Returns
    -------
    pandas.DataFrame
        A row for each group and score: group, abnormal (exams), name, value, low, high, n, seed,
        method, note. The note says why a value or an interval is missing.

    Raises
    ------
    UsageError
        If there is not one group per exam, or as :func:`score_probabilities`.
    ModelError
        If the labels are not 0 and 1, both present among all exams.

    Examples
    --------
    >>> y, p = [0, 1] * 20 + [0] * 20, [0.2, 0.9] * 20 + [0.3] * 20
    >>> table = score_groups(y, p, ["A"] * 40 + ["B"] * 20, metrics=["auroc"])
    >>> table[["group", "value", "n", "note"]].values.tolist()[1]
    ['B', nan, 20, 'no abnormal exam']
    """
    labels, values = check_scored(y, p)
    members = pd.Series(groups).reset_index(drop=True)
    centres = np.zeros(len(labels)) if strata is None else np.asarray(strata)
    if not len(members) == len(centres) == len(labels):
        expected = f"Expected a group and a stratum for each of {len(labels)} exams"
        raise UsageError(f"{expected}, found {len(members)} groups and {len(centres)} strata.")
    rows = []
    for group, exams in members.groupby(members, dropna=False, observed=False):
        draws = draw_exams(labels[exams.index], centres[exams.index], seed, n_boot)
        shown = {"group": group, "abnormal": int(draws.y.sum())}
        for name in metrics:
            score = make_score(name, values[exams.index], draws, delong, least)
            rows.append(shown | asdict(score))
    return pd.DataFrame(rows)


def make_score(
    name: str, p: np.ndarray, draws: Draws, delong: bool = False, least: int = 0
) -> Score:
    """Score exams that were drawn; parameters as in :func:`score_groups`."""
    metric, y, method = find_metric(name), draws.y, "bootstrap"
    missing = _missing(metric, y)
    if missing:
        return Score(name, np.nan, np.nan, np.nan, len(y), draws.seed, note=missing)
    spread = metric.draws(y, p, draws.counts)
    value, low, high = bound(spread)
    if delong and name == "auroc":
        method, (_, low, high, _) = "DeLong", delong_interval(y, p)
        low, high = max(low, 0.0), min(high, 1.0)
    note = _doubt(value, low, high, spread)
    if _is_small(metric, y, least) and not np.isnan(value):
        low, high, note = np.nan, np.nan, f"fewer than {least} exams, or {least / 2:g} of a class"
    return Score(name, value, low, high, len(y), draws.seed, method, note)


def _missing(metric: Metric, y: np.ndarray) -> str:
    """Return why the exams have no such score, or ''."""
    if not len(y):
        return "no exam"
    absent = [("normal", "abnormal")[label] for label in metric.classes if label not in y]
    return f"no {absent[0]} exam" if absent else ""


def _doubt(value: float, low: float, high: float, spread: np.ndarray) -> str:
    """Return why a value or its interval is missing or too narrow, or ''."""
    if np.isnan(value):
        return "no finite value is best: equal probabilities, or classes that they separate"
    if np.isnan(low):
        none = int(np.isnan(spread).sum())
        return f"no value in {none} of {len(spread)} draws" if none else "one exam of a class"
    return "every draw gives the same value" if np.isclose(low, high, rtol=0, atol=1e-12) else ""


def _is_small(metric: Metric, y: np.ndarray, least: int) -> bool:
    """Return whether the exams, or those of a class that the score needs, are too few."""
    rarest = min((np.sum(y == label) for label in metric.classes), default=len(y))
    return bool(len(y) < least or rarest < least / 2)


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
    order = sorted(own, key=lambda name: own[name].value, reverse=kind.better == "high")
    rows: list[tuple[object, ...]] = []

    def gap(name: str, to: str) -> Difference:
        return _compare(metric, (p[name], p[to]), draws, delong)

    for rank, name in share_ranks(order, lambda one, best: gap(one, best).verdict == "tie"):
        one, apart = own[name], gap(name, order[0])
        score, difference = ((each.value, each.low, each.high) for each in (one, apart))
        rows.append((rank, name, *score, *difference, one.n, seed))
    columns = ["rank", "model", "value", "low", "high", "difference", "difference_low"]
    return pd.DataFrame(rows, columns=[*columns, "difference_high", "n", "seed"])


def share_ranks(
    order: Sequence[str], is_tie: Callable[[str, str], bool]
) -> Iterator[tuple[int, str]]:
    """Yield rank and name, in their order: who ties with the best that is left shares its rank.

    Those before it must do so too: a rank is never better than that of one with a better score.

    Examples
    --------
    >>> worth = {"a": 9, "b": 8, "c": 5}
    >>> [*share_ranks("abc", lambda one, best: worth[best] - worth[one] < 2)]
    [(1, 'a'), (1, 'b'), (3, 'c')]
    """
    left, rank = [*order], 1
    while left:
        best = left[0]
        tied = [*takewhile(lambda name: name == best or is_tie(name, best), left)]  # noqa: B023
        yield from ((rank, name) for name in tied)
        left, rank = left[len(tied) :], rank + len(tied)


def _compare(
    metric: str, pair: tuple[np.ndarray, np.ndarray], draws: Draws, delong: bool
) -> Difference:
    n, seed = len(draws.y), draws.seed
    if delong and metric == "auroc":
        value, low, high, p_value = delong_interval(draws.y, *pair)
        return Difference(metric, value, low, high, n, seed, "DeLong", p_value=p_value)
    first, second = (find_metric(metric).draws(draws.y, p, draws.counts) for p in pair)
    return Difference(metric, *bound(first - second), n, seed)
