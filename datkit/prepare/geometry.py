"""What a posed head says of its image: size along each axis, and effective resolution."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from scipy import ndimage
from scipy.linalg import polar

from datkit.prepare.align import fit
from datkit.prepare.grid import GRID, to_striata
from datkit.prepare.levels import (
    RADIUS,
    TEMPLATE_FWHM,
    Level,
    brain_level,
    build_level,
    scaled_template,
    template_centre,
)
from datkit.prepare.sampling import SIGMA, blur, crop, sample, shift, shrink, spacing, transform

__all__ = ["find_proportions", "find_resolution"]

FWHM, VOXEL_MM, STEP_MM = 12.0, 8.0, 16.0  # of what proportions are fitted to
MARGIN_MM = 60.0  # around the head: one that is stretched reaches beyond it
CEILING = 1.6  # times the brain, as in registration: neither striata nor glands count
ROUGH = 0.3  # mm at the head's surface
# A pose is taken at its word if the head is turned by less than 37° (simulated ones: 23°) and fits:
# simulated exams reach 0.97 and more but for the noisiest.
UPRIGHT, CONVINCING = 0.8, 0.95
ADULT = np.diag([0.9, 0.9, 0.9, 1.0])  # adult heads measure about 0.9 of the MNI template

STEP, BOTTOM = 5.0, -45.0  # mm; of the points, and the height below which they are mostly neck
AWAY_MM = 20.0  # from the striatal masks: two blurs, so that their uptake does not matter
# mm below the template's skin (0.3 of the brain's uptake): patients' scalps are a third to three
# times as bright, and closer to them their spill would be taken for the image's blur.
DEPTH_MM = 28.0
WIDTHS = np.arange(5.5, 36.0, 2.0)  # FWHM in mm, of the blurred templates
APART = 30.0  # mm² (FWHM²) between those that lead to sharper ones
# Of the median; voxels that hold less were masked, not scanned, or are fluid that somebody zeroed:
# blurred afterwards, such wells are sharper than the image.
LOW, SHOWN = 0.6, 0.99  # SHOWN: of what a value is made of
LEAST = 0.25  # of the points; fewer say too little
EVEN = 1e-8  # share of the sum of squares beside the trend; less is rounding
# Powers of x, y and z.
TREND = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (0, 2, 0), (0, 0, 2))


def find_proportions(data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray) -> dict[str, float]:
    """Fit the head's size along each of the scan's axes, from a pose that has one size for all.

    A wrong slice spacing squashes or stretches a head; no template of one size shows it. A tilted
    head is sheared too, so all that an affine transform can do is fitted, and what it stretches
    along the voxels' axes is its polar decomposition's. A squashed head may have been found upside
    down: where head or fit do not convince, it starts upright, too, and what looks more like a head
    counts.

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
        over its length (the template's own are 1), along the axes of the voxels;
        ``in_head``: the share of the scan's uptake that lies in a box around the head, where its
        lowest voxel is no uptake.
    """
    level, lowest = _affine_level(), max(float(data.min()), 0.0)
    box, affine = crop(data, affine, transform(to_scan, level.points), MARGIN_MM)
    inside, total = (part.sum(dtype=np.float64) - lowest * part.size for part in (box, data))
    volume, affine = shrink(box - np.float32(lowest), affine, VOXEL_MM)
    volume = blur(volume / max(brain_level(volume, affine), 1e-9), affine, FWHM)
    pose = fit(volume, affine, level, to_scan, ROUGH)
    tilted = to_scan[2, 2] < UPRIGHT * np.cbrt(np.linalg.det(to_scan[:3, :3]))
    if tilted or pose.similarity < CONVINCING:
        centre = to_scan @ [*template_centre(), 1.0]
        upright = shift(centre[:3]) @ ADULT @ shift(-template_centre())
        again = fit(volume, affine, level, upright, ROUGH)
        pose = max(pose, again, key=lambda each: each.similarity)
    linear = pose.matrix[:3, :3]
    stretch, axes = polar(linear, side="left")[1], affine[:3, :3] / spacing(affine)
    x, y, z = np.diag(axes.T @ stretch @ axes)
    in_head = float(inside / total) if total > 0 else 1.0
    return {"height": float(z / np.sqrt(x * y)), "width": float(x / y), "in_head": in_head}


@cache
def _affine_level() -> Level:
    """Return the level that fits an affine transform, in place of a similarity."""
    moves = np.zeros((12, 4, 4))
    moves[:, :3, [3, 0, 1, 2]] = np.eye(12).reshape(12, 4, 3).swapaxes(1, 2)  # shifts come first
    moves[:, :, :3] /= RADIUS
    head = [(*scaled_template(), 0.0)]
    level = build_level(FWHM, VOXEL_MM, STEP_MM, head, [0], moves, CEILING)
    return replace(level, trend=0 * level.trend)  # a trend along each axis looks like a size


def find_resolution(data: np.ndarray, affine: np.ndarray, to_scan: np.ndarray) -> float | None:
    """Return a scan's effective resolution, FWHM in the scan's mm, or None where it cannot be told.

    The template is blurred more and more; the blur whose picture correlates best with the scan
    tells the scan's own. Compared are points in the brain, away from striata and scalp, at
    cortex and ventricles, once a quadratic trend in x, y and z, such as attenuation and scatter
    leave, is taken off both. Noise lowers all correlations alike. Voxels of less than LOW of the
    brain's uptake do not count, so that the edge of a mask is not taken for the camera's. It is
    told from 5.5 to 35 mm of template space. A masked map has lost edges: that of 174 controls
    reads 17.9 mm, blurred by 8 mm 17.3, by 12, 16 and 20 mm 19.5, 22.8 and 25.7.

    Parameters
    ----------
    data, affine : array, array (4, 4)
        Uptake in any unit, and voxel indices to scan mm.
    to_scan : array, shape (4, 4)
        Template mm to scan mm.

    Examples
    --------
    >>> from datkit.prepare.grid import load_template
    >>> scan = load_template()
    >>> abs(find_resolution(scan.data, scan.affine, np.eye(4)) - 9.5) < 0.5  # datkit.simulate
    True
    """
    points, design = _load()
    to_template = np.linalg.inv(to_scan) @ affine
    uptake, inside = sample(data, to_template, points, mode="nearest")
    some = inside & (uptake > 0)
    low = LOW * np.median(uptake[some]) if some.any() else 0.0
    shown, _ = sample((data > low).view(np.uint8), to_template, points, output=np.float32)
    used = inside & (shown > SHOWN)
    if used.mean() < LEAST:
        return None
    table = np.column_stack([design, uptake])[used]
    heights = _correlations(np.einsum("nj,nk->jk", table, table), len(TREND))
    if heights is None:
        return None
    own = _best(WIDTHS, heights) ** 2 + _interpolation(scaled_template()[1])
    squared = np.cbrt(np.linalg.det(to_scan[:3, :3])) ** 2 * own - _interpolation(affine)
    return float(np.sqrt(max(squared, 0)))


def _interpolation(affine: np.ndarray) -> float:
    """Return the blur, FWHM² in mm², of sampling between voxels: u (1 - u) of them, a sixth."""
    return float((spacing(affine) ** 2).mean() / 6 / SIGMA**2)


@cache
def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return points (3, n), and the design (n, 7 + w): the trend, then the blurred templates.

    To those sharper than the template leads a parabola in FWHM².
    """
    reach = np.arange(-198, 199, STEP)  # beyond any head
    lattice = np.meshgrid(reach, reach, reach[reach > BOTTOM], indexing="ij")
    points = np.stack(lattice).reshape(3, -1)
    template, affine = scaled_template()
    depth = ndimage.distance_transform_edt(template > 0.3, sampling=spacing(affine))
    deep = sample(depth, affine, points)[0] > DEPTH_MM
    points = points[:, deep & (sample(to_striata(), GRID.affine, points, cval=99)[0] > AWAY_MM)]
    added = WIDTHS**2 - TEMPLATE_FWHM**2
    known = [*APART * np.arange(3), *added[added >= 0]]
    blurred = [sample(blur(template, affine, np.sqrt(b)), affine, points)[0] for b in known]
    u = added[added < 0] / APART
    ways = np.stack([(u - 1) * (u - 2) / 2, -u * (u - 2), u * (u - 1) / 2])  # (3, sharper)
    sharper = np.stack(blurred[:3], axis=1) @ ways
    trend = [np.prod((points / RADIUS).T ** powers, axis=1) for powers in TREND]
    return points, np.column_stack([*trend, sharper, *blurred[3:]])


def _correlations(products: np.ndarray, trend: int) -> np.ndarray | None:
    """Return how all columns but the last correlate with it, the first ones' trend taken off.

    Takes the columns' products, (k, k). None if the last one is even but for that trend.
    """
    own, mixed = products[:trend, :trend], products[:trend, trend:]
    left = products[trend:, trend:] - mixed.T @ np.linalg.solve(own, mixed)
    if left[-1, -1] <= EVEN * products[-1, -1]:
        return None
    return left[-1, :-1] / np.sqrt(np.diag(left)[:-1] * left[-1, -1])


def _best(places: np.ndarray, heights: np.ndarray) -> float:
    """Return where a curve on even places is highest: the parabola's top between three of them."""
    top = int(np.clip(heights.argmax(), 1, len(heights) - 2))
    before, here, after = heights[top - 1 : top + 2]
    bend = before - 2 * here + after
    by = (before - after) / (2 * bend) if bend < 0 else 0.0
    return float(np.clip(places[top] + by * (places[1] - places[0]), places[0], places[-1]))
