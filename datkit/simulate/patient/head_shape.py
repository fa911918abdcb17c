"""The size and form of one head: drawn once, then applied as one smooth deformation.

A shift points from the head to the standard one, that is to where a volume is read: to move
tissue forward, read further back. It is computed in mm on a coarse lattice over the standard head
and is linear between its points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nibabel.affines import from_matvec
from scipy.ndimage import gaussian_filter, map_coordinates

from datkit.simulate.patient.anatomy import AFFINE, SHAPE, axes_mm, standard_anatomy

__all__ = ["Shape", "deform", "draw_shape", "sample", "source_voxels", "standard_shape"]

LATTICE_MM = 4.0
LATTICE = (50, 61, 65)  # points along x, y, z; they span the standard grid
VENTRICLES = ((13.0, -12.0, 16.0), (11.0, 30.0, 14.0))  # mm: centre (x mirrored) and SDs
STRIATUM = ((21.0, 2.0, 4.0), (16.0, 28.0, 18.0))
STRIATUM_GAIN = 1.6  # the bump fades over the striatum's own extent: this makes its volume right
KNOTS = (5, 6, 6)  # control points of the smooth warp along x, y, z; about 50 mm apart
FOLD_KNOTS = (13, 16, 17)  # those of the fine one; about 16 mm apart
WARP_MM, FOLD_MM = 3.5, 3.0  # SD of a control point's shift: 1.2 and 1.1 mm at a voxel; design
MEAN_SCALE = 0.90  # real heads over MNI: the template inflates volumes 1.4 times, 1.4 ** (-1/3)
STRIATUM_PER_DECADE = 0.02  # loss of volume; with what wide ventricles press: 3 %; design, so
# that binding as measured falls by the published 4-7 % a decade
SULCI_PER_DECADE = 0.15  # mm that each wall of a sulcus recedes; design


@dataclass(frozen=True)
class Shape:
    """How a head differs from the standard one.

    Attributes
    ----------
    scale : ndarray (3,)
        Size along x, y, z over the standard head's.
    warp : ndarray (3, 5, 6, 6)
        Shift in mm along x, y, z of each control point of the smooth warp.
    folds : ndarray (3, 13, 16, 17)
        The same for the fine warp, which gives each head gyri of its own.
    ventricles : float
        Widening of the lateral ventricles: 0 standard, 0.4 clearly wide.
    sulci : float
        Millimetres by which brain recedes from fluid on each side.
    striatum : float
        Share of their volume that caudate and putamen have lost.
    neck : ndarray (2,)
        At the grid's lower end: shift to the front in mm, and growth of the girth as a share.
    """

    scale: np.ndarray
    warp: np.ndarray
    folds: np.ndarray
    ventricles: float
    sulci: float
    striatum: float
    neck: np.ndarray


def standard_shape() -> Shape:
    """Return the shape that changes nothing."""
    still = (np.zeros((3, *KNOTS)), np.zeros((3, *FOLD_KNOTS)))
    return Shape(np.ones(3), *still, 0.0, 0.0, 0.0, np.zeros(2))


def draw_shape(rng: np.random.Generator, age: float, sex: str) -> Shape:
    """Draw one head: women's are smaller; with age ventricles and sulci widen, nuclei shrink.

    Examples
    --------
    >>> shape = draw_shape(np.random.default_rng(0), age=70, sex="F")
    >>> bool(shape.scale.max() < 1)
    True
    """
    size = MEAN_SCALE + (0.01 if sex == "M" else -0.015) + rng.normal(0, 0.025)  # design
    decades = (age - 65) / 10
    return Shape(
        scale=size * np.exp(rng.normal(0, 0.02, 3)),
        warp=rng.normal(0, WARP_MM, (3, *KNOTS)),
        folds=rng.normal(0, FOLD_MM, (3, *FOLD_KNOTS)),
        ventricles=float(np.clip(0.15 + 0.06 * decades + rng.normal(0, 0.08), 0, 0.4)),  # design
        sulci=float(np.clip(0.4 + SULCI_PER_DECADE * decades + rng.normal(0, 0.15), 0, 1.2)),
        striatum=float(STRIATUM_PER_DECADE * decades + rng.normal(0, 0.05)),
        neck=rng.normal(0, (12, 0.08)),  # design
    )


def deform(volume: np.ndarray, shape: Shape) -> np.ndarray:
    """Give a standard volume the form of one head, on the standard grid: (99, 121, 128)."""
    return sample(volume, shape, AFFINE, SHAPE)


def sample(
    volume: np.ndarray, shape: Shape, affine: np.ndarray, size: tuple[int, int, int], order: int = 1
) -> np.ndarray:
    """Sample a standard volume, given the form of one head, on any grid.

    Parameters
    ----------
    volume : ndarray, float32 (99, 121, 128)
        A volume on the standard grid.
    affine : ndarray (4, 4)
        Voxel of the asked grid -> mm in this patient's head (RAS).
    size : tuple of int
        Voxels of the asked grid along its three axes.
    order : int
        0 nearest, 1 linear, 3 cubic.

    Returns
    -------
    ndarray, float32, shape `size`
        0 outside the standard grid, but for the neck, which goes on below it.
    """
    points = source_voxels(shape, affine, size)
    return map_coordinates(volume, points, order=order, output=np.float32)


def source_voxels(shape: Shape, affine: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """Return where each voxel of a grid in one patient's head lies in the standard grid.

    Parameters are those of :func:`sample`. Time grows with `size` alone. Below the standard grid
    its lowest slice goes on, so that the neck ends nowhere inside a camera's field.

    Returns
    -------
    ndarray, float32 (3, *size)
        Voxel coordinates (i, j, k) in the standard grid, ready for ``map_coordinates``.
    """
    i, j, k = np.ix_(*(np.arange(n, dtype=np.float32) for n in size))
    rows = affine[:3].astype(np.float32)
    points = np.stack([row[0] * i + row[1] * j + row[2] * k + row[3] for row in rows])
    points /= _column(shape.scale)
    points += _shift_at(points, shape)
    points -= _column(AFFINE[:3, 3])
    points /= _column(np.diag(AFFINE)[:3])
    np.maximum(points[2], 0, out=points[2])
    return points


def _column(values: np.ndarray) -> np.ndarray:
    """Return three numbers ready to broadcast over (3, x, y, z)."""
    return values.astype(np.float32).reshape(3, 1, 1, 1)


def _shift_at(points: np.ndarray, shape: Shape) -> np.ndarray:
    """Return the shift in mm at scaled points, float32 (3, *size), linear on the lattice."""
    import torch
    from torch.nn.functional import grid_sample

    half = LATTICE_MM * (np.array(LATTICE) - 1) / 2
    unit = (points - _column(AFFINE[:3, 3] + half)) / _column(half)  # -1 and 1 at the ends
    places = torch.from_numpy(unit).flip(0).movedim(0, -1)[None]  # torch names the last axis first
    field = torch.from_numpy(_lattice_shift(shape))[None]  # (1, 3, x, y, z)
    return grid_sample(field, places, padding_mode="border", align_corners=True)[0].numpy()


def _lattice_shift(shape: Shape) -> np.ndarray:
    """Return the shift in mm at the lattice, float32 (3, *LATTICE)."""
    varied = 1 - 0.9 * _near(*STRIATUM)  # deep nuclei vary less than gyri
    varied = varied + 0.3 * np.clip((-50 - _lattice_axes()[2]) / 30, 0, 1)  # and glands more
    shift = _spread(shape.warp) + _spread(shape.folds) * varied
    amounts = (shape.ventricles, shape.sulci, shape.striatum, *shape.neck)
    for amount, field in zip(amounts, _fields(), strict=True):
        if amount:
            shift += np.float32(amount) * field
    return shift


@lru_cache
def _fields() -> tuple[np.ndarray, ...]:
    """Return what one unit of each parameter of a shape shifts, mm, float32 (3, *LATTICE).

    Tissue beside the lateral ventricles moves outward by up to 10 mm. Brain recedes by 1 mm from
    the nearest large pool of fluid; bone and skin stay. Caudate and putamen contract about their
    common centre. At the grid's lower end the body lies 1 mm further to the front, and the neck is
    twice as wide and deep; both fade towards the skull.
    """
    (x, y, z), middle = _lattice_axes(), STRIATUM[0]
    below = np.clip((-60 - z) / 90, 0, 1)
    inward = _stack(x - middle[0] * np.sign(x), y - middle[1], z - middle[2])
    return (
        _stack(-10 * _near(*VENTRICLES) * np.tanh(x / 4), 0, 0),
        _from_fluid(),
        np.float32(STRIATUM_GAIN / 3) * _near(*STRIATUM) * inward,
        _stack(0, -(below**2), 0),
        _stack(-x * below, -(y + 30) * below, 0),
    )


def _lattice_axes() -> list[np.ndarray]:
    """Return the open axes of the lattice in mm."""
    return axes_mm(LATTICE, from_matvec(LATTICE_MM * np.eye(3), AFFINE[:3, 3]))


def _stack(*parts: np.ndarray | float) -> np.ndarray:
    """Return three components as one field, float32 (3, *LATTICE)."""
    return np.stack([np.broadcast_to(np.asarray(part, np.float32), LATTICE) for part in parts])


def _near(centre: tuple[float, ...], sds: tuple[float, ...]) -> np.ndarray:
    """Return a Gaussian bump of height 1 at `centre` and at its mirror image."""
    x, y, z = _lattice_axes()
    squared = [((a - c) / s) ** 2 for a, c, s in zip((np.abs(x), y, z), centre, sds, strict=True)]
    return np.exp(-0.5 * sum(squared))


def _from_fluid() -> np.ndarray:
    """Return the slope of the fluid's share, at most 1, inside the brain: (3, *LATTICE)."""
    tissue = standard_anatomy().tissue
    fluid = gaussian_filter(tissue["csf"], 1.5)  # SD 3 mm
    slope = np.stack(np.gradient(fluid))
    slope /= np.maximum(np.quantile(np.linalg.norm(slope, axis=0)[fluid > 0.05], 0.9), 1e-6)
    steep = np.maximum(np.linalg.norm(slope, axis=0), 1)
    slope *= gaussian_filter(tissue["grey"] + tissue["white"] + tissue["csf"], 1.5) / steep
    steps = np.meshgrid(*(np.arange(n) * LATTICE_MM / AFFINE[0, 0] for n in LATTICE), indexing="ij")
    return np.stack([map_coordinates(part.astype(np.float32), steps, order=1) for part in slope])


def _spread(knots: np.ndarray) -> np.ndarray:
    """Spread control points over the lattice by cubic B-splines: (3, *knots) to (3, *LATTICE)."""
    out = knots.astype(np.float32)
    for axis, size in enumerate(LATTICE, start=1):
        basis = _basis(size, out.shape[axis]).astype(np.float32)
        out = np.moveaxis(np.einsum("nk,...k->...n", basis, np.moveaxis(out, axis, -1)), -1, axis)
    return np.ascontiguousarray(out)


def _basis(size: int, knots: int) -> np.ndarray:
    """Return the (size, knots) weights of uniform cubic B-splines."""
    distance = np.abs(np.linspace(0, knots - 1, size)[:, None] - np.arange(knots))
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer)
