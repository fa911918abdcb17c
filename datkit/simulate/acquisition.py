"""One exam's parameters, drawn before any voxel: geometry, pose, resolution, noise, intensity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datkit.simulate.centres import Centre

__all__ = ["Acquisition", "draw_acquisition", "rotation"]


@dataclass(frozen=True)
class Acquisition:
    """Every parameter of one exam.

    Attributes
    ----------
    centre : Centre
    shape : tuple of int
        Matrix (i, j, k).
    affine : ndarray (4, 4)
        Voxel to scanner mm, RAS; oblique in some exams.
    head_to_scanner : ndarray (4, 4)
        Rigid pose of the head, mm to mm.
    fwhm, noise, gain : float
        Resolution in mm, relative noise, stored value of brain background.
    noise_seed : int
    """

    centre: Centre
    shape: tuple[int, ...]
    affine: np.ndarray
    head_to_scanner: np.ndarray
    fwhm: float
    noise: float
    gain: float
    noise_seed: int


def draw_acquisition(rng: np.random.Generator, centre: Centre) -> Acquisition:
    """Draw one exam at a centre: geometry, pose, resolution, noise and intensity."""
    shape, spacing = centre.matrix(rng)
    affine, middle = _draw_affine(rng, shape, spacing)
    return Acquisition(
        centre=centre,
        shape=shape,
        affine=affine,
        head_to_scanner=_draw_pose(rng, middle + centre.head_at),
        fwhm=float(rng.uniform(*centre.fwhm)),
        noise=float(centre.noise * np.exp(rng.normal(0, 0.2))),
        gain=float(centre.gain * np.exp(rng.normal(0, 0.3))),
        noise_seed=int(rng.integers(2**63)),
    )


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


def _draw_affine(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the matrix's affine and its middle in scanner mm.

    In the challenge 40 % of the affines are oblique, by 4.7 degrees in the median.
    """
    tilted = rng.random() < 0.4
    angles = rng.normal(0, (4, 2, 2)) * tilted
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) * spacing
    middle = np.array([0, 0, round(rng.uniform(-400, 0), 1)])  # the bed's position
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine, middle


def _draw_pose(rng: np.random.Generator, place_mm: np.ndarray) -> np.ndarray:
    """Draw the head's pose about a place; no published spread was found (design)."""
    pitch, roll, yaw = rng.normal(0, (7, 4, 4))
    if rng.random() < 0.05:  # a head that lies badly
        roll, yaw = rng.uniform(8, 20, 2) * rng.choice([-1, 1], 2)
    pose = np.eye(4)
    pose[:3, :3] = rotation((pitch, roll, yaw))
    pose[:3, 3] = place_mm + rng.normal(0, (6, 6, 8))
    return pose
