"""How well any fixed weights on the voxels around a striatum could measure it: a bound.

Ridge regression on every voxel, learned from the truth of other centres, is free to find whatever
linear measure serves best. Its penalty is the best of three *on the exams that are judged*, so the
figures are a little better than anybody could get. A classical measure that comes near them has
taken what there is to take; the rest is noise, and anatomy that no weights know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from datkit.measure.regions import SIDES, shifts_of, take_side
from datkit.prepare import PreparedCohort, reference_level

PENALTIES = (1e3, 3e3, 1e4)
BLOCK = 2  # voxels along each axis that are averaged: 4 mm
FOLDS = 5


def side_boxes(prepared: PreparedCohort) -> np.ndarray:
    """Return the surroundings of both striata of every exam, float32 (n, 2, voxels), as SBR."""
    rows = prepared.table.to_dict("records")
    return np.array([_both(*exam) for exam in zip(prepared.volumes, rows, strict=True)])


def _both(volume: np.ndarray, row: Mapping[str, float]) -> list[np.ndarray]:
    level, shifts = reference_level(volume), shifts_of(row) or {}
    sides = [take_side(volume, side, shifts.get(side, (0, 0, 0))) for side in SIDES]
    return [_shrink(box / level - 1) for box in sides]


def _shrink(box: np.ndarray) -> np.ndarray:
    sides = [side // BLOCK for side in box.shape]
    box = box[tuple(slice(BLOCK * side) for side in sides)]
    i, j, k = sides
    return box.reshape(i, BLOCK, j, BLOCK, k, BLOCK).mean((1, 3, 5)).ravel().astype(np.float32)


def best_binding(
    boxes: np.ndarray, true: np.ndarray, centres: np.ndarray, judge: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return SBR (n, 2) as the best fixed weights measure it, learned from other centres."""
    n, sides, _ = boxes.shape
    rows = boxes.reshape(n * sides, -1)
    return _best(rows, true.ravel(), np.repeat(centres, sides), lambda p: judge(p.reshape(n, -1)),
                 True).reshape(n, sides)  # fmt: skip


def best_difference(
    boxes: np.ndarray, true: np.ndarray, centres: np.ndarray, judge: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return left minus right SBR (n,) as the best fixed weights measure it."""
    rows = boxes[:, 0] - boxes[:, 1]
    return _best(rows, true[:, 0] - true[:, 1], centres, judge, False)


def _best(
    rows: np.ndarray, aim: np.ndarray, centres: np.ndarray, judge: Callable, intercept: bool
) -> np.ndarray:
    found = []
    for penalty in PENALTIES:
        values = np.zeros(len(rows))
        for train, test in GroupKFold(FOLDS).split(rows, groups=centres):
            model = Ridge(alpha=penalty, fit_intercept=intercept).fit(rows[train], aim[train])
            values[test] = model.predict(rows[test])
        found.append(values)
    return max(found, key=judge)
