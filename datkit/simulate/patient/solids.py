"""The grid of the standard head, and the simple solids drawn on it.

99 x 121 x 128 voxels of 2 mm; axes x (left to right), y (back to front), z (bottom to top);
origin and directions of MNI space (RAS).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["AFFINE", "SHAPE", "axes_mm", "ellipsoid", "rod"]

SHAPE = (99, 121, 128)
AFFINE = np.array(
    [[2.0, 0, 0, -98], [0, 2.0, 0, -134], [0, 0, 2.0, -150], [0, 0, 0, 1]]
)  # voxel -> mm, x -98..98, y -134..106, z -150..104: vertex to chin
EDGE_MM = 3.0  # width of a solid's soft edge: a voxel and a half

Point = tuple[float, float, float]


def axes_mm(shape: tuple[int, ...] = SHAPE, affine: np.ndarray = AFFINE) -> list[np.ndarray]:
    """Return the open x, y and z axes in mm of an axis-aligned grid, ready to broadcast.

    Examples
    --------
    >>> [axis.shape for axis in axes_mm((2, 3, 4))]
    [(2, 1, 1), (1, 3, 1), (1, 1, 4)]
    """
    lines = [affine[k, 3] + affine[k, k] * np.arange(n) for k, n in enumerate(shape)]
    return [np.float32(line) for line in np.ix_(*lines)]


def ellipsoid(centre: Point, radii: Point) -> np.ndarray:
    """Draw an ellipsoid (mm): 1 inside, 0 outside, float32 (99, 121, 128).

    Examples
    --------
    >>> ball = ellipsoid((0, 0, 0), (20, 20, 20))
    >>> round(float(ball.sum()) * 8 / 1000)  # mL; 4/3 pi 20^3 mm^3 = 34 mL
    34
    """
    squared = sum(((a - c) / r) ** 2 for a, c, r in zip(axes_mm(), centre, radii, strict=True))
    return _soft((1 - np.sqrt(squared)) * min(radii))


def rod(points: Sequence[Point], radius: float) -> np.ndarray:
    """Draw a bent rod through points (mm) at x >= 0, and its mirror image at x <= 0.

    Returns
    -------
    ndarray, float32 (99, 121, 128)
        1 inside, 0 outside.
    """
    x, y, z = axes_mm()
    here = (np.abs(x), y, z)
    nearest = np.float32(np.inf)
    for start, end in zip(points[:-1], points[1:], strict=True):
        along = np.subtract(end, start).astype(np.float32)
        offset = [a - np.float32(s) for a, s in zip(here, start, strict=True)]
        share = sum(o * d for o, d in zip(offset, along, strict=True)) / (along @ along)
        share = np.clip(share, 0, 1)
        squared = sum((o - share * d) ** 2 for o, d in zip(offset, along, strict=True))
        nearest = np.minimum(nearest, squared)
    return _soft(radius - np.sqrt(nearest))


def _soft(depth: np.ndarray) -> np.ndarray:
    """Turn depth in mm below a surface into a fraction with a soft edge."""
    return np.clip(0.5 + depth / EDGE_MM, 0, 1).astype(np.float32)
