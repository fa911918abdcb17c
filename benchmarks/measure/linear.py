"""How well any fixed weights on the voxels around a striatum could measure it: a bound.

Ridge regression on every voxel, learned from the truth of other centres, is free to find whatever
linear measure serves best. Its penalty is the best of three *on the exams that are judged*, so the
figures are a little better than anybody could get. A classical measure that comes near them has
taken what there is to take; the rest is noise, and anatomy that no weights know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict

from datkit.measure.regions import SIDES, shifts_of, take_side
from datkit.prepare import GRID, PreparedCohort, reference_level
from datkit.prepare.sampling import shrink

PENALTIES = (1e3, 3e3, 1e4)
VOXEL_MM = 4.0  # after averaging
FOLDS = 5


def side_boxes(prepared: PreparedCohort) -> np.ndarray:
    """Return the surroundings of both striata of every exam, float32 (n, 2, voxels), as SBR."""
    rows = prepared.table.to_dict("records")
    return np.array([_both(*exam) for exam in zip(prepared.volumes, rows, strict=True)], np.float32)


def _both(volume: np.ndarray, row: Mapping[str, float]) -> list[np.ndarray]:
    level, shifts = reference_level(volume), shifts_of(row) or {}
    sides = [take_side(volume, side, shifts.get(side, (0, 0, 0))) for side in SIDES]
    return [shrink(box / level - 1, GRID.affine, VOXEL_MM)[0].ravel() for box in sides]


def bindings(boxes: np.ndarray, true: np.ndarray, centres: np.ndarray) -> Iterator[np.ndarray]:
    """Yield SBR (n, 2) as fixed weights measure it, learned from other centres, per penalty."""
    rows = boxes.reshape(true.size, -1)
    for found in _out_of_fold(rows, true.ravel(), np.repeat(centres, len(SIDES)), True):
        yield found.reshape(true.shape)


def differences(boxes: np.ndarray, true: np.ndarray, centres: np.ndarray) -> Iterator[np.ndarray]:
    """Yield left minus right SBR (n,) alike; without an intercept, so that no side is preferred."""
    yield from _out_of_fold(boxes[:, 0] - boxes[:, 1], true[:, 0] - true[:, 1], centres, False)


def _out_of_fold(
    rows: np.ndarray, aim: np.ndarray, centres: np.ndarray, intercept: bool
) -> Iterator[np.ndarray]:
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty, fit_intercept=intercept)
        yield cross_val_predict(model, rows, aim, groups=centres, cv=GroupKFold(FOLDS))
