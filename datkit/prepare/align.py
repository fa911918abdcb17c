"""Where is the head? The similarity transform from the DaT template to a scan.

The scan is explained by linear regression. At points spread over the template's head, the scan's
value is a sum of the template, of each caudate and putamen with an amplitude of its own (so a
lost putamen does not shift the fit, and a bright one helps it), and of the template's change under a
small shift, rotation or scaling. The coefficients of the last group say how far the pose is off; it
is corrected, the scan is sampled again, and after a few rounds nothing is left to correct. This is
Gauss-Newton on the template's side (Baker and Matthews 2004, 10.1023/B:VISI.0000011205.11775.fd):
the regressors carry no noise, and every exam is regressed on the same ones.

Whatever is done to the scan is done along its own voxel axes, so a head that is rotated by its
header gives the same numbers, rotated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage
from scipy.linalg import expm

from datkit.errors import PrepareError
from datkit.prepare.grid import GRID, LABELS, load_regions, load_template

__all__ = ["Pose", "find_pose"]

SIGMA = 1 / 2.3548  # standard deviation of a Gaussian over its full width at half maximum
TEMPLATE_FWHM = 9.5  # mm, datkit.simulate.template
# Coarse, then fine: blur (FWHM, mm), distance of the points (mm), whether striata are fitted.
LEVELS = ((20.0, 10.0, False), (8.0, 6.0, True))
MAX_VOXEL = 5.0  # mm; finer scans are averaged in blocks up to this size before the fine blur
BRAIN_ML = 600  # half of a brain: the level that so much of a scan exceeds is the brain's
HEAD_MM = 150  # vertex to skull base; what lies deeper, neck and shoulders, does not count
BOTTOM_MM = -60.0  # template z below which glands and neck differ between patients
RIM_MM = 18.0  # air and scalp around the head that tell where it ends
STRIATUM_MM = 10.0  # around the striatal masks, uptake is fitted, not cut off
STRIATUM_CEILING = 8.0  # times the brain; prepared striata reach 8 (challenge aggregates)
RADIUS = 80.0  # mm; makes a radian of rotation comparable with a shift: at the head's surface
TOLERANCE = 0.003  # mm; changes measures by less than 0.1 %
MAX_STEP, MAX_ROUNDS = 20.0, 60  # mm
TRUSTED = 0.9


def _generators() -> np.ndarray:
    """Return the seven directions of a similarity (7, 4, 4): shifts, rotations, scaling."""
    g = np.zeros((7, 4, 4))
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        g[axis, axis, 3] = 1
        g[3 + axis, b, a], g[3 + axis, a, b] = 1 / RADIUS, -1 / RADIUS
    g[6, :3, :3] = np.eye(3) / RADIUS
    return g


GENERATORS = _generators()


@dataclass(frozen=True)
class Pose:
    """Where the template's head lies in a scan, and how sure that is.

    Attributes
    ----------
    matrix : numpy.ndarray, shape (4, 4)
        Template mm to scan mm.
    similarity : float
        Correlation of the scan with its explanation, at the fine level.
    in_view : float
        Share of the template's head that lies inside the scan.
    """

    matrix: np.ndarray
    similarity: float
    in_view: float


@dataclass(frozen=True)
class _Level:
    """The template's side of the regression at one level of blur, for n points and p parts."""

    fwhm: float
    points: np.ndarray  # (4, n) template mm, homogeneous
    parts: np.ndarray  # (n, p) uptake of the template, then of each striatal region
    slopes: np.ndarray  # (n, g, p) their change along the generators, per mm
    ceiling: np.ndarray  # (n,) where to cut off uptake, so that glands do not matter
    weight: np.ndarray  # (n,)


def find_pose(
    data: np.ndarray,
    affine: np.ndarray,
    *,
    scaling: bool = True,
    ceiling: float = 1.6,
    striatal_weight: float = 4.0,
) -> Pose:
    """Find the pose of the template's head in a scan.

    Parameters
    ----------
    data : array, shape (i, j, k), float32
        Uptake in any unit.
    affine : array, shape (4, 4)
        Voxel indices to scan mm, RAS+, not more than 45° from the patient's axes.
    scaling : bool
        Whether the head's size is fitted; otherwise the pose is rigid.
    ceiling : float
        Cut-off of uptake outside the striata, as a multiple of the brain's.
    striatal_weight : float
        Weight of points near the striata, those elsewhere having 1.

    Raises
    ------
    PrepareError
        If the scan holds less uptake than half a brain.
    """
    volume, affine = _shrink(data, affine)
    volume = volume / _brain_level(volume, affine)
    coarse, fine = _levels(scaling, ceiling, striatal_weight)
    start = _shift(_head_centre(volume, affine) - _template_centre())
    blurred = _blur(volume, affine, coarse.fwhm)
    pose = _fit(blurred, affine, coarse, start)
    if pose.similarity < TRUSTED:
        others = [_fit(blurred, affine, coarse, start @ turn) for turn in _other_starts()]
        pose = max(pose, *others, key=lambda pose: pose.similarity * pose.in_view)
    return _fit(_blur(volume, affine, fine.fwhm), affine, fine, pose.matrix)


# ---------------------------------------------------------------- the scan's side


def _spacing(affine: np.ndarray) -> np.ndarray:
    return np.linalg.norm(affine[:3, :3], axis=0)


def _shift(mm: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix


def _shrink(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average blocks of voxels, as many as fit into MAX_VOXEL; return the volume and its affine."""
    block = np.maximum(1, MAX_VOXEL // _spacing(affine)).astype(int)
    shape = np.array(data.shape) // block
    whole = data[tuple(slice(n) for n in shape * block)]
    blocks = whole.reshape(np.column_stack([shape, block]).ravel())
    return blocks.mean(axis=(1, 3, 5)), affine @ _shift((block - 1) / 2) @ np.diag([*block, 1.0])


def _brain_level(volume: np.ndarray, affine: np.ndarray) -> float:
    """Return the value that BRAIN_ML of the volume exceed.

    Striata and glands together are a tenth of that, so they do not matter, however hot; nor does
    the air around the head, however much of it there is.
    """
    count = int(BRAIN_ML * 1000 / abs(np.linalg.det(affine[:3, :3])))
    level = np.partition(volume, -count, axis=None)[-count] if count < volume.size else 0.0
    if level <= 0:
        raise PrepareError(
            f"Expected uptake in at least {BRAIN_ML} mL, half a brain, found less; look at the "
            "scan: is the head in it, and is the voxel size right?"
        )
    return float(level)


def _blur(volume: np.ndarray, affine: np.ndarray, fwhm: float) -> np.ndarray:
    sigma = fwhm * SIGMA / _spacing(affine)
    return ndimage.gaussian_filter(volume, sigma, mode="nearest", truncate=3.0)


def _head_centre(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the centroid, in mm, of the largest piece above half the brain's level."""
    labels, _ = ndimage.label(volume > 0.5)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mm = np.argwhere(labels == sizes.argmax()) @ affine[:3, :3].T + affine[:3, 3]
    return mm[mm[:, 2] > mm[:, 2].max() - HEAD_MM].mean(axis=0)


def _sample(
    volume: np.ndarray, to_mm: np.ndarray, points: np.ndarray, **outside: object
) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume's values at points (4, n) in mm, and whether each lies inside it."""
    index = np.einsum("ij,jn->in", np.linalg.inv(to_mm), points)[:3]
    inside = ((index > -0.5) & (index < np.array(volume.shape)[:, None] - 0.5)).all(axis=0)
    return ndimage.map_coordinates(volume, index, order=1, **outside), inside


def _fit(volume: np.ndarray, affine: np.ndarray, level: _Level, matrix: np.ndarray) -> Pose:
    """Correct a pose until nothing is left to correct; see the module's text."""
    n, parts = level.parts.shape
    amplitude = np.eye(parts)[0]
    for _ in range(MAX_ROUNDS):
        to_template = np.linalg.inv(matrix) @ affine
        uptake, inside = _sample(volume, to_template, level.points, mode="nearest")
        uptake, weight = np.minimum(uptake, level.ceiling), level.weight * inside
        slopes = np.einsum("ngp,p->ng", level.slopes, amplitude)
        design = np.column_stack([np.ones(n), level.parts, slopes])
        fitted = _regress(design, uptake, weight)
        amplitude, step = fitted[1 : 1 + parts], -fitted[1 + parts :]
        size = np.abs(step).max()
        step *= min(1.0, MAX_STEP / max(size, TOLERANCE))
        matrix = matrix @ expm(np.tensordot(step, GENERATORS[: len(step)], axes=1))
        if size < TOLERANCE:
            break
    explained = np.einsum("nk,k->n", level.parts, amplitude)
    similarity = _correlation(uptake, explained, weight) if amplitude[0] > 0 else 0.0
    return Pose(matrix, similarity, float(inside.mean()))


def _regress(design: np.ndarray, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Solve weighted least squares. No BLAS: its sums depend on the number of threads."""
    weighted = design * weight[:, None]
    normal = np.einsum("nj,nk->jk", weighted, design)
    return np.linalg.lstsq(normal, np.einsum("nj,n->j", weighted, values), rcond=1e-12)[0]


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    a, b = (x - np.average(x, weights=weight) for x in (a, b))
    return float((weight * a * b).sum() / np.sqrt((weight * a**2).sum() * (weight * b**2).sum()))


# ---------------------------------------------------------------- the template's side


@cache
def _template() -> tuple[np.ndarray, np.ndarray]:
    """Return the template with the brain's level 1, and its affine."""
    scan = load_template()
    return scan.data / _brain_level(scan.data, scan.affine), scan.affine


@cache
def _template_centre() -> np.ndarray:
    return _head_centre(*_template())


@cache
def _other_starts() -> list[np.ndarray]:
    """Return poses relative to the first start: nods, turns, tilts by 30°, and shifts along z."""
    angle = np.radians(30) * RADIUS
    there, back = _shift(_template_centre()), _shift(-_template_centre())
    turns = [there @ expm(s * angle * g) @ back for g in GENERATORS[3:6] for s in (-1, 1)]
    return turns + [_shift(np.array([0, 0, z])) for z in (-40.0, 40.0)]


@cache
def _levels(scaling: bool, ceiling: float, striatal_weight: float) -> list[_Level]:
    generators = GENERATORS[: 7 if scaling else 6]
    return [
        _build_level(fwhm, _points(mm), generators, ceiling, striatal_weight if striata else None)
        for fwhm, mm, striata in LEVELS
    ]


def _points(distance: float) -> np.ndarray:
    """Return the points (4, n) of a lattice, symmetric about x = 0, in and around the head."""
    template, affine = _template()
    reach = np.arange(-200, 200 + distance, distance)  # mm; beyond any head
    lattice = np.stack(np.meshgrid(reach, reach, reach[reach > BOTTOM_MM], indexing="ij"))
    points = np.vstack([lattice.reshape(3, -1), np.ones((1, lattice[0].size))])
    to_head = ndimage.distance_transform_edt(template < 0.3, sampling=_spacing(affine))
    distances, inside = _sample(to_head, affine, points, mode="nearest")
    return points[:, inside & (distances < RIM_MM)]


def _build_level(
    fwhm: float,
    points: np.ndarray,
    generators: np.ndarray,
    ceiling: float,
    striatal_weight: float | None,
) -> _Level:
    template, affine = _template()
    volumes, regions = [(template, affine, fwhm)], load_regions()
    striata = np.logical_or.reduce([regions[name] for name in LABELS[:4]])
    near = np.zeros(points.shape[1], bool)
    if striatal_weight is not None:
        blur = np.hypot(fwhm, TEMPLATE_FWHM)
        volumes += [(regions[n].astype(np.float32), GRID.affine, blur) for n in LABELS[:4]]
        away = ndimage.distance_transform_edt(~striata, sampling=_spacing(GRID.affine))
        near = _sample(away, GRID.affine, points, cval=np.inf)[0] < STRIATUM_MM
    parts, slopes = zip(*(_part(*v, points, generators) for v in volumes), strict=True)
    parts, slopes = np.stack(parts, axis=-1), np.stack(slopes, axis=-1)
    limit = np.where(near, STRIATUM_CEILING, ceiling)
    slopes[parts[:, 0] > limit, :, 0] = 0
    parts[:, 0] = np.minimum(parts[:, 0], limit)
    weight = np.where(near, striatal_weight or 1.0, 1.0)
    return _Level(fwhm, points, parts, slopes, limit, weight)


def _part(
    volume: np.ndarray,
    affine: np.ndarray,
    fwhm: float,
    points: np.ndarray,
    generators: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a blurred volume at the points (n,), and its change along the generators (n, g)."""
    blurred = _blur(volume, affine, fwhm)
    slopes = [_sample(s, affine, points)[0] for s in np.gradient(blurred, *_spacing(affine))]
    values, _ = _sample(blurred, affine, points)
    return values, np.einsum("an,gab,bn->ng", np.stack(slopes), generators[:, :3], points)
