"""The form of one striatum: its length, its volume above half maximum, its elongation.

Lengths and volumes are those on the canonical grid, whose head has MNI152 size: a patient's own
millimetres are shorter, by the `scale` of preparation (0.9 on average).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from datkit.measure.regions import MM, right_frame
from datkit.prepare import GRID
from datkit.prepare.volume import blur

__all__ = ["elongation", "half_maximum", "half_volume", "smooth_side", "striatal_length"]

REACH_MM = 8.0  # around the masks, so that a striatum a little off is not cut
LEVEL = 2.0  # times non-specific uptake: SBR above 1
FWHM = 6.0  # mm; lest single noisy voxels lengthen a striatum
END = 10  # per cent of the caudate, and of the putamen, that are its front and its tail
LEAST = 0.05  # a hottest voxel that binds less is noise around no uptake at all


def smooth_side(side: np.ndarray) -> np.ndarray:
    """Return one side blurred by 6 mm, and 0 farther than 8 mm from the striatum's place."""
    frame = right_frame()
    return np.where(frame.away <= REACH_MM, blur(side, GRID.affine, FWHM), 0.0)


def striatal_length(smooth: np.ndarray) -> float:
    """Return the length of a striatum, mm; 0 where it nowhere reaches the level.

    A striatum is the connected part, around its hottest voxel, that holds more than twice the
    non-specific uptake; its length is measured in the axial plane along the line from the front of
    the caudate to the tail of the putamen (after Oliveira et al. 2018, 10.1007/s00259-017-3918-7,
    who found length to tell patients apart as well as binding does).

    Parameters
    ----------
    smooth : array
        Of :func:`smooth_side`.
    """
    part = _hottest_part(smooth, LEVEL)
    return float(np.ptp(_along()[part]) + MM) if part.any() else 0.0


def half_maximum(smooth: np.ndarray) -> np.ndarray:
    """Return the connected part of a striatum with at least half of its largest binding, bool.

    ``value − 1 ≥ (max − 1) / 2``, so that a camera's recovery and the dose cancel. Nothing is in
    it where even the largest binding is below 0.05.
    """
    most = smooth.max() - 1
    return _hottest_part(smooth, 1 + most / 2 if most >= LEAST else np.inf)


def half_volume(part: np.ndarray) -> float:
    """Return the volume of :func:`half_maximum`, mL; 0 where no striatum is seen.

    With disease the putamen falls below half of the caudate, and the volume shrinks to the
    caudate's head (volume beside length in Oliveira et al. 2018, 10.1007/s00259-017-3918-7).
    """
    return float(np.count_nonzero(part) * MM**3 / 1000)


def elongation(part: np.ndarray) -> float:
    """Return how much longer than wide :func:`half_maximum` is, seen from above; 1 for a dot.

    ``√(λ₁/λ₂)`` with the eigenvalues of the covariance of its voxels' x and y, to which a voxel's
    own extent is added: the aspect ratio of the ellipse of the same moments. A comma has about 2, a
    dot about 1 (shape beside binding: Staff et al. 2009, Nucl Med Commun 30:194-201). 1 where no
    striatum is seen.
    """
    if not part.any():
        return 1.0
    xy = right_frame().mm[:2, part]
    spread = np.cov(xy, bias=True) + np.eye(2) * MM**2 / 12
    least, most = np.linalg.eigvalsh(spread)
    return float(np.sqrt(most / least))


def _hottest_part(smooth: np.ndarray, level: float) -> np.ndarray:
    """Return the connected part at or above a level that holds the hottest voxel."""
    labels, _ = ndimage.label(smooth >= level)
    label = labels[np.unravel_index(smooth.argmax(), smooth.shape)]
    return labels == label if label else np.zeros(smooth.shape, bool)


@cache
def _along() -> np.ndarray:
    """Return each voxel's place from the caudate's front towards the putamen's tail, mm."""
    frame = right_frame()
    caudate, putamen = (frame.mm[:, frame.masks[name]] for name in ("caudate", "putamen"))
    front = caudate[:, caudate[1] >= np.percentile(caudate[1], 100 - END)].mean(axis=1)
    tail = putamen[:, putamen[1] <= np.percentile(putamen[1], END)].mean(axis=1)
    axis = (tail - front) * (1, 1, 0)
    return np.tensordot(axis / np.linalg.norm(axis), frame.mm, axes=1)
