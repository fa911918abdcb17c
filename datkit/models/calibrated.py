"""Temperature scaling: the same order of exams, with confidence that matches how often it is right.

Guo et al. (2017), On calibration of modern neural networks, https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError
from datkit.models.base import Features, LogitClassifier, check_labels, inner_folds
from datkit.models.registry import register
from datkit.models.store import Document

__all__ = ["TemperatureCalibrated", "fit_temperature"]

COLDEST, HOTTEST = 0.1, 10.0  # beyond these, the logits hold no confidence worth rescaling


def fit_temperature(logits: ArrayLike, y: ArrayLike) -> float:
    """Return the T between 0.1 and 10 for which ``logits / T`` have the least log loss.

    T > 1 means that the logits were too confident. The log loss is convex in 1 / T, so there is one
    best value; where the logits separate the classes perfectly it is the lower bound.

    Parameters
    ----------
    logits : array, shape (n,)
        Of exams that the model did not see in training.
    y : array, shape (n,)
        Labels 0 or 1, both present.

    Raises
    ------
    ModelError
        If a logit is not finite, or the labels do not fit.

    Examples
    --------
    Right in 3 of 4 exams, the logit should be ln 3 = 1.10; these claim 2.20, twice as much:

    >>> import math
    >>> sure = 2 * math.log(3)
    >>> round(fit_temperature([sure, sure, sure, sure], [1, 1, 1, 0]), 3)
    2.0
    """
    from scipy.optimize import minimize_scalar

    logits = np.asarray(logits, dtype=np.float64).reshape(-1)
    sign = 2 * check_labels(y, len(logits)) - 1
    if not np.isfinite(logits).all():
        raise ModelError("Expected finite logits, found NaN or infinity. Train the model again.")

    def loss(slope: float) -> float:
        return float(np.logaddexp(0, -sign * logits * slope).mean())

    ends, how = (1 / HOTTEST, 1 / COLDEST), {"xatol": 1e-7}
    best = minimize_scalar(loss, bounds=ends, method="bounded", options=how)
    return float(1 / best.x)


@register
@dataclass(eq=False, repr=False)
class TemperatureCalibrated(LogitClassifier):
    """A model whose logits are divided by a temperature found out of fold.

    ``fit`` trains a copy of `estimator` on each part of the exams, collects the logits of the exams
    left out, fits the temperature on them, and then trains once more on all exams. With `groups`
    (centres) the parts are whole groups, so the temperature is that of an unseen centre.

    Parameters
    ----------
    estimator : LogitClassifier
        What to calibrate; any classifier with a ``decision_function`` will do.
    n_splits : int
        Parts, at most; with fewer groups than that each group is left out once.
    seed : int
        Of the parts when there are no groups.

    Attributes
    ----------
    estimator_ : the model trained on all exams
    temperature_ : float
    """

    kind = "calibrated"

    estimator: LogitClassifier
    n_splits: int = 5
    seed: int = 0

    @property
    def reads(self) -> str:  # type: ignore[override]  # no one sets it
        """What the model inside reads."""
        return self.estimator.reads

    @property
    def cost(self) -> int:  # type: ignore[override]  # no one sets it
        """What the model inside costs."""
        return self.estimator.cost

    def fit(self, X: Features, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from X, whatever `estimator` takes, labels y (n,) and, if known, groups (n,).

        Raises
        ------
        ModelError
            If the labels do not fit, or a part would be trained on one class only.
        UsageError
            If there is one group only: nothing can be left out.
        """
        labels = check_labels(y, len(X))
        folds = inner_folds(labels, groups, self.n_splits, self.seed)
        logits = cross_val_predict(self.estimator, X, labels, cv=folds, method="decision_function")
        self.temperature_ = fit_temperature(logits, labels)
        self.estimator_ = clone(self.estimator).fit(X, labels)
        return self

    @classmethod
    def from_fitted(cls, estimator: LogitClassifier, temperature: float) -> Self:
        """Wrap a trained model and a temperature that was found elsewhere, out of fold.

        Raises
        ------
        ModelError
            If the temperature is not a number between 0.1 and 10.
        """
        if type(temperature) not in (int, float) or not COLDEST <= temperature <= HOTTEST:
            expected = f"Expected a temperature from {COLDEST} to {HOTTEST}"
            raise ModelError(f"{expected}, found {temperature!r}.")
        model = cls(estimator)
        model.estimator_, model.temperature_ = estimator, float(temperature)
        return model

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one calibrated logit per exam, shape (n,)."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X) / self.temperature_

    def write_state(self, folder: Path) -> Document:  # noqa: ARG002  # the model inside is stored
        """Return the temperature."""
        return {"temperature": self.temperature_}

    def read_state(self, folder: Path, document: Document) -> None:  # noqa: ARG002
        """Take the temperature, and the model inside as it was stored, fitted."""
        fitted = self.from_fitted(self.estimator, document["temperature"])
        self.estimator_, self.temperature_ = fitted.estimator_, fitted.temperature_
