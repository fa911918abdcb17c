"""Binding ratios of one side's regions, and where those regions lie.

A left side is measured as the right side of the mirrored volume, so that left and right are treated
alike to the last bit. Its regions may be moved, where the striatum of an exam is known to lie a
little off; they are moved by fractions of a voxel, and what is read is linear between voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from datkit.errors import UsageError
from datkit.prepare.grid import GRID, distance_to, grid_mm, load_regions
from datkit.prepare.sampling import blur
from datkit.prepare.striatum import SHIFTS

__all__ = ["SIDES", "right_frame", "shifts_of", "take_side"]

SIDES = ("left", "right")
SHARP = ("caudate", "putamen", "anterior_putamen", "posterior_putamen", "striatum")
SOFT = {"soft_caudate": "caudate", "soft_putamen": "putamen"}
WHOLE = "whole_caudate"
STRUCTURES = (*SHARP, WHOLE, *SOFT)
# The caudate's hottest voxels are sought so near to its region, since bodies and noise put them
# off; asymmetries err by 11 % (SD) with 4 mm, 10.3 with 6, 10.1 with 8, where neighbours read more.
NEAR_MM = 6.0
SOFT_MM = 11.0  # FWHM of a soft region's edge: as wide as most cameras blur what they see
POSTERIOR_MM = -5.0  # y behind which the putamen counts as posterior: its last two fifths
REACH_MM = 12.0  # around the striatum: as far as a camera of 12 mm FWHM spills most of its counts
FARTHEST_MM = 20.0  # a striatum is not moved by more; an exam so far off is not prepared
MM = GRID.affine[0, 0]

Shifts = Mapping[str, Sequence[float]]


class Frame(NamedTuple):
    """A box around the right striatum, and what lies where in it.

    Attributes
    ----------
    box : tuple of slice
        Of the canonical grid.
    masks : dict of str to ndarray, bool, the box's shape
        The regions with a sharp edge, of :data:`STRUCTURES`.
    weights : dict of str to ndarray, the box's shape
        Those with a soft one, ``soft_caudate`` and ``soft_putamen``; each sums to 1.
    mm : ndarray, the box's shape with 3 ahead
        Positions x, y, z in mm.
    away : ndarray, the box's shape
        Distance from the striatum, mm; 0 inside.
    near : ndarray, bool, the box's shape
        Where a caudate's hottest voxels are: within 6 mm of its region, but not in the putamen's,
        nor on the other side.
    """

    box: tuple[slice, ...]
    masks: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    mm: np.ndarray
    away: np.ndarray
    near: np.ndarray


@cache
def right_frame() -> Frame:
    """Return the box that holds the right striatum and 12 mm around it."""
    regions = load_regions()
    masks = {name: regions[f"{name}_right"] for name in ("caudate", "putamen", "striatum")}
    back = grid_mm()[1] < POSTERIOR_MM
    masks["anterior_putamen"] = masks["putamen"] & ~back
    masks["posterior_putamen"] = masks["putamen"] & back
    away = distance_to(masks["striatum"])
    box = ndimage.find_objects((away <= REACH_MM).astype(int))[0]
    edges = {
        soft: blur(masks[name] + 0.0, GRID.affine, SOFT_MM)[box] for soft, name in SOFT.items()
    }
    weights = {name: part / part.sum() for name, part in edges.items()}
    near = (distance_to(masks["caudate"]) <= NEAR_MM) & ~masks["putamen"] & (grid_mm()[0] > MM)
    masks = {name: masks[name][box] for name in SHARP}
    return Frame(box, masks, weights, grid_mm()[(slice(None), *box)], away[box], near[box])


def take_side(volume: np.ndarray, side: str, shift: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """Return the box around one striatum, in the shape of :func:`right_frame`.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        A prepared volume.
    side : str
        ``"left"`` or ``"right"``; a left side comes mirrored.
    shift : three floats
        How far this striatum lies from its place on the canonical grid, x, y, z in mm. Without a
        shift no voxel changes.

    Raises
    ------
    UsageError
        If the shift is not three finite numbers of at most 20 mm.
    """
    moved = np.asarray(shift, float)
    if moved.shape != (3,) or not np.linalg.norm(moved) <= FARTHEST_MM:
        raise UsageError(
            f"Expected the shift of the {side} striatum as x, y, z in mm, at most "
            f"{FARTHEST_MM:g} mm, found {shift}; leave it out, or prepare the exam again."
        )
    if side == "left":
        volume, moved = volume[::-1], moved * (-1, 1, 1)
    box = right_frame().box
    first = [part.start for part in box] + moved / MM
    size = tuple(part.stop - part.start for part in box)
    one = np.ones(3)
    return ndimage.affine_transform(volume, one, first, size, np.float64, order=1, mode="nearest")


def binding_ratios(side: np.ndarray) -> dict[str, float]:
    """Return the specific binding ratio of each of :data:`STRUCTURES`.

    ``SBR = mean(region) − 1``, no unit, where non-specific uptake is 1: how much more tracer a
    region holds than tissue without transporters (Innis et al. 2007, 10.1038/sj.jcbfm.9600493,
    call it BP_ND). It belongs to its method: regions, camera and reconstruction move it
    (Tossici-Bolt et al. 2017, 10.1186/s40658-017-0175-6).

    The caudate is thin, between fluid and white matter: a mean over its region scatters with every
    millimetre, and with the ventricle. So ``caudate`` is the mean of the hottest voxels in and
    around the region, as many as it has: 4.3 mL, where Wenzel et al. (2019,
    10.1007/s00259-019-04502-5) take 5 mL. Between two scans of a patient its asymmetry varies by
    8 %, the region's by 14 % (SD; simulated). It reads a little above 0 where nothing binds, as
    noise is hot somewhere. ``whole_caudate`` is the mean over the region.

    ``soft_caudate`` and ``soft_putamen`` are means too, weighted by the region's own image at 11 mm
    FWHM: among fixed weights those that tell a known form best from white noise (a matched
    filter). They read lower, since they take surroundings in, and scatter less.

    Parameters
    ----------
    side : array
        Of :func:`take_side`, over the reference.
    """
    frame = right_frame()
    found = {name: float(side[mask].mean()) - 1 for name, mask in frame.masks.items()}
    found |= {name: float((side * w).sum()) - 1 for name, w in frame.weights.items()}
    hottest = np.sort(side[frame.near])[-np.count_nonzero(frame.masks["caudate"]) :]
    return found | {WHOLE: found["caudate"], "caudate": float(hottest.mean()) - 1}


def shifts_of(row: Mapping[str, Any]) -> dict[str, tuple[float, ...]] | None:
    """Return the shifts that preparation recorded for an exam, None if it recorded none.

    Parameters
    ----------
    row : mapping
        ``Prepared.quality``, or a row of ``PreparedCohort.table``: ``left_shift_x`` … in mm.

    Examples
    --------
    >>> row = {f"{side}_shift_{axis}": 1.0 for side in SIDES for axis in "xyz"}
    >>> shifts_of(row), shifts_of({})
    ({'left': (1.0, 1.0, 1.0), 'right': (1.0, 1.0, 1.0)}, None)
    """
    if not all(name in row for name in SHIFTS):
        return None
    mm = tuple(float(row[name]) for name in SHIFTS)
    return {"left": mm[:3], "right": mm[3:]}
