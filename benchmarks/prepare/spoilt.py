"""Exams cut, turned, drowned in noise and lit up where no brain is: found, or at least flagged?

And exams that storage or export spoilt, in whose numbers nothing is where or what it was: called
good? What no check can tell is among them, so that the table says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.linalg import expm
from scipy.ndimage import gaussian_filter

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
    noisy = exam.data + share * brain_of(exam) * rng.normal(size=exam.data.shape).astype(np.float32)
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


def brain_of(exam: Exam) -> float:
    """Return about what the brain holds."""
    return float(np.percentile(exam.data[exam.data > 0.1 * exam.data.max()], 50))


def stored(change: Callable[[np.ndarray, float], np.ndarray]) -> Callable[[Exam], Exam]:
    """Return a spoil that changes the voxels, given what the brain holds."""
    return lambda exam: replace(exam, data=change(exam.data, brain_of(exam)).astype(np.float32))


def slices(change: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[Exam], Exam]:
    """Return a spoil of slices, given the one through the striata."""
    return lambda exam: replace(
        exam, data=change(exam.data.copy(), round(exam.voxel(exam.true.mean(axis=0))[2]))
    )


def put(data: np.ndarray, where: slice, what: np.ndarray | float) -> np.ndarray:
    """Put axial slices into a volume."""
    data[:, :, where] = what
    return data


def swap_pairs(data: np.ndarray, middle: int) -> np.ndarray:  # noqa: ARG001
    """Swap every two neighbours."""
    order = np.arange(data.shape[2])
    return data[:, :, np.minimum(order ^ 1, order[-1])]


def dim(exam: Exam, offsets: Sequence[tuple[float, ...]], mm: float, share: float) -> Exam:
    """Leave balls, at offsets from the striata, a share of their uptake; the edge is blurred."""
    voxels: tuple[np.ndarray, ...] = np.indices(exam.data.shape, sparse=True)
    size, ball = spacing(exam.affine), np.zeros(exam.data.shape, np.float32)
    for offset in offsets:
        centre = exam.voxel(exam.true.mean(axis=0) + offset)
        away = [(v - c) * s for v, c, s in zip(voxels, centre, size, strict=True)]
        ball[np.less(sum(one**2 for one in away), mm**2)] = 1
    ball = gaussian_filter(ball, 6 / 2.3548 / size)
    return replace(exam, data=exam.data * (1 - (1 - share) * ball))


def hollow(exam: Exam, mm: float) -> Exam:
    """Put 0 into a cube around the centre of the right striatum."""
    data, centre = exam.data.copy(), exam.voxel(exam.true[1])
    reach = mm / 2 / spacing(exam.affine)
    ends = zip(centre - reach, centre + reach, strict=True)
    data[tuple(slice(int(np.ceil(a)), int(b) + 1) for a, b in ends)] = 0
    return replace(exam, data=data)


OCCIPITAL = [(side, -88.0, -2.0) for side in (-20.0, 20.0)]  # mm from the striata
STORED: dict[str, Callable[[Exam], Exam]] = {
    "clipped at 0.7 of the peak": stored(lambda data, _: np.minimum(data, 0.7 * data.max())),
    "clipped at twice the brain": stored(lambda data, brain: np.minimum(data, 2 * brain)),
    "a byte that ran over": stored(
        lambda data, _: (np.maximum(data, 0) / data.max() * 400).astype(np.uint16).astype(np.uint8)
    ),
    "0.1 of the brain taken off": stored(lambda data, brain: data - 0.1 * brain),
    "0.3 of the brain taken off": stored(lambda data, brain: data - 0.3 * brain),
    "0.3 of the brain taken off, air at 0": stored(
        lambda data, brain: np.maximum(data - 0.3 * brain, 0)
    ),
    "two slices at 0": slices(lambda data, z: put(data, slice(z, z + 2), 0.0)),
    "two slices lost": slices(lambda data, z: np.delete(data, slice(z, z + 2), 2)),
    "four slices lost": slices(lambda data, z: np.delete(data, slice(z, z + 4), 2)),
    "a slice four times more": slices(lambda data, z: np.insert(data, [z] * 4, data[:, :, [z]], 2)),
    "pairs of slices swapped": slices(swap_pairs),
    "eight slices in reverse": slices(
        lambda data, z: put(data, slice(z - 4, z + 4), data[:, :, z - 4 : z + 4][:, :, ::-1].copy())
    ),
    "every other slice mirrored": slices(
        lambda data, _: put(data, slice(1, None, 2), data[::-1, :, 1::2].copy())
    ),
    "a cube of 12 mm at 0 in a striatum": lambda exam: hollow(exam, 12.0),
    "occipital uptake of 0.7": lambda exam: dim(exam, OCCIPITAL, 35, 0.7),
    "a left occipital infarct": lambda exam: dim(exam, OCCIPITAL[:1], 32, 0.1),
    "pixels 0.87 as long as wide": lambda exam: replace(
        exam, affine=exam.affine @ np.diag([1, 0.87, 1, 1])
    ),
    "slices 0.87 as thick": lambda exam: replace(
        exam, affine=exam.affine @ np.diag([1, 1, 0.87, 1])
    ),
    "the logarithm of counts to 1000": stored(
        lambda data, _: np.log1p(1000 * np.maximum(data, 0) / data.max())
    ),
    "the square root": stored(lambda data, _: np.sqrt(np.maximum(data, 0))),
    "the square": stored(lambda data, _: data**2),
}
# A lost pair in noise, and what leaves every ratio within what exams have.
UNTOLD = (
    "0.1 of the brain taken off", "0.3 of the brain taken off, air at 0", "two slices lost",
    "a slice four times more", "slices 0.87 as thick", "the square root", "the square",
)  # fmt: skip


def measure(paths: list[Path]) -> Iterator[Figure]:
    """Yield for each spoil how many exams fail without being flagged; SimpleITK's beside it.

    Then, for what storage does, how many exams are called good.
    """
    exams = [_open(path) for path in paths]
    for name, spoil in STORED.items():
        good = sum(not _ours(spoil(exam))[1] for exam in exams)
        bound = (None, None if name in UNTOLD else 0)
        yield Figure(f"{name}: called good", good, bound, None, "exams", f"of {len(exams)}")
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
