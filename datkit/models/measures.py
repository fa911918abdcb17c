"""Logistic regression on the semi-quantitative measures: the baseline that every reader can check.

The weights are a handful of numbers. They are stored as JSON and applied as they stand, so a stored
model gives the same probabilities under any version of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError
from datkit.measure.definitions import MEASURES, SBR_MEASURES
from datkit.models.base import Features, LogitClassifier, check_labels
from datkit.models.registry import register
from datkit.models.store import Document
from datkit.problems import list_some

__all__ = ["MeasuresClassifier", "TableClassifier", "read_values"]

_VECTORS = ("mean_", "scale_", "coef_")


class TableClassifier(LogitClassifier):
    """What classifiers of a table of measures share: which columns they learn from, and know again.

    A subclass has a parameter `columns`, the measures to learn from; None are those of `usual` of a
    whole table of measures, and of any other table or array all.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : array of str
        The measures' names, only after training on a table with named columns. Prediction then
        demands them, and passes over other measures of datkit.
    """

    reads = "measures"
    usual: ClassVar[Sequence[str]] = SBR_MEASURES
    columns: Sequence[str] | None

    def _learn_columns(self, X: Features, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the measures to learn from, (n, m), and labels (n,); keep the measures' names."""
        chosen = self._choose_columns(X)
        values = read_values(chosen)
        labels = check_labels(y, len(values))
        self._name_columns(getattr(chosen, "columns", None), values.shape[1])
        return values, labels

    def _take_columns(self, X: Features) -> np.ndarray:
        """Return the measures learnt from, (n, m), of other exams; their order is free."""
        check_is_fitted(self)
        values = read_values(self._order_columns(X))
        if values.shape[1] != self.n_features_in_:
            expected = f"Expected {self.n_features_in_} measures per exam, as in training"
            raise ModelError(f"{expected}, found {values.shape[1]}.")
        return values

    def _known_columns(self) -> list[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else list(names)

    def _restore_columns(self, columns: list[str] | None, count: int) -> None:
        """Take the names of columns as they were stored.

        Raises
        ------
        ValueError
            If they are no names, or not `count` of them.
        """
        if columns is not None and [str(name) for name in columns] != columns:
            raise ValueError(f"Expected names of columns, found {columns}.")
        if columns is not None and len(columns) != count:
            raise ValueError(f"Expected {count} columns, found {len(columns)}.")
        self._name_columns(columns, count)

    def _name_columns(self, names: Sequence[str] | None, count: int) -> None:
        self.n_features_in_ = count
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array([str(name) for name in names], dtype=object)

    def _choose_columns(self, X: Features) -> Features:
        names = list(X.columns) if isinstance(X, pd.DataFrame) else []
        known = self.columns is None and {*names} == {*MEASURES}
        chosen = self.usual if known else self.columns
        if chosen is None:
            return X
        if missing := [name for name in chosen if name not in names]:
            raise ModelError(
                f"Expected a table with the columns that the model is to learn from. Missing: "
                f"{list_some(missing, 5)}. Add them, or choose others with columns=."
            )
        return X[list(chosen)]

    def _order_columns(self, X: Features) -> Features:
        known = getattr(self, "feature_names_in_", None)
        if known is None or not isinstance(X, pd.DataFrame):
            return X
        missing = [name for name in known if name not in X.columns]
        extra = [name for name in X.columns if name not in (*known, *MEASURES)]
        if missing or extra or not X.columns.is_unique:
            raise ModelError(
                f"Expected the {len(known)} columns that the model was trained on. Missing: "
                f"{list_some(missing, 5) or 'none'}. Unknown: {list_some(extra, 5) or 'none'}. "
                "Measure the exams with the version of datkit that trained the model."
            )
        return X[list(known)]


@register
@dataclass(eq=False, repr=False)
class MeasuresClassifier(TableClassifier):
    """Logistic regression on standardised measures.

    The logit of an exam with measures x is ``intercept + Σ coef · (x − mean) / scale``, so a
    coefficient says how much one standard deviation of a measure moves the logit.

    Parameters
    ----------
    C : float
        Inverse strength of the ridge penalty, as in scikit-learn's LogisticRegression.
    seed : int
        Kept for a uniform interface: the solver is deterministic.
    columns : sequence of str, optional
        The measures to learn from. By default, of a whole table of
        :func:`datkit.measure.measure_cohort` the classical ones,
        :data:`datkit.measure.SBR_MEASURES`, and of any other table or array all.

    Attributes
    ----------
    mean_, scale_, coef_ : arrays of shape (m,)
        Of the m measures that it learnt from.
    intercept_ : float
    n_features_in_, feature_names_in_ : int, array of str
        As in :class:`TableClassifier`.

    Examples
    --------
    >>> putamen = [[2.4], [2.2], [2.5], [0.9], [1.1], [0.8]]
    >>> model = MeasuresClassifier().fit(putamen, [0, 0, 0, 1, 1, 1])
    >>> model.predict([[2.3], [1.0]])
    array([0, 1])
    """

    kind, cost = "measures", 1

    C: float = 1.0
    seed: int = 0
    columns: Sequence[str] | None = None

    def fit(self, X: Features, y: ArrayLike) -> Self:
        """Learn from measures X, a table or an array (n, m), and labels y (n,) of 0 and 1.

        Raises
        ------
        ModelError
            If a measure is not a finite number, the labels do not fit (see ``check_labels``), or
            the table lacks one of `columns`.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        values, labels = self._learn_columns(X, y)
        regression = LogisticRegression(C=self.C, max_iter=1000, random_state=self.seed)
        pipeline = make_pipeline(StandardScaler(), regression)
        pipeline.fit(values, labels)
        self.mean_, self.scale_ = pipeline[0].mean_, pipeline[0].scale_
        self.coef_, self.intercept_ = regression.coef_[0], float(regression.intercept_[0])
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        ModelError
            If X lacks a column that the model learnt from (their order is free) or has one that is
            no measure of datkit, or a measure is not a finite number.
        """
        values = self._take_columns(X)
        return (values - self.mean_) / self.scale_ @ self.coef_ + self.intercept_

    def write_state(self, folder: Path) -> Document:  # noqa: ARG002  # model.json holds all of it
        """Return the weights as plain numbers."""
        vectors = {name: getattr(self, name).tolist() for name in _VECTORS}
        return vectors | {"intercept_": self.intercept_, "columns": self._known_columns()}

    def read_state(self, folder: Path, document: Document) -> None:  # noqa: ARG002
        """Take the weights: equally many finite numbers, positive scales, and names or none."""
        lists = [document[name] for name in _VECTORS]
        self.intercept_ = float(document["intercept_"])
        self.mean_, self.scale_, self.coef_ = np.array(lists, dtype=float)
        numbers = {type(number) for each in lists for number in each} <= {int, float}
        finite = np.isfinite([*self.mean_, *self.scale_, *self.coef_, self.intercept_]).all()
        if not (numbers and finite and (self.scale_ > 0).all()):
            raise ValueError("Expected finite weights and positive scales.")
        self._restore_columns(document["columns"], len(self.coef_))


def read_values(X: Features) -> np.ndarray:
    """Return the measures as float64 (n, m), or say which exams lack one."""
    try:
        values = np.asarray(X, dtype=float)
    except (TypeError, ValueError) as error:
        raise ModelError(f"Expected numbers in the table of measures: {error}.") from error
    if values.ndim != 2 or 0 in values.shape:
        expected = "Expected a table of measures, one row per exam"
        raise ModelError(f"{expected}, found the shape {values.shape}.")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        rows = list_some(X.index[bad] if isinstance(X, pd.DataFrame) else bad, 5)
        raise ModelError(
            f"Expected finite measures, found NaN or infinity in {len(bad)} of {len(values)} "
            f"exams: {rows}. Look at these exams; leave them out or prepare them again."
        )
    return values
