"""The tables of a report: measures beside their normal range, quality beside what is expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from datkit.measure.definitions import DEFINITIONS, Kind
from datkit.measure.normals import SIMULATED
from datkit.measure.regions import shifts_of
from datkit.prepare.quality import RULES, TABLE
from datkit.prepare.striatum import SHIFTS
from datkit.view.pages.page import number

__all__ = ["Row", "check_rows", "measure_rows", "measure_tables", "summarise"]

NAN = float("nan")
# Of measures that the registry lacks: their units differ, so there is no common axis.
OTHER = Kind("other", "Further measures", "")
# What each figure of Prepared.quality is, with its unit; one that is not listed keeps its own name.
CHECKS = {name: rule.label for name, rule in RULES.items()} | TABLE["labels"]
NOTES = {"reference": "reference_region", "hottest": "hottest_in"}  # said behind the figure
# Said elsewhere.
HIDDEN = {"verdict", "orientation", "mended", "brain_holes", *NOTES.values(), *SHIFTS}


class Row(NamedTuple):
    """One measure beside its normal range; NaN where there is none."""

    label: str
    kind: Kind
    value: float
    expected: float = NAN
    low: float = NAN
    high: float = NAN
    z: float = NAN

    @property
    def ranged(self) -> bool:
        """Whether there is a range."""
        return bool(np.isfinite([self.low, self.high]).all())

    @property
    def side(self) -> str:
        """``"below"`` or ``"above"`` the range; empty inside it, or where either is unknown."""
        return "below" if self.value < self.low else "above" if self.value > self.high else ""


class Table(NamedTuple):
    """The rows of one kind, and the round numbers on the axis that they share."""

    kind: Kind
    rows: list[Row]
    ticks: np.ndarray

    @property
    def drawn(self) -> bool:
        """Whether the rows have an axis in common."""
        return self.kind is not OTHER

    @property
    def ranged(self) -> bool:
        """Whether a row has a normal range."""
        return any(row.ranged for row in self.rows)

    def place(self, value: float) -> float | None:
        """Return where a value stands on the axis, per cent of its length; None for NaN."""
        share = 100 * (value - self.ticks[0]) / np.ptp(self.ticks)
        return round(float(share), 2) if np.isfinite(share) else None


def measure_rows(measures: Mapping[str, float], normals: pd.DataFrame | None = None) -> list[Row]:
    """Return the measures that a report shows, in the registry's order, then unregistered ones.

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
    listed = [name for name, one in DEFINITIONS.items() if "report" in one.shown]
    others = [name for name in measures if name not in DEFINITIONS]
    names = [name for name in (*listed, *others) if name in measures]
    rows = []
    for name in names:
        one = DEFINITIONS.get(name)
        label, kind = (one.label, one.kind) if one else (name, OTHER)
        row = Row(label, kind, float(measures[name]))
        if normals is not None and name in normals.index:
            row = row._replace(**normals.loc[name, ["expected", "low", "high", "z"]].astype(float))
        rows.append(row)
    return rows


def summarise(rows: Sequence[Row], source: str = SIMULATED) -> str:
    """Say in a sentence how many measures lie outside the range of which normal exams.

    Examples
    --------
    >>> from datkit.measure.definitions import SBR
    >>> summarise([Row("putamen L", SBR, 0.5, low=1.0, high=2.0)])
    '1 of 1 measures lies outside the range of simulated normal exams.'
    >>> summarise([Row("putamen L", SBR, 0.5)])
    'No normal range: a value alone says little, since every method has its own.'
    """
    ranged = [row for row in rows if row.ranged]
    if not ranged:
        return "No normal range: a value alone says little, since every method has its own."
    outside = sum(bool(row.side) for row in ranged)
    verb = "lies" if outside == 1 else "lie"
    return f"{outside} of {len(ranged)} measures {verb} outside the range of {source}."


def measure_tables(rows: Sequence[Row]) -> list[Table]:
    """Return one table for each kind of measure; 0 is always on its axis.

    Examples
    --------
    >>> from datkit.measure.definitions import SBR
    >>> (table,) = measure_tables([Row("putamen L", SBR, 1.5, 2.0, 1.0, 3.0, z=-1.0)])
    >>> table.ticks.tolist(), table.place(1.5)
    ([0.0, 1.0, 2.0, 3.0], 50.0)
    """
    tables = []
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        values = np.array([[row.value, row.low, row.high] for row in of_kind]).ravel()
        ends = [0.0, 0.1, *values[np.isfinite(values)]]
        low, high = min(ends), max(ends)
        if kind.signed:
            low, high = -max(-low, high, 1.0), max(-low, high, 1.0)
        ticks = np.asarray(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high))
        tables.append(Table(kind, of_kind, ticks))
    return tables


class Check(NamedTuple):
    """A figure of preparation's quality, in words."""

    label: str
    found: str
    expected: str = ""
    failed: bool = False


def check_rows(quality: Mapping[str, float | str]) -> list[Check]:
    """Return a row for each figure of :class:`datkit.prepare.Prepared`'s quality.

    Examples
    --------
    >>> check_rows({"similarity": 0.97, "verdict": "good"})
    [Check(label='similarity to the template', found='0.97', expected='0.87 to 1', failed=False)]
    """
    rows = []
    for name, value in quality.items():
        if name in HIDDEN:
            continue
        found = value if isinstance(value, str) else number(value, 2 if value < 100 else 0)
        note = quality.get(NOTES.get(name, ""))
        row = Check(CHECKS.get(name, name), f"{found}, {note}" if note else found)
        if rule := RULES.get(name):
            failed, expected = not rule.allows(float(value)), rule.expected.replace("-", "−")
            found = rule.write(float(value)).replace("-", "−") if failed else row.found
            row = row._replace(found=found, expected=expected, failed=failed)
        rows.append(row)
    for side, shift in (shifts_of(quality) or {}).items():
        rows.append(Check(f"{side} striatum moved by (mm)", number(math.hypot(*shift), 1)))
    return rows
