"""The reference: what non-specific uptake is, with the occipital region in view or without it."""

from __future__ import annotations

from functools import cache

import numpy as np

from datkit.errors import PrepareError
from datkit.prepare.grid import GRID, grid_mm, load_regions, load_template, to_striata
from datkit.prepare.sampling import sample

__all__ = ["find_reference", "reference_level"]

LEAST_OCCIPITAL = 0.5  # of the region; if less is in view, the whole brain stands in for it
LEAST_BRAIN = 0.1
AWAY_MM = 18.0  # from the striatal masks: two blurs away, striata no longer matter
BRAIN = 0.6  # of the occipital uptake; the template's skull and scalp hold less


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
        mask, usual = _regions()[region]
        shown = volume[mask]
        seen = shown > 0
        if seen.mean() >= least:
            return region, _middle_mean(shown[seen]) / _middle_mean(usual[seen])
    raise PrepareError(
        f"Expected uptake in half of the occipital reference region, or in {LEAST_BRAIN:.0%} of "
        f"the brain around the striata, found it in {seen.mean():.0%} of the brain; look at the "
        "scan: is the head cut off, or is it no head at all?"
    )


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
