"""Leaving out "noisy" labels does not pay: the exams that a model finds wrong are the hard ones.

Entrants of the challenge who dropped the training exams of highest loss lost by it. A simulated
cohort can do what they could not: leave out exactly those whose label most readers contradict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from benchmarks.common.figures import SEED, Figure
from benchmarks.lessons.runs import Runs, difference
from datkit.evaluate.metrics import exam_losses
from datkit.models.base import Features, grouped, inner_folds, take_rows
from datkit.models.registry import make_model

KINDS = ("measures", "boosting")
SHARES = (0.05, 0.1)
INNER = 5


class CleanedClassifier(ClassifierMixin, BaseEstimator):
    """Train without the share of exams that cost most out of inner folds of whole centres."""

    classes_ = np.array([0, 1])

    def __init__(self, model: BaseEstimator, share: float) -> None:
        self.model, self.share = model, share

    @property
    def reads(self) -> str:
        """What its model reads."""
        return self.model.reads

    def fit(self, X: Features, y: np.ndarray, groups: np.ndarray) -> Self:
        """Learn from what is left of exams X (n, …), labels and centres (n,)."""
        y, groups = np.asarray(y), np.asarray(groups)
        loss = np.empty(len(y))
        for train, test in inner_folds(y, groups, INNER, SEED):
            p = self._fit(X, y, groups, train).predict_proba(take_rows(X, test))[:, 1]
            loss[test] = exam_losses(y[test], p)
        kept = np.sort(np.argsort(loss)[: round((1 - self.share) * len(y))])
        self.dropped_ = np.setdiff1d(np.arange(len(y)), kept)
        self.model_ = self._fit(X, y, groups, kept)
        return self

    def _fit(self, X: Features, y: np.ndarray, groups: np.ndarray, rows: np.ndarray) -> Self:
        model = clone(self.model)
        return model.fit(take_rows(X, rows), y[rows], **grouped(model, groups[rows]))

    def predict_proba(self, X: Features) -> np.ndarray:
        """Return the probabilities of normal and abnormal, (n, 2)."""
        return self.model_.predict_proba(X)


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield what is gained without the dearest exams, and without those that readers contradict."""
    known = runs.scored("grouped")
    doubtful = contradicted(known)
    for kind in KINDS:
        full = runs.predict(kind, kind)
        for share in SHARES:
            model = CleanedClassifier(make_model(kind), share)
            p = runs.predict(f"{kind} without {share}", model)
            yield difference(f"{kind}, dearest {100 * share:.0f} % dropped", known, p, full)
        p = runs.predict(kind, kind, left_out=doubtful)
        name = f"{kind}, {len(doubtful)} contradicted dropped"
        yield difference(name, known, p, full)


def contradicted(known: pd.DataFrame) -> pd.Index:
    """Return the exams whose label most of five other readers contradict."""
    return known.index[(known["votes"].astype(int) >= 3) != (known["label"] == 1)]
