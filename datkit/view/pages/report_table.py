"""The measures of one exam as rows: value, normal range, z, and where each stands on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from datkit.view.pages.page import number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LABELS", "NOT_SHOWN", "Row", "measure_rows", "measure_tables", "summarise"]

NAN = float("nan")


class Kind(NamedTuple):
    """Measures of one unit and size: they share a table and an axis."""

    heading: str
    digits: int
    signed: bool = False
    drawn: bool = True  # False where units differ, so that there is no common axis


SBR = Kind("SBR", 2)
ASYMMETRY = Kind("Asymmetry (%)", 1, signed=True)
RATIO = Kind("Ratio of SBR", 2)
LENGTH = Kind("Length (mm)", 1)
VOLUME = Kind("Volume (mL)", 1)
ELONGATION = Kind("Elongation", 2)
SOUTHAMPTON = Kind("Southampton SBR", 2)
OTHER = Kind("Further measures", 2, drawn=False)
STRUCTURES = ("caudate", "putamen", "anterior putamen", "posterior putamen", "striatum")


def _each_side(name: str, label: str, kind: Kind) -> dict[str, tuple[str, Kind]]:
    return {f"{name}_{side}": (f"{label} {side[0].upper()}", kind) for side in ("left", "right")}


# Name to label and kind, in the page's order. A measure that is not listed comes last, under its
# own name; one that is not measured is left out.
LABELS = {
    **{
        name: label
        for structure in STRUCTURES
        for name, label in _each_side(structure.replace(" ", "_"), structure, SBR).items()
    },
    **{f"{each.replace(' ', '_')}_asymmetry": (each, ASYMMETRY) for each in STRUCTURES},
    "caudate_putamen_ratio": ("caudate/putamen", RATIO),
    "anterior_posterior_ratio": ("anterior/posterior", RATIO),
    **_each_side("length", "striatum", LENGTH),
    **_each_side("half_volume", "striatum", VOLUME),
    **_each_side("elongation", "striatum", ELONGATION),
    **_each_side("southampton", "striatum", SOUTHAMPTON),
}
# What other rows already show: the weaker side, an asymmetry without its sign, a ratio by side,
# a region with soft edges. Models use them; a page for eyes is clearer without.
NOT_SHOWN = frozenset(
    [
        "caudate_lowest",
        "putamen_lowest",
        "posterior_putamen_lowest",
        "length_shortest",
        "absolute_putamen_asymmetry",
        *_each_side("caudate_putamen_ratio", "", RATIO),
        *_each_side("anterior_posterior_ratio", "", RATIO),
        *_each_side("soft_caudate", "", SBR),
        *_each_side("soft_putamen", "", SBR),
        "soft_caudate_asymmetry",
        "soft_putamen_asymmetry",
    ]
)


@dataclass(frozen=True)
class Row:
    """One measure beside its normal range; NaN where there is none."""

    label: str
    kind: Kind
    value: float
    expected: float = NAN
    low: float = NAN
    high: float = NAN
    z: float = NAN

    @property
    def side(self) -> str:
        """``"below"`` or ``"above"`` the range; empty inside it, or where either is unknown."""
        return "below" if self.value < self.low else "above" if self.value > self.high else ""


def measure_rows(measures: Mapping[str, float], normals: pd.DataFrame | None = None) -> list[Row]:
    """Return the measures in the order of :data:`LABELS`, then any others but :data:`NOT_SHOWN`.

    Parameters
    ----------
    measures : mapping of str to float
        Any measures.
    normals : pandas.DataFrame, optional
        Indexed by measure, with columns expected, low, high and z; it may lack measures.

    Examples
    --------
    >>> [row.label for row in measure_rows({"new_one": 7, "putamen_left": 1.5})]
    ['putamen L', 'new_one']
    """
    listed = [name for name in LABELS if name in measures]
    others = [name for name in measures if name not in LABELS and name not in NOT_SHOWN]
    return [_row(name, float(measures[name]), normals) for name in [*listed, *others]]


def _row(name: str, value: float, normals: pd.DataFrame | None) -> Row:
    label, kind = LABELS.get(name, (name, OTHER))
    if normals is None or name not in normals.index:
        return Row(label, kind, value)
    normal = normals.loc[name, ["expected", "low", "high", "z"]].astype(float)
    return Row(label, kind, value, **normal)


def summarise(rows: Sequence[Row]) -> str:
    """Say in a sentence how many measures lie outside the normal range.

    Examples
    --------
    >>> summarise([Row("putamen L", SBR, 0.5, low=1.0, high=2.0)])
    '1 of 1 measures lies outside the normal range.'
    >>> summarise([Row("putamen L", SBR, 0.5)])
    'No normal range: a value alone says little, since every method has its own.'
    """
    ranged = [row for row in rows if np.isfinite(row.low) and np.isfinite(row.high)]
    if not ranged:
        return "No normal range: a value alone says little, since every method has its own."
    outside = sum(bool(row.side) for row in ranged)
    verb = "lies" if outside == 1 else "lie"
    return f"{outside} of {len(ranged)} measures {verb} outside the normal range."


def measure_tables(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one table for each unit: heading, ticks of the axis that its rows share, and cells.

    Examples
    --------
    >>> (table,) = measure_tables([Row("putamen L", SBR, 1.5, 2.0, 1.0, 3.0, z=-1.0)])
    >>> [tick["text"] for tick in table["ticks"]]
    ['0', '1', '2', '3']
    >>> cells = table["rows"][0]
    >>> cells["value"], cells["range"], cells["z"], cells["at"]
    ('1.50', '1.00 to 3.00', '−1.0', 50.0)
    """
    kinds = dict.fromkeys(row.kind for row in rows)
    return [_table(kind, [row for row in rows if row.kind == kind]) for kind in kinds]


def _table(kind: Kind, rows: Sequence[Row]) -> dict[str, Any]:
    ticks = _ticks(kind, rows)
    share = np.round(100 * (ticks - ticks[0]) / np.ptp(ticks), 2)
    texts = [f"{tick:g}".replace("-", "−") for tick in ticks]
    return {
        "heading": kind.heading,
        "drawn": kind.drawn,
        "ticks": [{"at": a, "text": t} for a, t in zip(share.tolist(), texts, strict=True)],
        "rows": [_cells(row, ticks[0], ticks[-1]) for row in rows],
    }


def _ticks(kind: Kind, rows: Sequence[Row]) -> np.ndarray:
    """Return round numbers that begin and end the axis; 0 is always on it."""
    from matplotlib.ticker import MaxNLocator

    values = np.array([[row.value, row.low, row.high] for row in rows]).ravel()
    values = values[np.isfinite(values)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if kind.signed:
        low, high = -max(-low, high, 1.0), max(-low, high, 1.0)
    return MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(min(low, 0.0), max(high, 0.1))


def _cells(row: Row, start: float, stop: float) -> dict[str, Any]:
    def place(value: float) -> float | None:
        share = 100 * (value - start) / (stop - start)
        return round(float(share), 2) if np.isfinite(share) else None

    low, high, value = (
        number(each, row.kind.digits, signed=row.kind.signed)
        for each in (row.low, row.high, row.value)
    )
    ranged = np.isfinite(row.low) and np.isfinite(row.high)
    where = f"{row.side} the normal range" if row.side else "inside the normal range"
    return {
        "label": row.label,
        "value": value,
        "range": f"{low} to {high}" if ranged else "–",
        "z": number(row.z, 1),
        "side": row.side,
        "at": place(row.value),
        "expected": place(row.expected),
        "low": place(row.low) if ranged else None,
        "width": round(place(row.high) - place(row.low), 2) if ranged else None,
        "alt": f"{row.label}: {value}{f', {where} of {low} to {high}' if ranged else ''}",
    }
