"""The canonical grid, and what the package ships in it: the DaT template and the region masks."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage

from datkit.files import RESOURCES
from datkit.io.scan import Scan, load_scan
from datkit.prepare.sampling import crop, shift, transform

__all__ = ["GRID", "load_regions", "load_template"]

STRIATAL_PARTS = 4  # the last of the file; the others lie in the middle, or around the brain
LABELS = ("caudate_left", "caudate_right", "putamen_left", "putamen_right", "occipital")


class Grid(NamedTuple):
    """A grid of voxels: its shape (i, j, k), and its affine from voxel indices to millimetres."""

    shape: tuple[int, int, int]
    affine: np.ndarray


#: RAS, 2 mm, in MNI152 2009a symmetric space: x -63..63, y -112..46, z -36..58 mm. Axis 0 runs from
#: the patient's left to the right, axis 1 from back to front, axis 2 from bottom to top.
GRID = Grid((64, 80, 48), shift((-63, -112, -36)) @ np.diag([2.0, 2.0, 2.0, 1.0]))
GRID.affine.setflags(write=False)


@cache
def load_template() -> Scan:
    """Load the template: the mean normal head without noise, symmetric about x = 0."""
    return load_scan(RESOURCES / "template.nii.gz")


@cache
def load_parts() -> tuple[list[np.ndarray], int]:
    """Load the parts of the template's head, on its grid, and the number of those not striatal.

    A part is 1 where it fills a voxel, blurred to 3 mm. First come ventricles, fluid around the
    brain, skull, scalp, thalamus, brainstem, cerebellum and soft tissue; then caudate, ventral
    striatum and the front and back of the putamen, each of the left and of the right side.
    """
    stored = np.asarray(nib.nifti1.load(RESOURCES / "parts.nii.gz").dataobj, np.float32) / 255
    whole = list(np.moveaxis(stored, -1, 0))
    middle = len(stored) // 2
    sides = [part * 0 for part in whole[-STRIATAL_PARTS:] for _ in range(2)]
    for part, left, right in zip(whole[-STRIATAL_PARTS:], sides[::2], sides[1::2], strict=True):
        left[:middle], right[middle:] = part[:middle], part[middle:]
    return whole[:-STRIATAL_PARTS] + sides, len(whole) - STRIATAL_PARTS


@cache
def _labels() -> np.ndarray:
    return load_scan(RESOURCES / "regions.nii.gz").data


def load_regions() -> dict[str, np.ndarray]:
    """Load the region masks, each bool (64, 80, 48) on the canonical grid.

    Caudate, putamen and their union, the striatum, left and right, and the occipital region, which
    is the reference. Left and right masks mirror each other.

    Examples
    --------
    >>> regions = load_regions()
    >>> sorted(regions)
    ['caudate_left', 'caudate_right', 'occipital', 'putamen_left', 'putamen_right', 'striatum_left',
    'striatum_right']
    >>> bool((regions["putamen_left"] == regions["putamen_right"][::-1]).all())
    True
    """
    regions = {name: _labels() == label for label, name in enumerate(LABELS, start=1)}
    for side in ("left", "right"):
        regions[f"striatum_{side}"] = regions[f"caudate_{side}"] | regions[f"putamen_{side}"]
    return regions


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Return each voxel's distance from a mask on the canonical grid, mm; 0 inside.

    Examples
    --------
    >>> mask = np.zeros(GRID.shape, bool)
    >>> mask[10] = True
    >>> distance_to(mask)[9:13, 0, 0]
    array([2., 0., 2., 4.])
    """
    return ndimage.distance_transform_edt(~mask, sampling=GRID.affine.diagonal()[:3])


@cache
def to_striata() -> np.ndarray:
    """Return the distance from the nearest striatum, mm, on the canonical grid."""
    regions = load_regions()
    return distance_to(regions["striatum_left"] | regions["striatum_right"])


@cache
def grid_mm() -> np.ndarray:
    """Return where the voxels of the canonical grid lie: x, y and z in mm, (3, 64, 80, 48).

    Examples
    --------
    >>> grid_mm()[:, 0, 0, 0]
    array([ -63., -112.,  -36.])
    """
    return transform(GRID.affine, np.indices(GRID.shape).reshape(3, -1)).reshape(3, *GRID.shape)


def crop_to_grid(
    data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the box of a scan around the canonical grid with a margin in mm, and its affine."""
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(GRID.shape)[:, None] - 1)
    return crop(data, affine, transform(to_scan @ GRID.affine, corners), margin)
