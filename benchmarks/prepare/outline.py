"""Does the pose of a real map agree with what the outline of its brain alone tells?

Map A (see :mod:`benchmarks.cohort.real_maps`) holds brain alone, so that its outline is sharp: all
that exceeds half the brain's level, sulci and holes filled. That mask is brought onto the standard
head's by a similarity, by least squares. It knows of no uptake within, be it the striata's or any
other's; so where our pose agrees with it, no level has moved our pose. How well the outline tells a
pose is shown on exams painted like map A, whose pose is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage, optimize
from scipy.linalg import expm

from benchmarks.common.figures import Figure
from benchmarks.prepare import shifts
from benchmarks.prepare.striata import distance_mm, found_centres, rotation_left
from datkit.data.store import load_path
from datkit.errors import DatkitError
from datkit.io.scan import load_scan
from datkit.prepare import prepare_scan
from datkit.prepare.levels import GENERATORS, brain_level, head_lattice
from datkit.prepare.sampling import blur, sample, shift, spacing, transform
from datkit.simulate.patient.anatomy import AFFINE

MAP = "fpcit-hc174"
LIKE_IT = "like map A"  # among the kinds of shifts
NEAREST = {
    "mm": 2.0,
    "degrees": 2.0,
    "size": 3.0,
}  # what a pose may be off its outline's; size in %
FWHM, STEP_MM = 8.0, 6.0  # blur of both masks, and distance of the points where they are compared
SULCI_MM = 6.0  # what is narrower is closed, so that ventricles lie within


def find_map(path: Path | None = None) -> Path | None:
    """Return where map A lies, None if it is not given and was not fetched."""
    try:
        return path or Path(load_path(MAP))
    except DatkitError:
        return None


def pose_by_outline(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4), template mm to scan mm, that a stripped brain's outline tells.

    Parameters
    ----------
    data : array, shape (i, j, k)
        Uptake of a brain with nothing around it, in any unit.
    affine : array, shape (4, 4)
        Voxel indices to mm. The head lies straight within some 20°.
    """
    mask = _fill(data > brain_level(data, affine) / 2, affine)
    start = shift(_centre(mask, affine) - _centre(_standard_outline(), AFFINE))
    points, mask = head_lattice(STEP_MM), blur(mask, affine, FWHM)
    aim, _ = sample(blur(_standard_outline(), AFFINE, FWHM), AFFINE, points)

    def pose(by: np.ndarray) -> np.ndarray:
        return start @ expm(np.tensordot(by, GENERATORS, axes=1))

    def differ(by: np.ndarray) -> np.ndarray:
        return sample(mask, np.linalg.inv(pose(by)) @ affine, points)[0] - aim

    return pose(optimize.least_squares(differ, np.zeros(len(GENERATORS))).x)


@cache
def _standard_outline() -> np.ndarray:
    """Return 1 where the standard head's brain lies."""
    return _fill(shifts.brain() > 0.5, AFFINE)


def _fill(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a mask without its holes and sulci, float32."""
    steps = max(1, round(SULCI_MM / float(spacing(affine).mean())))
    closed = ndimage.binary_closing(np.pad(mask, steps), iterations=steps)
    return ndimage.binary_fill_holes(closed)[(slice(steps, -steps),) * 3].astype(np.float32)


def _centre(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return transform(affine, np.argwhere(mask).T).mean(axis=1)


def compare(pose: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return how far a pose is off another: the worse striatum's mm, degrees, and % of size."""
    resized = np.cbrt(np.linalg.det(pose[:3, :3]) / np.linalg.det(other[:3, :3]))
    return {
        "mm": distance_mm(found_centres(pose), found_centres(other)),
        "degrees": rotation_left(pose, other),
        "size": 100 * abs(float(resized) - 1),
    }


def look_at_map(path: Path) -> dict[str, float]:
    """Return how far our pose of map A is off that of its outline."""
    scan = load_scan(path)
    return compare(prepare_scan(scan).to_scan, pose_by_outline(scan.data, scan.affine))


def look_at_copy(index: int) -> dict[str, float]:
    """Return how far the outline's pose is off the true one, of an exam painted like map A."""
    drawn = shifts.drawn_still(index)
    scan = shifts.make_exam(drawn, shifts.KINDS[LIKE_IT])
    true = drawn.acquisition.head_to_scanner @ np.diag([*drawn.patient.shape.scale, 1])
    return compare(pose_by_outline(scan.data, scan.affine), true)


def figures(path: Path | None, copies: int) -> Iterator[Figure]:
    """Yield map A's pose against its outline's; then the outline's error on so many exams."""
    if path is None:
        print(f"  map A is left out: it was not fetched; `datkit data fetch {MAP}`, or --map FILE.")
        return
    off = look_at_map(path)
    labels = {"mm": ("place of the striata", "mm"), "degrees": ("rotation", "°"),
              "size": ("size of the head", "%")}  # fmt: skip
    errors = [look_at_copy(index) for index in range(copies)]
    for key, (label, unit) in labels.items():
        own = np.median([error[key] for error in errors])
        note = f"the outline's own median error on {copies} exams like map A: {own:.1f} {unit}"
        name = f"map A, off its outline's pose: {label}"
        yield Figure(name, off[key], (None, NEAREST[key]), None, unit, note)
