"""The four simulated centres: matrices, resolution, corrections, noise and intensity.

Matrices, spacings and shares of abnormal exams follow four families of the DaT-Park challenge's
geometry, as entrants published them. Resolution, noise, intensity and positioning are design
choices within the ranges seen there: 8-12 mm FWHM, intensities over more than three decades, heads
up to 60 mm from the middle of the array. No real hospital or product is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["CENTRES", "Centre"]


@dataclass(frozen=True)
class Centre:
    """A simulated centre: what stays the same for all its exams.

    Attributes
    ----------
    name, camera : str
        Plain names; no real hospital or product is meant.
    share : int
        Exams in every block of twelve.
    prevalence : float
        Share of its patients with degenerative disease.
    matrix : callable
        Draws ``(shape, spacing in mm)`` from a random generator.
    fwhm : tuple of float
        Range of the resolution in mm.
    attenuation, scatter : bool
        Whether attenuation and scatter are corrected.
    noise : float
        Median relative SD of the noise in brain background.
    gain : float
        Median stored value of brain background.
    head_at : tuple of float
        Where the head's origin (MNI 0, 0, 0) lies from the matrix's middle, mm.
    """

    name: str
    camera: str
    share: int
    prevalence: float
    matrix: Callable[[np.random.Generator], tuple[tuple[int, ...], tuple[float, ...]]]
    fwhm: tuple[float, float]
    attenuation: bool
    scatter: bool
    noise: float
    gain: float
    head_at: tuple[float, float, float]


def _ring(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[float, ...]]:
    n = 2 * int(rng.integers(59, 90))
    return (n, n, 112), (2.46, 2.46, 2.46)


def _thin(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return (128, 128, int(rng.integers(36, 48))), (3.895, 3.895, 3.90)


def _cube(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return (128, 128, 128), (2.30, 2.30, 2.30)


def _zoomed(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[float, ...]]:
    pixel = round(float(rng.uniform(1.60, 1.88)), 4)
    return (128, 128, int(rng.integers(46, 56))), (pixel, pixel, 3.0)


CENTRES = (
    Centre(
        name="centre-1",
        camera="ring, 2.46 mm",
        share=4,
        prevalence=0.60,
        matrix=_ring,
        fwhm=(7.5, 9.5),
        attenuation=True,
        scatter=True,
        noise=0.14,
        gain=700.0,
        head_at=(0, 18, 24),
    ),
    Centre(
        name="centre-2",
        camera="dual head, 3.9 mm",
        share=3,
        prevalence=0.58,
        matrix=_thin,
        fwhm=(9.0, 11.0),
        attenuation=False,
        scatter=False,
        noise=0.12,
        gain=5000.0,
        head_at=(6, 35, -6),
    ),
    Centre(
        name="centre-3",
        camera="dual head, 2.3 mm",
        share=3,
        prevalence=0.50,
        matrix=_cube,
        fwhm=(8.5, 10.5),
        attenuation=True,
        scatter=False,
        noise=0.14,
        gain=60.0,
        head_at=(-4, -10, 40),
    ),
    Centre(
        name="centre-4",
        camera="dual head, zoomed",
        share=2,
        prevalence=0.42,
        matrix=_zoomed,
        fwhm=(9.5, 12.0),
        attenuation=True,
        scatter=False,
        noise=0.12,
        gain=8.0,
        head_at=(0, 18, -6),
    ),
)
