"""All measures of one exam, or of every exam of a cohort."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from datkit.errors import PrepareError
from datkit.io.scan import load_scan
from datkit.measure.regions import SIDES, STRUCTURES, Shifts, binding_ratios, shifts_of, take_side
from datkit.measure.shape import elongation, half_maximum, half_volume, smooth_side, striatal_length
from datkit.measure.southampton import southampton
from datkit.prepare import GRID, prepare_scan, reference_level

if TYPE_CHECKING:
    import pandas as pd

    from datkit.prepare import Prepared, PreparedCohort

__all__ = [
    "MEASURES",
    "SBR_MEASURES",
    "UNITS",
    "asymmetry",
    "measure_cohort",
    "measure_prepared",
    "measure_scan",
    "measure_volume",
]

WORST = ("caudate", "putamen", "posterior_putamen")
RATIOS = {
    "caudate_putamen_ratio": ("caudate", "putamen"),
    "anterior_posterior_ratio": ("anterior_putamen", "posterior_putamen"),
}
FORMS = {"length": "mm", "half_volume": "mL", "elongation": ""}
# A denominator below this is noise around no uptake at all: the ratio would mean nothing.
_LEAST = 0.05

UNITS = {
    **{f"{structure}_{side}": "" for structure in STRUCTURES for side in SIDES},
    **{f"{structure}_lowest": "" for structure in WORST},
    **{f"{structure}_asymmetry": "%" for structure in STRUCTURES},
    "absolute_putamen_asymmetry": "%",
    **dict.fromkeys(RATIOS, ""),
    **{f"{name}_{side}": "" for name in RATIOS for side in SIDES},
    **{f"{form}_{side}": unit for form, unit in FORMS.items() for side in SIDES},
    "length_shortest": "mm",
    **{f"southampton_{side}": "" for side in SIDES},
}
MEASURES = tuple(UNITS)
# The classical ones, each named after its SBR: what a model learns from if it is not told more.
SBR_MEASURES = (
    *(f"{structure}_{side}" for structure in ("caudate", "putamen", "striatum") for side in SIDES),
    *(f"{structure}_asymmetry" for structure in ("caudate", "putamen", "striatum")),
    "putamen_lowest",
    "caudate_putamen_ratio",
)


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


def measure_volume(volume: np.ndarray, shifts: Shifts | None = None) -> dict[str, float]:
    """Measure one prepared volume.

    Every measure is finite, also where a striatum is lost altogether. Units are in :data:`UNITS`.

    ==============================  ================================================================
    ``caudate_left`` …              SBR (:func:`~datkit.measure.regions.binding_ratios`) of caudate,
                                    putamen, its anterior and posterior part (before and behind
                                    y = −5 mm), and striatum: caudate and putamen together
    ``soft_caudate_left`` …         the same with soft edges: lower, and less noisy; also of the
                                    putamen
    ``putamen_lowest`` …            SBR of the weaker side: caudate, putamen, posterior putamen
    ``putamen_asymmetry`` …         :func:`asymmetry` in %, signed; of all of these
    ``absolute_putamen_asymmetry``  the same without its sign
    ``caudate_putamen_ratio``       ``max(C, 0) / max(P, 0.05)`` of the SBR of both sides together;
                                    ``…_left`` and ``…_right`` of one
    ``anterior_posterior_ratio``    the same of the putamen's parts: it rises in Parkinson's disease
    ``length_left`` …, mm           :func:`~datkit.measure.shape.striatal_length`; ``…_shortest`` of
                                    both
    ``half_volume_left`` …, mL      :func:`~datkit.measure.shape.half_volume`
    ``elongation_left`` …           :func:`~datkit.measure.shape.elongation`
    ``southampton_left`` …          :func:`~datkit.measure.southampton.southampton`
    ==============================  ================================================================

    The reference is the robust occipital mean of :func:`datkit.prepare.reference_level`.

    Parameters
    ----------
    volume : array, shape (64, 80, 48)
        Uptake on the canonical grid (see :mod:`datkit.prepare`), in any unit.
    shifts : mapping, optional
        ``{"left": (x, y, z), "right": (x, y, z)}``: how far each striatum lies from its place on
        the canonical grid, mm; its regions are moved there.

    Returns
    -------
    dict
        The names of :data:`MEASURES`, in their order.

    Raises
    ------
    PrepareError
        If the volume has another shape, voxels that are not finite, or no occipital uptake.
    UsageError
        If a shift is not three finite numbers of at most 20 mm.

    Examples
    --------
    >>> from datkit.prepare import load_regions
    >>> volume = np.ones(GRID.shape)
    >>> volume[load_regions()["putamen_left"]] = 3.0  # twice more than non-specific tissue
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
    sbr, found = {}, {}
    for side in SIDES:
        box = take_side(volume, side, (shifts or {}).get(side, (0, 0, 0))) / reference
        sbr |= {f"{name}_{side}": value for name, value in binding_ratios(box).items()}
        found |= {f"{name}_{side}": value for name, value in _describe(box).items()}
    found |= sbr | _compare(sbr)
    found["length_shortest"] = min(found["length_left"], found["length_right"])
    return {name: found[name] for name in MEASURES}


def _describe(box: np.ndarray) -> dict[str, float]:
    """Return form and whole binding of one side."""
    smooth = smooth_side(box)
    part = half_maximum(smooth)
    return {
        "length": striatal_length(smooth),
        "half_volume": half_volume(part),
        "elongation": elongation(part),
        "southampton": southampton(box),
    }


def _compare(sbr: dict[str, float]) -> dict[str, float]:
    """Return what follows from the binding ratios: the weaker side, asymmetries, ratios."""
    pair = {name: tuple(sbr[f"{name}_{side}"] for side in SIDES) for name in STRUCTURES}
    found = {f"{name}_lowest": min(pair[name]) for name in WORST}
    found |= {f"{name}_asymmetry": asymmetry(*pair[name]) for name in STRUCTURES}
    found["absolute_putamen_asymmetry"] = abs(found["putamen_asymmetry"])
    for name, (upper, lower) in RATIOS.items():
        found[name] = _ratio(sum(pair[upper]) / 2, sum(pair[lower]) / 2)
        for side, a, b in zip(SIDES, pair[upper], pair[lower], strict=True):
            found[f"{name}_{side}"] = _ratio(a, b)
    return found


def _ratio(upper: float, lower: float) -> float:
    return max(upper, 0.0) / max(lower, _LEAST)


def measure_prepared(prepared: Prepared) -> dict[str, float]:
    """Measure one prepared exam, where preparation found its striata.

    Raises
    ------
    PrepareError
        If it has no occipital uptake.
    """
    return measure_volume(prepared.volume, shifts_of(prepared.quality))


def measure_scan(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read, prepare and measure one NIfTI file.

    Raises
    ------
    UsageError
        If there is no such file.
    ScanError, PrepareError
        If it is unsound, or no head can be found in it.
    """
    return measure_prepared(prepare_scan(load_scan(path)))


def measure_cohort(prepared: PreparedCohort) -> pd.DataFrame:
    """Measure every exam of a prepared cohort, where preparation found its striata.

    Returns
    -------
    pandas.DataFrame
        One row per exam, indexed by uid, with the columns :data:`MEASURES`.
    """
    import pandas as pd

    places = map(shifts_of, prepared.table.to_dict("records"))
    rows = [measure_volume(*one) for one in zip(prepared.volumes, places, strict=True)]
    return pd.DataFrame(rows, index=pd.Index(prepared.uids, name="uid"), columns=list(MEASURES))
