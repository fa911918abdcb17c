"""A standard head: tissue fractions, striatum and glands on one 2 mm grid in MNI space.

The brain is nilearn's bundled MNI152 2009a symmetric template (Fonov et al. 2009,
10.1016/S1053-8119(09)70884-5). That template is stripped of its skull: what lies outside the brain
is drawn by :mod:`datkit.simulate.patient.head`. Nothing is downloaded.

All arrays have shape (99, 121, 128), axes x (left to right), y (back to front), z (bottom to top),
2 mm voxels, and are exactly symmetric about x = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter, label

from datkit.simulate.patient import head
from datkit.simulate.patient.head import (
    AFFINE,
    SHAPE,
    axes_mm,
    draw_glands,
    ellipsoid,
    rod,
    surround,
)

__all__ = ["AFFINE", "SHAPE", "Anatomy", "axes_mm", "standard_anatomy", "striatum_shares"]

TEMPLATE_ORIGIN = (-98, -134, -72)  # mm of voxel (0, 0, 0) of nilearn's 1 mm templates
TEMPLATE_BOTTOM = 39  # the grid's slice that holds the template's lowest, z = -72 mm
INWARDS = 0.94  # x of the putamen over the atlases': two maps of controls fit them best at 0.98
# and at 0.91 of their size


@dataclass(frozen=True)
class Anatomy:
    """The standard head.

    Attributes
    ----------
    tissue : mapping of str to ndarray, float32 (99, 121, 128)
        Fractions in 0..1 of grey, white, csf, skull, scalp and soft tissue. They sum to at most 1.
    regions : mapping of str to ndarray, float32 (99, 121, 128)
        Weights in 0..1 of the regions that uptake tells apart; ``*_left`` lies at x < 0.
    putamen_depth : ndarray, float32 (1, 121, 1)
        0 at the front end of the putamen, y = 22 mm, 1 at its back end, y = -22 mm.
    attenuation : ndarray, float32 (99, 121, 128)
        Linear attenuation at 159 keV in 1/mm, narrow beam: 0 in air, 0.0149 in fluid, near 0.024
        in the skull.
    """

    tissue: Mapping[str, np.ndarray]
    regions: Mapping[str, np.ndarray]
    putamen_depth: np.ndarray
    attenuation: np.ndarray


@lru_cache(maxsize=1)
def standard_anatomy() -> Anatomy:
    """Build the standard head; about two seconds, then remembered by the process."""
    grey, white = (_load_template(kind) for kind in ("gm", "wm"))
    brain = _fill(_onto_grid(grey + white))
    right = {name: _onto_grid(part) for name, part in striatum_shares(grey).items()}
    regions = _both_sides(right)
    inside = sum(regions.values(), np.zeros(SHAPE, np.float32))
    tissue = {"grey": _onto_grid(grey), "white": _onto_grid(white)}
    tissue["csf"] = np.clip(brain - tissue["grey"] - tissue["white"], 0, 1)
    tissue = {name: (part * (1 - inside)).astype(np.float32) for name, part in tissue.items()}
    tissue |= surround(brain)
    tissue["csf"] += tissue.pop("fluid")
    regions |= _other_regions(tissue["grey"] + tissue["white"]) | _both_sides(draw_glands())
    per_mm = {name: row["attenuation"] for name, row in head.TABLES["tissues"].items()}
    attenuation = inside * per_mm["grey"]
    attenuation += sum(tissue[name] * per_mm[name] for name in tissue)
    return Anatomy(tissue, regions, np.clip((22 - axes_mm()[1]) / 44, 0, 1), attenuation)


def striatum_shares(grey: np.ndarray) -> dict[str, np.ndarray]:
    """Cut caudate, putamen and ventral striatum out of the grey matter by sloped walls.

    Parameters
    ----------
    grey : ndarray, float (197, 233, 189)
        Grey matter fraction of the 1 mm template.

    Returns
    -------
    dict of str to ndarray (197, 233, 189)
        How much of each voxel ``caudate``, ``putamen`` and ``ventral_striatum`` of the right side
        fill; the template is symmetric, so the left side is the mirror image.

    Notes
    -----
    Limits in mm. The caudate's were read off the template: behind y = 4 it lies above a floor that
    rises towards its tail. The putamen's walls are the mean of three published atlases (aseg,
    CIT168: 10.1038/sdata.2018.63, Melbourne: 10.1038/s41593-020-00711-6), drawn :data:`INWARDS`;
    from y = -8 to the front they are about 1 mm nearer still: in both maps the ridge lies there,
    and is narrower than the atlases' walls give. So the caudate's head ends 6 mm from the midline.

    The template is a mean of many people: where it is half grey along the ventricle, few of them
    have caudate. The putamen looks pale in T1 for its myelin, so its grey fraction says nothing of
    the kind.
    """
    x, y, z = np.ix_(*(o + np.arange(n) for o, n in zip(TEMPLATE_ORIGIN, grey.shape, strict=True)))
    floor = np.where(y < 4, 4 + 0.85 * (4 - y), -4)
    medial = np.where(y < 0, 10, 6)
    caudate = (grey > 0.4) & (x >= medial) & (x <= 21) & (z >= floor) & (z <= 28)
    caudate &= ~((x > 16) & (z < 2)) & (y >= -30) & (y <= 28)
    caudate = _component_at(caudate, (13, 12, 10))
    putamen = _putamen(x / INWARDS, y, z) & ~caudate

    bowl = ((x - 11) / 7) ** 2 + ((y - 11) / 8) ** 2 + ((z + 7) / 6) ** 2 <= 1
    ventral = bowl & (grey > 0.5) & ~caudate & ~putamen
    share = caudate * np.clip((grey - 0.4) / 0.4, 0, 1)
    return {"caudate": share, "putamen": putamen, "ventral_striatum": ventral}


def _putamen(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return where the right putamen lies: its walls, floor and ceiling at each y, bool."""
    at = np.arange(-20, 21, 4)
    lateral = np.interp(y, at, [32.5, 33.5, 34, 34, 33.5, 32.7, 31.4, 29.8, 27.8, 25, 22])
    lateral = lateral - 0.5 * np.clip(-5 - z, 0, None) - 0.2 * np.clip(z - 4, 0, None)
    medial = np.interp(y, at, [28.5, 27.5, 26.8, 25.2, 24, 22.5, 19, 16.5, 16.5, 17.5, 18.5])
    medial = medial + np.interp(y, [-12, 0, 8, 20], [-0.1, -0.2, 0.3, 0.3]) * z.clip(-6, 10)
    floor = np.interp(y, at, [-4, -7, -10, -10, -8, -7, -10, -13.5, -12.5, -11.5, -8])
    ceiling = np.interp(y, at, [8, 11, 12.5, 15, 15, 15, 13, 11.5, 9, 7, 1])
    inside = (x >= medial) & (x <= lateral) & (z >= floor) & (z <= ceiling)
    return inside & (y >= -22) & (y <= 21)


def _both_sides(right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the right-sided volumes and their mirror images."""
    sides = {f"{name}_right": volume for name, volume in right.items()}
    return sides | {f"{name}_left": volume[::-1] for name, volume in right.items()}


def _load_template(kind: str) -> np.ndarray:
    """Load nilearn's bundled 1 mm ``gm`` or ``wm`` template as fractions, float32."""
    nilearn = find_spec("nilearn")  # importing it takes seconds
    folder = Path(str(nilearn and nilearn.origin)).parent / "datasets" / "data"
    path = folder / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    return np.asarray(nib.nifti1.load(path).dataobj).astype(np.float32) / 255


def _component_at(mask: np.ndarray, point_mm: tuple[int, int, int]) -> np.ndarray:
    """Keep the connected component of a 1 mm mask that holds `point_mm`."""
    labels, _ = label(mask)
    return labels == labels[tuple(np.subtract(point_mm, TEMPLATE_ORIGIN))]


def _fill(tissue: np.ndarray) -> np.ndarray:
    """Return the brain with its sulci (up to about 10 mm wide) and ventricles filled, 0..1."""
    grown = distance_transform_edt(tissue < 0.2, sampling=2) <= 5  # mm
    solid = binary_fill_holes(distance_transform_edt(grown, sampling=2) > 5)
    return np.maximum(np.clip(tissue, 0, 1), solid).astype(np.float32)


def _onto_grid(volume: np.ndarray) -> np.ndarray:
    """Average a 1 mm template volume onto the 2 mm grid, weights (1, 2, 1)/4 along each axis."""
    for axis in range(3):
        moved = np.moveaxis(volume.astype(np.float32), axis, 0)
        line = np.pad(moved, ((1, 1), (0, 0), (0, 0)))
        mean = (line[:-2:2] + line[2::2]) / 4 + line[1:-1:2] / 2
        volume = np.moveaxis(mean, 0, axis)
    out = np.zeros(SHAPE, np.float32)
    out[:, : volume.shape[1], TEMPLATE_BOTTOM:] = volume[:, :, : SHAPE[2] - TEMPLATE_BOTTOM]
    return out


def _other_regions(tissue: np.ndarray) -> dict[str, np.ndarray]:
    """Draw the regions whose uptake differs from the cortex; centres in MNI mm, by eye.

    The occipital reference keeps clear of wide sulci and of the skull: there, blurred uptake is
    lower, and the maps that we compare with are zeroed.
    """
    x, y, z = axes_mm()
    core = gaussian_filter(tissue, 2) > 0.7
    tent = -4 - 0.30 * np.abs(x) + 0.25 * np.clip(y + 45, None, 0)  # the tentorium's underside
    midbrain, pons = ellipsoid((0, -24, -10), (14, 10, 9)), ellipsoid((0, -27, -32), (13, 11, 16))
    brainstem = np.maximum(midbrain, 0.6 * pons)
    pallidum = rod(((23, -13, -2), (19, -5, -2), (14.5, 5, -2)), 5)
    thalamus = ellipsoid((11, -18, 8), (9, 14, 9))
    temporal = ellipsoid((24, -14, -18), (8, 17, 9))  # amygdala and hippocampus
    cerebellum = np.clip(0.5 + (tent - z) / 3, 0, 1) * np.clip(0.5 + (-38 - y) / 4, 0, 1)
    return {
        "thalamus": thalamus + thalamus[::-1],
        "brainstem": brainstem,
        "pallidum": pallidum,
        "medial_temporal": temporal + temporal[::-1],
        "cerebellum": (cerebellum * (1 - brainstem)).astype(np.float32),
        "parietal": ellipsoid((0, -56, 56), (62, 34, 30)),
        "occipital": (core * (y <= -70) * (z >= tent + 4) * (z <= 30)).astype(np.float32),
    }
