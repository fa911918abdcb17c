"""One exam: from a scan to a volume on the canonical grid, where non-specific uptake is 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from datkit.errors import UsageError
from datkit.prepare.align import Pose, find_pose
from datkit.prepare.grid import GRID, LABELS, load_regions, reference_level
from datkit.scan import Scan

__all__ = ["PrepareSettings", "Prepared", "prepare_scan"]

# What good exams have; see the tests for the bad ones that fall outside.
EXPECTED = {
    "similarity": (0.9, 1.0),
    "head_in_view": (0.5, 1.0),
    "regions_in_view": (0.95, 1.0),
    "scale": (0.8, 1.25),
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
    {'scaling': True, 'ceiling': 1.6, 'striatal_weight': 4.0, 'order': 1}
    """

    scaling: bool = True
    ceiling: float = 1.6
    striatal_weight: float = 4.0
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
        against the template), `rotation` (degrees against the scan's axes), `reference` (the
        occipital region's uptake in the scan's unit), and `verdict`: ``"good"``, or what to look at.
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
        If there is no head in the scan, or not enough of its occipital region to scale by.
    """
    settings = settings or PrepareSettings()
    data, affine = _trim(*_reorient(scan))
    pose = find_pose(
        data,
        affine,
        scaling=settings.scaling,
        ceiling=settings.ceiling,
        striatal_weight=settings.striatal_weight,
    )
    to_voxels = np.linalg.inv(affine) @ pose.matrix @ GRID.affine
    volume = _resample(data, to_voxels, settings.order)
    reference = reference_level(volume)
    return Prepared(
        (volume / reference).astype(np.float32),
        pose.matrix,
        _quality(pose, data.shape, to_voxels, reference),
    )


def _reorient(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Flip and permute the array axes to the closest of the patient's; no voxel changes."""
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    return np.asarray(image.dataobj, np.float32), image.affine


def _trim(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut off empty borders: what was padded with zeros was not seen by the camera."""
    box = ndimage.find_objects((data != 0).view(np.int8))[0]
    trimmed = affine.copy()
    trimmed[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return data[box], trimmed


def _resample(data: np.ndarray, to_voxels: np.ndarray, order: int) -> np.ndarray:
    """Return the scan on the canonical grid; only the box around the grid is looked at."""
    margin = 6  # voxels; a cubic spline's coefficient fades by 0.27 a voxel, to 0.0004
    index = to_voxels[:3] @ np.vstack([_corners().T, np.ones(8)])
    low = np.maximum(np.floor(index.min(axis=1)).astype(int) - margin, 0)
    high = np.maximum(np.ceil(index.max(axis=1)).astype(int) + margin, low + 1)
    box = data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    volume = ndimage.affine_transform(
        box, to_voxels[:3, :3], to_voxels[:3, 3] - low, GRID.shape, order=order
    )
    return np.maximum(volume, 0)


def _corners() -> np.ndarray:
    return np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(GRID.shape) - 1)


def _quality(
    pose: Pose, shape: tuple[int, ...], to_voxels: np.ndarray, reference: float
) -> dict[str, float | str]:
    linear = pose.matrix[:3, :3]
    scale = float(np.cbrt(np.linalg.det(linear)))
    cosine = (np.trace(linear / scale) - 1) / 2
    quality = {
        "similarity": pose.similarity,
        "head_in_view": pose.in_view,
        "regions_in_view": _regions_in_view(shape, to_voxels),
        "scale": scale,
        "rotation": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        "reference": reference,
    }
    return quality | {"verdict": _verdict(quality)}


def _regions_in_view(shape: tuple[int, ...], to_voxels: np.ndarray) -> float:
    """Return the visible share of the least visible region."""
    regions = load_regions()
    shares = []
    for name in LABELS:
        index = np.argwhere(regions[name]) @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        shares.append(((index >= 0) & (index <= np.array(shape) - 1)).all(axis=1).mean())
    return float(min(shares))


def _verdict(quality: dict[str, float]) -> str:
    """Return ``"good"`` or every reason to look at the exam, in one sentence."""
    reasons = [
        f"{name} is {quality[name]:.2f}, expected {low:g} to {high:g}"
        for name, (low, high) in EXPECTED.items()
        if not low <= quality[name] <= high
    ]
    return f"look at it: {'; '.join(reasons)}" if reasons else "good"
