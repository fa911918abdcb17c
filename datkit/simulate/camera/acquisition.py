"""One exam's parameters, drawn before any voxel: geometry, pose, orbit, counts, motion, scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.affines import from_matvec
from scipy.spatial.transform import Rotation

from datkit.errors import UsageError
from datkit.simulate.camera.centres import Centre
from datkit.simulate.camera.protocols import Protocol

__all__ = ["Acquisition", "Motion", "draw_acquisition", "rotation"]

HEAD_MIDDLE = (0.0, -13.0, -12.0)  # of a head of mean size, mm from its origin (MNI 0, 0, 0)
STRIATUM = np.array([[-40.0, 40], [-36, 38], [-26, 42]])  # both striata, with 10 mm to spare
BRAIN_TOP, BRAIN_BACK = 72.0, 95.0  # mm from the origin of a head of mean size

TILT_SCALE, TILT_MOST = 4.2, 38.0  # degrees; median 4.7, up to 40 in the challenge's oblique files
BADLY_LYING = 0.05  # share of heads; design
CUT_SHORT, SHORT_MM = 0.06, 320.0  # share, and the longest array that can cut brain; with what
# thin stacks leave out, vertex or occiput is cut in about 5 % of all exams; design
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
    motion : Motion or None
    edge : float
        How much too bright the lowest slice comes out, as a share; 0 in most exams.
    gain : float
        Stored value of the mean brain.
    noise_seed : int
    """

    centre: Centre
    protocol: Protocol
    shape: tuple[int, ...]
    affine: np.ndarray
    head_to_scanner: np.ndarray
    orbit_centre: np.ndarray
    radius_mm: float
    counts: float
    motion: Motion | None
    edge: float
    gain: float
    noise_seed: int

    @property
    def mean_pose(self) -> np.ndarray:
        """The pose of the head, (4, 4), averaged over the acquisition if it moves."""
        if self.motion is None:
            return self.head_to_scanner
        before, moved = self.motion.start, self.motion.transform @ self.head_to_scanner
        return before * self.head_to_scanner + (1 - before) * moved


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
        If the centre's matrix is too small for both striata.

    Examples
    --------
    >>> from datkit.simulate.camera.centres import load_centres
    >>> exam = draw_acquisition(np.random.default_rng(0), load_centres()["centre-06"])
    >>> exam.shape, exam.protocol.dtype, 125 <= exam.radius_mm <= 145
    ((128, 128, 128), 'uint16', True)
    """
    protocol = protocol or draw_protocol(rng, centre)
    shape, affine, pose = _draw_geometry(rng, centre, protocol)
    head = pose[:3, :3] @ HEAD_MIDDLE + pose[:3, 3]
    thin = shape[2] * np.linalg.norm(affine[:3, 2]) < THIN_MM
    return Acquisition(
        centre=centre,
        protocol=protocol,
        shape=shape,
        affine=affine,
        head_to_scanner=pose,
        orbit_centre=head + rng.uniform(-8, 8, 3),  # mm; design
        radius_mm=float(rng.uniform(*centre.radius_mm)),
        counts=float(np.exp(rng.uniform(*np.log(centre.counts)))),
        motion=_draw_motion(rng, head) if rng.random() < MOVING else None,
        edge=float(rng.uniform(2.5, 8)) if rng.random() < EDGE * thin else 0.0,
        gain=float(centre.gain * protocol.gain * np.exp(rng.normal(0, centre.gain_sd))),
        noise_seed=int(rng.integers(2**63)),
    )


def draw_protocol(rng: np.random.Generator, centre: Centre) -> Protocol:
    """Draw one of a centre's protocols by their weights."""
    weights = [each.weight for each in centre.protocols]
    return centre.protocols[rng.choice(len(weights), p=weights)]


def rotation(degrees: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """Return the (3, 3) rotation about x, then y, then z.

    Examples
    --------
    >>> rotation((0, 0, 90)).round() @ [1, 0, 0]
    array([0., 1., 0.])
    """
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def _draw_motion(rng: np.random.Generator, head: np.ndarray) -> Motion:
    """Draw one step of 3-10 mm or one turn of 3-8 degrees about the head's middle; design."""
    direction = rng.normal(size=3)
    if rng.random() < 0.5:
        step = direction / np.linalg.norm(direction) * rng.uniform(3, 10)
        transform = from_matvec(np.eye(3), step)
    else:
        angles = np.zeros(3)
        angles[rng.integers(3)] = rng.uniform(3, 8) * rng.choice([-1, 1])
        turn = rotation(angles)
        transform = from_matvec(turn, head - turn @ head)
    return Motion(float(rng.uniform(0.1, 0.9)), transform)


def _draw_geometry(
    rng: np.random.Generator, centre: Centre, protocol: Protocol
) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Draw where a matrix and a head lie: its shape, voxel to scanner mm, and head to scanner mm.

    The matrix's tilt is mostly pitch, seldom far; design. Both striata lie within it.
    """
    shape, spacing = protocol.matrix.draw(rng)
    half = np.array(shape) * spacing / 2
    pitch = np.clip(TILT_SCALE * rng.standard_t(3), -TILT_MOST, TILT_MOST)
    tilt = np.array([pitch, *rng.normal(0, 2, 2)])
    turn = rotation(tilt * (rng.random() < protocol.oblique))
    middle = np.array([0, 0, round(rng.uniform(-400, 0), 1)])  # the bed's position
    nod = rotation(_draw_angles(rng))
    pose = from_matvec(nod, middle + turn @ _draw_place(rng, centre.head_at, half))
    axes = turn * spacing
    affine = from_matvec(axes, middle - axes @ ((np.array(shape) - 1) / 2))
    return shape, _hold_striatum(affine, shape, pose), pose


def _draw_angles(rng: np.random.Generator) -> np.ndarray:
    """Draw the head's pitch, roll and yaw against the scanner's axes, degrees.

    In the challenge 32 % of heads have a yaw beyond 5 degrees, up to 30. Yaw is the turn about the
    scanner's z: what one sees after resampling through the affine. Pitch and roll: design.
    """
    angles = rng.normal(0, (8, 4, 4.8))
    if rng.random() < BADLY_LYING:
        angles[1:] = rng.uniform(8, (20, 30)) * rng.choice([-1, 1], 2)
    return angles


def _draw_place(
    rng: np.random.Generator, head_at: tuple[float, ...], half: np.ndarray
) -> np.ndarray:
    """Draw where the head's origin lies from the matrix's middle, along the matrix's axes, mm.

    Some small arrays cut 5-20 mm off the vertex or the occiput.
    """
    place = head_at + rng.normal(0, (6, 6, 8))
    cuttable = [axis for axis in (1, 2) if 2 * half[axis] < SHORT_MM]
    if cuttable and rng.random() < CUT_SHORT:
        axis, depth = rng.choice(cuttable), rng.uniform(5, 20)
        behind, above = BRAIN_BACK - depth - half[1], half[2] - BRAIN_TOP + depth
        place[axis] = behind if axis == 1 else above
    return place


def _hold_striatum(affine: np.ndarray, shape: tuple[int, ...], pose: np.ndarray) -> np.ndarray:
    """Shift a matrix, if need be, so far that it holds both striata."""
    corners = np.stack(np.meshgrid(*STRIATUM, indexing="ij")).reshape(3, -1)
    scanner = pose[:3, :3] @ corners + pose[:3, 3:]
    voxels = np.linalg.solve(affine[:3, :3], scanner - affine[:3, 3:])
    low, high, last = voxels.min(1), voxels.max(1), np.array(shape) - 1
    if (high - low > last).any():
        size = " x ".join(f"{n:g}" for n in np.linalg.norm(affine[:3, :3], axis=0) * shape)
        raise UsageError(f"A matrix of {size} mm cannot hold both striata; choose a larger one.")
    shift = np.minimum(low, 0) + np.maximum(high - last, 0)
    return from_matvec(affine[:3, :3], affine[:3, 3] + affine[:3, :3] @ shift)
