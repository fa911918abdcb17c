"""The slab that readers look at beside the slices, and what a picture shows in words."""

from __future__ import annotations

import numpy as np

from datkit.prepare import GRID
from datkit.view.pages.page import number

__all__ = ["SLAB_MM", "describe_sides", "striatal_slab"]

# From the lower to the upper face: the 12 mm that hold most of the striatum. Readers use slabs of
# 10 to 12 mm.
SLAB_MM = (-5.0, 7.0)


def striatal_slab(volume: np.ndarray) -> np.ndarray:
    """Return the mean of the slices of a prepared volume within :data:`SLAB_MM`, shape (64, 80).

    Examples
    --------
    >>> volume = np.zeros(GRID.shape)
    >>> volume[:, :, 16] = 6.0  # one slice of the six, at z = -4 mm
    >>> float(striatal_slab(volume)[0, 0])
    1.0
    """
    heights = GRID.affine[2, 3] + GRID.affine[2, 2] * np.arange(GRID.shape[2])
    low, high = SLAB_MM
    return volume[:, :, (low < heights) & (heights < high)].mean(axis=2)


def describe_sides(plane: np.ndarray) -> str:
    """Say how hot each side of an axial picture is: what its alternative text can tell.

    Examples
    --------
    >>> describe_sides(np.array([[1.0, 4.8], [1.0, 3.2]]))
    'highest uptake 4.8 on the left, 3.2 on the right'
    """
    middle = len(plane) // 2
    left, right = (number(half.max(), 1) for half in (plane[:middle], plane[middle:]))
    return f"highest uptake {left} on the left, {right} on the right"
