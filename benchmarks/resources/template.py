"""Build the DaT template, its parts and the region masks that ship inside the package.

``python -m benchmarks.resources.template datkit/resources`` rebuilds the three files byte for byte.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from nibabel.affines import from_matvec
from scipy.ndimage import affine_transform, gaussian_filter, label

from datkit.io.scan import save_scan
from datkit.simulate.patient.anatomy import AFFINE, axes_mm, standard_anatomy
from datkit.simulate.patient.person import STRIATUM, standard_normal
from datkit.simulate.patient.uptake import paint

__all__ = ["build_parts", "build_regions", "build_template", "main"]

FWHM_MM = 9.5  # effective resolution of typical exams, 8-10 mm, after growth to MNI size
PART_FWHM_MM = 3.0  # of the parts, against the steps of the template's voxels
SHAPE, SPACING_MM = (66, 81, 71), 3.0
TEMPLATE_AFFINE = from_matvec(SPACING_MM * np.eye(3), (-97.5, -132, -102))  # lower lies only neck
LABELS = ("caudate_left", "caudate_right", "putamen_left", "putamen_right", "occipital")
# What registration tells apart, since its uptake differs from exam to exam.
PARTS = ("ventricles", "fluid", "skull", "scalp", "thalamus", "brainstem", "cerebellum", "soft",
         "caudate", "ventral_striatum", "putamen_front", "putamen_back")  # fmt: skip
VENTRICLES_MM = (40.0, 55.0)  # fluid within |x|, and from their middle along y and z, is theirs
VENTRICLES_AT = (-15.0, 10.0)
GRID_SHAPE, GRID_ORIGIN, GRID_MM = (64, 80, 48), (-63, -112, -36), 2  # datkit.prepare.GRID


def build_template() -> tuple[np.ndarray, np.ndarray]:
    """Return the mean normal exam without noise, uint8 (66, 81, 71), and its affine.

    The volume covers the whole head at 3 mm and is exactly symmetric; 255 is the hottest voxel.
    """
    uptake, _ = paint(standard_normal())
    return _to_bytes(_at_3_mm(uptake, FWHM_MM)), TEMPLATE_AFFINE


def build_parts() -> tuple[np.ndarray, np.ndarray]:
    """Return what each of :data:`PARTS` fills, uint8 (66, 81, 71, 12), and the affine.

    The grid is the template's; 255 is the fullest voxel of a part, and each is symmetric. `soft`
    is soft tissue below the scalp, of face and neck. The putamen is shared out linearly between its
    front and its back end.
    """
    drawn, (x, y, z) = standard_anatomy(), axes_mm()
    volumes = {name: both_sides(drawn.regions, name) for name in STRIATUM}
    inner = np.hypot(y - VENTRICLES_AT[0], z - VENTRICLES_AT[1]) < VENTRICLES_MM[1]
    inner = inner & (np.abs(x) < VENTRICLES_MM[0])
    volumes |= {"ventricles": drawn.tissue["csf"] * inner, "fluid": drawn.tissue["csf"] * ~inner}
    volumes |= {name: drawn.tissue[name] for name in ("skull", "scalp", "soft")}
    for name in ("thalamus", "brainstem", "cerebellum"):
        volumes[name] = drawn.regions[name] * (drawn.tissue["grey"] + drawn.tissue["white"])
    volumes["putamen_front"] = volumes["putamen"] * (1 - drawn.putamen_depth)
    volumes["putamen_back"] = volumes["putamen"] * drawn.putamen_depth
    parts = [_to_bytes(_at_3_mm(volumes[name], PART_FWHM_MM)) for name in PARTS]
    return np.stack(parts, axis=-1), TEMPLATE_AFFINE


def both_sides(regions: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return a region of the left and of the right side in one volume."""
    return regions[f"{name}_left"] + regions[f"{name}_right"]


def _at_3_mm(volume: np.ndarray, fwhm: float) -> np.ndarray:
    """Blur a volume of the standard head, and bring it onto the template's grid, symmetric."""
    smooth = gaussian_filter(volume, fwhm / 2.3548 / AFFINE[0, 0])
    smooth = (smooth + smooth[::-1]) / 2
    start = (TEMPLATE_AFFINE[:3, 3] - AFFINE[:3, 3]) / 2
    return affine_transform(smooth, np.full(3, SPACING_MM / 2), start, SHAPE, order=1)


def _to_bytes(volume: np.ndarray) -> np.ndarray:
    """Return a volume as uint8, 255 at its largest, exactly symmetric."""
    volume = np.rint(volume * (255 / volume.max())).astype(np.uint8)
    return np.maximum(volume, volume[::-1])  # rounding may differ by one between sides


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
    """Write ``template.nii.gz``, ``parts.nii.gz`` and ``regions.nii.gz`` into `folder`."""
    for build in (build_template, build_parts, build_regions):
        (volume, affine), name = build(), build.__name__.removeprefix("build_")
        save_scan(volume, affine, Path(folder) / f"{name}.nii.gz", dtype="uint8")


if __name__ == "__main__":
    main(*sys.argv[1:])
