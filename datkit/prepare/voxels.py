"""What a scan's own voxels say of how it was stored: clipped, shifted, with holes, out of order.

Each figure is a ratio or a volume, so none hangs on the scan's unit. Where sound exams end and
spoilt ones begin is measured by ``benchmarks/prepare`` (section `spoilt`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from datkit.prepare.grid import GRID, crop_to_grid, to_striata
from datkit.prepare.levels import head_lattice, scaled_template
from datkit.prepare.sampling import sample, shrink, spacing, transform

__all__ = ["look_at_voxels"]

FLAT = 0.99  # of the hottest voxel; blurred peaks hold a few voxels above
# From the template's skin, beyond the blur; steps and lowest z of points; of the brain's uptake.
AIR_MM, LATTICE_MM, NECK_MM, SKIN = 12.0, 8.0, -45.0, 0.2
BRAIN = 0.6  # of its uptake; the template's skull and scalp hold less
PLANE_MM, STEP_MM = 8.0, 4.0  # slices are averaged to this, against noise and interpolation
WITHIN = 0.3  # of a slice's energy; slices that hold less are mostly air
FEWEST, NEAR = 11, 4  # slices, more than a break's neighbours; those on each side
ACROSS = 0.7  # of breaks between sagittal and coronal slices, where the midline and ears are


def look_at_voxels(
    data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray, level: float
) -> dict[str, float]:
    """Look for what storage and export do to an image.

    Parameters
    ----------
    data : array, shape (i, j, k), float32
        Uptake in any unit, the voxel axes close to right, front and up.
    affine, to_scan : array, shape (4, 4)
        Voxel indices to scan mm, and template mm to scan mm.
    level : float
        Non-specific uptake, in the same unit.

    Returns
    -------
    dict of str to float
        ``pixels``: the voxels' width over their length; ``saturated``: mL within 1 % of the
        hottest voxel; ``air``: median around the head, over the level; ``holes`` and
        ``brain_holes``: mL of exactly 0 in the striatal masks and in the brain; ``slices`` and
        ``order``: see below. What too little of the scan shows is left out.

    Notes
    -----
    Slices s of a blurred image change evenly. Where some are lost, repeated or zeroed,
    ``|s[k-1] - 2 s[k] + s[k+1]|²`` stands out of its neighbours': ``slices`` is how many times, at
    most. Where they alternate or pairs are swapped, ``order``, the mean of ``|s[k+1] - s[k]|²``
    over that of ``|s[k+2] - s[k]|²``, comes close to 1 or above; smooth images have a quarter.
    Each is the most of the three directions.
    """
    size, voxel_ml = spacing(affine), spacing(affine).prod() / 1000
    box, its_affine = crop_to_grid(data, affine, to_scan, 0.0)
    zeros = transform(np.linalg.inv(to_scan) @ its_affine, np.argwhere(box == 0).T)
    away = sample(to_striata(), GRID.affine, zeros, cval=np.inf)[0]
    brain = sample(*scaled_template(), zeros)[0]
    found = {
        "pixels": size[0] / size[1],
        "saturated": np.count_nonzero(data >= FLAT * data.max()) * voxel_ml,
        "holes": np.count_nonzero(away <= 0) * voxel_ml,
        "brain_holes": np.count_nonzero(brain > BRAIN) * voxel_ml,
        **_compare_slices(box, size),
    }
    air, inside = sample(data, np.linalg.inv(to_scan) @ affine, _around_head())
    if inside.any():
        found["air"] = np.median(air[inside]) / level
    return {name: float(value) for name, value in found.items()}


@cache
def _around_head() -> np.ndarray:
    """Return points (3, n) in the air around the template's head, mm."""
    template, affine = scaled_template()
    away = ndimage.distance_transform_edt(template < SKIN, sampling=spacing(affine))
    points = head_lattice(LATTICE_MM)
    return points[:, (sample(away, affine, points)[0] > AIR_MM) & (points[2] > NECK_MM)]


def _compare_slices(box: np.ndarray, size: np.ndarray) -> dict[str, float]:
    """Return ``slices`` and ``order`` of :func:`look_at_voxels`, of a box within the head."""
    breaks, orders = [], []
    for axis, weight in enumerate((ACROSS, ACROSS, 1.0)):
        coarse = size * np.where(np.arange(3) == axis, PLANE_MM / STEP_MM, 1.0)
        stack = np.moveaxis(shrink(box, np.diag([*coarse, 1.0]), PLANE_MM)[0], axis, 0)
        energy = _energy(stack)
        held = np.flatnonzero(energy > WITHIN * np.percentile(energy, 95))
        if held.size >= FEWEST:
            stack = stack[held[0] : held[-1] + 1]
            one, two = stack[1:] - stack[:-1], stack[2:] - stack[:-2]
            orders.append(_energy(one).mean() / _energy(two).mean())
            breaks.append(weight * _largest(_energy(one[1:] - one[:-1])))
    return {"slices": max(breaks), "order": max(orders)} if breaks else {}


def _energy(slices: np.ndarray) -> np.ndarray:
    """Return each slice's sum of squares, (n,)."""
    return np.einsum("kij,kij->k", slices, slices, dtype=np.float64)


def _largest(bends: np.ndarray) -> float:
    """Return how many times the mean of the near ones the largest is, its neighbours left out."""
    near = np.zeros(2 * NEAR + 1)
    near[[*range(NEAR - 1), *range(NEAR + 2, near.size)]] = 1
    sums, counts = (np.convolve(each, near, "same") for each in (bends, np.ones(bends.size)))
    return float((bends * counts / np.maximum(sums, 1e-30)).max())
