"""Build the DaT template and the region masks that ship inside the package.

``python -m datkit.simulate.template datkit/resources`` rebuilds both files byte for byte.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from nibabel.affines import from_matvec
from scipy.ndimage import affine_transform, gaussian_filter, label

from datkit.io.scan import save_scan
from datkit.simulate.patient.anatomy import AFFINE, standard_anatomy
from datkit.simulate.patient.person import standard_normal
from datkit.simulate.patient.uptake import paint

__all__ = ["build_regions", "build_template", "main"]

FWHM_MM = 9.5  # effective resolution of typical exams, 8-10 mm, after growth to MNI size
SPACING_MM = 3.0
LABELS = ("caudate_left", "caudate_right", "putamen_left", "putamen_right", "occipital")
GRID_SHAPE, GRID_ORIGIN, GRID_MM = (64, 80, 48), (-63, -112, -36), 2  # datkit.prepare.GRID


def build_template() -> tuple[np.ndarray, np.ndarray]:
    """Return the mean normal exam without noise, uint8 (66, 81, 71), and its affine.

    The volume covers the whole head at 3 mm and is exactly symmetric; 255 is the hottest voxel.
    """
    uptake, _ = paint(standard_normal())
    smooth = gaussian_filter(uptake, FWHM_MM / 2.3548 / AFFINE[0, 0])
    smooth = (smooth + smooth[::-1]) / 2
    affine = from_matvec(SPACING_MM * np.eye(3), (-97.5, -132, -102))  # lower lies only neck
    shape = (66, 81, 71)
    start = (affine[:3, 3] - AFFINE[:3, 3]) / 2
    volume = affine_transform(smooth, np.full(3, SPACING_MM / 2), start, shape, order=1)
    volume = np.rint(volume * (255 / volume.max())).astype(np.uint8)
    return np.maximum(volume, volume[::-1]), affine  # rounding may differ by one between sides


def build_regions() -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the canonical grid, uint8 (64, 80, 48), and its affine.

    1 caudate left, 2 caudate right, 3 putamen left, 4 putamen right, 5 occipital.
    """
    affine = from_matvec(GRID_MM * np.eye(3), GRID_ORIGIN)
    start = (affine[:3, 3] - AFFINE[:3, 3]) / 2
    labels = np.zeros(GRID_SHAPE, np.uint8)
    for number, name in enumerate(LABELS, start=1):
        weight = standard_anatomy().regions[name]
        parts, _ = label(affine_transform(weight, np.ones(3), start, GRID_SHAPE, order=1) > 0.5)
        labels[parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])] = number  # no stray voxels
    return labels, affine


def main(folder: str) -> None:
    """Write ``template.nii.gz`` and ``regions.nii.gz`` into `folder`."""
    for name, build in (("template", build_template), ("regions", build_regions)):
        volume, affine = build()
        save_scan(volume, affine, Path(folder) / f"{name}.nii.gz", dtype="uint8")


if __name__ == "__main__":
    main(*sys.argv[1:])
