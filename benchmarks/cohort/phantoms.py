"""Phantoms: is a point as wide, and a uniform cylinder as even, as camera and correction say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage, optimize

from benchmarks.common.figures import Figure
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition
from datkit.simulate.camera.centres import load_centres
from datkit.simulate.camera.imaging import FIELD, FIELD_MM, camera_of, place
from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.reconstruction import (
    chang_reconstruction,
    filtered_back_projection,
    osem,
)
from datkit.simulate.patient.anatomy import AFFINE, SHAPE
from datkit.simulate.patient.head_shape import standard_shape

SEED = 7
SIGMA = 1 / 2.3548
CYLINDER_MM, RIM_MM, WATER = 85.0, 20.0, 0.0149  # radius, what is not looked at, 1/mm at 159 keV


def measure_phantoms() -> Iterator[Figure]:
    """Yield the figures of points and of a cylinder."""
    yield point_in_projections()
    yield point_in_image()
    yield from uniform_cylinder()


def point_in_projections() -> Figure:
    """Return the largest error of a point's width in projections, near, halfway and far."""
    exam, spot = _plain_exam(), np.zeros(3)
    activity = np.zeros(SHAPE, np.float32)
    spot[:] = AFFINE[:3, :3] @ (60, 88, 70) + AFFINE[:3, 3]
    activity[60, 88, 70] = 1
    head = place(activity, standard_shape(), exam)
    views = camera_of(head, exam).with_attenuation(None).project(head.activity)
    angles = 2 * np.pi * np.arange(len(views)) / len(views)
    offset = (exam.head_to_scanner @ [*spot, 1])[:3] - exam.orbit_centre
    depth = np.sin(angles) * offset[0] + np.cos(angles) * offset[1]
    stated = exam.protocol.collimator.fwhm(exam.radius_mm - depth)
    ratio = np.array([_width(view) for view in views]) / stated
    order = np.array_split(np.argsort(depth), 3)
    errors = [100 * abs(float(ratio[rows].mean()) - 1) for rows in order]
    ends = f"{stated.min():.1f} to {stated.max():.1f} mm"
    return Figure("point in projections, error of FWHM", max(errors), (None, 5), None, "%",
                  f"stated {ends}; worst of the near, middle and far third of views")  # fmt: skip


def _width(view: np.ndarray) -> float:
    """Return the FWHM (mm) of a point's projection by its second moments, mean of both axes."""
    variances = []
    for axis in (0, 1):
        profile = view.sum(axis=1 - axis, dtype=np.float64)
        place_mm = FIELD_MM * np.arange(len(profile))
        mean = np.average(place_mm, weights=profile)
        variances.append(np.average((place_mm - mean) ** 2, weights=profile))
    return float(np.sqrt(np.mean(variances)) / SIGMA)


def point_in_image() -> Figure:
    """Return how wide points near the axis are when the bare ramp reconstructs them.

    No target: back-projection interpolates, which widens them beyond what the camera does.
    """
    exam, activity = _plain_exam(), np.zeros(SHAPE, np.float32)
    x, y, _ = np.rint((-AFFINE[:3, 3] - (0, 14, 10)) / AFFINE[0, 0]).astype(int)
    slices = range(40, 104, 16)  # 32 mm apart, each at another place between voxels
    for step, z in enumerate(slices):
        activity[x + step, y - step, z] = 1
    head = place(activity, standard_shape(), exam)
    camera = camera_of(head, exam).with_attenuation(None)
    image = filtered_back_projection(camera.project(head.activity), camera)
    stated, thick = float(exam.protocol.collimator.fwhm(exam.radius_mm)), FIELD[2] // len(slices)
    starts = np.linspace(0, FIELD[2], len(slices) + 1).astype(int)[:-1]
    found = [_fitted_fwhm(image[..., start : start + thick]) for start in starts]
    note = f"the camera alone {stated:.2f} mm; mean of {len(found)} points"
    name = "points near the axis in FBP, FWHM"
    return Figure(name, float(np.mean(found)), (None, None), None, "mm", note)


def _fitted_fwhm(slab: np.ndarray) -> float:
    """Return the FWHM (mm) of the Gaussian that fits the hottest point's plane best."""
    plane = slab.sum(axis=2)
    i, j = np.unravel_index(plane.argmax(), plane.shape)
    window = plane[i - 3 : i + 4, j - 3 : j + 4]
    x, y = (axis.ravel() for axis in np.indices(window.shape) - 3.0)

    def bell(_: np.ndarray, height: float, sigma: float, u: float, v: float) -> np.ndarray:
        return height * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2))

    fitted, _ = optimize.curve_fit(bell, x, window.ravel(), p0=(window.max(), 1.0, 0, 0))
    return float(abs(fitted[1]) * FIELD_MM / SIGMA)


def _plain_exam() -> Acquisition:
    """Return an exam of the first dual-head centre, whose head lies straight and still."""
    centre = load_centres()["centre-06"]
    exam = draw_acquisition(np.random.default_rng(SEED), centre)
    pose = np.eye(4)
    pose[:3, 3] = exam.orbit_centre + np.array((0, 14, 10))
    return replace(exam, head_to_scanner=pose, motion=None, edge=0.0)


def uniform_cylinder() -> Iterator[Figure]:
    """How far the mean of any ring of a uniform cylinder lies from the mean of all, in %."""
    x = FIELD_MM * (np.arange(FIELD[0]) - (FIELD[0] - 1) / 2)
    radius = np.hypot(x[:, None], x)
    disc = np.clip((CYLINDER_MM - radius) / FIELD_MM + 0.5, 0, 1)
    body = np.repeat(disc[..., None], FIELD[2], axis=2).astype(np.float32)
    body[..., :8] = body[..., -8:] = 0
    camera = Projector(
        FIELD[0], FIELD[2], FIELD_MM, 60, 140.0, _plain_exam().protocol.collimator, WATER * body
    )
    counts = camera.project(body)
    images = {
        "OSEM": osem(counts, camera.without_blur(), 6, 6),
        "FBP": chang_reconstruction(counts, camera, 0.55),
    }
    images["none"] = osem(counts, camera.without_blur().with_attenuation(None), 6, 6)
    rings = np.rint(radius / (2 * FIELD_MM)).astype(int)
    seen = radius < CYLINDER_MM - RIM_MM
    means = {}
    for name, image in images.items():
        slab = image[..., 20:-20].mean(axis=2)
        ring = ndimage.mean(slab, np.where(seen, rings, -1), np.unique(rings[seen]))
        means[name] = 100 * (ring / slab[seen].mean() - 1)
    without = f"without correction the centre is {means['none'][0]:.0f} % off"
    for name, how in (("OSEM", "OSEM, known map"), ("FBP", "FBP, Chang")):
        worst = float(np.abs(means[name]).max())
        yield Figure(f"uniform cylinder, {how}: unevenness", worst, (None, 3), None, "%", without)
