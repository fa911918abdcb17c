"""The template's side of the registration: what a scan is regressed on, at each level of blur."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import ndimage

from datkit.prepare.grid import GRID, load_parts, load_template, to_striata
from datkit.prepare.sampling import blur, sample, spacing, transform

__all__ = ["GENERATORS", "RADIUS", "brain_level", "load_levels"]

TEMPLATE_FWHM, PARTS_FWHM = 9.5, 3.0  # mm, benchmarks.resources.template
SOFTER_MM = 4.0  # FWHM; a small further blur, to tell what the template's lacks
SCALP = 3  # among the parts
# Squared errors that an amplitude of 1 costs a part outside the striata. Free amplitudes explain a
# rim that is not there by a larger head (1 % of a stripped one, 7 % of a phantom without scalp);
# errors are flat from 15 to 40.
HELD = 20.0
BRAIN_ML = 600  # half of a brain
HEAD_MM = 150  # vertex to skull base; what lies deeper, neck and shoulders, does not count
BOTTOM_MM = -60.0  # template z below which glands and neck differ between patients
RIM_MM = 18.0  # air and scalp around the head: they tell where it ends
STRIATUM_MM = 10.0  # this far around the striatal masks uptake is fitted, not cut off
STRIATUM_CEILING = 8.0  # times the brain; prepared striata reach 8 (about the challenge's exams)
RADIUS = 80.0  # mm; measures rotation and scaling by how far they move the head's surface


def _similarity_generators() -> np.ndarray:
    generators = np.zeros((7, 4, 4))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        generators[axis, axis, 3] = 1
        generators[3 + axis, [j, i], [i, j]] = 1 / RADIUS, -1 / RADIUS
    generators[6, :3, :3] = np.eye(3) / RADIUS
    return generators


# The directions of a similarity, (7, 4, 4): shifts along and rotations about x, y, z, then scaling.
# expm(sum of mm times generator) is the transform.
GENERATORS = _similarity_generators()


Volume = tuple[np.ndarray, np.ndarray, float]  # with its affine, and a blur to come in mm


@dataclass(frozen=True)
class Level:
    """What a scan is regressed on, at n points and with p parts and g generators.

    Attributes
    ----------
    fwhm, largest_voxel : float
        Blur of the scan and the size up to which its voxels are averaged before, mm.
    points : numpy.ndarray, shape (3, n)
        Template mm.
    parts : numpy.ndarray, shape (n, p)
        The template, over the brain's uptake; what differs from it: at the coarse level in the
        scalp, at the fine one in each of the parts of :func:`datkit.prepare.grid.load_parts`.
    slopes : numpy.ndarray, shape (n, g, p)
        How the parts change along the generators, per mm. Around the striata only shifts count.
    softer : numpy.ndarray, shape (n, p)
        How the parts change when they are blurred by SOFTER_MM more.
    trend : numpy.ndarray, shape (n, 3)
        The template times x², y² and z², over RADIUS²: what attenuation and scatter leave.
    held : numpy.ndarray, shape (p,)
        How firmly the amplitude of what differs is held near 0, as ``ridge`` of ``regress``.
    look : sequence of int
        Those of the parts that tell whether it looks like a head: the template, and what differs
        most from exam to exam, scalp and striata.
    ceiling, weight : numpy.ndarray, shape (n,)
        Uptake above which a value is cut off, so that glands do not matter; weight of the point.
    generators : numpy.ndarray, shape (g, 4, 4)
        The directions in which the pose is corrected, per mm.
    """

    fwhm: float
    largest_voxel: float
    points: np.ndarray
    parts: np.ndarray
    slopes: np.ndarray
    softer: np.ndarray
    trend: np.ndarray
    held: np.ndarray
    look: list[int]
    ceiling: np.ndarray
    weight: np.ndarray
    generators: np.ndarray


@cache
def load_levels(scaling: bool, ceiling: float, striatal_weight: float) -> tuple[Level, Level]:
    """Return the coarse level, where the head's outline counts, and the fine one with the striata.

    See :class:`datkit.prepare.PrepareSettings` for the parameters.
    """
    moves = GENERATORS[: 7 if scaling else 6]
    parts, background = load_parts()
    template, affine = scaled_template()
    sharp = float(np.sqrt(TEMPLATE_FWHM**2 - PARTS_FWHM**2))  # what the parts lack of its blur
    volumes = [(template, affine, 0.0), *((part, affine, sharp) for part in parts)]
    around = parts[SCALP] + parts[background - 1]  # scalp and soft tissue
    few: list[Volume] = [volumes[0], (around, affine, sharp)]
    coarse = build_level(20.0, 8.0, 10.0, few, [0, 1], moves, ceiling)
    held = HELD * (np.arange(len(volumes)) <= background) * (np.arange(len(volumes)) > 0)
    # Points 6 or 7 mm apart, at two to three times the cost, find repainted heads no better.
    look = [0, 1 + SCALP, *range(background, len(volumes))]
    fine = build_level(8.0, 2.5, 8.0, volumes, look, moves, ceiling, striatal_weight)
    return coarse, replace(fine, held=held)


def brain_level(volume: np.ndarray, affine: np.ndarray) -> float:
    """Return the value that BRAIN_ML of a volume exceed; 0 if it is smaller.

    Striata and glands together are a tenth of that, so they do not matter, however hot; nor does
    the air around the head, however much of it there is.
    """
    count = int(BRAIN_ML * 1000 / abs(np.linalg.det(affine[:3, :3])))
    if not 0 < count <= volume.size:
        return 0.0
    return float(np.partition(volume, -count, axis=None)[-count])


def head_centre(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the centroid (3,), in mm, of the largest piece above half the brain's level 1."""
    labels, _ = ndimage.label(volume > 0.5)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mm = transform(affine, np.argwhere(labels == sizes.argmax()).T)
    return mm[:, mm[2] > mm[2].max() - HEAD_MM].mean(axis=1)


@cache
def scaled_template() -> tuple[np.ndarray, np.ndarray]:
    """Return the template with the brain's level 1, and its affine."""
    scan = load_template()
    return scan.data / brain_level(scan.data, scan.affine), scan.affine


@cache
def template_centre() -> np.ndarray:
    """Return where :func:`head_centre` finds the template's own head, mm."""
    return head_centre(*scaled_template())


def head_lattice(distance: float) -> np.ndarray:
    """Return a lattice (3, n) in and around the head, symmetric about x = 0, its steps in mm."""
    template, affine = scaled_template()
    count = int(200 / distance)  # 200 mm is beyond any head
    reach = distance * np.arange(-count, count + 1)
    lattice = np.stack(np.meshgrid(reach, reach, reach[reach > BOTTOM_MM], indexing="ij"))
    points = lattice.reshape(3, -1)
    to_head = ndimage.distance_transform_edt(template < 0.3, sampling=spacing(affine))
    distances, inside = sample(to_head, affine, points, mode="nearest")
    return points[:, inside & (distances < RIM_MM)]


def build_level(
    fwhm: float,
    largest_voxel: float,
    step: float,
    volumes: list[Volume],
    look: list[int],
    generators: np.ndarray,
    ceiling: float,
    striatal_weight: float | None = None,
) -> Level:
    """Build a level of points at steps of so many mm; without a striatal weight, no striata."""
    points = head_lattice(step)
    volumes = [(volume, affine, float(np.hypot(fwhm, width))) for volume, affine, width in volumes]
    parts, slopes = regressors(volumes, points, generators)
    soft = [(part, where, float(np.hypot(width, SOFTER_MM))) for part, where, width in volumes]
    softer = _parts(soft, points) - parts
    near = np.zeros(points.shape[1], bool)
    if striatal_weight is not None:
        near = sample(to_striata(), GRID.affine, points, cval=np.inf)[0] < STRIATUM_MM
    limit = np.where(near, STRIATUM_CEILING, ceiling)
    weight = np.where(near, striatal_weight or 1.0, 1.0)
    slopes[near, 3:] = 0  # striata tell where a head is, not how it is turned, nor its size
    slopes[parts[:, 0] > limit, :, 0] = 0
    parts[:, 0] = np.minimum(parts[:, 0], limit)
    trend = parts[:, :1] * (points.T / RADIUS) ** 2
    rest = softer, trend, np.zeros(len(volumes)), look, limit, weight, generators
    return Level(fwhm, largest_voxel, points, parts, slopes, *rest)


def regressors(
    volumes: list[Volume], points: np.ndarray, generators: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return volumes at points (3, n), (n, p), and their change along generators, (n, g, p).

    Each volume comes with its affine and a blur in mm.
    """
    moves = np.stack([transform(generator, points) for generator in generators])  # (g, 3, n)
    slopes = []
    for volume, affine, fwhm in volumes:
        changes = np.gradient(blur(volume, affine, fwhm), *spacing(affine))
        gradient = np.stack([sample(change, affine, points)[0] for change in changes])  # (3, n)
        slopes.append(np.einsum("gan,an->ng", moves, gradient))
    return _parts(volumes, points), np.stack(slopes, axis=-1)


def _parts(volumes: list[Volume], points: np.ndarray) -> np.ndarray:
    """Return volumes, blurred, at points (3, n), (n, p)."""
    parts = (sample(blur(volume, affine, fwhm), affine, points)[0]
             for volume, affine, fwhm in volumes)  # fmt: skip
    return np.stack(list(parts), axis=-1)
