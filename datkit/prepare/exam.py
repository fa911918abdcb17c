"""One exam: from a scan to a volume on the canonical grid, where non-specific uptake is 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from datkit.errors import PrepareError, UsageError
from datkit.prepare.align import Pose, find_pose
from datkit.prepare.grid import GRID, LABELS, load_regions, reference_level
from datkit.prepare.volume import crop, is_inside, shift, spacing, transform
from datkit.scan import Scan

__all__ = ["PrepareSettings", "Prepared", "prepare_scan"]

CUT_MM2 = 3000.0  # a face of a scan with more uptake than a disc of 6 cm cuts through a head
AIR_MM = 30.0  # beyond the rim of air that registration looks at
# What good exams have; balls, cylinders and heads cut or turned fall outside (see the tests).
EXPECTED = {
    "similarity": (0.9, 1.0),  # 0.93 and more even in noise of 40 % a voxel
    "head_in_view": (0.5, 1.0),
    "regions_in_view": (0.95, 1.0),
    "scale": (0.75, 1.15),  # adult heads measure about 0.9 of the MNI template
    "rotation": (0.0, 45.0),
}


@dataclass(frozen=True)
class PrepareSettings:
    """How scans are prepared.

    Attributes
    ----------
    scaling : bool
        Fit the head's size too. Without it the pose is rigid and striata keep their own size.
    ceiling : float
        Uptake outside the striata counts up to this multiple of the brain's, so that salivary
        glands do not attract the fit.
    striatal_weight : float
        Weight of the points around the striata, those elsewhere having 1.
    order : int
        Of the spline that resamples the scan: 1 linear, 3 cubic.

    Raises
    ------
    UsageError
        If a value makes no sense.

    Examples
    --------
    >>> PrepareSettings(order=1).to_dict()
    {'scaling': True, 'ceiling': 1.6, 'striatal_weight': 2.5, 'order': 1}
    """

    scaling: bool = True
    ceiling: float = 1.6
    striatal_weight: float = 2.5
    order: int = 3

    def __post_init__(self) -> None:
        if not (self.ceiling > 1 and self.striatal_weight > 0 and self.order in range(6)):
            raise UsageError(
                "Expected ceiling > 1, striatal_weight > 0 and order 0 to 5, found "
                f"{self.to_dict()}; correct the settings."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Prepared:
    """One prepared exam.

    Attributes
    ----------
    volume : numpy.ndarray, shape (64, 80, 48), float32
        Uptake over the occipital region's, on the canonical grid; 0 where the scan shows nothing.
    to_scan : numpy.ndarray, shape (4, 4)
        Template mm to scan mm.
    quality : dict
        `similarity` (correlation with the template, 1 at best), `head_in_view` and
        `regions_in_view` (shares; the latter of the least visible region), `scale` (of the head
        against the template's), `rotation` (degrees against the scanner's axes), `reference` (the
        occipital region's uptake in the scan's unit), and `verdict`, which is ``"good"`` or says
        what to look at.
    """

    volume: np.ndarray
    to_scan: np.ndarray
    quality: dict[str, float | str]


def prepare_scan(scan: Scan, settings: PrepareSettings | None = None) -> Prepared:
    """Bring a scan onto the canonical grid and scale it by its occipital uptake.

    The scan is resampled once, through its affine and the pose that registration finds.

    Raises
    ------
    PrepareError
        If no head is found in the scan, or too little of its occipital region to scale by.
    """
    settings = settings or PrepareSettings()
    data, affine = _frame(*_reorient(scan))
    pose = find_pose(
        data,
        affine,
        scaling=settings.scaling,
        ceiling=settings.ceiling,
        striatal_weight=settings.striatal_weight,
    )
    volume = _resample(data, affine, pose.matrix, settings.order)
    reference = reference_level(volume)
    return Prepared(
        (volume / reference).astype(np.float32),
        pose.matrix,
        _quality(pose, data.shape, affine, reference),
    )


def _reorient(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Flip and permute the array axes to the closest of the patient's; no voxel changes."""
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    return np.asarray(image.dataobj, np.float32), image.affine


def _frame(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut off empty borders, then add air on the sides where no head was cut.

    Zeros beside a cut head were not seen by the camera; zeros beside a whole one are air. So the
    result is the same however wide an empty border a scan has.
    """
    if not data.any():
        raise PrepareError("Expected uptake, found zeros alone; export the exam again.")
    others = ((1, 2), (0, 2), (0, 1))
    ends = [np.flatnonzero(data.any(axis=pair))[[0, -1]] for pair in others]
    data = data[tuple(slice(first, last + 1) for first, last in ends)]
    pad, size = np.zeros((3, 2), int), spacing(affine)
    for axis, end in np.ndindex(3, 2):
        face = np.count_nonzero(data.take(-end, axis=axis)) * size.prod() / size[axis]
        pad[axis, end] = np.ceil(AIR_MM / size[axis]) if face < CUT_MM2 else 0
    first = [first for first, _ in ends] - pad[:, 0]
    return np.pad(data, pad), affine @ shift(first)


def _resample(data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray, order: int) -> np.ndarray:
    """Return a volume on the canonical grid; only the box around the grid is looked at."""
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(GRID.shape)[:, None] - 1)
    # A cubic spline's coefficients fade by 0.27 a voxel (Unser 1999, 10.1109/79.799930).
    margin = 8 * spacing(affine).max()
    box, affine = crop(data, affine, transform(to_scan @ GRID.affine, corners), margin)
    to_box = np.linalg.inv(affine) @ to_scan @ GRID.affine
    volume = ndimage.affine_transform(box, to_box[:3, :3], to_box[:3, 3], GRID.shape, order=order)
    return np.maximum(volume, 0)


def _quality(
    pose: Pose, shape: tuple[int, ...], affine: np.ndarray, reference: float
) -> dict[str, float | str]:
    linear = pose.matrix[:3, :3]
    scale = float(np.cbrt(np.linalg.det(linear)))
    cosine = (np.trace(linear / scale) - 1) / 2
    quality = {
        "similarity": pose.similarity,
        "head_in_view": pose.in_view,
        "regions_in_view": _regions_in_view(shape, np.linalg.inv(affine) @ pose.matrix),
        "scale": scale,
        "rotation": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        "reference": reference,
    }
    return quality | {"verdict": _verdict(quality)}


def _regions_in_view(shape: tuple[int, ...], to_voxels: np.ndarray) -> float:
    """Return the visible share of the least visible region."""
    masks, to_index = load_regions(), to_voxels @ GRID.affine
    index = [transform(to_index, np.argwhere(masks[name]).T) for name in LABELS]
    return float(min(is_inside(shape, each).mean() for each in index))


def _verdict(quality: dict[str, float]) -> str:
    """Return ``"good"`` or every reason to look at the exam, in one sentence."""
    reasons = [
        f"{name} is {quality[name]:.2f}, expected {low:g} to {high:g}"
        for name, (low, high) in EXPECTED.items()
        if not low <= quality[name] <= high
    ]
    return f"look at it: {'; '.join(reasons)}" if reasons else "good"
