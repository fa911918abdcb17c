"""A linear model on the voxels of the striatal box: one weight a voxel, which can be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.utils.validation import check_is_fitted

from datkit.models.base import Folds, LogitClassifier, check_labels, inner_folds
from datkit.models.network import BOX_AFFINE, crop_striata
from datkit.models.registry import register
from datkit.models.store import Document, load_arrays, save_arrays

if TYPE_CHECKING:
    from nibabel import Nifti1Image

__all__ = ["VoxelsClassifier"]

BOX_SHAPE = (24, 16, 16)
CHOICES = np.logspace(-3, 3, 13)  # of the ridge penalty's inverse, where voxels vary by 1 in all


@register
@dataclass(eq=False, repr=False)
class VoxelsClassifier(LogitClassifier):
    """Ridge-penalised logistic regression on the SBR of each voxel of 4 mm.

    The logit of an exam is ``intercept + Σ weight · SBR`` over the striatal box. It learns from the
    mean of each exam and its mirror image, so the weights are symmetric and a mirrored exam has the
    same probability. Size and level of a striatum stay as they are.

    Parameters
    ----------
    C : float, optional
        Inverse strength of the penalty; by default the one of least log loss in inner folds, of
        whole groups if ``fit`` is given groups.
    n_splits, seed : int
        Of the inner folds.

    Attributes
    ----------
    weights_ : array, shape (24, 16, 16)
        Axes x (left → right), y (back → front), z (bottom → top);
        :data:`datkit.models.BOX_AFFINE` takes their indices to template mm.
    intercept_ : float
    C_ : float

    Examples
    --------
    >>> X = np.ones((6, 64, 80, 48), dtype=np.float32)
    >>> X[::2, 20:44, 46:66, 14:24] = 3.0  # bright striata in every second exam
    >>> model = VoxelsClassifier(n_splits=2).fit(X, [0, 1, 0, 1, 0, 1])
    >>> model.predict(X)
    array([0, 1, 0, 1, 0, 1])
    >>> model.weight_map().shape
    (24, 16, 16)
    """

    kind, reads, cost = "voxels", "volumes", 1

    C: float | None = None
    n_splits: int = 5
    seed: int = 0

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from prepared volumes X (n, 64, 80, 48), labels y (n,) and, if known, groups (n,).

        Raises
        ------
        ModelError
            If the shape is another, a voxel of the box is not finite, or the labels do not fit.
        """
        boxes = _both_sides(X)
        labels = check_labels(y, len(boxes))
        middle = boxes.mean(axis=0)
        # The penalty does not change in a rotated space, and n exams span n dimensions of it.
        u, s, axes = np.linalg.svd(boxes - middle, full_matrices=False)
        scale = np.sqrt(np.sum(s**2) / len(boxes)) or 1.0
        scores, folds = u * s / scale, inner_folds(labels, groups, self.n_splits, self.seed)
        self.C_ = _best_penalty(scores, labels, folds) if self.C is None else float(self.C)
        regression = _regression(self.C_).fit(scores, labels)
        weights = regression.coef_[0] @ axes / scale
        self.intercept_ = float(regression.intercept_[0] - weights @ middle)
        self.weights_ = weights.reshape(BOX_SHAPE)
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return one logit per exam, shape (n,).

        Raises
        ------
        ModelError
            If the shape is not (n, 64, 80, 48), or a voxel of the box is not finite.
        """
        check_is_fitted(self)
        return _both_sides(X) @ self.weights_.ravel() + self.intercept_

    def weight_map(self) -> Nifti1Image:
        """Return the weights as an image in template space: logits per unit of SBR, 4 mm voxels."""
        from nibabel import Nifti1Image

        check_is_fitted(self)
        return Nifti1Image(self.weights_.astype(np.float32), BOX_AFFINE)

    def write_state(self, folder: Path) -> Document:
        """Write the map to ``weights.safetensors``; return the rest."""
        kept = save_arrays({"weights": self.weights_}, folder)
        return {"intercept": self.intercept_, "C": self.C_, "weights": kept}

    def read_state(self, folder: Path, document: Document) -> None:
        """Read the weights: a finite map of the box."""
        self.weights_ = load_arrays(folder)["weights"]
        self.intercept_, self.C_ = float(document["intercept"]), float(document["C"])
        finite = np.isfinite([*self.weights_.flat, self.intercept_]).all()
        if self.weights_.shape != BOX_SHAPE or not finite:
            raise ValueError(f"Expected finite weights {BOX_SHAPE}, found {self.weights_.shape}.")


def _regression(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=2000)


def _best_penalty(scores: np.ndarray, y: np.ndarray, folds: Folds) -> float:
    """Return the choice of least log loss, over all exams of the folds together."""

    def loss(C: float) -> float:
        logits = cross_val_predict(_regression(C), scores, y, cv=folds, method="decision_function")
        return float(np.logaddexp(0, (1 - 2 * y) * logits).mean())

    return float(min(CHOICES, key=loss))


def _both_sides(X: ArrayLike) -> np.ndarray:
    """Return the SBR of the voxels, means of an exam and its mirror image, (n, voxels)."""
    boxes = crop_striata(X).astype(np.float64) - 1
    return ((boxes + boxes[:, ::-1]) / 2).reshape(len(boxes), -1)
