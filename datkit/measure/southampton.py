"""The Southampton binding ratio: all the counts of a striatum, wherever the camera spilled them."""

from __future__ import annotations

import numpy as np

from datkit.measure.regions import MM, REACH_MM, right_frame

__all__ = ["STRIATUM_ML", "southampton"]

STRIATUM_ML = 11.2  #: volume of a striatum in ml, per side (Tossici-Bolt 2006)
HEAD = 0.9  # size of a mean adult head over the canonical grid's, MNI152's


def southampton(side: np.ndarray) -> float:
    """Return the whole-striatum SBR of Tossici-Bolt et al. (2006, 10.1007/s00259-006-0155-x).

    ``SBR = Σ (value − 1) · v / V``, no unit: the specific counts of a large region, as a volume of
    non-specific tissue that would hold them, over an assumed striatal volume V. The region is so
    wide that it catches what blur carries out of the striatum; so partial volume hardly lowers it,
    unlike the mean of an anatomical region. It cannot tell caudate from putamen.

    Here the region is what lies within 12 mm of one side's caudate and putamen and on that side of
    the midline; v is the volume of its voxels; V is 11.2 mL, which is 15.4 mL on the canonical
    grid, whose head is larger by 1/0.9. Non-specific uptake is the occipital region's, as for all
    measures here, where the original takes the whole brain without the striata. What the region
    holds of ventricle lowers the ratio: it stays a little below 0 where nothing binds.

    Parameters
    ----------
    side : array
        Of :func:`datkit.measure.regions.take_side`, over the reference.
    """
    frame = right_frame()
    inside = (frame.away <= REACH_MM) & (frame.mm[0] > 0)
    specific_ml = float((side[inside] - 1).sum()) * MM**3 / 1000
    return float(specific_ml / (STRIATUM_ML / HEAD**3))
