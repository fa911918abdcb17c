"""Probabilities out of fold: each exam is predicted by a model that never saw its group."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.model_selection import cross_val_predict
from sklearn.utils.validation import has_fit_parameter

from datkit.data.groups import grouped_folds
from datkit.errors import UsageError
from datkit.files import replace_atomically
from datkit.models.base import Features, check_labels

__all__ = ["cross_validate"]


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
