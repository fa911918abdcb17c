"""Gradient-boosted trees on the measures: what a straight line in them cannot say.

The trees are scikit-learn's HistGradientBoostingClassifier; they are stored as arrays and applied
as these stand, so a stored model gives the same probabilities under any version of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from datkit.measure.definitions import MEASURES
from datkit.models.base import Features
from datkit.models.measures import TableClassifier
from datkit.models.registry import register
from datkit.models.store import Document, load_arrays, save_arrays

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["BoostingClassifier"]

# What is kept of a node: its measure, the highest value that goes left, both next nodes, its logit.
FIELDS = {one: one for one in ("left", "right", "value")}
FIELDS |= {"feature": "feature_idx", "threshold": "num_threshold"}


@register
@dataclass(eq=False, repr=False)
class BoostingClassifier(TableClassifier):
    """Gradient-boosted decision trees on measures.

    The logit of an exam is ``baseline + Σ value of the leaf it reaches``, over all trees. By
    default it learns from all of :data:`datkit.measure.MEASURES`, where the table has them.

    Parameters
    ----------
    trees : int
    leaves : int
        Of a tree, at most.
    learning_rate : float
        How much of each tree is added.
    least : int
        Exams in a leaf, at least.
    l2 : float
        Penalty on the values of leaves.
    seed : int
        Of the choice of measures that each split may use, one half of them.
    columns : sequence of str, optional
        The measures to learn from.

    Attributes
    ----------
    trees_ : dict of arrays
        The nodes of all trees, one after the other, and the place of each tree's ``root``.
    baseline_ : float

    Examples
    --------
    >>> putamen = [[2.4 - 0.1 * (i % 3) - 1.4 * (i % 2)] for i in range(60)]
    >>> model = BoostingClassifier(trees=20).fit(putamen, [0, 1] * 30)
    >>> model.predict([[2.3], [1.0]])
    array([0, 1])
    """

    kind, cost, usual = "boosting", 1, MEASURES

    trees: int = 100
    leaves: int = 6
    learning_rate: float = 0.05
    least: int = 10
    l2: float = 1.0
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
        from sklearn.ensemble import HistGradientBoostingClassifier

        values, labels = self._learn_columns(X, y)
        booster = HistGradientBoostingClassifier(
            max_iter=self.trees, max_leaf_nodes=self.leaves, min_samples_leaf=self.least,
            learning_rate=self.learning_rate, l2_regularization=self.l2, random_state=self.seed,
            max_features=0.5, early_stopping=False,
        ).fit(values, labels)  # fmt: skip
        self.trees_, self.baseline_ = _export(booster)
        return self

    def decision_function(self, X: Features) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        ModelError
            As :class:`~datkit.models.measures.MeasuresClassifier`'s.
        """
        values, tree = self._take_columns(X), self.trees_
        rows = np.arange(len(values))[:, None]
        node = np.tile(tree["root"], (len(values), 1))  # (n, trees): where each exam stands
        while (inner := tree["left"][node] != node).any():
            right = values[rows, tree["feature"][node]] > tree["threshold"][node]
            step = np.where(right, tree["right"][node], tree["left"][node])
            node = np.where(inner, step, node)
        return self.baseline_ + tree["value"][node].sum(axis=1)

    def write_state(self, folder: Path) -> Document:
        """Write the trees to ``weights.safetensors``; return the rest."""
        shape = {"features": self.n_features_in_, "columns": self._known_columns()}
        return {"baseline": self.baseline_, "weights": save_arrays(self.trees_, folder)} | shape

    def read_state(self, folder: Path, document: Document) -> None:
        """Read the trees: finite numbers, and nodes that lead on to later ones of the arrays."""
        tree, self.baseline_ = load_arrays(folder), float(document["baseline"])
        own = np.arange(len(tree["value"]))
        leaf = (tree["left"] == own) & (tree["right"] == own)
        later = np.minimum(tree["left"], tree["right"]) > own
        last = max(tree["left"].max(), tree["right"].max(), tree["root"].max())
        fits = (tree["feature"] >= 0) & (tree["feature"] < document["features"])
        finite = np.isfinite([self.baseline_, *tree["value"]]).all()
        if not (finite and fits.all() and (leaf | later).all() and last < len(own)):
            raise ValueError("Expected trees of finite values whose nodes lead to later ones.")
        self.trees_ = tree
        self._restore_columns(document["columns"], document["features"])


def _export(booster: HistGradientBoostingClassifier) -> tuple[dict[str, np.ndarray], float]:
    """Return all trees as one array a field, and the logit that they start from.

    A leaf leads to itself. scikit-learn has no public way to the nodes; a test holds that the
    arrays give the booster's own logits.
    """
    nodes = [predictors[0].nodes for predictors in booster._predictors]
    root = np.cumsum([0, *map(len, nodes)])[:-1]
    tree = {name: np.concatenate([one[field] for one in nodes]) for name, field in FIELDS.items()}
    leaf, own = np.concatenate([one["is_leaf"] for one in nodes]) == 1, np.arange(len(tree["left"]))
    offset = np.repeat(root, list(map(len, nodes)))
    for side in ("left", "right"):
        tree[side] = np.where(leaf, own, tree[side] + offset).astype(np.int64)
    return tree | {"root": root}, float(booster._baseline_prediction.ravel()[0])
