"""Semi-quantification: binding ratios, asymmetry and shape ratios of a prepared volume.

All of them follow from one number per region, the specific binding ratio (SBR): how much more
tracer a region holds than non-specific tissue does. It has no unit, and it belongs to its method:
regions, camera and reconstruction move it (Tossici-Bolt et al. 2017, 10.1186/s40658-017-0175-6).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from datkit.errors import PrepareError
from datkit.prepare import GRID, load_regions, prepare_scan, reference_level
from datkit.scan import load_scan

if TYPE_CHECKING:
    import pandas as pd

    from datkit.prepare import PreparedCohort

__all__ = ["MEASURES", "asymmetry", "measure_cohort", "measure_scan", "measure_volume"]

_STRUCTURES = ("caudate", "putamen", "striatum")
MEASURES = (
    *(f"{structure}_{side}" for structure in _STRUCTURES for side in ("left", "right")),
    *(f"{structure}_asymmetry" for structure in _STRUCTURES),
    "putamen_lowest",
    "caudate_putamen_ratio",
)
# A denominator below this is noise around no uptake at all: the ratio would mean nothing.
_LEAST = 0.05


def asymmetry(left: float, right: float) -> float:
    """Return the signed asymmetry index, 200·(L − R)/(L + R), in per cent.

    Positive where the left side binds more. It is limited to ±200, which it reaches where one side
    binds nothing; where neither does it is 0.

    Examples
    --------
    >>> asymmetry(2.0, 1.0) == -asymmetry(1.0, 2.0)
    True
    >>> round(asymmetry(1.05, 0.95), 6)
    10.0
    """
    total = left + right
    if total < _LEAST:
        return 0.0
    return float(np.clip(200 * (left - right) / total, -200, 200))


def measure_volume(volume: np.ndarray) -> dict[str, float]:
    """Measure one prepared volume.

    ``SBR = mean(region) / reference − 1``. Regions are those of
    :func:`datkit.prepare.load_regions`, where `striatum` is caudate and putamen together; the
    reference is the robust occipital mean of :func:`datkit.prepare.reference_level`.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Uptake on the canonical grid (see :mod:`datkit.prepare`), in any unit.

    Returns
    -------
    dict
        The names of :data:`MEASURES`: six SBR (no unit), three signed asymmetry indices (%), the
        SBR of the weaker putamen, and the ratio of mean caudate to mean putamen SBR.

    Raises
    ------
    PrepareError
        If the volume has another shape, voxels that are not finite, or no occipital uptake.

    Examples
    --------
    >>> regions = load_regions()
    >>> volume = np.ones(GRID.shape)
    >>> volume[regions["putamen_left"]] = 3.0  # holds twice more than non-specific tissue
    >>> measures = measure_volume(volume)
    >>> measures["putamen_left"], measures["putamen_right"], measures["putamen_asymmetry"]
    (2.0, 0.0, 200.0)
    """
    volume = np.asarray(volume)
    if volume.shape != GRID.shape or not np.isfinite(volume).all():
        raise PrepareError(
            f"Expected a prepared volume of shape {GRID.shape} with finite voxels, found "
            f"{volume.shape}; use datkit.prepare_scan first."
        )
    reference = reference_level(volume)
    sbr = {
        name: float(volume[mask].mean(dtype=np.float64)) / reference - 1
        for name, mask in load_regions().items()
        if name != "occipital"
    }
    measures = {name: sbr[name] for name in MEASURES if name in sbr}
    for structure in _STRUCTURES:
        measures[f"{structure}_asymmetry"] = asymmetry(
            sbr[f"{structure}_left"], sbr[f"{structure}_right"]
        )
    measures["putamen_lowest"] = min(sbr["putamen_left"], sbr["putamen_right"])
    caudate, putamen = (sbr[f"{s}_left"] + sbr[f"{s}_right"] for s in ("caudate", "putamen"))
    measures["caudate_putamen_ratio"] = max(caudate, 0.0) / max(putamen, 2 * _LEAST)
    return measures


def measure_scan(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read, prepare and measure one NIfTI file.

    Raises
    ------
    UsageError
        If there is no such file.
    ScanError, PrepareError
        If it is unsound, or no head can be found in it.
    """
    return measure_volume(prepare_scan(load_scan(path)).volume)


def measure_cohort(prepared: PreparedCohort) -> pd.DataFrame:
    """Measure every exam of a prepared cohort.

    Returns
    -------
    pandas.DataFrame
        One row per exam, indexed by uid, with the columns :data:`MEASURES`.
    """
    import pandas as pd

    rows = [measure_volume(volume) for volume in prepared.volumes]
    return pd.DataFrame(rows, index=pd.Index(prepared.uids, name="uid"), columns=list(MEASURES))
