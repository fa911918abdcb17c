"""Scores that say how sure they are: each with a 95 % interval, the number of exams and the seed.

Intervals are percentiles of a bootstrap that draws exams within each class, and within each centre
where centres are given, so that the mix of the cohort stays as it is. One bootstrap is one row of
counts (how often each exam was drawn), and each score is a few products with such rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.base import ClassifierMixin
from sklearn.model_selection import cross_val_predict
from sklearn.utils.validation import has_fit_parameter

from datkit.data.groups import grouped_folds
from datkit.errors import UsageError
from datkit.files import replace_atomically
from datkit.models.base import Features, check_labels
from datkit.models.calibrated import fit_temperature
from datkit.problems import list_some

__all__ = [
    "CLIP",
    "Difference",
    "Score",
    "auroc",
    "brier",
    "calibration_slope",
    "cross_validate",
    "log_loss",
    "paired_difference",
    "score_probabilities",
]

CLIP = 1e-6  #: for the log loss, probabilities are kept this far from 0 and 1: it stays below 13.8
TITLES = {"log_loss": "log loss", "auroc": "AUROC", "brier": "Brier score"}


@dataclass(frozen=True)
class Score:
    """A score of `n` exams with its 95 % interval from `low` to `high`.

    Examples
    --------
    >>> print(Score("log_loss", 0.412, 0.350, 0.480, n=96, seed=0))
    log loss 0.412 (95 % CI 0.350–0.480), n = 96, seed 0
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    seed: int

    def __str__(self) -> str:
        interval = f"95 % CI {self.low:.3f}–{self.high:.3f}"
        return f"{TITLES[self.name]} {self.value:.3f} ({interval}), n = {self.n}, seed {self.seed}"


@dataclass(frozen=True)
class Difference(Score):
    """First minus second model, on the same exams.

    Examples
    --------
    >>> print(Difference("log_loss", -0.02, -0.05, 0.01, n=96, seed=0))
    log loss -0.020 (95 % CI -0.050 to 0.010), n = 96, seed 0: tie
    """

    @property
    def verdict(self) -> str:
        """``"tie"`` if the interval holds zero, else which model is better."""
        if self.low <= 0 <= self.high:
            return "tie"
        first = (self.low > 0) == (self.name == "auroc")  # a loss is better low
        return "first is better" if first else "second is better"

    def __str__(self) -> str:
        interval = f"95 % CI {self.low:.3f} to {self.high:.3f}"
        exams = f"n = {self.n}, seed {self.seed}"
        return f"{TITLES[self.name]} {self.value:+.3f} ({interval}), {exams}: {self.verdict}"


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean of −ln(probability given to the true class), p clipped to 1e-6 … 1 − 1e-6.

    Examples
    --------
    Saying one half of everything costs ln 2:

    >>> round(log_loss([0, 1, 1], [0.5, 0.5, 0.5]), 4)
    0.6931
    """
    return _score_once("log_loss", y, p)


def auroc(y: ArrayLike, p: ArrayLike) -> float:
    """Return the share of (abnormal, normal) pairs in the right order; equal values count half.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return _score_once("auroc", y, p)


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean squared distance between probability and label.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    return _score_once("brier", y, p)


def calibration_slope(y: ArrayLike, p: ArrayLike) -> float:
    """Return the factor on the logits that gives the least log loss: below 1 is overconfident.

    It is 1 / T of :func:`datkit.models.fit_temperature`, so it lies between 0.1 and 10.

    Examples
    --------
    Right in 3 of 4 exams but claiming 0.9: the logits should be halved.

    >>> round(calibration_slope([1, 1, 1, 0], [0.9, 0.9, 0.9, 0.9]), 3)
    0.5
    """
    labels, values = _check_scored(y, p)
    return 1 / fit_temperature(logit(np.clip(values, CLIP, 1 - CLIP)), labels)


def score_probabilities(
    y: ArrayLike,
    p: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
) -> dict[str, Score]:
    """Score probabilities of abnormal exams: log loss, AUROC and Brier score, each with interval.

    Parameters
    ----------
    y : array, shape (n,)
        Labels 0 or 1, both present.
    p : array, shape (n,)
        Probabilities of class 1.
    strata : array, shape (n,), optional
        The centre of each exam. A centre with one exam of a class keeps it in every draw, so
        very small centres make intervals too narrow.
    seed, n_boot : int
        Of the bootstrap, and its number of draws.

    Returns
    -------
    dict
        Name → Score, for ``"log_loss"``, ``"auroc"`` and ``"brier"``.

    Raises
    ------
    UsageError
        If p is not one probability per label, or strata are not one per label.
    ModelError
        If the labels are not 0 and 1, both present.
    """
    labels, values = _check_scored(y, p)
    counts, n = _draw_counts(labels, strata, seed, n_boot), len(labels)
    draws = {name: metric(labels, values, counts) for name, metric in _METRICS.items()}
    return {name: Score(name, *_bound(spread), n, seed) for name, spread in draws.items()}


def paired_difference(
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    *,
    metric: str = "log_loss",
    strata: ArrayLike | None = None,
    seed: int = 0,
    n_boot: int = 2000,
) -> Difference:
    """Compare two models on the same exams: a score of `p_a` minus that of `p_b`, with interval.

    Both are scored on the same draws, so what makes an exam hard for both cancels out. The interval
    holds the luck of the exams only: the same network from another seed may differ by as much.
    Parameters as in :func:`score_probabilities`.

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
    if metric not in _METRICS:
        raise UsageError(f"Expected a metric among {', '.join(_METRICS)}, found {metric!r}.")
    (labels, first), (_, second) = _check_scored(y, p_a), _check_scored(y, p_b)
    score, counts = _METRICS[metric], _draw_counts(labels, strata, seed, n_boot)
    spread = score(labels, first, counts) - score(labels, second, counts)
    return Difference(metric, *_bound(spread), len(labels), seed)


def cross_validate(
    model: ClassifierMixin,
    X: Features,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    n_splits: int | None = None,
    record: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Return the probability of abnormal for each exam, by a model that never saw its group.

    Parameters
    ----------
    model : classifier
        Cloned for each fold; it gets the training exams' groups if its ``fit`` takes them.
    X, y, groups : table or array (n, …), labels (n,), centres or patients (n,)
    n_splits : int, optional
        Folds of whole groups; by default each group is left out once.
    record : path, optional
        Where to write a CSV table of the folds: row, group, fold, label, probability.

    Returns
    -------
    array, shape (n,), float64

    Raises
    ------
    UsageError
        If X, y and groups are not equally long.
    ModelError
        If the labels do not fit, or the model cannot be trained on a fold.
    """
    groups = np.asarray(groups)
    if len(groups) != len(X):
        raise UsageError(f"Expected {len(X)} groups, one per exam, found {len(groups)}.")
    labels, folds = check_labels(y, len(X)), grouped_folds(groups, n_splits)
    extra = {"groups": groups} if has_fit_parameter(model, "groups") else {}
    p = cross_val_predict(model, X, labels, cv=folds, params=extra, method="predict_proba")[:, 1]
    if record is not None:
        fold = np.zeros(len(labels), dtype=int)
        for number, (_, left_out) in enumerate(folds):
            fold[left_out] = number
        columns = {"group": groups, "fold": fold, "label": labels, "probability": p}
        with replace_atomically(record) as part:
            pd.DataFrame(columns).to_csv(part, index_label="row")
    return p


def _check_scored(y: ArrayLike, p: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or len(p) != np.size(y):
        raise UsageError(
            f"Expected {np.size(y)} probabilities, one per label, found the shape {p.shape}. "
            "Of predict_proba, pass the second column: [:, 1]."
        )
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if len(bad):
        raise UsageError(
            f"Expected probabilities from 0 to 1, found {list_some(p[bad])} in {len(bad)} rows "
            f"(counted from 0: {list_some(bad)}). A logit is turned into one by 1 / (1 + exp(-x))."
        )
    return check_labels(y, len(p)), p


def _draw_counts(y: np.ndarray, strata: ArrayLike | None, seed: int, n_boot: int) -> np.ndarray:
    """Draw how often each exam counts: with replacement, within class and stratum.

    The result has the shape (n_boot + 1, n). Its first row counts each exam once: that is the score
    itself.
    """
    strata = np.zeros(len(y)) if strata is None else np.asarray(strata)
    if len(strata) != len(y) or n_boot < 1:
        raise UsageError(
            f"Expected {len(y)} strata, one per exam, and at least one draw; "
            f"found {len(strata)} strata and n_boot={n_boot}."
        )
    rng = np.random.default_rng(seed)
    counts = np.ones((n_boot + 1, len(y)))
    for _, exams in pd.DataFrame({"stratum": strata, "label": y}).groupby(["stratum", "label"]):
        n = len(exams)
        counts[1:, exams.index] = rng.multinomial(n, np.full(n, 1 / n), size=n_boot)
    return counts


def _log_losses(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    p = np.clip(p, CLIP, 1 - CLIP)
    return counts @ -np.log(np.where(y == 1, p, 1 - p)) / len(y)


def _aurocs(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    abnormal, normal = p[y == 1][:, None], p[y == 0][None, :]
    right = (abnormal > normal) + 0.5 * (abnormal == normal)  # (n abnormal, n normal)
    pairs = ((counts[:, y == 1] @ right) * counts[:, y == 0]).sum(axis=1)
    return pairs / right.size  # the draws keep the size of both classes


def _briers(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ (p - y) ** 2 / len(y)


_METRICS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "log_loss": _log_losses,
    "auroc": _aurocs,
    "brier": _briers,
}


def _score_once(name: str, y: ArrayLike, p: ArrayLike) -> float:
    labels, values = _check_scored(y, p)
    return float(_METRICS[name](labels, values, np.ones((1, len(labels))))[0])


def _bound(spread: np.ndarray) -> tuple[float, float, float]:
    """Return the score, first of the draws, and the interval that holds 95 % of the others."""
    low, high = np.percentile(spread[1:], [2.5, 97.5])
    return float(spread[0]), float(low), float(high)
