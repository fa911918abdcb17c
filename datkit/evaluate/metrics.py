"""What can be scored: one entry of the registry for each score, evaluated on all draws at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from datkit.errors import UsageError
from datkit.models.base import check_labels
from datkit.models.calibrated import COLDEST, HOTTEST
from datkit.problems import list_some

__all__ = ["CLIP", "METRICS", "auroc", "brier", "calibration_slope", "log_loss", "recalibrate"]

CLIP = 1e-6  #: for the log loss, probabilities are kept this far from 0 and 1: it stays below 13.8
MOST_STEPS = 30  # of Newton's method; six to ten are usual
SMALL_STEP = 1e-8  # where it may end: the next step is smaller by far


@dataclass(frozen=True)
class Metric:
    """A score.

    Parameters
    ----------
    title : str
        As it is printed.
    draws : function of (y, p, counts), and of the threshold if it has one
        Labels (n,), probabilities (n,) and counts (draws, n) → one score a draw, NaN where there
        is none.
    better : {"low", "high", ""}
        Which of two values is better; "" where one value is right, such as a slope of 1.
    classes : tuple of int
        The classes without which it has no value.
    at_threshold : bool
        Whether it is asked for as ``name@threshold``: an exam with that probability or a higher one
        is called abnormal.
    """

    title: str
    draws: Callable[..., np.ndarray]
    better: str = ""
    classes: tuple[int, ...] = ()
    at_threshold: bool = False


def find_metric(name: str) -> Metric:
    """Return what a name stands for, such as ``"auroc"`` or ``"sensitivity@0.5"``.

    Raises
    ------
    UsageError
        If there is no such score, or its threshold is missing or not between 0 and 1.

    Examples
    --------
    >>> find_metric("net_benefit@0.2").title
    'net benefit (p ≥ 0.2)'
    """
    kind, at, text = name.partition("@")
    metric, number = METRICS.get(kind), re.fullmatch(r"0?\.\d*[1-9]\d*", text)
    if metric is None or bool(at) != metric.at_threshold or (at and not number):
        known = [f"{key}@0.5" if one.at_threshold else key for key, one in METRICS.items()]
        expected = f"Expected a metric among {', '.join(known)}"
        raise UsageError(f"{expected}, any threshold between 0 and 1 after the @, found {name!r}.")
    if not at:
        return metric
    title = f"{metric.title} (p ≥ {float(text):g})"
    return replace(metric, title=title, draws=partial(metric.draws, threshold=float(text)))


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean of −ln(probability given to the true class), p clipped to 1e-6 … 1 − 1e-6.

    Raises
    ------
    UsageError, ModelError
        As :func:`score_probabilities`.

    Examples
    --------
    Saying one half of everything costs ln 2:

    >>> round(log_loss([0, 1, 1], [0.5, 0.5, 0.5]), 4)
    0.6931
    """
    return _score_once("log_loss", y, p)


def auroc(y: ArrayLike, p: ArrayLike) -> float:
    """Return the share of (abnormal, normal) pairs in the right order; equal values count half.

    Raises
    ------
    UsageError, ModelError
        As :func:`score_probabilities`.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return _score_once("auroc", y, p)


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Return the mean squared distance between probability and label.

    Raises
    ------
    UsageError, ModelError
        As :func:`score_probabilities`.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    return _score_once("brier", y, p)


def calibration_slope(y: ArrayLike, p: ArrayLike) -> float:
    """Return the factor on the logits that gives the least log loss: below 1 is overconfident.

    It is 1 / T of :func:`datkit.models.fit_temperature`, so it lies between 0.1 and 10. There is no
    intercept beside it; :func:`recalibrate` has one.

    Raises
    ------
    UsageError, ModelError
        As :func:`score_probabilities`.

    Examples
    --------
    Right in 3 of 4 exams but claiming 0.9: the logits should be halved.

    >>> round(calibration_slope([1, 1, 1, 0], [0.9, 0.9, 0.9, 0.9]), 3)
    0.5
    """
    return _score_once("calibration_slope", y, p)


def recalibrate(y: ArrayLike, p: ArrayLike) -> tuple[float, float]:
    """Return intercept a and slope b of the logistic recalibration: logit P = a + b·logit p.

    P is the chance that an exam given p is abnormal. Calibrated probabilities have a = 0 and b = 1.
    Cox (1958), 10.1093/biomet/45.3-4.562; how to read them: Van Calster et al. (2019),
    10.1186/s12916-019-1466-7. Both are NaN where no finite values are best: all probabilities are
    equal, or they separate the classes.

    Raises
    ------
    UsageError, ModelError
        As :func:`score_probabilities`.

    Examples
    --------
    One of four is abnormal at 0.1, three of four at 0.9: ±ln 3 where the logits say ±ln 9.

    >>> a, b = recalibrate([0, 0, 0, 1, 0, 1, 1, 1], [0.1] * 4 + [0.9] * 4)
    >>> round(a, 6) + 0, round(b, 6)
    (0.0, 0.5)
    """
    return _score_once("recalibration_intercept", y, p), _score_once("recalibration_slope", y, p)


def check_scored(y: ArrayLike, p: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) as integers and probabilities (n,) as float64.

    Raises
    ------
    UsageError
        If p is not one probability per label.
    ModelError
        If the labels are not 0 and 1, both present.
    """
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


def clipped_logits(p: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities kept 1e-6 from 0 and 1."""
    return logit(np.clip(p, CLIP, 1 - CLIP))


def exam_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return each exam's log loss, shape (n,)."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return -np.log(np.where(y == 1, p, 1 - p))


def _score_once(name: str, y: ArrayLike, p: ArrayLike) -> float:
    labels, values = check_scored(y, p)
    return float(METRICS[name].draws(labels, values, np.ones((1, len(labels))))[0])


def _log_losses(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ exam_losses(y, p) / len(y)


def _briers(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ (p - y) ** 2 / len(y)


def _aurocs(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Count, at each value of p from the lowest, the normal exams below and half of those there."""
    order = np.argsort(p, kind="stable")
    starts = np.unique(p[order], return_index=True)[1]
    drawn, sick = counts[:, order], y[order] == 1
    abnormal = np.add.reduceat(drawn * sick, starts, axis=1)  # (draws, values of p)
    normal = np.add.reduceat(drawn * ~sick, starts, axis=1)
    right = (abnormal * (normal.cumsum(axis=1) - normal / 2)).sum(axis=1)
    return _ratio(right, abnormal.sum(axis=1) * normal.sum(axis=1))


def _shares(
    y: np.ndarray, p: np.ndarray, counts: np.ndarray, *, label: int, threshold: float
) -> np.ndarray:
    right = (y == label) & ((p >= threshold) == label)
    return _ratio(counts @ right, counts @ (y == label))


def _net_benefits(
    y: np.ndarray, p: np.ndarray, counts: np.ndarray, *, threshold: float
) -> np.ndarray:
    """Vickers and Elkin (2006), 10.1177/0272989X06295361: right minus weighted wrong findings."""
    worth = np.where(y == 1, 1, -threshold / (1 - threshold)) * (p >= threshold)
    return counts @ worth / len(y)


def _slopes(y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return _fit_logits(clipped_logits(p)[None], y, counts, 1 / HOTTEST, 1 / COLDEST)[:, 0]


def _recalibrations(y: np.ndarray, p: np.ndarray, counts: np.ndarray, *, part: int) -> np.ndarray:
    logits = clipped_logits(p)
    return _fit_logits(np.stack([np.ones_like(logits), logits]), y, counts)[:, part]


def _fit_logits(
    design: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray,
    low: float = -np.inf,
    high: float = np.inf,
) -> np.ndarray:
    """Return the k coefficients of a logistic regression of each draw, (draws, k), design (k, n).

    Newton's method; NaN where it finds no end, which is so where the classes are separated, and
    where the design has no spread.
    """
    k = len(design)
    squares = (design[:, None] * design[None]).reshape(k * k, -1)
    found = np.clip(np.zeros((len(counts), k)), low, high)
    flat = np.linalg.matrix_rank((counts @ squares.T).reshape(-1, k, k), hermitian=True) < k
    for _ in range(MOST_STEPS):
        p = expit(found @ design)  # (draws, n)
        slope = (counts * (y - p)) @ design.T
        curve = ((counts * p * (1 - p)) @ squares.T).reshape(-1, k, k)
        step = (np.linalg.pinv(curve, hermitian=True) @ slope[:, :, None])[:, :, 0]
        before, found = found, np.clip(found + step, low, high)
        moved = np.abs(found - before).max(axis=1)
        if (moved < SMALL_STEP).all():
            break
    found[flat | (moved >= SMALL_STEP)] = np.nan
    return found


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


_COX = [partial(_recalibrations, part=part) for part in (0, 1)]  # intercept, slope
#: The scores: name → :class:`Metric`. Three are asked for at a threshold t, such as
#: ``"sensitivity@0.5"``: an exam with p ≥ t is called abnormal. Net benefit is the share of exams
#: rightly called so minus t / (1 − t) times the share wrongly called so; at several thresholds it
#: is the decision curve (Vickers and Elkin 2006, 10.1177/0272989X06295361), which lies above those
#: of calling every exam abnormal (p = 1 for all) and of calling none (0) where the model is of use.
METRICS: dict[str, Metric] = {
    "log_loss": Metric("log loss", _log_losses, "low"),
    "auroc": Metric("AUROC", _aurocs, "high", (0, 1)),
    "brier": Metric("Brier score", _briers, "low"),
    "sensitivity": Metric("sensitivity", partial(_shares, label=1), "high", (1,), True),
    "specificity": Metric("specificity", partial(_shares, label=0), "high", (0,), True),
    "net_benefit": Metric("net benefit", _net_benefits, "high", (), True),
    "calibration_slope": Metric("calibration slope", _slopes, "", (0, 1)),
    "recalibration_slope": Metric("recalibration slope", _COX[1], "", (0, 1)),
    "recalibration_intercept": Metric("recalibration intercept", _COX[0], "", (0, 1)),
}
