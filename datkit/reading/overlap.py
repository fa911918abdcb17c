"""How far two regions agree, and what each reader's region does to the binding ratio.

Dice's coefficient is 2·|A ∩ B| / (|A| + |B|) (Dice 1945, 10.2307/1932409); the mean surface
distance is that of each surface voxel to the other region's surface, over both surfaces. Neither
says what a region does to the number that it is drawn for: :func:`compare_regions` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import ndimage

from datkit.errors import UsageError
from datkit.io.scan import load_scan
from datkit.prepare.exam import prepare_scan
from datkit.reading.regions import Region

__all__ = ["compare_regions", "overlap", "region_sbr"]


def overlap(one: np.ndarray, other: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Return how far two masks on one grid agree.

    Parameters
    ----------
    one, other : array of bool, shape (i, j, k)
        The regions.
    affine : array, shape (4, 4)
        Voxel indices to mm; axes at right angles.

    Returns
    -------
    dict of str to float
        ``dice``; ``distance_mm``, the mean surface distance, NaN as Dice where a region is empty;
        ``volume_ml``, of the first.

    Raises
    ------
    UsageError
        If the masks are of different shapes.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:6, 2:6, 2:6] = True
    >>> found = overlap(mask, np.roll(mask, 2, axis=0), np.diag([2, 2, 2, 1]))
    >>> found["dice"], found["volume_ml"]
    (0.5, 0.512)
    """
    if one.shape != other.shape:
        raise UsageError(f"Expected masks on one grid, found {one.shape} and {other.shape} voxels.")
    spacing = nib.affines.voxel_sizes(affine)
    both, *sizes = (int(mask.sum()) for mask in (one & other, one, other))
    dice, distance = (np.nan, np.nan) if 0 in sizes else (2 * both / sum(sizes), 0.0)
    if dice == dice:
        box = ndimage.find_objects((one | other).astype(np.uint8))[0]
        masks = [np.pad(mask[box], 1) for mask in (one, other)]
        edges = [mask & ~ndimage.binary_erosion(mask) for mask in masks]
        away = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
        distance = float(np.concatenate([away[1][edges[0]], away[0][edges[1]]]).mean())
    volume = sizes[0] * float(spacing.prod()) / 1000
    return {"dice": dice, "distance_mm": distance, "volume_ml": volume}


def region_sbr(scan: np.ndarray, mask: np.ndarray, reference: float) -> float:
    """Return a region's specific binding ratio, mean uptake over the reference's, less 1.

    Parameters
    ----------
    scan : array, shape (i, j, k)
        Counts in the scan's unit.
    mask : array of bool, of the same shape
        The region; of an empty one the ratio is NaN.
    reference : float
        Non-specific uptake in the same unit: ``Prepared.quality["reference"]``.

    Examples
    --------
    >>> region_sbr(np.array([[[2.0, 6.0]]]), np.array([[[False, True]]]), 2.0)
    2.0
    """
    return float(scan[mask].mean() / reference - 1) if mask.any() else float("nan")


def compare_regions(
    exam: str | os.PathLike[str], regions: Mapping[str, Region], truth: np.ndarray | None = None
) -> pd.DataFrame:
    """Return what each reader's striata give on one exam: ratio, size, and agreement.

    Parameters
    ----------
    exam : path
        On which all were drawn. Its reference is found as for every exam, not by readers.
    regions : mapping of str to Region
        By reader.
    truth : array, shape (i, j, k), optional
        1 in the left striatum, 2 in the right, as :func:`datkit.simulate.true_regions` gives it;
        else readers are compared with their majority.

    Returns
    -------
    pandas.DataFrame
        A row a side and reader, with ``sbr``, ``difference`` from the truth's (or the majority's)
        on the same image, ``volume_ml``, ``dice`` and ``distance_mm``; the last reader is
        ``"truth"`` or ``"majority"``.

    Raises
    ------
    UsageError, ScanError, PrepareError
        If the exam cannot be read or prepared; a mask is of another shape.
    """
    scan = load_scan(exam)
    reference = float(prepare_scan(scan).quality["reference"])
    rows = []
    for number, side in enumerate(("striatum_left", "striatum_right"), start=1):
        drawn = {reader: region.part(side) for reader, region in regions.items()}
        votes = np.mean([*drawn.values()], axis=0) > 0.5 if truth is None else truth == number
        right = region_sbr(scan.data, votes, reference)
        for reader, mask in (drawn | {"majority" if truth is None else "truth": votes}).items():
            sbr = region_sbr(scan.data, mask, reference)
            row = {"side": side, "reader": reader, "sbr": sbr, "difference": sbr - right}
            rows.append(row | overlap(mask, votes, scan.affine))
    return pd.DataFrame(rows).set_index(["side", "reader"])
