"""What the simulated centres' protocols are made of: matrices, collimators, reconstructions.

Collimators follow published hole sizes (QIBA table, 10.1186/s13550-017-0300-5). Reconstructions
keep to published kinds: OSEM of 24 to 50 updates (Winz 2012, 10.1097/RLU.0b013e318251e1b3, takes
64) and FBP with a Butterworth filter. Cut-offs of 0.60-0.70 cycles/cm, about half of the Nyquist
frequency, are sharper than the 0.32-0.46 found best for quantification (PMC6038970): with the
camera's own resolution they give the 11-13 mm FWHM that such images have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from datkit.simulate.camera.scanner import Collimator, Recipe

__all__ = [
    "DEEP",
    "FAN",
    "LONG",
    "MEDIUM",
    "RING",
    "SHORT",
    "Matrix",
    "Protocol",
    "fbp",
    "matrix",
    "osem",
]

Matrix = Callable[[np.random.Generator], tuple[tuple[int, ...], tuple[float, ...]]]

SHORT = Collimator("LEHR, short holes", hole_mm=1.11, length_mm=24.05)
LONG = Collimator("LEHR, long holes", hole_mm=1.50, length_mm=35.0)
DEEP = Collimator("LEHR, deep holes", hole_mm=2.03, length_mm=48.0)
FAN = Collimator("fan beam", hole_mm=1.10, length_mm=35.0)
# stands for a fan beam by its resolution, about 7 mm at 14 cm; design
MEDIUM = Collimator("medium energy", hole_mm=2.20, length_mm=40.0, penetration=0.03)
# 10-13 mm; a tenth of the penetration (Cot 2006, IEEE TNS 53:198); holes: design
RING = Collimator(
    "ring of semiconductors", hole_mm=1.50, length_mm=35.0, intrinsic_mm=2.46, penetration=0.15
)  # crystals as wide as the stored pixel, finer energy resolution; holes and penetration: design


@dataclass(frozen=True)
class Protocol:
    """One way in which a centre acquires, reconstructs and stores.

    Attributes
    ----------
    name : str
    weight : float
        Its share of the centre's exams; a centre's weights sum to 1.
    matrix : callable
        Draws ``(shape, spacing in mm)`` from a random generator; see :func:`matrix`.
    collimator : Collimator
    recipe : Recipe
    tilt : float
        Shift of the logit of the share of ill patients against the centre's: who is sent for this
        protocol differs.
    gain : float
        Factor on the centre's scale of stored values.
    oblique : float
        Share of its exams whose affine is oblique; 40 % in the challenge.
    dtype : str
        Type of the stored values, ``"uint16"`` or ``"int16"``.
    """

    name: str
    weight: float
    matrix: Matrix
    collimator: Collimator
    recipe: Recipe
    tilt: float = 0.0
    gain: float = 1.0
    oblique: float = 0.4
    dtype: str = "uint16"


def matrix(
    columns: int | tuple[int, int, int] = 128,
    slices: int | tuple[int, int] = 128,
    pixel: float | tuple[float, float] = 2.46,
    height: float | None = None,
) -> Matrix:
    """Return a function that draws square matrices, columns x columns x slices.

    Parameters
    ----------
    columns : int or (least, most frequent, most)
        A range is cropped per patient, to an even number.
    slices : int or (least, most)
    pixel : float or (least, most)
        Size in the slice, mm; a range is a zoom per patient.
    height : float, optional
        Distance between slices, mm; by default that of the pixels.

    Examples
    --------
    >>> matrix(slices=45, pixel=2.0, height=4.0)(np.random.default_rng(0))
    ((128, 128, 45), (2.0, 2.0, 4.0))
    """
    return partial(_draw_matrix, columns=columns, slices=slices, pixel=pixel, height=height)


def _draw_matrix(
    rng: np.random.Generator, columns: Any, slices: Any, pixel: Any, height: float | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    if isinstance(columns, tuple):
        columns = 2 * round(rng.triangular(*columns) / 2)
    if isinstance(slices, tuple):
        slices = int(rng.integers(*slices, endpoint=True))
    if isinstance(pixel, tuple):
        pixel = round(float(rng.uniform(*pixel)), 4)
    return (columns, columns, slices), (pixel, pixel, pixel if height is None else height)


def osem(
    attenuation: str,
    scatter: bool,
    postfilter_mm: float,
    updates: tuple[int, int] = (4, 6),
    resolution: bool = False,
) -> Recipe:
    """Return a recipe of OSEM; `updates` are iterations and subsets."""
    return Recipe("osem", attenuation, scatter, resolution, *updates, postfilter_mm=postfilter_mm)


def fbp(attenuation: str, cutoff: float) -> Recipe:
    """Return a recipe of filtered back-projection without scatter correction."""
    return Recipe("fbp", attenuation, scatter=False, cutoff=cutoff)
