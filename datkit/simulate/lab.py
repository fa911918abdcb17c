"""A bench for lessons: one patient, head straight, in the camera's field, with known truth.

:mod:`datkit.simulate.camera.imaging` does the physics; here nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from datkit.simulate.camera.centres import VIEWS
from datkit.simulate.camera.imaging import (
    FIELD,
    FIELD_MM,
    Head,
    field_about,
    less_sampling,
    sample_head,
    smooth_for_sampling,
)
from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.protocols import Collimator
from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.head_shape import MEAN_SCALE, source_voxels
from datkit.simulate.patient.loss import SIDES, Loss, Side
from datkit.simulate.patient.person import Patient, standard_normal
from datkit.simulate.patient.uptake import paint

__all__ = ["Bench", "camera_over", "lay_down", "mean_patient", "window"]

TARGETS = ("caudate", "putamen")
MIDDLE_MM = (0.0, -14.0, -10.0)  # middle of the field in the head: vertex to chin, nose to nape


@dataclass(frozen=True)
class Bench:
    """A patient under the camera, and what is true of them.

    Attributes
    ----------
    head : Head
        Uptake and attenuation (1/mm), each float32 (72, 72, 55).
    affine : ndarray (4, 4)
        Voxel of the field to mm in the patient's head, RAS+.
    regions : mapping of str to ndarray, bool (72, 72, 55)
        ``caudate``, ``putamen``, both sides together, and ``occipital``, the reference.
    truth : mapping of str to float
        SBR that was painted into ``caudate`` and ``putamen``, free of partial volume.
    """

    head: Head
    affine: np.ndarray
    regions: Mapping[str, np.ndarray]
    truth: Mapping[str, float]


def mean_patient(left: float = 1.0) -> Patient:
    """Return a man of 65 with a head of mean size and a share of his striatal binding left.

    Examples
    --------
    >>> mean_patient(left=0.6).sides["left"].caudate
    0.6
    """
    normal = standard_normal()
    loss = Loss({side: Side(left, left, left, left) for side in SIDES})
    shape = replace(normal.shape, scale=np.full(3, MEAN_SCALE))
    return replace(normal, shape=shape, loss=loss)


def lay_down(patient: Patient) -> Bench:
    """Put a patient into the camera's field, head straight and in the middle; about 3 seconds."""
    from scipy.ndimage import map_coordinates

    affine = field_about(MIDDLE_MM)
    voxels, drawn = source_voxels(patient.shape, affine, FIELD), standard_anatomy().regions
    activity, painted = paint(patient)
    weight = {"occipital": drawn["occipital"]}
    weight |= {name: sum(drawn[f"{name}_{s}"] for s in SIDES) for name in TARGETS}
    regions = {
        name: map_coordinates(smooth_for_sampling(volume), voxels, order=1) > 0.5
        for name, volume in weight.items()
    }
    truth = {name: float(np.mean([painted[f"{name}_{s}"] for s in SIDES])) for name in TARGETS}
    return Bench(sample_head(activity, voxels), affine, regions, truth)


def camera_over(
    head: Head,
    collimator: Collimator | None,
    radius_mm: float = 140.0,
    *,
    views: int = VIEWS,
    attenuation: bool = True,
) -> Projector:
    """Return a camera around a head on the bench.

    Parameters
    ----------
    head : Head
    collimator : Collimator, optional
        None is a camera that blurs nothing.
    radius_mm : float
        From the axis to the collimator's face.
    views : int
        Camera positions over 360 degrees.
    attenuation : bool
        Whether tissue absorbs photons.

    Raises
    ------
    UsageError
        If a size is not positive.
    """
    collimator = collimator and less_sampling(collimator)
    absorbing = head.attenuation if attenuation else None
    return Projector(FIELD[0], FIELD[2], FIELD_MM, views, radius_mm, collimator, absorbing)


def window(bench: Bench) -> tuple[tuple[slice, ...], np.ndarray]:
    """Return the part of the field that the head fills, and its affine: for pictures.

    Returns
    -------
    part : tuple of three slices
        Of a volume in the field; all of z.
    affine : ndarray (4, 4)
        Voxel of that part to mm.
    """
    filled = np.argwhere(bench.head.attenuation.max(2) > 0.004)
    low, high = filled.min(0) - 1, filled.max(0) + 2
    affine = bench.affine.copy()
    affine[:2, 3] += FIELD_MM * low
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(None)), affine
