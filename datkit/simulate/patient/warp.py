"""The fields that shape a head: shifts in mm on a coarse lattice over the standard head.

A shift points from the head to the standard one, that is to where a volume is read: to move
tissue forward, read further back. Each field is what one unit of a :class:`~.head_shape.Shape`'s
parameter does; all have shape (3, 50, 61, 65): component, then x, y, z, 4 mm apart.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.solids import AFFINE, axes_mm

__all__ = [
    "LATTICE",
    "LATTICE_MM",
    "bend_field",
    "folds_weight",
    "girth_field",
    "spread",
    "striatum_field",
    "sulci_field",
    "ventricles_field",
]

LATTICE_MM = 4.0  # the deformation is computed at these points and linear between them
LATTICE = (50, 61, 65)  # points along x, y, z; they span the standard grid
VENTRICLES = ((13.0, -12.0, 16.0), (11.0, 30.0, 14.0))  # mm: centre (x mirrored) and SDs
STRIATUM = ((21.0, 2.0, 4.0), (16.0, 28.0, 18.0))
STRIATUM_GAIN = 1.6  # the bump fades over the striatum's own extent: this makes its volume right


def _lattice_axes() -> list[np.ndarray]:
    """Return the open axes of the lattice in mm."""
    affine = np.diag([LATTICE_MM] * 3 + [1.0])
    affine[:3, 3] = AFFINE[:3, 3]
    return axes_mm(LATTICE, affine)


def _near(centre: tuple[float, ...], sds: tuple[float, ...]) -> np.ndarray:
    """Return a Gaussian bump of height 1 at `centre` and at its mirror image."""
    x, y, z = _lattice_axes()
    squared = [((a - c) / s) ** 2 for a, c, s in zip((np.abs(x), y, z), centre, sds, strict=True)]
    return np.exp(-0.5 * sum(squared))


@lru_cache
def folds_weight() -> np.ndarray:
    """Return how far the fine warp acts, (50, 61, 65): deep nuclei vary less than gyri."""
    return np.float32(1 - 0.8 * _near(*STRIATUM))


@lru_cache
def ventricles_field() -> np.ndarray:
    """Tissue beside the lateral ventricles moves outward, by up to 10 mm for a widening of 1."""
    shift = np.zeros((3, *LATTICE), np.float32)
    shift[0] = -10 * _near(*VENTRICLES) * np.tanh(_lattice_axes()[0] / 4)
    return shift


@lru_cache
def striatum_field() -> np.ndarray:
    """Caudate and putamen contract about their common centre, by a volume's share of 1."""
    x, y, z = _lattice_axes()
    middle = STRIATUM[0]
    shift = np.empty((3, *LATTICE), np.float32)
    shift[0], shift[1], shift[2] = x - middle[0] * np.sign(x), y - middle[1], z - middle[2]
    return np.float32(STRIATUM_GAIN / 3) * _near(*STRIATUM) * shift


@lru_cache
def sulci_field() -> np.ndarray:
    """Brain recedes by 1 mm from the nearest large pool of fluid; bone and skin stay."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    tissue = standard_anatomy().tissue
    fluid = gaussian_filter(tissue["csf"], 1.5)  # SD 3 mm
    slope = np.stack(np.gradient(fluid))
    slope /= np.maximum(np.quantile(np.linalg.norm(slope, axis=0)[fluid > 0.05], 0.9), 1e-6)
    steep = np.maximum(np.linalg.norm(slope, axis=0), 1)
    slope *= gaussian_filter(tissue["grey"] + tissue["white"] + tissue["csf"], 1.5) / steep
    steps = np.meshgrid(*(np.arange(n) * LATTICE_MM / AFFINE[0, 0] for n in LATTICE), indexing="ij")
    return np.stack([map_coordinates(part, steps, order=1) for part in np.float32(slope)])


@lru_cache
def bend_field() -> np.ndarray:
    """Below the skull the body lies further to the front, by 1 mm at the grid's lower end."""
    shift = np.zeros((3, *LATTICE), np.float32)
    shift[1] = -(_below_skull() ** 2)
    return shift


@lru_cache
def girth_field() -> np.ndarray:
    """The neck's width and depth grow by a share of 1 at the grid's lower end."""
    x, y, _ = _lattice_axes()
    shift = np.zeros((3, *LATTICE), np.float32)
    shift[0], shift[1] = -x * _below_skull(), -(y + 30) * _below_skull()
    return shift


def _below_skull() -> np.ndarray:
    """Return a ramp along z: 0 from z = -60 mm up, 1 at the grid's lower end."""
    z = _lattice_axes()[2]
    return np.clip((-60 - z) / 90, 0, 1)


def spread(knots: np.ndarray) -> np.ndarray:
    """Spread control points over the lattice by cubic B-splines: (3, *knots) to (3, *LATTICE)."""
    out = np.float32(knots)
    for axis, size in enumerate(LATTICE, start=1):
        basis = np.float32(_basis(size, out.shape[axis]))
        out = np.moveaxis(np.einsum("nk,...k->...n", basis, np.moveaxis(out, axis, -1)), -1, axis)
    return np.ascontiguousarray(out)


def _basis(size: int, knots: int) -> np.ndarray:
    """Return the (size, knots) weights of uniform cubic B-splines."""
    distance = np.abs(np.linspace(0, knots - 1, size)[:, None] - np.arange(knots))
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer)
