"""Train a model on a cohort, keep with it what it was trained on and how good it is, predict.

How good it is, is told out of fold: each exam is predicted by a model that never saw its group.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.model_selection import cross_val_predict
from tqdm.auto import tqdm

from datkit import NOT_CLINICAL, __version__
from datkit.data.cohort import Cohort
from datkit.data.groups import connected, grouped_folds, ties_of, usual_grouping
from datkit.errors import ModelError, UsageError
from datkit.evaluate.scores import score_probabilities
from datkit.files import replace_atomically
from datkit.measure.exam import measure_cohort
from datkit.models.base import Features, LogitClassifier, check_labels, grouped, take_rows
from datkit.models.store import load_model, save_model
from datkit.prepare.cohort import PreparedCohort

__all__ = ["cross_validate", "inputs_of", "predict_prepared", "train_model"]

PARTS = ("numpy", "scikit-learn", "torch")
VERSIONS = {"datkit": __version__} | {name: version(name) for name in PARTS}  # a card names them
TRIED = 8  # exams on which a stored model must predict what the trained one does


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
    told = grouped(model, groups)
    p = cross_val_predict(model, X, labels, cv=folds, params=told, method="predict_proba")[:, 1]
    if record is not None:
        fold = np.zeros(len(labels), dtype=int)
        for number, (_, left_out) in enumerate(folds):
            fold[left_out] = number
        columns = {"group": groups, "fold": fold, "label": labels, "probability": p}
        with replace_atomically(record) as part:
            pd.DataFrame(columns).to_csv(part, index_label="row")
    return p


def inputs_of(model: LogitClassifier, prepared: PreparedCohort) -> Features:
    """Return what a model reads of prepared exams: their measures, or volumes (n, 64, 80, 48)."""
    return measure_cohort(prepared) if model.reads == "measures" else prepared.volumes


def predict_prepared(
    model: LogitClassifier, prepared: PreparedCohort, *, progress: bool = False
) -> pd.Series:
    """Return the probability that each exam is abnormal, by uid; each is predicted alone.

    Raises
    ------
    ModelError
        If the model cannot read the exams.
    """
    X = inputs_of(model, prepared)
    rows = tqdm(range(len(prepared)), "predicting", disable=not progress)
    logits = [model.decision_function(take_rows(X, np.array([row])))[0] for row in rows]
    return pd.Series(expit(logits), pd.Index(prepared.uids, name="uid"), name="is_pathologic")


def train_model(
    model: LogitClassifier,
    cohort: Cohort,
    prepared: PreparedCohort,
    folder: Path,
    *,
    folds: int = 5,
    progress: bool = False,
) -> dict[str, Any]:
    """Score a model out of fold, train it on all labelled exams, save it, and return its card.

    Folds keep together what belongs together: exams of a centre, or where centres are not named of
    one family of scanners; exams of a patient; the same image.

    Parameters
    ----------
    model : LogitClassifier
        Trained in place.
    cohort, prepared : Cohort, PreparedCohort
        The same exams.
    folder : path
        Where the model goes, with its card.
    folds : int
        Parts of whole groups, at most; 0 for no score.
    progress : bool
        Show the progress of models that take long.

    Raises
    ------
    ModelError
        If the labels do not fit, the model cannot be trained or stored, or once stored predicts
        otherwise.
    UsageError
        If there is one group only: nothing can be left out.
    """
    rows = np.flatnonzero(prepared.labels.notna())
    labels = check_labels(prepared.labels.iloc[rows], len(rows))
    X = take_rows(inputs_of(model, prepared), rows)
    known = cohort.subset([prepared.uids[row] for row in rows])
    ties = ties_of(known, by := usual_grouping(known))
    groups = connected(ties)
    shown = model.get_params().keys() & {"progress"}
    model.set_params(**dict.fromkeys(shown, progress))
    score = _score(model, X, labels, groups, folds) | {"groups": by} if folds else None
    model.fit(X, labels, **grouped(model, groups))
    model.set_params(**dict.fromkeys(shown, False))  # what is stored does not depend on it
    card = _describe(known, labels, ties["image"]) | {
        "out_of_fold": score,
        "versions": VERSIONS,
        "note": NOT_CLINICAL if cohort.truth is None else "Simulated training, not for diagnosis.",
    }
    save_model(model, folder, card)
    _check_stored(model, folder, take_rows(X, np.arange(min(TRIED, len(rows)))))
    return {"kind": getattr(model, "name", model.kind)} | card


def _check_stored(model: LogitClassifier, folder: Path, X: Features) -> None:
    off = np.abs(load_model(folder).predict_proba(X) - model.predict_proba(X)).max()
    if off > 1e-6:
        raise ModelError(
            f"{folder}: Expected the stored model to predict what the trained one does, found that "
            f"a probability differs by {off:.2g}. It may hold or draw what is not stored: keep "
            "that in attributes, or give the class save(folder) and load(folder)."
        )


def _score(
    model: LogitClassifier, X: Features, y: np.ndarray, groups: np.ndarray, folds: int
) -> dict[str, Any]:
    parts = min(folds, len(set(groups)))
    p = cross_validate(model, X, y, groups, n_splits=parts)
    scores = score_probabilities(y, p, strata=groups).values()
    numbers = json.loads(pd.DataFrame(map(asdict, scores)).to_json(orient="records"))  # NaN is null
    return {"folds": parts, "scores": numbers, "said": [*map(str, scores)]}


def _describe(cohort: Cohort, labels: np.ndarray, images: pd.Series) -> dict[str, Any]:
    """Return which exams they were: counts, and one hash of every uid, label and image."""
    lines = sorted(f"{uid},{y},{images[uid]}" for uid, y in zip(cohort.uids, labels, strict=True))
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    abnormal = int(labels.sum())
    return {"cohort": cohort.name, "sha256": found, "exams": len(labels), "abnormal": abnormal}
