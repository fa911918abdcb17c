"""All measures of one exam, or of every exam of a cohort."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from datkit.errors import UsageError
from datkit.io.scan import load_scan
from datkit.measure.definitions import DEFINITIONS, MEASURES, Side, Striata
from datkit.measure.regions import SIDES, Shifts, binding_ratios, shifts_of, take_side
from datkit.measure.shape import half_maximum, smooth_side
from datkit.prepare.exam import prepare_scan
from datkit.prepare.uptake import reference_level
from datkit.problems import found_instead

if TYPE_CHECKING:
    from datkit.prepare.cohort import PreparedCohort
    from datkit.prepare.exam import Prepared

__all__ = ["measure_cohort", "measure_prepared", "measure_scan", "measure_volume"]

MAKE_SHIFTS = "Make them by shifts_of from Prepared.quality, or from what locate_striata returns."


def measure_volume(volume: np.ndarray, shifts: Shifts | None = None) -> dict[str, float]:
    """Measure one prepared volume.

    Every measure is finite, also where a striatum is lost altogether. What each is, with its unit,
    stands in :mod:`datkit.measure.definitions`.

    ==============================  ================================================================
    ``caudate_left`` …              SBR (:func:`~datkit.measure.regions.binding_ratios`) of the
                                    caudate, from its hottest voxels
    ``putamen_left`` …              SBR of the putamen, its anterior and posterior part (before and
                                    behind y = −5 mm), and of the striatum: the regions of caudate
                                    and putamen together
    ``whole_caudate_left`` …        SBR of the caudate's whole region
    ``soft_caudate_left`` …         the same with soft edges: lower, and less noisy; also of the
                                    putamen
    ``putamen_lowest`` …            SBR of the weaker side: caudate, putamen, posterior putamen
    ``putamen_asymmetry`` …         :func:`~datkit.measure.asymmetry` in %, signed; of all of these
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
        the canonical grid, mm; its regions are moved there. :func:`shifts_of` makes it of what
        preparation recorded; a side that is left out is measured where the grid has it.

    Returns
    -------
    dict
        The names of :data:`MEASURES`, in their order.

    Raises
    ------
    PrepareError
        If the volume has another shape, voxels that are not finite, or no occipital uptake.
    UsageError
        If `shifts` names anything but sides, or a shift is not three finite numbers of at most 20
        mm.

    Examples
    --------
    >>> from datkit.prepare import GRID, load_regions
    >>> volume = np.ones(GRID.shape)
    >>> volume[load_regions()["putamen_left"]] = 3.0  # twice more than non-specific tissue
    >>> measures = measure_volume(volume)
    >>> measures["putamen_left"], measures["putamen_right"], measures["putamen_asymmetry"]
    (2.0, 0.0, 200.0)
    """
    volume = np.asarray(volume)
    reference = reference_level(volume)
    places = dict.fromkeys(SIDES, (0, 0, 0)) | dict(shifts or {})
    others, sides = [repr(name) for name in places if name not in SIDES], "left and right alone"
    strange = found_instead("shifts", "the shifts", sides, others, MAKE_SHIFTS)
    UsageError.raise_any(strange, where="the shifts")
    both = Striata(*(_look_at(take_side(volume, side, places[side]) / reference) for side in SIDES))
    return {name: one.of(both) for name, one in DEFINITIONS.items()}


def _look_at(box: np.ndarray) -> Side:
    smooth = smooth_side(box)
    return Side(box, binding_ratios(box), smooth, half_maximum(smooth))


def measure_prepared(prepared: Prepared) -> dict[str, float]:
    """Measure one prepared exam, where preparation found its striata.

    Raises
    ------
    PrepareError
        If it has no occipital uptake.
    """
    return measure_volume(prepared.volume, shifts_of(prepared.quality))


def measure_scan(
    path: str | os.PathLike[str], *, orientation: str | None = None, repair: bool = False
) -> dict[str, float]:
    """Read, prepare and measure one exam; parameters as for :func:`datkit.io.scan.load_scan`.

    Raises
    ------
    UsageError
        If there is no such file.
    ScanError, PrepareError
        If it is unsound, or no head can be found in it.
    """
    return measure_prepared(prepare_scan(load_scan(path, orientation=orientation, repair=repair)))


def measure_cohort(prepared: PreparedCohort) -> pd.DataFrame:
    """Measure every exam of a prepared cohort, where preparation found its striata.

    Returns
    -------
    pandas.DataFrame
        One row per exam, indexed by uid, with the columns :data:`MEASURES`.
    """
    places = [shifts_of(dict(prepared.table.loc[uid])) for uid in prepared.uids]
    rows = map(measure_volume, prepared.volumes, places)
    return pd.DataFrame(rows, index=pd.Index(prepared.uids, name="uid"), columns=MEASURES)
