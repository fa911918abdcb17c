"""What may be wrong with a prepared exam: numbers, names, and a verdict in plain words."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from datkit.prepare.align import Pose
from datkit.prepare.grid import GRID, LABELS, load_regions
from datkit.prepare.levels import BOTTOM_MM, STRIATUM_MM, scaled_template
from datkit.prepare.sampling import is_inside, sample, spacing, transform
from datkit.prepare.striatum import FURTHEST, SHIFTS

__all__ = ["EXPECTED", "assess"]

# What good exams have; balls, cylinders and heads cut or turned fall outside (see the tests).
EXPECTED = {
    "similarity": (0.9, 1.0),  # 0.93 and more even in noise of 40 % a voxel
    "head_in_view": (0.5, 1.0),
    "regions_in_view": (0.95, 1.0),
    "scale": (0.75, 1.15),  # adult heads measure about 0.9 of the MNI template
    "rotation": (0.0, 45.0),
}
FAR = 0.9 * FURTHEST  # mm; a striatum found as far away as was looked is none
SIDES = (("left", "right"), ("back", "front"), ("bottom", "top"))
CUT = 0.01  # share of the head beyond a side of the field from which it is called cut
HEAD = 0.5  # times the brain's uptake; the template's scalp and skull hold less


def assess(
    pose: Pose,
    shape: tuple[int, ...],
    affine: np.ndarray,
    hottest: tuple[np.ndarray, float, bool],
    reference: tuple[str, float],
    shifts: dict[str, float],
) -> dict[str, float | str]:
    """Return the quality record of :class:`datkit.prepare.Prepared`.

    Parameters
    ----------
    pose : Pose
        Where the head lies.
    shape, affine : tuple, array (4, 4)
        Of the scan's frame: what was not seen is outside, air is inside.
    hottest : tuple
        Place of the scan's hottest voxel (mm), its uptake, and whether it lies on the border.
    reference : tuple
        Region and level of :func:`datkit.prepare.find_reference`.
    shifts : dict
        Of :func:`datkit.prepare.locate_striata`.
    """
    linear, to_voxels = pose.matrix[:3, :3], np.linalg.inv(affine) @ pose.matrix
    scale = float(np.cbrt(np.linalg.det(linear)))
    cosine = (np.trace(linear / scale) - 1) / 2
    place, uptake, on_border = hottest
    quality = {
        "similarity": pose.similarity,
        "head_in_view": pose.in_view,
        "regions_in_view": _regions_in_view(shape, to_voxels),
        "cut": _cut_sides(shape, to_voxels),
        "scale": scale,
        "rotation": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        "reference": reference[1],
        "reference_region": reference[0],
        "hottest": uptake / reference[1],
        "hottest_in": "border" if on_border else _where(np.linalg.inv(pose.matrix), place),
        "fallback": pose.fallback,
    } | shifts
    return quality | {"verdict": _verdict(quality)}


def _regions_in_view(shape: tuple[int, ...], to_voxels: np.ndarray) -> float:
    """Return the visible share of the least visible region."""
    masks, to_index = load_regions(), to_voxels @ GRID.affine
    index = [transform(to_index, np.argwhere(masks[name]).T) for name in LABELS]
    return float(min(is_inside(shape, each).mean() for each in index))


def _cut_sides(shape: tuple[int, ...], to_voxels: np.ndarray) -> str:
    """Return the sides of the field beyond which a part of the head lies, or ``"none"``."""
    index = transform(to_voxels, _head_points())
    beyond = np.stack([index < -0.5, index > np.array(shape)[:, None] - 0.5]).mean(axis=2)
    names = [SIDES[axis][end] for axis, end in np.ndindex(3, 2) if beyond[end, axis] > CUT]
    return ", ".join(names) or "none"


def _where(to_template: np.ndarray, place: np.ndarray) -> str:
    """Return what lies at a place: striatum, brain, or outside the brain."""
    point = transform(to_template, place.reshape(3, 1))
    if sample(_to_striata(), GRID.affine, point, cval=np.inf)[0] < STRIATUM_MM:
        return "striatum"
    in_brain = sample(*scaled_template(), point)[0] > HEAD and point[2] > BOTTOM_MM
    return "brain" if in_brain else "outside the brain"


@cache
def _head_points() -> np.ndarray:
    """Return points (3, n) of the template's head above the neck, mm."""
    template, affine = scaled_template()
    points = transform(affine, 3 * np.argwhere(template[::3, ::3, ::3] > HEAD).T)
    return points[:, points[2] > BOTTOM_MM]


@cache
def _to_striata() -> np.ndarray:
    """Return the distance to the nearest striatal mask, mm, on the canonical grid."""
    regions = load_regions()
    striata = regions["striatum_left"] | regions["striatum_right"]
    return ndimage.distance_transform_edt(~striata, sampling=spacing(GRID.affine))


def _verdict(quality: dict[str, float | str]) -> str:
    """Return ``"good"`` or every reason to look at the exam, in one sentence."""
    reasons = [
        f"{name} is {quality[name]:.2f}, expected {low:g} to {high:g}"
        for name, (low, high) in EXPECTED.items()
        if not low <= quality[name] <= high
    ]
    shifts = np.array([quality[name] for name in SHIFTS]).reshape(2, 3)
    if (furthest := np.linalg.norm(shifts, axis=1).max()) > FAR:
        reasons.append(f"a striatum lies {furthest:.1f} mm from its place, expected 0 to {FAR:g}")
    if quality["reference_region"] != "occipital":
        reasons.append("the reference is the whole brain, since the occipital region is not shown")
    return f"look at it: {'; '.join(reasons)}" if reasons else "good"
