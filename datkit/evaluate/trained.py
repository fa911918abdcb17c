"""Train a model on a cohort, and keep with it what it was trained on and how well it did."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from datkit import NOT_CLINICAL, __version__
from datkit.data.cohort import Cohort
from datkit.data.groups import connected, ties_of
from datkit.errors import CohortError, ModelError
from datkit.evaluate.folds import cross_validate
from datkit.evaluate.scores import score_probabilities
from datkit.files import write_json
from datkit.measure.exam import measure_cohort
from datkit.models.base import Features, LogitClassifier, check_labels, take_rows
from datkit.models.store import save_model
from datkit.prepare.cohort import PreparedCohort

__all__ = ["CARD", "inputs_of", "read_card", "train_model"]

CARD = "card.json"
PARTS = ("numpy", "scikit-learn", "torch")  # whose versions a card names


def inputs_of(model: LogitClassifier, prepared: PreparedCohort) -> Features:
    """Return what a model reads of prepared exams: their measures, or volumes (n, 64, 80, 48)."""
    return measure_cohort(prepared) if model.reads == "measures" else prepared.volumes


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
    one kind of scanner; exams of a patient; the same image.

    Parameters
    ----------
    model : LogitClassifier
        Trained in place.
    cohort, prepared : Cohort, PreparedCohort
        The same exams.
    folder : path
        Where the model goes, and its card as ``card.json``.
    folds : int
        Parts of whole groups, at most; 0 for no score.
    progress : bool
        Show the progress of models that take long.

    Raises
    ------
    ModelError
        If the labels do not fit, or the model cannot be trained or stored.
    UsageError
        If there is one group only: nothing can be left out.
    """
    rows = np.flatnonzero(prepared.labels.notna())
    labels = check_labels(prepared.labels.iloc[rows], len(rows))
    X = take_rows(inputs_of(model, prepared), rows)
    known = cohort.subset([prepared.uids[row] for row in rows])
    by, ties = _ties(known)
    groups = connected(ties)
    if progress and "progress" in model.get_params():
        model.set_params(progress=True)
    score = _score(model, X, labels, groups, folds) | {"groups": by} if folds else None
    extra = {"groups": groups} if has_fit_parameter(model, "groups") else {}
    model.fit(X, labels, **extra)
    if progress and "progress" in model.get_params():
        model.set_params(progress=False)  # what is stored does not depend on what was shown
    save_model(model, folder)
    data = _describe(known, labels, ties["image"])
    card = _card(model, data, score)
    write_json(folder / CARD, card)
    return card


def _score(
    model: LogitClassifier, X: Features, y: np.ndarray, groups: np.ndarray, folds: int
) -> dict[str, Any]:
    parts = min(folds, len(set(groups)))
    p = cross_validate(model, X, y, groups, n_splits=parts)
    scores = score_probabilities(y, p, strata=groups)
    return {"folds": parts, "scores": {name: asdict(one) for name, one in scores.items()}}


def _ties(cohort: Cohort) -> tuple[str, pd.DataFrame]:
    """Return what ties exams together, and whether that is the centre or the kind of scanner."""
    try:
        return "centre", ties_of(cohort, "centre")
    except CohortError:
        return "kind of scanner", ties_of(cohort, "family")


def _describe(cohort: Cohort, labels: np.ndarray, images: pd.Series) -> dict[str, Any]:
    """Return which exams they were: counts, and one hash of every uid, label and image."""
    lines = sorted(f"{uid},{y},{images[uid]}" for uid, y in zip(cohort.uids, labels, strict=True))
    return {
        "name": cohort.name,
        "simulated": cohort.truth is not None,
        "exams": len(labels),
        "abnormal": int(labels.sum()),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _card(
    model: LogitClassifier, data: dict[str, Any], score: dict[str, Any] | None
) -> dict[str, Any]:
    training = "Simulated training, not for diagnosis." if data["simulated"] else NOT_CLINICAL
    return {
        "kind": model.kind,
        "reads": model.reads,
        "settings": json.loads(json.dumps(model.get_params(deep=False), default=str)),
        "trained_on": data,
        "out_of_fold": score,
        "versions": {"datkit": __version__} | {name: version(name) for name in PARTS},
        "note": training,
    }


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a stored model; of one that was saved without, what is known.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    path = folder / CARD
    if not path.is_file():
        return {"trained_on": None, "out_of_fold": None, "note": NOT_CLINICAL}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: card[name] for name in ("kind", "settings", "trained_on", "out_of_fold", "note")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no card of a model: {error!r}. Train the model again."
        ) from error
