"""Several models as one: the weighted mean of their logits, with weights found out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.utils.validation import check_is_fitted

from datkit.errors import UsageError
from datkit.measure.exam import measure_volume
from datkit.measure.regions import shifts_of
from datkit.models.base import Features, LogitClassifier, check_labels, grouped, inner_folds
from datkit.models.registry import class_of, register
from datkit.models.store import Document, load_model, save_model
from datkit.prepare.striatum import locate_striata

__all__ = ["BlendClassifier"]


@register
@dataclass(eq=False, repr=False)
class BlendClassifier(LogitClassifier):
    """The weighted mean of several models' logits.

    The weights are those of least log loss on the logits of inner folds, at least 0 and together 1;
    then each member is trained on all exams. Where the members read different things, X are
    prepared volumes, of which measures are taken here, as :func:`datkit.measure.measure_cohort`
    takes them.

    Parameters
    ----------
    members : sequence of str or LogitClassifier
        Two or more kinds such as ``"boosting"``, which then have their usual settings, or models.
    n_splits, seed : int
        Of the inner folds, which are whole groups if ``fit`` is given groups.

    Attributes
    ----------
    members_ : list of LogitClassifier
    weights_ : array, one a member

    Examples
    --------
    >>> putamen = [[2.4 - 0.1 * (i % 3) - 1.4 * (i % 2)] for i in range(60)]
    >>> model = BlendClassifier(["measures", "boosting"]).fit(np.array(putamen), [0, 1] * 30)
    >>> model.predict(np.array([[2.3], [1.0]]))
    array([0, 1])
    """

    kind = "blend"

    members: Sequence[str | LogitClassifier] = ("boosting", "voxels")
    n_splits: int = 5
    seed: int = 0

    @property
    def reads(self) -> str:  # type: ignore[override]  # no one sets it
        """What all members read, or volumes."""
        kinds = {member.reads for member in self._built()}
        return kinds.pop() if len(kinds) == 1 else "volumes"

    @property
    def cost(self) -> int:  # type: ignore[override]  # no one sets it
        """What the members cost together."""
        return sum(member.cost for member in self._built())

    def fit(self, X: Features, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from X, labels y (n,) and, if known, groups (n,).

        Raises
        ------
        ModelError
            If a kind is not known, the labels do not fit, or a part would be trained on one class
            only; and as the members do.
        UsageError
            If there are fewer than two members, or there is one group only: nothing can be left
            out.
        """
        labels, seen = check_labels(y, len(X)), self._inputs(X)
        folds, logits = inner_folds(labels, groups, self.n_splits, self.seed), []
        self.members_ = [clone(member) for member in self._built()]
        for member in self.members_:
            told = grouped(member, groups)
            cv = {"cv": folds, "params": told, "method": "decision_function"}
            logits.append(cross_val_predict(member, seen[member.reads], labels, **cv))
            member.fit(seen[member.reads], labels, **told)
        self.weights_ = _best_weights(np.array(logits), labels)
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one logit per exam, shape (n,)."""
        check_is_fitted(self)
        seen = self._inputs(X)
        logits = [member.decision_function(seen[member.reads]) for member in self.members_]
        return self.weights_ @ np.array(logits, dtype=np.float64)

    def _built(self) -> list[LogitClassifier]:
        if isinstance(self.members, str) or len(self.members) < 2:
            expected = "Expected two members or more, such as members=measures,voxels"
            raise UsageError(f"{expected}, found members={self.members!r}.")
        return [class_of(one)() if isinstance(one, str) else one for one in self.members]

    def _inputs(self, X: Features) -> dict[str, Features]:
        """Return what members read of X."""
        read = {member.reads for member in self._built()}
        return {self.reads: X} | ({"measures": _measured(X)} if len(read) > 1 else {})

    def write_state(self, folder: Path) -> Document:
        """Save each member in a folder of its own; return their weights."""
        names = [f"{number}-{one.kind}" for number, one in enumerate(self.members_, start=1)]
        for name, member in zip(names, self.members_, strict=True):
            save_model(member, folder / name)
        params = self.get_params(deep=False) | {"members": names}
        return {"params": params, "weights": self.weights_.tolist()}

    def read_state(self, folder: Path, document: Document) -> None:
        """Load the members, from nowhere but this folder, and take their weights."""
        names = [Path(name).name for name in self.members]
        self.members = self.members_ = [load_model(folder / name) for name in names]
        self.weights_ = np.array(document["weights"], dtype=float)
        sound = self.weights_.shape == (len(names),) and (self.weights_ >= 0).all()
        if not sound or not np.isclose(self.weights_.sum(), 1):
            found = f"found {document['weights']}"
            raise ValueError(f"Expected {len(names)} weights, at least 0 and together 1, {found}.")


def _measured(X: Features) -> pd.DataFrame:
    """Measure prepared volumes (n, 64, 80, 48), each where its striata lie."""
    return pd.DataFrame(
        [measure_volume(one, shifts_of(locate_striata(one))) for one in np.asanyarray(X)]
    )


def _best_weights(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weights, at least 0 and together 1, of least log loss; logits (members, n)."""
    from scipy.optimize import minimize

    def loss(weights: np.ndarray) -> float:
        return float(np.logaddexp(0, (1 - 2 * y) * (weights @ logits)).mean())

    members = len(logits)
    whole = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    start = np.full(members, 1 / members)
    found = minimize(loss, start, bounds=[(0, 1)] * members, constraints=whole).x.clip(0)
    return found / found.sum()
