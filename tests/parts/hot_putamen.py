"""A brain with a hot left putamen, and where a picture of it is hot."""

from __future__ import annotations

import numpy as np

from datkit.prepare import GRID

HOT_MM = np.array([-25.0, 0.0, 4.0])  # in the left putamen


def hot_voxel(mm=HOT_MM, affine=GRID.affine) -> tuple[int, ...]:
    return tuple(np.rint(np.linalg.inv(affine) @ [*mm, 1])[:3].astype(int))


def left_hot() -> np.ndarray:
    """A flat brain of uptake 1 with a 10 mm cube of uptake 5 in the left putamen."""
    volume = np.ones(GRID.shape, dtype=np.float32)
    volume[tuple(slice(i - 2, i + 3) for i in hot_voxel())] = 5
    return volume


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def brightest_mm(axes) -> np.ndarray:
    """Where the hottest pixels of a slice lie on its axes, mm."""
    image = axes.images[0]
    array = np.ma.filled(image.get_array(), -1)
    left, right, bottom, top = image.get_extent()
    row, column = np.argwhere(array > 0.9 * array.max()).mean(axis=0)
    width, height = right - left, top - bottom
    return np.array(
        [
            left + width * (column + 0.5) / array.shape[1],
            bottom + height * (row + 0.5) / array.shape[0],
        ]
    )
