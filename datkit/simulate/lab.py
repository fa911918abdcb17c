"""Truth for lessons and benchmarks: where striata lie, and a phantom in the camera's field.

:mod:`datkit.simulate.camera.imaging` does the physics; here nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from nibabel.affines import from_matvec
from scipy.ndimage import map_coordinates

from datkit.simulate.camera import imaging
from datkit.simulate.exam import Drawn
from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.head_shape import MEAN_SCALE, sample, source_voxels
from datkit.simulate.patient.loss import SIDES, Loss, keep_evenly
from datkit.simulate.patient.person import Patient, standard_normal
from datkit.simulate.patient.uptake import paint

__all__ = ["Phantom", "make_phantom", "mean_patient", "true_regions", "true_striata",
           "window"]  # fmt: skip

TARGETS = ("caudate", "putamen")
# A box around both striata in the patient's head: voxels of 2 mm, the first at BOX_START.
BOX, BOX_MM, BOX_START = (61, 61, 56), 2.0, (-60.0, -64.0, -50.0)
MIDDLE_MM = (0.0, -14.0, -10.0)  # middle of the field in the head: vertex to chin, nose to nape


@dataclass(frozen=True)
class Phantom:
    """A patient under the camera, and what is true of them.

    Attributes
    ----------
    head : datkit.simulate.camera.imaging.Head
        Uptake and attenuation (1/mm), each float32 (72, 72, 55).
    affine : ndarray (4, 4)
        Voxel of the field to mm in the patient's head, RAS+.
    regions : mapping of str to ndarray, bool (72, 72, 55)
        ``caudate``, ``putamen``, both sides together, and ``occipital``, the reference.
    truth : mapping of str to float
        SBR that was painted into ``caudate`` and ``putamen``, free of partial volume.
    """

    head: imaging.Head
    affine: np.ndarray
    regions: Mapping[str, np.ndarray]
    truth: Mapping[str, float]


def mean_patient(left: float = 1.0) -> Patient:
    """Return a man of 65 with a head of mean size and a share of his striatal binding left.

    Examples
    --------
    >>> mean_patient(left=0.6).loss.sides["left"].caudate
    0.6
    """
    normal = standard_normal()
    shape = replace(normal.shape, scale=np.full(3, MEAN_SCALE))
    return replace(normal, shape=shape, loss=Loss(keep_evenly(left)))


def make_phantom(patient: Patient) -> Phantom:
    """Put a patient into the camera's field, head straight and in the middle; about 3 seconds."""
    affine, drawn = imaging.field_about(MIDDLE_MM), standard_anatomy().regions
    voxels = source_voxels(patient.shape, affine, imaging.FIELD)
    activity, painted = paint(patient)
    weight = {"occipital": drawn["occipital"]}
    weight |= {name: drawn[f"{name}_left"] + drawn[f"{name}_right"] for name in TARGETS}
    regions = {
        name: map_coordinates(imaging.smooth_for_sampling(volume), voxels, order=1) > 0.5
        for name, volume in weight.items()
    }
    truth = {name: float(np.mean([painted[f"{name}_{s}"] for s in SIDES])) for name in TARGETS}
    return Phantom(imaging.sample_head(activity, voxels), affine, regions, truth)


def window(phantom: Phantom) -> tuple[tuple[slice, ...], np.ndarray]:
    """Return the part of the field that the head fills, and its affine: for pictures.

    Returns
    -------
    part : tuple of three slices
        Of a volume in the field; all of z.
    affine : ndarray (4, 4)
        Voxel of that part to mm.
    """
    filled = np.argwhere(phantom.head.attenuation.max(2) > 0.004)
    low, high = filled.min(0) - 1, filled.max(0) + 2
    part = (slice(low[0], high[0]), slice(low[1], high[1]), slice(None))
    return part, phantom.affine @ from_matvec(np.eye(3), (*low, 0))


def true_striata(drawn: Drawn) -> np.ndarray:
    """Return the true centroids of the left and the right striatum of an exam.

    Caudate and putamen of the standard head, deformed into the patient's and posed. Of a head that
    moves it is the mean over the acquisition.

    Parameters
    ----------
    drawn : Drawn
        Of :func:`datkit.simulate.exam.draw_exam`; no volume is needed.

    Returns
    -------
    ndarray (2, 3)
        Left, then right; x, y, z in scan mm.

    Examples
    --------
    >>> from datkit.simulate.exam import draw_exam
    >>> left, right = true_striata(draw_exam(2026, 3))
    >>> bool(30 < np.linalg.norm(right - left) < 45)
    True
    """
    affine = from_matvec(BOX_MM * np.eye(3), BOX_START)
    to_scan, regions = drawn.acquisition.mean_pose @ affine, standard_anatomy().regions
    voxels, centres = np.indices(BOX).reshape(3, -1), []
    for side in SIDES:
        striatum = regions[f"caudate_{side}"] + regions[f"putamen_{side}"]
        weight = sample(striatum, drawn.patient.shape, affine, BOX).ravel()
        middle = (voxels * weight).sum(axis=1) / weight.sum()
        centres.append(to_scan[:3, :3] @ middle + to_scan[:3, 3])
    return np.array(centres)


def true_regions(drawn: Drawn) -> np.ndarray:
    """Return where the striata of an exam truly lie, on the exam's own grid.

    Caudate and putamen of the standard head, deformed into the patient's and posed: a voxel counts
    where more than half of it is striatum. Of a head that moves it is the mean pose.

    Parameters
    ----------
    drawn : Drawn
        Of :func:`datkit.simulate.exam.draw_exam`; no volume is needed.

    Returns
    -------
    ndarray, uint8 (i, j, k)
        1 in the left striatum, 2 in the right, 0 elsewhere.

    Examples
    --------
    >>> from datkit.simulate.exam import draw_exam
    >>> mask = true_regions(draw_exam(2026, 3))
    >>> sorted(np.unique(mask).tolist())
    [0, 1, 2]
    """
    camera, regions = drawn.acquisition, standard_anatomy().regions
    to_head, (i, j, k) = np.linalg.inv(camera.mean_pose) @ camera.affine, camera.shape
    shares = [
        sample(regions[f"caudate_{side}"] + regions[f"putamen_{side}"],
               drawn.patient.shape, to_head, (i, j, k)) for side in SIDES
    ]  # fmt: skip
    return ((shares[0] > 0.5) + 2 * (shares[1] > 0.5)).astype(np.uint8)
