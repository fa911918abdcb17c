"""What the models share: two classes, one logit per exam, and inputs that are checked.

A logit is the logarithm of the odds that an exam is abnormal: 0 means one half, 2 means 0.88.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from datkit.errors import ModelError

__all__ = ["LogitClassifier", "check_labels", "list_some", "take_rows"]


class LogitClassifier(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier of normal (0) against abnormal (1) exams.

    A subclass writes ``fit`` and ``decision_function`` (one logit per exam); probabilities and
    decisions follow from the logit here, in one place. Training and prediction never look at one
    exam through another: every exam is predicted alone.
    """

    classes_ = np.array([0, 1])

    def decision_function(self, X: Any) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        NotImplementedError
            Here: each model has its own.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how it finds a logit.")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of normal and abnormal, shape (n, 2); each row sums to 1."""
        abnormal = expit(np.asarray(self.decision_function(X), dtype=np.float64))
        return np.column_stack([1 - abnormal, abnormal])

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 where abnormal is the likelier class, else 0, shape (n,)."""
        return (self.decision_function(X) > 0).astype(int)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def list_some(items: Any, most: int = 5) -> str:
    """Write the first few of many things, and how many more there are.

    Examples
    --------
    >>> list_some(range(8), most=3)
    '0, 1, 2 and 5 more'
    """
    items = [str(item) for item in items]
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "")


def take_rows(X: Any, rows: np.ndarray) -> Any:
    """Return some exams of a table or of an array (memory-mapped ones included)."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def check_labels(y: ArrayLike, n: int) -> np.ndarray:
    """Return the labels of `n` exams as integers 0 (normal) or 1 (abnormal), shape (n,).

    Raises
    ------
    ModelError
        If there are more or fewer labels than exams, a label is unknown (NaN) or is neither 0 nor
        1, or all exams are of one class; every problem is listed.

    Examples
    --------
    >>> check_labels([0.0, 1.0, 1.0], 3)
    array([0, 1, 1])
    """
    labels = np.asarray(y, dtype=object).reshape(-1)
    bad = [row for row, label in enumerate(labels) if not _is_label(label)]
    problems = []
    if len(labels) != n:
        problems.append(f"Expected {n} labels, one per exam, found {len(labels)}.")
    if bad:
        problems.append(
            f"Expected labels 0 (normal) or 1 (abnormal), found {list_some(labels[bad], 3)} in "
            f"{len(bad)} rows (counted from 0: {list_some(bad)}). Leave out exams without a label."
        )
    elif len(set(labels)) < 2:
        problems.append("Expected normal and abnormal exams, found one class only. Add exams.")
    if problems:
        raise ModelError.of(problems, where="the labels")
    return labels.astype(int)


def _is_label(value: Any) -> bool:
    return isinstance(value, Real | np.bool_) and value in (0, 1)
