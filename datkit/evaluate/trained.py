"""Train a model on a cohort, keep with it what it was trained on and how good it is, predict.

How good it is, is told out of fold: each exam is predicted by a model that never saw its group.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import cross_val_predict
from tqdm.auto import tqdm

from datkit import NOT_CLINICAL, __version__
from datkit.data.cohort import Cohort
from datkit.data.groups import connected, grouped_folds, ties_of, usual_grouping
from datkit.errors import ModelError, UsageError
from datkit.evaluate.scores import score_probabilities
from datkit.measure.exam import measure_cohort
from datkit.models.base import Features, LogitClassifier, check_labels, grouped, take_rows
from datkit.models.constant import ConstantClassifier
from datkit.models.store import check_place, load_model, save_model
from datkit.prepare.cohort import PreparedCohort
from datkit.problems import list_some

__all__ = ["cross_validate", "inputs_of", "predict_prepared", "train_model"]

PARTS = ("numpy", "scikit-learn", "torch")
VERSIONS = {"datkit": __version__} | {name: version(name) for name in PARTS}  # a card names them
TRIED = 8  # exams on which a stored model must predict what the trained one does
SAME = 2e-3  # of a probability: more than a GPU's convolutions of other batches differ by


def cross_validate(
    model: ClassifierMixin,
    X: Features,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    n_splits: int | None = None,
) -> np.ndarray:
    """Return the probability of abnormal for each exam, by a model that never saw its group.

    Parameters
    ----------
    model : classifier
        Cloned for each fold; it gets the training exams' groups if its ``fit`` takes them.
    X, y, groups : table or array (n, …), labels (n,), centres or patients (n,)
    n_splits : int, optional
        Folds of whole groups; by default each group is left out once.

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
    return cross_val_predict(model, X, labels, cv=folds, params=told, method="predict_proba")[:, 1]


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
    p = pd.Series(expit(logits), pd.Index(prepared.uids, name="uid"), name="is_pathologic")
    if p.isna().any():
        bad = list_some(p.index[p.isna()])
        raise ModelError(f"Expected a number for each exam, found none for {bad}; train it again.")
    return p


def check_alone(model: ClassifierMixin, X: Features, p: np.ndarray) -> None:
    """Refuse a model whose answer for an exam depends on the others that it is asked about.

    The first, the middle and the last exam of X are predicted alone, and together in another order.

    Parameters
    ----------
    model : classifier
        Fitted.
    X, p : table or array (n, …), array (n,)
        Exams, and the probabilities that the model gave to them together.

    Raises
    ------
    ModelError
        If a probability then differs by more than 0.002.
    """
    rows = np.linspace(len(p) - 1, 0, 3).astype(int)
    asked = (rows, *rows[:, None])
    turned, *alone = (np.asarray(model.predict_proba(take_rows(X, one)))[:, 1] for one in asked)
    off = np.abs([turned - p[rows], np.concatenate(alone) - p[rows]]).max()
    if not off <= SAME:
        raise ModelError(
            "Expected the same probability for an exam alone as among others, in any order, found "
            f"that one differs by {off:.2g}. Let predict_proba read each exam for itself."
        )


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
        If the labels do not fit, the model cannot be trained or stored (one of one's own is tried
        on a few exams first), predicts an exam otherwise beside others, or once it is stored; or
        the folder holds a model of another kind.
    UsageError
        If there is one group only: nothing can be left out.
    """
    check_place(model, folder)
    rows = np.flatnonzero(prepared.labels.notna())
    labels = check_labels(prepared.labels.iloc[rows], len(rows))
    X = take_rows(inputs_of(model, prepared), rows)
    known = cohort.subset([prepared.uids[row] for row in rows])
    ties = ties_of(known, by := usual_grouping(known))
    groups = connected(ties)
    if model.kind == "own":
        _try_storing(model, X, labels)
    shown = model.get_params().keys() & {"progress"}
    model.set_params(**dict.fromkeys(shown, progress))
    score = _score(model, X, labels, groups, folds) | {"groups": by} if folds else None
    model.fit(X, labels, **grouped(model, groups))
    model.set_params(**dict.fromkeys(shown, False))  # what is stored does not depend on it
    parts = (model, getattr(model, "estimator_", None), *getattr(model, "members_", ()))
    card = _describe(known, labels, ties["image"]) | {
        "started_from": [*filter(None, (getattr(one, "start_", None) for one in parts))],
        "out_of_fold": score,
        "versions": VERSIONS,
        "note": NOT_CLINICAL if cohort.truth is None else "Simulated training, not for diagnosis.",
    }
    some = take_rows(X, np.arange(min(TRIED, len(rows))))
    check_alone(model, some, model.predict_proba(some)[:, 1])
    with TemporaryDirectory() as scratch:
        _check_stored(model, save_model(model, scratch), some)
    save_model(model, folder, card)
    return {"kind": getattr(model, "name", model.kind)} | card


def _try_storing(model: LogitClassifier, X: Features, y: np.ndarray) -> None:
    """Refuse what cannot be stored before it is trained for long: store what few exams teach it."""
    few = np.concatenate([np.flatnonzero(y == label)[:TRIED] for label in (0, 1)])
    try:
        tried = clone(model).fit(take_rows(X, few), y[few])
    except ModelError:
        return  # so few may be too few for it
    with TemporaryDirectory() as folder:
        load_model(save_model(tried, folder))


def _check_stored(model: LogitClassifier, folder: Path, X: Features) -> None:
    off = np.abs(load_model(folder).predict_proba(X) - model.predict_proba(X)).max()
    if not off <= 1e-6:
        raise ModelError(
            "Expected the stored model to predict what the trained one does, found that a "
            f"probability differs by {off:.2g}. It may hold or draw what is not stored: keep "
            "that in attributes, or give the class save(folder) and load(folder)."
        )


def _score(
    model: LogitClassifier, X: Features, y: np.ndarray, groups: np.ndarray, folds: int
) -> dict[str, Any]:
    parts = min(folds, len(set(groups)))
    p = cross_validate(model, X, y, groups, n_splits=parts)
    scores = score_probabilities(y, p, strata=groups).values()
    numbers = json.loads(pd.DataFrame(map(asdict, scores)).to_json(orient="records"))  # NaN is null
    p = cross_validate(ConstantClassifier(), y[:, None], y, groups, n_splits=parts)
    constant = score_probabilities(y, p, metrics=["log_loss"], strata=groups)["log_loss"]
    said = [*map(str, scores), f"a constant on the same folds: {constant}"]
    return {"folds": parts, "scores": numbers, "constant": constant.value, "said": said}


def _describe(cohort: Cohort, labels: np.ndarray, images: pd.Series) -> dict[str, Any]:
    """Return which exams they were: counts, and one hash of every uid, label and image."""
    lines = sorted(f"{uid},{y},{images[uid]}" for uid, y in zip(cohort.uids, labels, strict=True))
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    abnormal = int(labels.sum())
    return {"cohort": cohort.name, "sha256": found, "exams": len(labels), "abnormal": abnormal}
