"""What a reader of the page may do to an exam, and what the network and a ruler make of it.

The page's script, ``book/static/dat-network-exam.js``, does the same in JavaScript; a test holds
one against the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from datkit.measure.regions import SIDES, binding_ratios, right_frame, take_side
from datkit.prepare.grid import GRID, distance_to, grid_mm
from datkit.prepare.sampling import blur

__all__ = ["SEEN", "Changes", "change", "dimming", "measure", "on_grid"]

# What the page holds of the canonical grid: x −63 … +63, y −46 … +46, z −36 … +52 mm, the network's
# box and at least 10 mm around it, so that an exam may be moved.
SEEN = (slice(0, 64), slice(33, 80), slice(0, 45))
RATIOS = ("caudate", "putamen", "posterior_putamen")
DIMMED_MM = 4.0  # around the posterior putamen: what a camera has spilt of it lies there
EDGE_MM = 8.0  # FWHM of the edge of what is dimmed: no camera of the kit sees a sharper one

Places = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Changes:
    """What is done to an exam, in this order.

    Attributes
    ----------
    left, right : float
        Share, 0 to 1, of the specific uptake that the posterior putamen of a side loses.
    blur : float
        FWHM of a Gaussian, mm.
    mirror : bool
        Left and right exchanged.
    shift : three floats
        By how much the exam is moved to the right, to the front and up, mm. The regions and the
        network's box stay.
    reference : float
        What the uptake of the reference region is taken to be, 1 if it is the right one.
    """

    left: float = 0.0
    right: float = 0.0
    blur: float = 0.0
    mirror: bool = False
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    reference: float = 1.0


def change(exam: np.ndarray, changes: Changes) -> np.ndarray:
    """Return an exam as it is after the changes.

    Parameters
    ----------
    exam : array, shape (64, 47, 45)
        The part :data:`SEEN` of a prepared volume: uptake, non-specific = 1.

    Examples
    --------
    >>> exam = np.full((64, 47, 45), 3.0)
    >>> float(change(exam, Changes(reference=1.5)).mean())
    2.0
    """
    lost = changes.right * dimming() + changes.left * dimming()[::-1]
    changed = 1 + (np.asarray(exam, np.float64) - 1) * (1 - lost)
    if changes.blur:
        changed = blur(changed, GRID.affine, changes.blur)
    if changes.mirror:
        changed = changed[::-1]
    if any(changes.shift):
        by = -np.array(changes.shift) / GRID.affine[0, 0]
        changed = ndimage.affine_transform(changed, np.ones(3), by, order=1, mode="nearest")
    return changed / changes.reference


@cache
def dimming() -> np.ndarray:
    """Return how far each voxel belongs to the right posterior putamen, 0 to 1, (64, 47, 45)."""
    back = right_frame().masks["posterior_putamen"]
    mask = np.zeros(GRID.shape, bool)
    mask[right_frame().box] = back
    near = (distance_to(mask) <= DIMMED_MM) & (grid_mm()[0] > 0)
    soft = blur(near.astype(float), GRID.affine, EDGE_MM)[SEEN]
    steps = np.rint(255 * soft)  # as the page holds it: one byte a voxel
    return np.where(_frame_only(), steps, 0) / 255


def _frame_only() -> np.ndarray:
    """Return the box around the right striatum, where the page holds weights, (64, 47, 45)."""
    inside = np.zeros(GRID.shape, bool)
    inside[right_frame().box] = True
    return inside[SEEN]


def on_grid(exam: np.ndarray) -> np.ndarray:
    """Return the canonical volume (64, 80, 48) that holds an exam of the page, 1 around it."""
    volume = np.ones(GRID.shape)
    volume[SEEN] = exam
    return volume


def measure(exam: np.ndarray, places: Places, changes: Changes | None = None) -> dict[str, float]:
    """Return the kit's binding ratios of an exam after changes, with the reference as it is.

    Parameters
    ----------
    exam : array, shape (64, 47, 45)
    places : mapping
        Of :func:`~datkit.measure.regions.shifts_of`: where preparation found the striata.
    changes : Changes, optional

    Returns
    -------
    dict
        ``caudate_left``, ``putamen_left``, ``posterior_putamen_left`` and those of the right.
    """
    changes = changes or Changes()
    volume = on_grid(change(exam, changes))
    found: dict[str, float] = {}
    for side in SIDES:
        other = SIDES[1 - SIDES.index(side)]
        x, y, z = places[other if changes.mirror else side]
        ratios = binding_ratios(take_side(volume, side, (-x if changes.mirror else x, y, z)))
        found |= {f"{name}_{side}": ratios[name] for name in RATIOS}
    return found
