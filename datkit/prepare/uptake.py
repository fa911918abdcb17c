"""What a volume on the canonical grid says by its uptake: its reference, and if it is a DaT exam.

The reference is what non-specific uptake is, with the occipital region in view or without it. What
else tells a DaT exam from other images are ratios, so none hangs on the scan's unit, and means or
percentiles over many voxels, so noise hardly moves them. Where each ends for exams and begins for
other volumes is measured by ``benchmarks/prepare`` (section `others`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from datkit.errors import PrepareError
from datkit.prepare.grid import GRID, grid_mm, load_regions, load_template, to_striata
from datkit.prepare.levels import scaled_template
from datkit.prepare.sampling import sample, shrink
from datkit.problems import Problem

__all__ = ["find_reference", "look_at_uptake", "reference_level"]

LEAST_OCCIPITAL = 0.5  # of the region; if less is in view, the whole brain stands in for it
LEAST_BRAIN = 0.1
AWAY_MM = 18.0  # from the striatal masks: two blurs away, striata no longer matter
BRAIN = 0.6  # of the brain's uptake; the template's skull and scalp hold less
NEAR_MM, FAR_MM = 4.0, 14.0  # from the striatal masks: striatum, and where its blur has ended
THIN = 7  # every so many voxels of the brain are enough to compare it with the reference
BLOCK_MM, SHOWN, FEW = 4.0, 0.5, 20  # the share of a block that must be shown; blocks


def reference_level(volume: np.ndarray) -> float:
    """Return the non-specific uptake of a volume on the canonical grid; see find_reference.

    Examples
    --------
    >>> reference_level(np.full(GRID.shape, 3.0))
    3.0
    """
    return find_reference(volume)[1]


def find_reference(volume: np.ndarray) -> tuple[str, float]:
    """Return which region tells the non-specific uptake of a volume, and the uptake.

    It is the mean of the middle half of the occipital voxels: a stray hot or cold voxel does not
    move it. Voxels of value 0 do not count, since 0 stands for what the scan does not show. Where
    more than half of the region is not shown, the brain that is, but for the striata, stands in,
    over what the template holds in the same voxels: non-specific uptake is told alike, with the
    whole brain's scatter and atrophy in it.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Uptake in any unit.

    Returns
    -------
    region : str
        ``"occipital"`` or ``"brain"``.
    level : float
        In the volume's unit.

    Raises
    ------
    PrepareError
        If the volume has another shape, a voxel is not finite, or less than a tenth of the brain
        has uptake.

    Examples
    --------
    >>> volume = np.full(GRID.shape, 3.0)
    >>> find_reference(volume)
    ('occipital', 3.0)
    >>> volume[:, :30] = 0  # the back of the head is cut off
    >>> find_reference(volume)[0]
    'brain'
    """
    if volume.shape != GRID.shape or not np.isfinite(volume).all():
        raise PrepareError(
            f"Expected a prepared volume of shape {GRID.shape} with finite voxels, found "
            f"{volume.shape}; use datkit.prepare_scan first."
        )
    for region, least in (("occipital", LEAST_OCCIPITAL), ("brain", LEAST_BRAIN)):
        seen, level = _level(volume, region)
        if seen >= least:
            return region, level
    few = Problem(
        "no-reference", "the scan",
        f"uptake in half of the occipital reference region, or in {LEAST_BRAIN:.0%} of the brain "
        "around the striata", f"it in {seen:.0%} of the brain",
        "Look at it: is the head cut off, or is it no head at all?",
    )  # fmt: skip
    raise PrepareError.of([few], where=few.where)


def _level(volume: np.ndarray, region: str, every: int = 1) -> tuple[float, float]:
    """Return the share of a region that is shown, and its uptake over what it usually is."""
    mask, usual = _regions()[region]
    shown, usual = volume[mask][::every], usual[::every]
    seen = shown > 0
    level = _middle_mean(shown[seen]) / _middle_mean(usual[seen]) if seen.any() else 0.0
    return float(seen.mean()), level


def _middle_mean(values: np.ndarray) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(values[(values >= low) & (values <= high)].mean(dtype=np.float64))


@cache
def _regions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return each region's mask and what it usually holds, over the occipital uptake."""
    masks, template = load_regions(), load_template()
    points = grid_mm().reshape(3, -1)
    usual = sample(template.data, template.affine, points)[0].reshape(GRID.shape)
    usual = usual / _middle_mean(usual[masks["occipital"]])
    brain = (to_striata() > AWAY_MM) & (usual > BRAIN)
    occipital = masks["occipital"]
    return {"occipital": (occipital, np.ones(occipital.sum())), "brain": (brain, usual[brain])}


def look_at_uptake(volume: np.ndarray) -> dict[str, float]:
    """Compare the striata with the rest of the brain, the cortex with the white matter.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Uptake on the canonical grid, in any unit.

    Returns
    -------
    dict of str to float
        ``striatal_uptake``: of the brighter side, over the brightest of the brain elsewhere;
        ``cortex``: over the white matter above the ventricles; ``unevenness``: SD of the brain's
        uptake away from the striata, over its mean; ``brain_reference``: the rest of the brain
        over the occipital region (the template's is 1). What is not shown is left out, and a
        figure for which too little is shown.
    """
    blocks = _blocks(np.asarray(volume, np.float32))
    shown = gaussian_filter(np.float32(blocks > 0), 1.0)  # 0 is what was masked, or not scanned
    smooth = gaussian_filter(blocks, 1.0) / np.maximum(shown, SHOWN)
    values = {name: smooth[mask & (shown > SHOWN)] for name, mask in _tissues().items()}
    sides, rest, white = [values["left"], values["right"]], values["rest"], values["white"]
    found = {}
    if min(map(np.size, (*sides, rest))) > FEW:
        top = max(np.percentile(side, 90) for side in sides)
        found["striatal_uptake"] = float(top / np.percentile(rest, 99.5))
        found["unevenness"] = float(rest.std() / rest.mean())
    if min(values["cortex"].size, white.size) > FEW:
        found["cortex"] = float(np.median(values["cortex"]) / np.median(white))
    (back, level), (brain, rest) = _level(volume, "occipital"), _level(volume, "brain", THIN)
    if min(back, brain) >= LEAST_OCCIPITAL:
        found["brain_reference"] = rest / level
    return found


def _blocks(volume: np.ndarray) -> np.ndarray:
    """Return means over blocks of 4 mm, (32, 40, 24)."""
    return shrink(volume, GRID.affine, BLOCK_MM)[0]


@cache
def _tissues() -> dict[str, np.ndarray]:
    """Return masks (32, 40, 24) of blocks: the striata, the rest of the brain, parts of it.

    Cortex and white matter are boxes in MNI mm: parietal and temporal cortex, the midline behind
    the corpus callosum and the frontal pole; the centrum semiovale.
    """
    x, y, z = np.stack([_blocks(axis) for axis in grid_mm()])
    away, side = _blocks(to_striata()), np.abs(x)
    points = np.stack([x, y, z]).reshape(3, -1)
    brain = sample(*scaled_template(), points)[0].reshape(x.shape) > BRAIN
    outer = (side > 44) & (side < 60) & (y > -40) & (y < 15) & (z > 0) & (z < 30)
    inner = (side < 9) & (y > -70) & (y < -30) & (z > 8) & (z < 50)
    front = (side < 40) & (y > 38) & (z > -10) & (z < 35)
    white = (side > 18) & (side < 32) & (y > -45) & (y < 30) & (z > 26) & (z < 40)
    return {
        "left": (away < NEAR_MM) & (x < 0),
        "right": (away < NEAR_MM) & (x > 0),
        "rest": brain & (away > FAR_MM),
        "cortex": brain & (outer | inner | front),
        "white": white,
    }
