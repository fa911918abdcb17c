"""Volumes with an affine: shrink, crop, blur and sample them. Nothing here knows about heads.

An affine takes voxel indices to mm. Nothing here calls BLAS on long arrays: its sums depend on the
number of threads, and a prepared exam must not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["blur", "crop", "is_inside", "sample", "shift", "shrink", "spacing", "transform"]

SIGMA = 1 / 2.3548  # standard deviation of a Gaussian over its full width at half maximum


def spacing(affine: np.ndarray) -> np.ndarray:
    """Return the voxel size along each axis, mm."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def shift(by: npt.ArrayLike) -> np.ndarray:
    """Return the (4, 4) matrix of a shift.

    Examples
    --------
    >>> shift([1, 2, 3])[:3, 3]
    array([1., 2., 3.])
    """
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply a (4, 4) matrix to points (3, n).

    Examples
    --------
    >>> transform(shift([1, 2, 3]), np.zeros((3, 1))).ravel()
    array([1., 2., 3.])
    """
    return np.einsum("ij,jn->in", matrix[:3, :3], points) + matrix[:3, 3:]


def is_inside(
    shape: tuple[int, ...], index: np.ndarray, margin: npt.ArrayLike = (0, 0, 0)
) -> np.ndarray:
    """Return whether voxel indices (3, n), not rounded, lie in an array, off its border."""
    low = np.reshape(margin, (3, 1)) - 0.5
    return np.all((index > low) & (index < np.reshape(shape, (3, 1)) - 1 - low), axis=0)


def sample(
    volume: np.ndarray, affine: np.ndarray, points: np.ndarray, **outside: object
) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume's values at points (3, n) in mm, linear between voxels, and if inside it.

    What stands for points outside is said as to :func:`scipy.ndimage.map_coordinates`; default 0.
    """
    index = transform(np.linalg.inv(affine), points)
    values = ndimage.map_coordinates(volume, index, order=1, **outside)
    return values, is_inside(volume.shape, index)


def blur(volume: np.ndarray, affine: np.ndarray, fwhm: float) -> np.ndarray:
    """Blur a volume with a Gaussian whose full width at half maximum is given in mm."""
    sigma = fwhm * SIGMA / spacing(affine)
    return ndimage.gaussian_filter(volume, sigma, mode="nearest", truncate=3.0)


def shrink(volume: np.ndarray, affine: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Average blocks of voxels, as many as fit into `largest` mm; an incomplete block is dropped.

    Examples
    --------
    >>> small, affine = shrink(np.ones((8, 8, 9)), np.diag([2.0, 3, 2, 1]), largest=5)
    >>> small.shape, affine.diagonal(), affine[:3, 3]
    ((4, 8, 4), array([4., 3., 4., 1.]), array([1., 0., 1.]))
    """
    block = np.maximum(1, largest // spacing(affine)).astype(int)
    for axis, size in enumerate(block):
        layers = np.moveaxis(volume, axis, 0)
        whole = len(layers) // size * size
        summed = np.asarray(sum(layers[start:whole:size] for start in range(size)))
        volume = np.moveaxis(summed / np.float32(size), 0, axis)
    return volume, affine @ shift((block - 1) / 2) @ np.diag([*block, 1.0])


def crop(
    volume: np.ndarray, affine: np.ndarray, points: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the box of voxels around points (3, n) in mm with a margin in mm, and its affine.

    At least one voxel is left, even if no point lies in the volume.
    """
    index = transform(np.linalg.inv(affine), points)
    reach = np.ceil(margin / spacing(affine))
    last = np.array(volume.shape) - 1
    low = np.clip(np.floor(index.min(axis=1)) - reach, 0, last).astype(int)
    high = np.clip(np.ceil(index.max(axis=1)) + reach, low, last).astype(int)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    return volume[box], affine @ shift(low)


def regress(
    design: np.ndarray,
    values: np.ndarray,
    weight: np.ndarray | float = 1.0,
    *,
    ridge: np.ndarray | float = 0.0,
    towards: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Solve weighted least squares; what the points say nothing about is left at 0.

    Minimises ``sum(weight · (values - design · x)²) + sum(ridge · (x - towards)²)``.

    Examples
    --------
    >>> regress(np.array([[1.0], [1.0]]), np.array([2.0, 4.0])).round(3)
    array([3.])
    >>> regress(np.array([[1.0], [1.0]]), np.array([2.0, 4.0]), ridge=1.0).round(3)
    array([2.])
    """
    weighted = design * np.broadcast_to(weight, len(design))[:, None]
    held = np.broadcast_to(ridge, design.shape[1])
    normal = np.einsum("nj,nk->jk", weighted, design) + np.diag(held)
    right = np.einsum("nj,n->j", weighted, values) + held * towards
    return np.linalg.lstsq(normal, right, rcond=1e-12)[0]
