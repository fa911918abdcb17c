"""Where does each striatum lie? A small shift from its mask, for the anatomy that no pose explains.

The pose of a head leaves 1 to 3 mm of every brain's own: ventricles widen, nuclei move outward and
back. On a prepared volume each side is explained as the head was (:mod:`datkit.prepare.align`): by
the template, caudate and both halves of the putamen with amplitudes of their own, and by what they
would change by under a shift. So an empty putamen pulls nowhere, nor does a bright caudate push.
The shift is held towards 0 by what is known before looking, more firmly the worse the model fits:
noise does not move it, nor does cortex where a striatum is absent. What holds less than
non-specific uptake, fluid or what somebody zeroed, says nothing about striata and counts as
non-specific. Volumes are left alone; it is the masks that
:mod:`datkit.measure` moves.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from datkit.prepare.grid import GRID, distance_to, grid_mm, load_regions
from datkit.prepare.levels import GENERATORS, Volume, regressors, scaled_template
from datkit.prepare.sampling import blur, crop, regress, sample
from datkit.prepare.uptake import reference_level

__all__ = ["FURTHEST", "SHIFTS", "locate_striata"]

FURTHEST = 6.0  # mm; simulated heads need 3.5 at most
#: The columns of a prepared cohort that say where each striatum lies, mm from its mask.
SHIFTS = tuple(f"{side}_shift_{axis}" for side in ("left", "right") for axis in "xyz")
FWHM = 4.0  # mm, of the blur against noise
MASK_FWHM = 8.0  # mm; sharp masks blurred by this and FWHM resemble striata of 8 to 12 mm
REACH_MM = 16.0  # around the mask: a striatum and its blur
STEP_MM = 6.0  # between points
# What is known before looking: 1 mm in SD along each axis, of simulated heads; and residuals are
# alike over 11 mm, so that (6 / 11)³ of a point's is its own. Errors are flat from half to twice.
PRIOR = 6.0
# The model itself is no better than this, over non-specific uptake (healthy striata: 0.1 to 0.2).
# So an absent striatum, whose residual is small and which tells no place, stays near its mask.
MISFIT = 0.2
TOLERANCE, MAX_ROUNDS = 0.003, 20  # mm


def locate_striata(volume: np.ndarray) -> dict[str, float]:
    """Find how far each striatum lies from its mask.

    Minimises ``|volume(x + s) - parts(x) · a|² / σ² + PRIOR · |s|²`` over the shift s and the
    amplitudes a, σ² being the mean squared residual, at least ``MISFIT²``, by Gauss-Newton. A
    mirrored volume gives exactly the mirrored shifts, and a gain changes nothing.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Uptake on the canonical grid, in any unit.

    Returns
    -------
    dict of str to float
        :data:`SHIFTS`: ``left_shift_x`` … ``right_shift_z``, mm along the grid's axes (right,
        front, up), from the masks of :func:`datkit.prepare.load_regions` to the exam's striata;
        at most 6 mm long on each side.

    Raises
    ------
    PrepareError
        If the volume has another shape, voxels that are not finite, or no uptake to refer to.

    Examples
    --------
    >>> regions = load_regions()
    >>> volume = 1.0 + 3 * (regions["striatum_left"] | regions["striatum_right"])
    >>> shifts = locate_striata(np.roll(volume, 2, axis=1))  # 4 mm to the front
    >>> round(shifts["left_shift_y"]), shifts["left_shift_x"] == -shifts["right_shift_x"]
    (4, True)
    """
    volume = np.asarray(volume, np.float32)
    volume = np.maximum(volume / np.float32(reference_level(volume)), 1)
    right = _locate_left(volume[::-1]) * (-1, 1, 1)
    return dict(zip(SHIFTS, map(float, (*_locate_left(volume), *right)), strict=True))


def _locate_left(volume: np.ndarray) -> np.ndarray:
    """Return the shift (3,) of the left striatum."""
    points, parts, slopes = _model()
    box, affine = crop(volume, GRID.affine, points, FURTHEST + 2 * FWHM)
    box = blur(box, affine, FWHM)
    design = np.column_stack([np.ones(len(parts)), parts])
    ridge, known, shift = np.zeros(8), np.zeros(8), np.zeros(3)  # 5 amplitudes, 3 mm
    for _ in range(MAX_ROUNDS):
        uptake, _ = sample(box, affine, points + shift[:, None], mode="nearest")
        amplitude = regress(design, uptake)
        residual = uptake - np.einsum("np,p->n", design, amplitude)
        ridge[-3:], known[-3:] = PRIOR * max(np.mean(residual**2), MISFIT**2), -shift
        full = np.column_stack([design, -np.einsum("nap,p->na", slopes, amplitude[1:])])
        step = regress(full, uptake, ridge=ridge, towards=known)[-3:]
        size = np.linalg.norm(step)
        shift = _limited(shift + _limited(step, 2.0), FURTHEST)
        if size < TOLERANCE:
            break
    return shift


def _limited(vector: np.ndarray, longest: float) -> np.ndarray:
    return vector * min(1.0, longest / max(float(np.linalg.norm(vector)), 1e-9))


@cache
def _model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points (3, n) around the left striatum, the parts there (n, 4), their slopes."""
    regions, reach = load_regions(), STEP_MM * np.arange(-20, 21)
    lattice = np.stack(np.meshgrid(reach[reach < 0], reach, reach, indexing="ij")).reshape(3, -1)
    away = distance_to(regions["striatum_left"])
    points = lattice[:, sample(away, GRID.affine, lattice, cval=np.inf)[0] < REACH_MM]
    putamen, y = regions["putamen_left"], grid_mm()[1]
    front = putamen & (y > np.median(y[putamen]))
    masks = [regions["caudate_left"], front, putamen & ~front]
    wide = float(np.hypot(FWHM, MASK_FWHM))
    volumes: list[Volume] = [(mask.astype(np.float32), GRID.affine, wide) for mask in masks]
    template = (*scaled_template(), FWHM)
    return points, *regressors([template, *volumes], points, GENERATORS[:3])
