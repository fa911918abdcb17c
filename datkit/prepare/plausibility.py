"""Is it a DaT exam at all? What else a scan may be shows in its proportions and in its uptake.

Every figure is a ratio, so none hangs on the scan's unit, and a mean or a percentile over many
voxels, so noise hardly moves it. Where each ends for exams and begins for other volumes is measured
by ``benchmarks/prepare`` (section `others`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.linalg import expm
from scipy.ndimage import gaussian_filter

from datkit.prepare.grid import GRID, grid_mm, to_striata
from datkit.prepare.levels import GENERATORS, RADIUS, head_lattice, regressors, scaled_template
from datkit.prepare.sampling import blur, crop, regress, sample, shrink, transform

__all__ = ["find_proportions", "look_at_uptake"]

FWHM, VOXEL_MM, STEP_MM = 12.0, 8.0, 16.0
MARGIN_MM = 60.0  # around the head: one that is stretched reaches beyond it
CEILING = 1.6  # times the brain, as in registration: neither striata nor glands count
ROUGH, MAX_STEP, MAX_ROUNDS = 0.3, 20.0, 12  # mm at the head's surface
NEAR_MM, AWAY_MM = 4.0, 14.0  # from the striatal masks: striatum, and where its blur has ended
BRAIN = 0.6  # times the template's brain
BLOCK_MM, SHOWN, FEW = 4.0, 0.5, 20  # the share of a block that must be shown; blocks


def find_proportions(data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray) -> dict[str, float]:
    """Fit the head's size along each of its axes, from a pose that has one size for all.

    A wrong slice spacing squashes or stretches a head; no template of one size shows it.

    Parameters
    ----------
    data : array, shape (i, j, k), float32
        Uptake in any unit.
    affine, to_scan : array, shape (4, 4)
        Voxel indices to scan mm, and template mm to scan mm.

    Returns
    -------
    dict of str to float
        ``height``: the head's height over the mean of its width and length; ``width``: its width
        over its length (the template's own are 1); ``in_head``: the share of the scan's uptake
        that lies in a box around the head.
    """
    points, parts, slopes, generators = _head()
    middle = points[:, parts > 0.9]
    box, affine = crop(data, affine, transform(to_scan, points), MARGIN_MM)
    in_head = box.sum(dtype=np.float64) / data.sum(dtype=np.float64)
    volume, affine = shrink(box, affine, VOXEL_MM)
    volume, gain = blur(volume, affine, FWHM), 1.0
    volume /= max(np.median(sample(volume, np.linalg.inv(to_scan) @ affine, middle)[0]), 1e-9)
    for _ in range(MAX_ROUNDS):
        uptake, inside = sample(volume, np.linalg.inv(to_scan) @ affine, points, mode="nearest")
        design = np.column_stack([np.ones(uptake.size), parts, gain * slopes])
        _, gain, *off = regress(design, np.minimum(uptake, CEILING), 1.0 * inside)
        size = np.abs(off).max()
        step = np.tensordot(off, generators, axes=1) * min(1.0, MAX_STEP / max(size, ROUGH))
        to_scan = to_scan @ expm(-step)
        if size < ROUGH:
            break
    x, y, z = np.linalg.norm(to_scan[:3, :3], axis=0)
    proportions = {"height": float(z / np.sqrt(x * y)), "width": float(x / y)}
    return proportions | {"in_head": float(in_head)}


@cache
def _head() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return points (3, n), the template there (n,), and its changes (n, 9) along generators."""
    points = head_lattice(STEP_MM)
    generators = np.concatenate([GENERATORS[:6], np.zeros((3, 4, 4))])
    generators[range(6, 9), range(3), range(3)] = 1 / RADIUS
    parts, slopes = regressors([(*scaled_template(), FWHM)], points, generators)
    slopes[parts[:, 0] > CEILING] = 0
    return points, np.minimum(parts[:, 0], CEILING), slopes[:, :, 0], generators


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
        uptake away from the striata, over its mean. What is not shown is left out, and a figure
        for which too little is shown.
    """
    blocks = _blocks(np.asarray(volume, np.float32))
    shown = gaussian_filter(np.float32(blocks > 0), 1.0)  # 0 is what was masked, or not scanned
    smooth = gaussian_filter(blocks, 1.0) / np.maximum(shown, SHOWN)
    values = {name: smooth[mask & (shown > SHOWN)] for name, mask in _regions().items()}
    sides, rest, white = [values["left"], values["right"]], values["rest"], values["white"]
    found = {}
    if min(map(np.size, (*sides, rest))) > FEW:
        top = max(np.percentile(side, 90) for side in sides)
        found["striatal_uptake"] = float(top / np.percentile(rest, 99.5))
        found["unevenness"] = float(rest.std() / rest.mean())
    if min(values["cortex"].size, white.size) > FEW:
        found["cortex"] = float(np.median(values["cortex"]) / np.median(white))
    return found


def _blocks(volume: np.ndarray) -> np.ndarray:
    """Return means over blocks of 4 mm, (32, 40, 24)."""
    return shrink(volume, GRID.affine, BLOCK_MM)[0]


@cache
def _regions() -> dict[str, np.ndarray]:
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
        "rest": brain & (away > AWAY_MM),
        "cortex": brain & (outer | inner | front),
        "white": white,
    }
