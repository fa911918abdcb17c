"""Exams cut, turned, drowned in noise and lit up where no brain is: found, or at least flagged?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.linalg import expm

from benchmarks.common.figures import Figure
from benchmarks.prepare.rivals import simpleitk_affine
from benchmarks.prepare.striata import FAILED_MM, distance_mm, found_centres, true_centres
from datkit.errors import PrepareError
from datkit.io.scan import Scan, load_scan
from datkit.prepare import prepare_scan
from datkit.prepare.levels import GENERATORS, RADIUS
from datkit.prepare.sampling import shift, spacing, transform


@dataclass
class Exam:
    """Voxels close to RAS, and the true centroids of the striata (2, 3), scan mm."""

    data: np.ndarray
    affine: np.ndarray
    true: np.ndarray

    def voxel(self, mm: np.ndarray) -> np.ndarray:
        """Return a place's voxel indices (3,)."""
        return transform(np.linalg.inv(self.affine), np.reshape(mm, (3, 1))).ravel()


def cut(exam: Exam, axis: int, sign: int, mm: float) -> Exam:
    """End the array so many mm beyond the striata."""
    place = exam.voxel(exam.true.mean(axis=0))[axis] + sign * mm / spacing(exam.affine)[axis]
    keep, place = [slice(None)] * 3, int(np.clip(place, 0, exam.data.shape[axis]))
    keep[axis] = slice(None, place) if sign > 0 else slice(place, None)
    start = [part.start or 0 for part in keep]
    return Exam(exam.data[tuple(keep)], exam.affine @ shift(start), exam.true)


def turn(exam: Exam, axis: int, degrees: float) -> Exam:
    """Turn the head about its striata; the array turns with it."""
    middle = exam.true.mean(axis=0)
    turned = expm(np.radians(degrees) * RADIUS * GENERATORS[3 + axis])
    moved = shift(middle) @ turned @ shift(-middle)
    return Exam(exam.data, moved @ exam.affine, transform(moved, exam.true.T).T)


def noise(exam: Exam, share: float) -> Exam:
    """Add white noise to every voxel, in shares of the brain's uptake; cut off at 0."""
    rng = np.random.default_rng(0)
    level = share * np.percentile(exam.data[exam.data > 0.1 * exam.data.max()], 50)
    noisy = exam.data + level * rng.normal(size=exam.data.shape).astype(np.float32)
    return Exam(np.maximum(noisy, 0), exam.affine, exam.true)


def light(exam: Exam, offset: tuple[float, ...], times: float) -> Exam:
    """Light a ball of 2 cm, at an offset in mm from the striata, times as hot as anything else."""
    voxels: tuple[np.ndarray, ...] = np.indices(exam.data.shape, sparse=True)
    centre = exam.voxel(exam.true.mean(axis=0) + offset)
    size = spacing(exam.affine)
    away = [(v - c) * s for v, c, s in zip(voxels, centre, size, strict=True)]
    squared = sum(mm**2 for mm in away)
    ball = times * exam.data.max() * np.exp(-0.5 * squared / 8.5**2)
    return Exam(exam.data + ball.astype(np.float32), exam.affine, exam.true)


def border(exam: Exam, times: float) -> Exam:
    """Light the whole lowest slice."""
    data = exam.data.copy()
    data[:, :, 0] = times * data.max()
    return Exam(data, exam.affine, exam.true)


SPOILS: dict[str, Callable[[Exam], Exam]] = {
    "vertex cut 30 mm above": lambda exam: cut(exam, 2, 1, 30),
    "base cut 20 mm below": lambda exam: cut(exam, 2, -1, 20),
    "back cut 40 mm behind": lambda exam: cut(exam, 1, -1, 40),
    "left side cut at 40 mm": lambda exam: cut(exam, 0, -1, 40),
    "pitch of 60°": lambda exam: turn(exam, 0, 60),
    "yaw of 90°": lambda exam: turn(exam, 2, 90),
    "upside down": lambda exam: turn(exam, 0, 180),
    "noise of 100 %": lambda exam: noise(exam, 1.0),
    "a gland ten times as hot": lambda exam: light(exam, (55, -15, -70), 10),
    "a spot before the brow": lambda exam: light(exam, (0, 95, 0), 3),
    "lowest slice ten times as hot": lambda exam: border(exam, 10),
}


def measure(paths: list[Path]) -> Iterator[Figure]:
    """Yield for each spoil how many exams fail without being flagged; SimpleITK's beside it."""
    exams = [_open(path) for path in paths]
    for name, spoil in SPOILS.items():
        spoilt = [spoil(exam) for exam in exams]
        errors, flags = map(np.array, zip(*map(_ours, spoilt), strict=True))
        theirs = np.array([_theirs(exam) for exam in spoilt])
        far = int((errors > FAILED_MM).sum())
        note = (
            f"{far} of {len(errors)} beyond {FAILED_MM:g} mm, {int(flags.sum())} flagged or "
            f"refused, median error {np.nanmedian(errors):.1f} mm; SimpleITK "
            f"{int((theirs > FAILED_MM).sum())} beyond, median {np.median(theirs):.1f} mm"
        )
        unseen = int(((errors > FAILED_MM) & ~flags).sum())
        yield Figure(f"{name}: failures not flagged", unseen, (None, 0), None, "exams", note)


def _open(path: Path) -> Exam:
    scan = load_scan(path)
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    true = true_centres(path.name.removesuffix(".nii.gz"))
    return Exam(np.asarray(image.dataobj, np.float32), image.affine, true)


def _ours(exam: Exam) -> tuple[float, bool]:
    """Return the error (NaN if refused), and whether the exam is flagged or refused."""
    try:
        found = prepare_scan(Scan(exam.data, exam.affine))
    except PrepareError:
        return float("nan"), True
    error = distance_mm(found_centres(found.to_scan, found.quality), exam.true)
    return error, bool(found.reasons)


def _theirs(exam: Exam) -> float:
    try:
        return distance_mm(found_centres(simpleitk_affine(exam.data, exam.affine)), exam.true)
    except RuntimeError:  # SimpleITK: all samples map outside
        return float("inf")
