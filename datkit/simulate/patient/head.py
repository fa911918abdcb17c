"""The standard head's grid, solids drawn on it, and what lies outside the brain.

The grid has 99 x 121 x 128 voxels of 2 mm; axes x (left to right), y (back to front), z (bottom to
top); origin and directions of MNI space (RAS).

Skull, scalp, face, neck, air and salivary glands are drawn with simple solids in MNI millimetres,
since the template is stripped of its skull. The landmarks are those of electrode caps on the MNI
head (nasion y 87, z -40; ear canals x 86, y -20, z -48; inion y -119; vertex z 100: Oostenveld and
Praamstra 2001, 10.1016/S1388-2457(00)00527-7); the rest is placed from them by eye, in
``head.yaml``. A real head is 0.9 times this size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from scipy.ndimage import distance_transform_edt, gaussian_filter

__all__ = ["AFFINE", "SHAPE", "axes_mm", "draw_glands", "ellipsoid", "rod", "surround"]

SHAPE = (99, 121, 128)
#: From a voxel of the standard head (2 mm) to mm in it, (4, 4).
AFFINE = np.array([[2.0, 0, 0, -98], [0, 2.0, 0, -134], [0, 0, 2.0, -150], [0, 0, 0, 1]])
# voxel -> mm, x -98..98, y -134..106, z -150..104: vertex to chin
EDGE_MM = 3.0  # width of a solid's soft edge: a voxel and a half

Point = tuple[float, float, float]

FLUID_MM = 3.0  # brain surface to bone; lengths here are design choices
SKIN_MM = 15.0  # brain surface to skin: 13.5 mm in a real head
SCALP_MM, SKIN_OF_FACE_MM = 6.0, 2.0
BONE_FRACTION = 0.7  # the tables are solid, the diploe between them is marrow
FISSURE_MM = 20.0  # the skull bridges dents of the brain up to twice as wide

TABLES = yaml.safe_load(Path(__file__).with_name("head.yaml").read_text(encoding="utf-8"))


def axes_mm(shape: tuple[int, ...] = SHAPE, affine: np.ndarray = AFFINE) -> list[np.ndarray]:
    """Return the open x, y and z axes in mm of an axis-aligned grid, ready to broadcast.

    Examples
    --------
    >>> [axis.shape for axis in axes_mm((2, 3, 4))]
    [(2, 1, 1), (1, 3, 1), (1, 1, 4)]
    """
    lines = [affine[k, 3] + affine[k, k] * np.arange(n) for k, n in enumerate(shape)]
    return [line.astype(np.float32) for line in np.ix_(*lines)]


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
    for start, end in pairwise(points):
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


def surround(brain: np.ndarray) -> dict[str, np.ndarray]:
    """Draw what surrounds the brain.

    Parameters
    ----------
    brain : ndarray, float32 (99, 121, 128)
        Fraction of each voxel that the brain with its ventricles and sulci fills.

    Returns
    -------
    dict of str to ndarray, float32 (99, 121, 128)
        Fractions of ``fluid`` (around the brain), ``skull`` (all bone), ``scalp`` and ``soft``
        tissue. With the brain they sum to at most 1; what is missing inside the head is air.
    """
    depth = gaussian_filter(_depth(brain), 0.7)
    body = (depth <= SKIN_MM) | _face() | _neck()
    solid = gaussian_filter(body.astype(np.float32), 2)
    solid = np.clip(4 * (solid - 0.375), 0, 1)  # steepen the smoothed edge to about one voxel
    around = np.clip(solid - brain, 0, 1)
    fluid = around * np.clip(0.5 + (FLUID_MM - depth) / 2, 0, 1)
    rest = (around - fluid) * (1 - _air())
    bones = (one["share"] * rod(one["points"], one["radius"]) for one in TABLES["bones"].values())
    skull = rest * np.maximum.reduce([_vault(depth), *bones])
    thick = np.interp(axes_mm()[2], [-70, -40], [SKIN_OF_FACE_MM, SCALP_MM])
    skin = (distance_transform_edt(solid > 0.5) * 2 <= thick).astype(np.float32)
    scalp, soft = (rest - skull) * skin, (rest - skull) * (1 - skin)
    return {"fluid": fluid, "skull": skull, "scalp": scalp, "soft": soft}


def draw_glands() -> dict[str, np.ndarray]:
    """Draw the right parotid and submandibular gland as weights, float32 (99, 121, 128)."""
    lobes = {name: [ellipsoid(**one) for one in row] for name, row in TABLES["glands"].items()}
    return {name: np.maximum.reduce(parts) for name, parts in lobes.items()}


def _depth(brain: np.ndarray) -> np.ndarray:
    """Return the distance in mm from the brain, of which the upper half is closed to a solid."""
    bare = distance_transform_edt(brain < 0.5, sampling=2)
    closed = FISSURE_MM - distance_transform_edt(bare <= FISSURE_MM, sampling=2)
    upper = np.clip((axes_mm()[2] + 30) / 20, 0, 1)  # below, the dents of the brain hold bone
    near = upper * (bare <= FISSURE_MM)
    return (bare + near * (closed.clip(0) - bare)).astype(np.float32)


def _vault(depth: np.ndarray) -> np.ndarray:
    """Return the fraction of bone in the shell around the brain.

    It is thick at forehead and occiput, thin at the temple, below the temporal lobes and above
    the orbits (4 to 9 mm here).
    """
    x, y, z = axes_mm()
    temple = np.clip((np.abs(x) - 45) / 20, 0, 1) * np.clip((45 - z) / 30, 0, 1)
    base = np.clip((-25 - z) / 20, 0, 1) * np.clip((y + 60) / 30, 0, 1)
    thick = 7.0 + 2 * np.clip(np.abs(y + 15) / 80 - 0.5, 0, 1) - 3.5 * np.maximum(temple, base)
    inner, outer = (depth - FLUID_MM) / 2, (FLUID_MM + thick - depth) / 2
    return BONE_FRACTION * np.clip(0.5 + inner, 0, 1) * np.clip(0.5 + outer, 0, 1)


def _air() -> np.ndarray:
    """Return the fraction of air in nose, sinuses, mastoid and throat."""
    solids = TABLES["air"].values()
    parts = [one["share"] * ellipsoid(one["centre"], one["radii"]) for one in solids]
    return np.maximum.reduce([*parts, *(part[::-1] for part in parts), rod(**TABLES["pharynx"])])


def _face() -> np.ndarray:
    """Return face and nose as a solid, bool (99, 121, 128)."""
    x, y, z = axes_mm()
    width = np.interp(z, [-150, -130, -110, -80, -50, -20], [48, 58, 70, 78, 80, 80])
    front = np.interp(z, [-150, -130, -100, -50, -20], [82, 87, 91, 87, 84])
    length = np.where(y > 15, front - 15, 60)
    slices = (np.abs(x) / width) ** 2.4 + (np.abs(y - 15) / length) ** 2.4 <= 1
    jaw = z > -132 - 0.18 * np.clip(y - 10, 0, None)  # it ends above the grid's lowest slice
    nose = rod(((0, 84, -46), (0, 92, -82), (0, 90, -90)), 10) > 0.5
    return (slices & jaw & (z < -10)) | nose


def _neck() -> np.ndarray:
    """Return the neck as a solid: it widens downward and leaves the grid, bool (99, 121, 128)."""
    x, y, z = axes_mm()
    levels = [-150, -120, -90, -50]
    width = np.interp(z, levels, [78, 63, 60, 64])
    depth = np.interp(z, levels, [68, 61, 58, 60])
    middle = np.interp(z, levels, [-42, -34, -26, -38])
    neck = (x / width) ** 2 + ((y - middle) / depth) ** 2 <= 1
    return np.broadcast_to(neck & (z < -40), SHAPE)
