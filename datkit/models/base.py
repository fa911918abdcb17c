"""What the models share: two classes, one logit per exam, inputs that are checked, and their files.

A logit is the logarithm of the odds that an exam is abnormal: 0 means one half, 2 means 0.88.
"""

from __future__ import annotations

from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import has_fit_parameter

from datkit.data.groups import grouped_folds
from datkit.errors import ModelError
from datkit.models.store import Document
from datkit.problems import found_instead

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["Features", "Folds", "LogitClassifier", "check_labels", "inner_folds", "take_rows"]

# The X of a classifier: a table of measures (n, m), or an array of them or of volumes (n, i, j, k).
Features = pd.DataFrame | np.ndarray
Folds = list[tuple[np.ndarray, np.ndarray]]  # positions of the exams to train on, and of the others


class LogitClassifier(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier of normal (0) against abnormal (1) exams.

    A subclass writes ``fit``, ``decision_function`` (one logit per exam) and how it is stored:
    ``write_state`` and ``read_state``; :func:`datkit.models.register` makes it known. Probabilities
    and decisions follow from the logit here, in one place. Training and prediction never look at
    one exam through another: every exam is predicted alone.

    Attributes
    ----------
    kind : str
        What ``model.json`` calls it, and the name of its module.
    reads : {"measures", "volumes"}
        What its X is: a table of measures, or prepared volumes (n, 64, 80, 48).
    cost : int
        How dear a prediction is beside those of other kinds: where time runs out, a submission goes
        on with its cheapest model. Measures cost 1, a small 3-D network 3.
    """

    kind: ClassVar[str]
    reads: str
    cost: int
    classes_ = np.array([0, 1])

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        NotImplementedError
            Here: each model has its own.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how it finds a logit.")

    def predict_proba(self, X: Features) -> np.ndarray:
        """Return the probabilities of normal and abnormal, shape (n, 2); each row sums to 1."""
        abnormal = expit(np.asarray(self.decision_function(X), dtype=np.float64))
        return np.column_stack([1 - abnormal, abnormal])

    def predict(self, X: Features) -> np.ndarray:
        """Return 1 where abnormal is the likelier class, else 0, shape (n,)."""
        return (self.decision_function(X) > 0).astype(int)

    def write_state(self, folder: Path) -> Document:
        """Write what was learnt into `folder`, and return what ``model.json`` is to hold of it."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is stored.")

    def read_state(self, folder: Path, document: Document) -> None:
        """Take over what :meth:`write_state` wrote and returned, or raise if it is damaged."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is read.")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def take_rows(X: Features, rows: np.ndarray) -> Features:
    """Return some exams of a table or of an array (memory-mapped ones included)."""
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def grouped(model: BaseEstimator, groups: npt.ArrayLike | None) -> dict[str, npt.ArrayLike]:
    """Return the groups (n,) as what ``fit`` takes besides; nothing if it takes none."""
    return {"groups": groups} if groups is not None and has_fit_parameter(model, "groups") else {}


def inner_folds(y: np.ndarray, groups: npt.ArrayLike | None, n_splits: int, seed: int) -> Folds:
    """Part training exams once more: whole groups (n,) if given, else both classes evenly.

    With fewer groups than `n_splits` each group is left out once.

    Raises
    ------
    UsageError
        If there is one group only: nothing can be left out.
    ModelError
        If a part would be trained on one class only.
    """
    if groups is None:
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
        folds = list(splitter.split(np.zeros(len(y)), y))
    else:
        groups = np.asarray(groups)
        folds = grouped_folds(groups, None if len(set(groups)) <= n_splits else n_splits)
    for train, _ in folds:
        check_labels(y[train], len(train))
    return folds


def check_labels(y: npt.ArrayLike, n: int) -> np.ndarray:
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
    wrong = [f"{label} (row {row})" for row, label in enumerate(labels) if not _is_label(label)]
    count = [len(labels)] if len(labels) != n else []
    alone = ["one class only"] if not wrong and len(set(labels)) < 2 else []
    where, remedy = "the labels", "Leave out exams without a label; rows are counted from 0."
    problems = [
        *found_instead("label-unknown", where, "0 (normal) or 1 (abnormal)", wrong, remedy),
        *found_instead("label-count", where, f"{n}, one per exam", count, "Give all."),
        *found_instead("label-one", where, "both classes", alone, "Add exams."),
    ]
    ModelError.raise_any(problems, where=where)
    return labels.astype(int)


def _is_label(value: object) -> bool:
    return isinstance(value, Real | np.bool_) and value in (0, 1)
