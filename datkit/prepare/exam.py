"""One exam: from a scan to a volume on the canonical grid, where non-specific uptake is 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from datkit.errors import PrepareError
from datkit.io.scan import Scan
from datkit.prepare.align import PrepareSettings, find_pose
from datkit.prepare.geometry import find_proportions, find_resolution
from datkit.prepare.grid import GRID, crop_to_grid
from datkit.prepare.quality import Extremes, assess, find_reasons
from datkit.prepare.sampling import shift, spacing, transform
from datkit.prepare.striatum import locate_striata
from datkit.prepare.uptake import find_reference, look_at_uptake
from datkit.prepare.voxels import look_at_voxels
from datkit.problems import Problem

__all__ = ["Prepared", "prepare_scan"]

CUT_MM2 = 3000.0  # a face of a scan with more uptake than a disc of 6 cm cuts through a head
AIR_MM = 30.0  # beyond the rim of air that registration looks at
HUGE = 1e30  # no counts in any unit; sums of squares would be infinite
NO_COUNTS = Problem(
    "no-counts", "the scan", f"uptake, and below {HUGE:g}", "zeros alone",
    "Its voxels were not read as they were stored (number type, byte order): export it again.",
)  # fmt: skip
ARTEFACT = 2.0  # a border layer so many times as bright as the next, which blur forbids in tissue


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
        `regions_in_view` (shares; the latter of the least visible region), `cut` (the sides where
        the field ends inside the head, or ``"none"``), `scale` (of the head against the
        template's), `rotation` (degrees against the scanner's axes), `reference` (non-specific
        uptake in the scan's unit), `reference_region` (``"occipital"``, or ``"brain"`` where that
        is not shown), `hottest` (voxel of the scan, over the reference) and `hottest_in`
        (``"striatum"``, ``"brain"``, ``"outside the brain"`` as glands are, or ``"border"``),
        `lowest` (as `hottest`), `upright` (1 if the vertex points up in the scanner, −1 if down),
        `height`, `width` and `in_head` (see :func:`datkit.prepare.geometry.find_proportions`),
        `striatal_uptake`, `cortex`, `unevenness` and `brain_reference` (see
        :func:`datkit.prepare.uptake.look_at_uptake`), `pixels`, `slices`, `order`, `saturated`,
        `air`, `holes` and `brain_holes` (see :func:`datkit.prepare.voxels.look_at_voxels`),
        `orientation` (of the scan), `mended` (its
        repairs in words), `fallback` (``"none"``, or how registration had to be helped),
        `resolution` (FWHM, mm; left out where the scan does not tell it: see
        :func:`datkit.prepare.geometry.find_resolution`),
        `left_shift_x` …
        `right_shift_z` (mm; see :func:`datkit.prepare.locate_striata`), and `verdict`, which is
        ``"good"`` or the `reasons` in words, for people.
    """

    volume: np.ndarray
    to_scan: np.ndarray
    quality: dict[str, float | str]

    @property
    def reasons(self) -> list[Problem]:
        """Why to look at it, see :func:`datkit.prepare.quality.find_reasons`; none if good."""
        return find_reasons(self.quality)


def prepare_scan(scan: Scan, settings: PrepareSettings | None = None) -> Prepared:
    """Bring a scan onto the canonical grid and scale it by its occipital uptake.

    The scan is resampled once, through its affine and the pose that registration finds.

    Raises
    ------
    PrepareError
        If no head is found in the scan, or too little of its occipital region to scale by.
    """
    settings = settings or PrepareSettings()
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))  # moves no voxel
    data, affine, extremes = _frame(np.asarray(image.dataobj, np.float32), image.affine)
    air = np.float32(max(extremes.lowest, 0.0))  # a constant added to all voxels hides no head
    pose = find_pose(data - air if air else data, affine, settings)
    volume = _resample(data, affine, pose.matrix, settings.order)
    reference = find_reference(volume)
    volume = (volume / reference[1]).astype(np.float32)
    found: dict[str, float | str] = {
        **locate_striata(volume),
        **find_proportions(data, affine, pose.matrix),
        **look_at_uptake(volume),
        **look_at_voxels(data, affine, pose.matrix, reference[1]),
        "orientation": scan.orientation,
        "mended": "; ".join(scan.repairs),
    }
    if resolution := find_resolution(data, affine, pose.matrix):
        found["resolution"] = resolution
    quality = assess(pose, data.shape, affine, extremes, reference, found)
    return Prepared(volume, pose.matrix, quality)


def tell_reading(quality: Mapping[str, Any]) -> list[str]:
    """Say what a scan was not read from as it is: what its user stated, and what was mended.

    Examples
    --------
    >>> tell_reading({"orientation": "stated", "mended": "averaged 2 frames"})
    ['orientation stated by the user', 'mended: averaged 2 frames']
    """
    stated = ["orientation stated by the user"] if quality.get("orientation") == "stated" else []
    return [*stated, f"mended: {quality['mended']}"] if quality.get("mended") else stated


def _frame(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, Extremes]:
    """Cut off empty and bright borders, then add air on the sides where no head was cut.

    Zeros beside a cut head were not seen by the camera; zeros beside a whole one are air. So the
    result is the same however wide an empty border a scan has.
    """
    largest = max(float(data.max()), -float(data.min()))
    if not 0 < largest < HUGE:
        fault = replace(NO_COUNTS, found=f"{largest:.3g}") if largest else NO_COUNTS
        raise PrepareError.of([fault], where=fault.where)
    ends = [np.flatnonzero(shown)[[0, -1]] for shown in _shown(data)]
    box = data[tuple(slice(first, last + 1) for first, last in ends)]
    start = np.array([first for first, _ in ends])
    voxel = np.array(np.unravel_index(box.argmax(), box.shape))
    on_border = bool(((voxel == 0) | (voxel == np.array(box.shape) - 1)).any())
    place = transform(affine, (start + voxel).reshape(3, 1)).ravel()
    extremes = Extremes(place, float(box[tuple(voxel)]), on_border, float(box.min()))
    air, bright = max(extremes.lowest, 0.0), _bright_borders(box)
    whole = tuple(slice(low, n - high) for (low, high), n in zip(bright, box.shape, strict=True))
    box, start = box[whole], start + bright[:, 0]
    pad, size = np.zeros((3, 2), int), spacing(affine)
    for axis, end in np.ndindex(3, 2):
        face = np.count_nonzero(_layers(box, axis)[-end] > air) * size.prod() / size[axis]
        pad[axis, end] = np.ceil(AIR_MM / size[axis]) if face < CUT_MM2 else 0
    return np.pad(box, pad, constant_values=air), affine @ shift(start - pad[:, 0]), extremes


def _layers(data: np.ndarray, axis: int) -> np.ndarray:
    """Return a view whose first index counts layers along an axis; ndarray.take would copy all."""
    return np.moveaxis(data, axis, 0)


def _shown(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each axis which layers hold more than zeros; two passes, not three."""
    along, over = np.any(data, axis=2), np.any(data, axis=0)  # (i, j), (j, k)
    return np.any(along, axis=1), np.any(along, axis=0), np.any(over, axis=0)


def _bright_borders(data: np.ndarray) -> np.ndarray:
    """Return whether the layer at either end of each axis is an artefact: (3, 2), 0 or 1.

    Filters and incomplete slices leave a bright last layer. In tissue, blur keeps neighbours alike;
    in air, layers hold less than the mean one.
    """
    bright, total = np.zeros((3, 2), int), data.sum(dtype=np.float64)
    for axis, end in np.ndindex(3, 2):
        sums = [_layers(data, axis)[k].sum(dtype=np.float64) for k in ((0, 1), (-1, -2))[end]]
        bright[axis, end] = sums[0] > max(ARTEFACT * sums[1], total / data.shape[axis])
    return bright


def _resample(data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray, order: int) -> np.ndarray:
    """Return a volume on the canonical grid; only the box around the grid is looked at."""
    # A cubic spline's coefficients fade by 0.27 a voxel (Unser 1999, 10.1109/79.799930).
    box, affine = crop_to_grid(data, affine, to_scan, 8 * spacing(affine).max())
    to_box = np.linalg.inv(affine) @ to_scan @ GRID.affine
    volume = ndimage.affine_transform(box, to_box[:3, :3], to_box[:3, 3], GRID.shape, order=order)
    return np.maximum(volume, 0)
