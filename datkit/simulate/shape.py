"""The size and form of one head: drawn once, then applied as one smooth deformation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datkit.simulate.anatomy import AFFINE, SHAPE, axes_mm

__all__ = ["Shape", "deform", "draw_shape", "standard_shape"]

KNOTS = (5, 6, 6)  # control points of the smooth warp along x, y, z; about 40 mm apart
WARP_MM = 2.5  # SD of a control point's shift; design
MEAN_SCALE = 0.90  # real heads over MNI: the template inflates volumes 1.4 times, 1.4 ** (-1/3)
VENTRICLES = ((13.0, -12.0, 16.0), (11.0, 30.0, 14.0))  # mm: centre (x mirrored) and SDs


@dataclass(frozen=True)
class Shape:
    """How a head differs from the standard one.

    Attributes
    ----------
    scale : ndarray (3,)
        Size along x, y, z over the standard head's.
    warp : ndarray (3, 5, 6, 6)
        Shift in mm along x, y, z of each control point.
    ventricles : float
        Widening of the lateral ventricles: 0 standard, 0.4 clearly wide.
    """

    scale: np.ndarray
    warp: np.ndarray
    ventricles: float


def standard_shape() -> Shape:
    """Return the shape that changes nothing."""
    return Shape(np.ones(3), np.zeros((3, *KNOTS)), 0.0)


def draw_shape(rng: np.random.Generator, age: float, sex: str) -> Shape:
    """Draw one head: women's are smaller, ventricles widen with age."""
    size = MEAN_SCALE + (0.01 if sex == "M" else -0.015) + rng.normal(0, 0.025)  # design
    scale = size * np.exp(rng.normal(0, 0.02, 3))
    warp = rng.normal(0, WARP_MM, (3, *KNOTS))
    ventricles = np.clip(0.15 + 0.006 * (age - 65) + rng.normal(0, 0.08), 0, 0.4)  # design
    return Shape(scale, warp, float(ventricles))


def deform(volume: np.ndarray, shape: Shape) -> np.ndarray:
    """Give a standard volume the form of one head.

    Parameters
    ----------
    volume : ndarray, float32 (99, 121, 128)
        A volume on the standard grid.

    Returns
    -------
    ndarray, float32 (99, 121, 128)
        The same values in the patient's head, on the same grid.
    """
    from scipy.ndimage import map_coordinates

    return map_coordinates(volume, _source_voxels(shape), order=1, output=np.float32)


def _source_voxels(shape: Shape) -> np.ndarray:
    """Return where each voxel of the patient's grid lies in the standard grid, in voxels."""
    standard = [axis / np.float32(s) for axis, s in zip(axes_mm(), shape.scale, strict=True)]
    shift = _smooth(shape.warp)
    shift[0] -= _widening(standard, shape.ventricles)
    source = np.empty((3, *SHAPE), np.float32)
    for k, axis in enumerate(standard):
        source[k] = (axis + shift[k] - np.float32(AFFINE[k, 3])) / np.float32(AFFINE[k, k])
    return source


def _widening(standard: list[np.ndarray], amount: float) -> np.ndarray:
    """Return the outward shift in mm of tissue beside the lateral ventricles."""
    (side, *centre), sds = VENTRICLES[0], VENTRICLES[1]
    x, y, z = standard
    near = np.exp(-0.5 * (((y - centre[0]) / sds[1]) ** 2 + ((z - centre[1]) / sds[2]) ** 2))
    across = np.exp(-0.5 * ((np.abs(x) - side) / sds[0]) ** 2) * np.tanh(x / 4)
    return np.float32(10 * amount) * across * near


def _smooth(knots: np.ndarray) -> np.ndarray:
    """Spread control points over the grid by cubic B-splines: (3, 5, 6, 6) to (3, *SHAPE)."""
    out = np.float32(knots)
    for axis, size in enumerate(SHAPE, start=1):
        basis = np.float32(_basis(size, out.shape[axis]))
        out = np.moveaxis(np.einsum("nk,...k->...n", basis, np.moveaxis(out, axis, -1)), -1, axis)
    return np.ascontiguousarray(out)


def _basis(size: int, knots: int) -> np.ndarray:
    """Return the (size, knots) weights of uniform cubic B-splines."""
    distance = np.abs(np.linspace(0, knots - 1, size)[:, None] - np.arange(knots))
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer)
