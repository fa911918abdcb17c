"""Where things lie in the scanner: the matrix, oblique or not, and the head in it."""

from __future__ import annotations

import numpy as np

from datkit.errors import UsageError

__all__ = ["draw_geometry", "rotation"]

STRIATUM = np.array([[-40.0, 40], [-36, 38], [-26, 42]])  # both striata, with 10 mm to spare
BRAIN_TOP, BRAIN_BACK = 72.0, 95.0  # mm from the origin of a head of mean size

TILT_SCALE, TILT_MOST = 4.2, 38.0  # degrees; median 4.7, up to 40 in the challenge's oblique files
BADLY_LYING = 0.05  # share of heads; design
CUT_SHORT, SHORT_MM = 0.06, 320.0  # share, and the longest array that can cut brain; with what
# thin stacks leave out, vertex or occiput is cut in about 5 % of all exams; design


def rotation(degrees: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """Return the (3, 3) rotation about x, then y, then z.

    Examples
    --------
    >>> rotation((0, 0, 90)).round() @ [1, 0, 0]
    array([0., 1., 0.])
    """
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[j, i], turn[i, j] = np.sin(angle), -np.sin(angle)
        out = turn @ out
    return out


def draw_geometry(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    head_at: tuple[float, ...],
    oblique: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw where a matrix and a head lie in the scanner.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape, spacing : tuple
        Of the matrix (i, j, k); mm.
    head_at : tuple of float
        Where the head's origin lies from the matrix's middle in the mean, mm.
    oblique : float
        Share of matrices that are turned against the scanner.

    Returns
    -------
    affine : ndarray (4, 4)
        Voxel to scanner mm, RAS.
    head_to_scanner : ndarray (4, 4)
        Rigid, mm to mm. Both striata lie within the matrix.

    Raises
    ------
    UsageError
        If there is no such matrix, or it is too small for both striata.
    """
    if min(*shape, *spacing) <= 0:
        raise UsageError(
            f"A matrix needs voxels and spacings above 0, found {shape} and {spacing} mm."
        )
    half = np.array(shape) * spacing / 2
    turn = rotation(_draw_tilt(rng) * (rng.random() < oblique))
    middle = np.array([0, 0, round(rng.uniform(-400, 0), 1)])  # the bed's position
    pose = np.eye(4)
    pose[:3, :3] = rotation(_draw_angles(rng))
    pose[:3, 3] = middle + turn @ _draw_place(rng, head_at, half)
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return _hold_striatum(affine, shape, pose), pose


def _draw_tilt(rng: np.random.Generator) -> np.ndarray:
    """Draw an array's tilt about x, y, z, degrees: mostly pitch, seldom far; design."""
    pitch = np.clip(TILT_SCALE * rng.standard_t(3), -TILT_MOST, TILT_MOST)
    return np.array([pitch, *rng.normal(0, 2, 2)])


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
    held = affine.copy()
    held[:3, 3] += affine[:3, :3] @ shift
    return held
