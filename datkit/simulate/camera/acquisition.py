"""One exam's parameters, drawn before any voxel: geometry, pose, orbit, counts, motion, scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.camera.centres import Centre, Protocol
from datkit.simulate.camera.pose import draw_geometry, rotation
from datkit.simulate.camera.scanner import Recipe

__all__ = ["Acquisition", "Motion", "draw_acquisition", "rotation"]

HEAD_MIDDLE = (0.0, -13.0, -12.0)  # of a head of mean size, mm from its origin (MNI 0, 0, 0)
HEAD_MM = 100.0  # from there to the nose or the occiput
DTYPES = ("uint16", "int16")

MOVING = 0.06  # share of heads; both shares: design
EDGE, THIN_MM = 0.01, 215.0  # share, and the highest stack whose ends lie in the head: 0.3 % of
# all, beside 3 % of exams where a gland that the field cuts is the hottest


@dataclass(frozen=True)
class Motion:
    """A head that moves once during the acquisition.

    Attributes
    ----------
    start : float
        Share of the views that were taken before it moved.
    transform : ndarray (4, 4)
        From before to after, scanner mm to scanner mm, rigid.
    """

    start: float
    transform: np.ndarray


@dataclass(frozen=True)
class Acquisition:
    """Every parameter of one exam.

    Attributes
    ----------
    centre : Centre
    protocol : Protocol
    shape : tuple of int
        Matrix (i, j, k).
    affine : ndarray (4, 4)
        Voxel to scanner mm, RAS; oblique in some exams. The scanner's z is the rotation axis.
    head_to_scanner : ndarray (4, 4)
        Rigid pose of the head, mm to mm.
    orbit_centre : ndarray (3,)
        A point of the rotation axis, in the middle of the camera's field along z, scanner mm.
    radius_mm : float
        From the rotation axis to the collimator's face.
    counts : float
        Expected from the whole head over all views.
    recipe : Recipe
    motion : Motion or None
    edge : float
        How much too bright the lowest slice comes out, as a share; 0 in most exams.
    gain : float
        Stored value of the mean brain.
    dtype : str
        ``"uint16"`` or ``"int16"``.
    noise_seed : int

    Raises
    ------
    UsageError
        If no camera could acquire or store this; every fault is named.
    """

    centre: Centre
    protocol: Protocol
    shape: tuple[int, ...]
    affine: np.ndarray
    head_to_scanner: np.ndarray
    orbit_centre: np.ndarray
    radius_mm: float
    counts: float
    recipe: Recipe
    motion: Motion | None
    edge: float
    gain: float
    dtype: str
    noise_seed: int

    def __post_init__(self) -> None:
        """Refuse what is impossible."""
        faults = list(_find_faults(self))
        if faults:
            raise UsageError(f"This acquisition is not possible: {'; '.join(faults)}.")


def draw_acquisition(
    rng: np.random.Generator, centre: Centre, protocol: Protocol | None = None
) -> Acquisition:
    """Draw one exam at a centre.

    Parameters
    ----------
    rng : numpy.random.Generator
    centre : Centre
    protocol : Protocol, optional
        One of the centre's; drawn by their weights if left out.

    Raises
    ------
    UsageError
        If the centre's settings are impossible, or the matrix is too small for both striata.

    Examples
    --------
    >>> from datkit.simulate.camera.centres import CENTRES
    >>> exam = draw_acquisition(np.random.default_rng(0), CENTRES[5])
    >>> exam.shape, exam.dtype, 125 <= exam.radius_mm <= 145
    ((128, 128, 128), 'uint16', True)
    """
    if protocol is None:
        weights = [each.weight for each in centre.protocols]
        protocol = centre.protocols[rng.choice(len(weights), p=weights)]
    shape, spacing = protocol.matrix(rng)
    affine, pose = draw_geometry(rng, shape, spacing, centre.head_at, protocol.oblique)
    head = pose[:3, :3] @ HEAD_MIDDLE + pose[:3, 3]
    return Acquisition(
        centre=centre,
        protocol=protocol,
        shape=shape,
        affine=affine,
        head_to_scanner=pose,
        orbit_centre=head + rng.uniform(-8, 8, 3),  # mm; design
        radius_mm=float(rng.uniform(*centre.radius_mm)),
        counts=float(np.exp(rng.uniform(*np.log(centre.counts)))),
        recipe=protocol.recipe,
        motion=_draw_motion(rng, head) if rng.random() < MOVING else None,
        edge=_draw_edge(rng, shape[2] * spacing[2]),
        gain=float(centre.gain * protocol.gain * np.exp(rng.normal(0, centre.gain_sd))),
        dtype=protocol.dtype,
        noise_seed=int(rng.integers(2**63)),
    )


def _draw_motion(rng: np.random.Generator, head: np.ndarray) -> Motion:
    """Draw one step of 3-10 mm or one turn of 3-8 degrees about the head's middle; design."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    transform = np.eye(4)
    if rng.random() < 0.5:
        transform[:3, 3] = direction * rng.uniform(3, 10)
    else:
        angles = np.zeros(3)
        angles[rng.integers(3)] = rng.uniform(3, 8) * rng.choice([-1, 1])
        transform[:3, :3] = rotation(angles)
        transform[:3, 3] = head - transform[:3, :3] @ head
    return Motion(float(rng.uniform(0.1, 0.9)), transform)


def _draw_edge(rng: np.random.Generator, height_mm: float) -> float:
    """Draw how far too bright the lowest slice of a thin stack comes out: in most not at all."""
    return float(rng.uniform(2.5, 8)) if rng.random() < EDGE * (height_mm < THIN_MM) else 0.0


def _find_faults(exam: Acquisition) -> Iterator[str]:
    """Yield what is impossible about an acquisition, one clause each."""
    axes = np.asarray(exam.affine)[:3, :3]
    head = (exam.head_to_scanner @ [*HEAD_MIDDLE, 1])[:3]
    reach = HEAD_MM + np.hypot(*(exam.orbit_centre - head)[:2])
    views, subsets = exam.centre.views, exam.recipe.subsets
    rules = (
        (min(exam.shape) >= 1, f"a matrix holds voxels, found {exam.shape}"),
        (np.linalg.det(axes) > 0, f"an affine has three axes of a length above 0, right-handed, "
         f"found {axes.tolist()}"),
        (exam.radius_mm >= reach, f"an orbit of {exam.radius_mm:g} mm would hit the head, which "
         f"reaches {reach:.0f} mm from its axis"),
        (exam.counts > 0, f"counts are above 0, found {exam.counts:g}"),
        (views >= 1, f"views are 1 or more, found {views}"),
        (exam.recipe.method != "osem" or views % subsets == 0, f"subsets must divide the {views} "
         f"views, found {subsets}"),
        (exam.gain > 0, f"the gain is above 0, found {exam.gain:g}"),
        (exam.edge >= 0, f"an edge artefact is 0 or more, found {exam.edge:g}"),
        (exam.dtype in DTYPES, f"dtype is {' or '.join(DTYPES)}, found {exam.dtype!r}"),
        (exam.motion is None or 0 <= exam.motion.start < 1, "motion starts within the views"),
    )  # fmt: skip
    yield from (sentence for fine, sentence in rules if not fine)
