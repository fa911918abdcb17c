"""Logistic regression on the semi-quantitative measures: the baseline that every reader can check.

The weights are a handful of numbers. They are stored as JSON and applied as they stand, so a stored
model gives the same probabilities under any version of scikit-learn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from datkit.errors import ModelError
from datkit.measure import MEASURES, SBR_MEASURES
from datkit.models.base import LogitClassifier, check_labels, list_some
from datkit.models.store import read_document, write_document

__all__ = ["MeasuresClassifier"]

_VECTORS = ("mean_", "scale_", "coef_")


class MeasuresClassifier(LogitClassifier):
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
    feature_names_in_ : array of str
        Their names, only after training on a table with named columns. Prediction then demands
        them, and passes over other measures of datkit.

    Examples
    --------
    >>> putamen = [[2.4], [2.2], [2.5], [0.9], [1.1], [0.8]]
    >>> model = MeasuresClassifier().fit(putamen, [0, 0, 0, 1, 1, 1])
    >>> model.predict([[2.3], [1.0]])
    array([0, 1])
    """

    kind = "measures"

    def __init__(self, C: float = 1.0, seed: int = 0, columns: Sequence[str] | None = None) -> None:
        self.C = C
        self.seed = seed
        self.columns = columns

    def fit(self, X: Any, y: ArrayLike) -> MeasuresClassifier:
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

        X = self._choose_columns(X)
        values = _read_values(X)
        regression = LogisticRegression(C=self.C, max_iter=1000, random_state=self.seed)
        pipeline = make_pipeline(StandardScaler(), regression)
        pipeline.fit(values, check_labels(y, len(values)))
        self.mean_, self.scale_ = pipeline[0].mean_, pipeline[0].scale_
        self.coef_, self.intercept_ = regression.coef_[0], float(regression.intercept_[0])
        self._remember(getattr(X, "columns", None), values.shape[1])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        ModelError
            If X lacks a column that the model learnt from (their order is free) or has one that is
            no measure of datkit, or a measure is not a finite number.
        """
        check_is_fitted(self)
        values = _read_values(self._order_columns(X))
        if values.shape[1] != self.n_features_in_:
            raise ModelError(
                f"Expected {self.n_features_in_} measures per exam, as in training, "
                f"found {values.shape[1]}."
            )
        return (values - self.mean_) / self.scale_ @ self.coef_ + self.intercept_

    def _remember(self, columns: Any, count: int) -> None:
        self.n_features_in_ = count
        if columns is not None:
            self.feature_names_in_ = np.array([str(name) for name in columns], dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _choose_columns(self, X: Any) -> Any:
        named = hasattr(X, "columns")
        whole = named and set(X.columns) == set(MEASURES)
        chosen = SBR_MEASURES if self.columns is None and whole else self.columns
        if chosen is None:
            return X
        missing = [name for name in chosen if not named or name not in X.columns]
        if missing:
            raise ModelError(
                f"Expected a table with the columns that the model is to learn from. Missing: "
                f"{list_some(missing)}. Add them, or choose others with columns=."
            )
        return X[list(chosen)]

    def _order_columns(self, X: Any) -> Any:
        known = getattr(self, "feature_names_in_", None)
        if known is None or not hasattr(X, "columns"):
            return X
        missing = [name for name in known if name not in X.columns]
        extra = [name for name in X.columns if name not in (*known, *MEASURES)]
        if missing or extra or len(set(X.columns)) != len(X.columns):
            raise ModelError(
                f"Expected the {len(known)} columns that the model was trained on. "
                f"Missing: {list_some(missing) or 'none'}. Unknown: {list_some(extra) or 'none'}. "
                "Measure the exams with the version of datkit that trained the model."
            )
        return X[list(known)]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to ``folder/model.json``."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        document = {name: getattr(self, name).tolist() for name in _VECTORS}
        document["intercept_"] = self.intercept_
        document["columns"] = None if names is None else list(names)
        write_document(self, folder, document)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> MeasuresClassifier:
        """Read a stored model.

        Raises
        ------
        ModelError
            If the file is absent or damaged; every problem is listed.
        """
        params, document = read_document(cls, folder)
        if problems := _find_problems(document):
            raise ModelError.of(problems, where=Path(folder) / "model.json")
        model = cls(**params)
        for name in _VECTORS:
            setattr(model, name, np.array(document[name], dtype=float))
        model.intercept_ = float(document["intercept_"])
        model._remember(document["columns"], len(model.coef_))
        return model


def _read_values(X: Any) -> np.ndarray:
    """Return the measures as float64 (n, m), or say which exams lack one."""
    try:
        values = np.asarray(X, dtype=float)
    except (TypeError, ValueError) as error:
        raise ModelError(f"Expected numbers in the table of measures: {error}.") from error
    if values.ndim != 2 or 0 in values.shape:
        raise ModelError(
            f"Expected a table of measures, one row per exam, found the shape {values.shape}."
        )
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        rows = list_some(X.index[bad] if hasattr(X, "index") else bad)
        raise ModelError(
            f"Expected finite measures, found NaN or infinity in {len(bad)} of {len(values)} "
            f"exams: {rows}. Look at these exams; leave them out or prepare them again."
        )
    return values


def _find_problems(document: dict[str, Any]) -> list[str]:
    """List what is wrong with the stored numbers."""
    problems, lengths = [], set()
    for name in (*_VECTORS, "intercept_"):
        value = document.get(name)
        vector = [value] if name == "intercept_" else value
        if not _is_finite_list(vector):
            problems.append(f'"{name}" should hold finite numbers, found {str(value)[:60]}.')
        elif name != "intercept_":
            lengths.add(len(vector))
    columns = document.get("columns", ())
    if columns is not None:
        if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
            problems.append(f'"columns" should list names or be null, found {str(columns)[:60]}.')
        else:
            lengths.add(len(columns))
    if not problems and len(lengths) != 1:
        problems.append(f"The weights and columns should be equally many, found {sorted(lengths)}.")
    if not problems and min(document["scale_"]) <= 0:
        problems.append('"scale_" should hold positive numbers.')
    return problems


def _is_finite_list(value: Any) -> bool:
    """Tell a non-empty list of plain numbers; no honest weight is NaN or beyond 1e30."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(number) in (int, float) and abs(number) < 1e30 for number in value)
    )
