"""The networks that ship with the kit, as they are: nothing is learnt from the board's exams."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from datkit.models.store import PRETRAINED, load_model

__all__ = ["AsShipped"]


class AsShipped(ClassifierMixin, BaseEstimator):
    """The mean logit of both, on prepared volumes (n, 64, 80, 48).

    They were trained on simulated patients of random centres, none of which is the kit's.
    """

    reads = "volumes"

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:  # noqa: ARG002
        """Learn nothing."""
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of normal and abnormal, (n, 2)."""
        model: Any = load_model(PRETRAINED)
        return model.predict_proba(X)
