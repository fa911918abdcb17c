"""The registry of measures: one entry says all that tables, pages, charts and models must know.

Whoever adds one here has it everywhere:

>>> def stronger(both: Striata) -> float:
...     return max(both.sbr("putamen"))
>>> add(Measure("putamen_highest", "putamen, stronger side", SBR, stronger))
>>> MEASURES[-1], DEFINITIONS["putamen_highest"].kind.heading
('putamen_highest', 'SBR')
>>> forget("putamen_highest")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from datkit.errors import UsageError
from datkit.measure.regions import SOFT, STRUCTURES, WHOLE
from datkit.measure.shape import elongation, half_volume, striatal_length
from datkit.measure.southampton import southampton
from datkit.problems import Problem, found_instead, repeated

__all__ = ["DEFINITIONS", "MEASURES", "SBR_MEASURES", "UNITS", "Kind", "Measure", "add",
           "asymmetry", "forget"]  # fmt: skip

# A denominator below this is noise around no uptake at all: the ratio would mean nothing.
_LEAST = 0.05


@dataclass(frozen=True)
class Kind:
    """Measures of one unit and size: they share a table and an axis, and people differ alike.

    Attributes
    ----------
    name : str
        For code: ``"sbr"``, ``"asymmetry"``, …
    heading, axis : str
        Of a table and of a chart's axis, with the unit.
    unit : str
        Empty where there is none.
    digits : int
        After the point, where a person reads a value.
    signed : bool
        Whether its sign is written.
    least : float
        Below which no value lies, nor the end of a normal range.
    sd_is_share : bool
        Whether the normal SD is a share of the expected value, see
        :func:`datkit.measure.normals.fit_normals`; not where that is near 0.
    """

    name: str
    heading: str
    axis: str
    unit: str = ""
    digits: int = 2
    signed: bool = False
    sd_is_share: bool = True
    least: float = -np.inf


SBR = Kind("sbr", "SBR", "specific binding ratio (no unit)")
ASYMMETRY = Kind("asymmetry", "Asymmetry (%)", "asymmetry, left − right (%)", "%", 1, True, False)
UNSIGNED = replace(ASYMMETRY, name="unsigned asymmetry", axis="asymmetry (%)", signed=False,
                   least=0.0)  # fmt: skip
RATIO = Kind("ratio", "Ratio of SBR", "ratio (no unit)")
LENGTH = Kind("length", "Length (mm)", "length (mm)", "mm", digits=1)
VOLUME = Kind("volume", "Volume (mL)", "volume (mL)", "mL", digits=1)
ELONGATION = Kind("elongation", "Elongation", "ratio (no unit)")
SOUTHAMPTON = Kind("southampton", "Southampton SBR", "specific binding ratio (no unit)")


class Side(NamedTuple):
    """One side of a prepared volume over its reference; a left side comes mirrored.

    Attributes
    ----------
    box : ndarray
        Of :func:`datkit.measure.regions.take_side`.
    sbr : dict of str to float
        Of :func:`datkit.measure.regions.binding_ratios`.
    smooth, half : ndarray, the box's shape
        Of :func:`datkit.measure.shape.smooth_side` and :func:`datkit.measure.shape.half_maximum`.
    """

    box: np.ndarray
    sbr: dict[str, float]
    smooth: np.ndarray
    half: np.ndarray


class Striata(NamedTuple):
    """Both sides of one exam: what a measure is computed from."""

    left: Side
    right: Side

    def sbr(self, structure: str) -> tuple[float, float]:
        """Return a structure's binding ratio left and right."""
        return self.left.sbr[structure], self.right.sbr[structure]


REPORT = ("report",)
PAGES = {"report", "contact sheet"}
CLASSICAL = ("caudate", "putamen", "striatum")


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes
    ----------
    name : str
        Its column in tables.
    label : str
        For people, below the heading of its kind: ``"caudate L"``.
    kind : Kind
        What it shares with others: unit, axis, digits.
    compute : callable
        From :class:`Striata` to a finite float; from one :class:`Side` where `side` names it.
    shown : tuple of str
        The pages that show it, ``"report"`` or ``"contact sheet"``. Tables hold every measure; a
        page for eyes is clearer without what its other rows already say.
    classical : bool
        Whether a model learns from it if it is not told more.
    side : str
        ``"left"`` or ``"right"``; empty where it needs both.
    """

    name: str
    label: str
    kind: Kind
    compute: Callable[..., float]
    shown: tuple[str, ...] = REPORT
    classical: bool = False
    side: str = ""

    def of(self, both: Striata) -> float:
        """Compute it for an exam."""
        return self.compute(getattr(both, self.side) if self.side else both)


DEFINITIONS: dict[str, Measure] = {}  #: every measure by its name
# These follow it, in its order.
MEASURES: list[str] = []  #: the names of all measures
SBR_MEASURES: list[str] = []  #: the classical ones: sides, then asymmetries, then the rest
UNITS: dict[str, str] = {}  #: the unit of each measure


def add(*measures: Measure) -> None:
    """Enter measures into the registry: tables, pages and charts hold them from now on.

    Raises
    ------
    UsageError
        If a name is taken, or a kind, a side or a page is none. All that is wrong is listed, and
        nothing is entered then.
    """
    taken = [f"{name} twice" for name in repeated([*DEFINITIONS, *(one.name for one in measures)])]
    remedy = "Choose another name, or forget the measure that has it first."
    problems = found_instead("name-taken", "measures", "new names", taken, remedy)
    sides = ("", *Striata._fields)
    for one in measures:
        for code, expected, found, is_right in (
            ("kind", "a Kind", one.kind, isinstance(one.kind, Kind)),
            ("side", "the side 'left', 'right' or ''", one.side, one.side in sides),
            ("shown", f"a tuple of {sorted(PAGES)}", one.shown, PAGES.issuperset(one.shown)),
        ):
            if not is_right:
                problems.append(Problem(code, one.name, expected, repr(found), "Correct it."))
    UsageError.raise_any(problems, where="measures")
    DEFINITIONS.update({one.name: one for one in measures})
    _follow()


def forget(name: str) -> None:
    """Take a measure out of the registry.

    Raises
    ------
    UsageError
        If there is no such measure.
    """
    if DEFINITIONS.pop(name, None) is None:
        expected = "Expected a measure of datkit.measure.MEASURES to forget"
        raise UsageError(f"{expected}, found {name!r}.")
    _follow()


def _follow() -> None:
    MEASURES[:] = DEFINITIONS
    UNITS.clear()
    UNITS.update({name: one.kind.unit for name, one in DEFINITIONS.items()})
    classical = [one for one in DEFINITIONS.values() if one.classical]
    classical.sort(key=lambda one: (not one.side, one.kind is not ASYMMETRY))
    SBR_MEASURES[:] = [one.name for one in classical]


def each_side(one: Measure) -> list[Measure]:
    """Return the measures ``name_left`` and ``name_right`` of what is computed from one side.

    Examples
    --------
    >>> peak = Measure("peak", "striatum", SBR, lambda side: side.box.max() - 1)
    >>> [one.label for one in each_side(peak)]
    ['striatum L', 'striatum R']
    """
    return [
        replace(one, name=f"{one.name}_{side}", label=f"{one.label} {side[0].upper()}", side=side)
        for side in Striata._fields
    ]


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


def _ratio(pair: tuple[str, str], *sides: Side) -> float:
    """Return the ratio of two structures' SBR, each the mean of the sides given."""
    above, below = (sum(side.sbr[name] for side in sides) / len(sides) for name in pair)
    return max(above, 0.0) / max(below, _LEAST)


def _binding() -> Iterator[Measure]:
    """Yield binding ratios, those of the weaker side, and asymmetries."""
    label = {name: name.replace("_", " ") for name in STRUCTURES}
    hidden = {WHOLE, *SOFT}
    rest = {name: (() if name in hidden else REPORT, name in CLASSICAL) for name in STRUCTURES}
    for name in STRUCTURES:
        sbr = Measure(name, label[name], SBR, lambda side, n=name: side.sbr[n], *rest[name])
        yield from each_side(sbr)
    for name in ("caudate", "putamen", "posterior_putamen"):
        yield Measure(f"{name}_lowest", label[name], SBR,
                      lambda both, n=name: min(both.sbr(n)), (), name == "putamen")  # fmt: skip
    for name in STRUCTURES:
        yield Measure(f"{name}_asymmetry", label[name], ASYMMETRY,
                      lambda both, n=name: asymmetry(*both.sbr(n)), *rest[name])  # fmt: skip


PARTS = "caudate", "putamen"
HALVES = "anterior_putamen", "posterior_putamen"

add(*_binding())
add(
    Measure("absolute_putamen_asymmetry", "putamen", UNSIGNED,
            lambda both: abs(asymmetry(*both.sbr("putamen"))), ()),
    Measure("caudate_putamen_ratio", "caudate/putamen", RATIO,
            lambda both: _ratio(PARTS, *both), classical=True),
    Measure("anterior_posterior_ratio", "anterior/posterior", RATIO,
            lambda both: _ratio(HALVES, *both)),
    *each_side(Measure("caudate_putamen_ratio", "caudate/putamen", RATIO,
                       lambda side: _ratio(PARTS, side), ())),
    *each_side(Measure("anterior_posterior_ratio", "anterior/posterior", RATIO,
                       lambda side: _ratio(HALVES, side), ())),
    *each_side(Measure("length", "striatum", LENGTH, lambda side: striatal_length(side.smooth))),
    *each_side(Measure("half_volume", "striatum", VOLUME, lambda side: half_volume(side.half))),
    *each_side(Measure("elongation", "striatum", ELONGATION, lambda side: elongation(side.half))),
    Measure("length_shortest", "striatum", LENGTH,
            lambda both: min(striatal_length(side.smooth) for side in both), ()),
    *each_side(Measure("southampton", "striatum", SOUTHAMPTON, lambda side: southampton(side.box))),
)  # fmt: skip
