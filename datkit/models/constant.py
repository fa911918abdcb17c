"""The share of abnormal exams in training, whatever the exam: what any other model must beat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn.utils.validation import check_is_fitted

from datkit.models.base import Features, LogitClassifier, check_labels
from datkit.models.registry import register
from datkit.models.store import Document

__all__ = ["ConstantClassifier"]


@register
@dataclass(eq=False, repr=False)
class ConstantClassifier(LogitClassifier):
    """The same probability for every exam: how many were abnormal in training.

    Its log loss is the entropy of the labels: ln 2 = 0.693 where both classes are equally common.

    Attributes
    ----------
    prior_ : float

    Examples
    --------
    >>> model = ConstantClassifier().fit(np.zeros((4, 1)), [0, 1, 1, 1])
    >>> model.predict_proba(np.zeros((1, 1))).round(2).tolist()
    [[0.25, 0.75]]
    """

    kind, reads, cost = "constant", "volumes", 0  # whole volumes: nothing has to be measured

    def fit(self, X: Features, y: ArrayLike) -> Self:
        """Count the labels y (n,) of 0 and 1; of X only the number of exams matters.

        Raises
        ------
        ModelError
            If the labels do not fit (see ``check_labels``).
        """
        self.prior_ = float(check_labels(y, len(X)).mean())
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return the same logit for each exam, shape (n,)."""
        check_is_fitted(self)
        return np.full(len(X), logit(self.prior_))

    def write_state(self, folder: Path) -> Document:  # noqa: ARG002  # model.json holds all of it
        """Return the probability."""
        return {"prior": self.prior_}

    def read_state(self, folder: Path, document: Document) -> None:  # noqa: ARG002
        """Take the probability, which lies between 0 and 1."""
        self.prior_ = float(document["prior"])
        if not 0 < self.prior_ < 1:
            raise ValueError(f"Expected a prior between 0 and 1, found {self.prior_}.")
