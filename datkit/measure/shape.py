"""The form of one striatum: its length, its volume above half maximum, its elongation.

Lengths and volumes are those on the canonical grid, whose head has MNI152 size: a patient's own
millimetres are shorter, by the `scale` of preparation (0.9 on average).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from datkit.measure.regions import MM, right_frame
from datkit.prepare.grid import GRID
from datkit.prepare.sampling import blur

__all__ = ["elongation", "half_maximum", "half_volume", "smooth_side", "striatal_length"]

REACH_MM = 8.0  # around the masks, so that a striatum a little off is not cut
LEVEL = 2.0  # times non-specific uptake: SBR above 1
FWHM = 6.0  # mm; lest single noisy voxels lengthen a striatum
STEP_MM = 1.0  # between the places where length looks across
ALONG_MM, ACROSS_MM = 44.0, 24.0  # from the striatum's middle: beyond the 8 mm around it
END = 10  # per cent of the caudate, and of the putamen, that are its front and its tail
LEAST = 0.05  # a hottest voxel that binds less is noise around no uptake at all


def smooth_side(side: np.ndarray) -> np.ndarray:
    """Return one side blurred by 6 mm, and 0 farther than 8 mm from the striatum's place."""
    frame = right_frame()
    return np.where(frame.away <= REACH_MM, blur(side, GRID.affine, FWHM), 0.0)


def striatal_length(smooth: np.ndarray) -> float:
    """Return the length of a striatum, mm; 0 where it nowhere reaches the level.

    Along the line from the front of the caudate to the tail of the putamen, in the axial plane, the
    hottest value across it is taken at each millimetre; the striatum is the stretch around the
    hottest that holds more than twice the non-specific uptake (after Oliveira et al. 2018,
    10.1007/s00259-017-3918-7, who found length to tell patients apart as well as binding does).

    Parameters
    ----------
    smooth : array
        Of :func:`smooth_side`.
    """
    across = ndimage.map_coordinates(smooth, _lines(), order=1)
    profile = across.max(axis=(1, 2)) - LEVEL  # one value each mm
    peak = int(profile.argmax())
    if profile[peak] <= 0:
        return 0.0
    return STEP_MM * (_reach(profile[peak:]) + _reach(profile[peak::-1]))


def half_maximum(smooth: np.ndarray) -> np.ndarray:
    """Return how much of each voxel has at least half of a striatum's largest binding, 0 to 1.

    ``value − 1 ≥ (max − 1) / 2``, so that a camera's recovery and the dose cancel; connected with
    the hottest voxel. A voxel on the border counts by the part of it that lies inside, as its value
    and the slope there say. Nothing is in it where even the largest binding is below 0.05.
    """
    most = smooth.max() - 1
    if most < LEAST:
        return np.zeros(smooth.shape)
    above = smooth - 1 - most / 2
    labels, _ = ndimage.label(above >= 0)
    part = labels == labels[np.unravel_index(smooth.argmax(), smooth.shape)]
    slope = np.sqrt(sum(change**2 for change in np.gradient(above)))  # for each voxel
    share = np.clip(0.5 + above / np.maximum(slope, 1e-9), 0, 1)
    return np.where(ndimage.binary_dilation(part, iterations=2), share, 0.0)


def half_volume(part: np.ndarray) -> float:
    """Return the volume of :func:`half_maximum`, mL; 0 where no striatum is seen.

    With disease the putamen falls below half of the caudate, and the volume shrinks to the
    caudate's head (volume beside length in Oliveira et al. 2018, 10.1007/s00259-017-3918-7).
    """
    return float(part.sum() * MM**3 / 1000)


def elongation(part: np.ndarray) -> float:
    """Return how much longer than wide :func:`half_maximum` is, seen from above; 1 for a dot.

    ``√(λ₁/λ₂)`` with the eigenvalues of the covariance of its voxels' x and y, to which a voxel's
    own extent is added: the aspect ratio of the ellipse of the same moments. A comma has about 2, a
    dot less (shape beside binding: Staff et al. 2009, Nucl Med Commun 30:194-201). 1 where no
    striatum is seen.
    """
    if not part.any():
        return 1.0
    inside = part > 0
    xy = right_frame().mm[:2, inside]
    spread = np.cov(xy, aweights=part[inside], bias=True) + np.eye(2) * MM**2 / 12
    least, most = np.linalg.eigvalsh(spread)
    return float(np.sqrt(most / least))


def _reach(profile: np.ndarray) -> float:
    """Return after how many steps a profile that begins above 0 falls to 0, linear between them."""
    below = np.flatnonzero(profile <= 0)
    if not below.size:
        return len(profile) - 1.0
    last, first = profile[below[0] - 1], profile[below[0]]
    return float(below[0] - 1 + last / (last - first))


@cache
def _lines() -> np.ndarray:
    """Return voxel indices (3, along, across, up): the box, turned.

    Its first axis follows the line from the caudate's front to the putamen's tail, in the axial
    plane.
    """
    frame = right_frame()
    caudate, putamen = (frame.mm[:, frame.masks[name]] for name in ("caudate", "putamen"))
    front = caudate[:, caudate[1] >= np.percentile(caudate[1], 100 - END)].mean(axis=1)
    tail = putamen[:, putamen[1] <= np.percentile(putamen[1], END)].mean(axis=1)
    way = (tail - front)[:2] / np.linalg.norm((tail - front)[:2])
    middle = frame.mm[:2, frame.masks["striatum"]].mean(axis=1)
    reach = np.arange(-ALONG_MM, ALONG_MM + STEP_MM, STEP_MM)
    along, across = np.meshgrid(reach, np.arange(-ACROSS_MM, ACROSS_MM + MM, MM), indexing="ij")
    points = middle[:, None, None] + way[:, None, None] * along
    points = points + np.array([-way[1], way[0]])[:, None, None] * across
    index = (points - frame.mm[:2, 0, 0, 0][:, None, None]) / MM
    up = np.arange(frame.away.shape[2])
    return np.stack(np.broadcast_arrays(*index[..., None], up))
