"""What may be wrong with a prepared exam: figures, and the reasons to look at it.

The reasons are data, one :class:`datkit.problems.Problem` each, found anew from the figures. Code
asks for them (``Prepared.reasons``, ``PreparedCohort.reasons``: none means good); people read them
in the figure ``verdict``, which no code reads back.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from datkit.files import RESOURCES
from datkit.prepare.align import Pose
from datkit.prepare.grid import GRID, LABELS, load_regions, to_striata
from datkit.prepare.levels import BOTTOM_MM, STRIATUM_MM, scaled_template
from datkit.prepare.sampling import is_inside, sample, transform
from datkit.prepare.striatum import SHIFTS
from datkit.problems import Problem

__all__ = ["RULES", "TABLE", "TRACER", "advise", "describe", "find_reasons"]

#: What no check can tell, on every page: tracers of the striatum look alike.
TRACER = (
    "That the tracer is one of the dopamine transporter is taken on trust: images of D2 receptors, "
    "of VMAT2, of FDOPA or of another tracer of the striatum look the same."
)


class Rule(NamedTuple):
    """What good exams have in one figure, and what to do where it is another."""

    label: str  # for people
    low: float
    high: float
    remedy: str
    unit: str = ""

    @property
    def expected(self) -> str:
        """The range in words."""
        low, high = f"{self.low:g}", f"{self.high:g}"
        return f"{f'at least {low}' if self.high == np.inf else f'{low} to {high}'}{self.unit}"

    def allows(self, value: float) -> bool:
        """Tell whether good exams have it."""
        return self.low <= value <= self.high

    def write(self, value: float) -> str:
        """Return a figure in words: two decimals, or as many as show on which side it lies."""
        told = (n for n in range(2, 9) if self.allows(round(value, n)) == self.allows(value))
        return f"{value:.{next(told, 9)}f}{self.unit}"


TABLE = tomllib.loads((RESOURCES / "quality.toml").read_text(encoding="utf-8"))
RULES = {name: Rule(**one) for name, one in TABLE["figures"].items()}
WORDS = {name: Problem(name, **one, severity="warning") for name, one in TABLE["words"].items()}
SIDES = (("left", "right"), ("back", "front"), ("bottom", "top"))
CUT = 0.01  # share of the head beyond a side of the field from which it is called cut
HEAD = 0.5  # times the brain's uptake; the template's scalp and skull hold less


class Extremes(NamedTuple):
    """A scan's hottest voxel, its place in mm and whether it lies on the border; and the lowest."""

    place: np.ndarray
    hottest: float
    on_border: bool
    lowest: float


def assess(
    pose: Pose,
    shape: tuple[int, ...],
    affine: np.ndarray,
    extremes: Extremes,
    reference: tuple[str, float],
    found: Mapping[str, float | str],
) -> dict[str, float | str]:
    """Return the quality record of :class:`datkit.prepare.Prepared`.

    Parameters
    ----------
    pose : Pose
        Where the head lies.
    shape, affine : tuple, array (4, 4)
        Of the scan's frame: what was not seen is outside, air is inside.
    extremes : Extremes
        Of the scan.
    reference : tuple
        Region and level of :func:`datkit.prepare.find_reference`.
    found : mapping
        What else was found: of :func:`datkit.prepare.locate_striata` and of
        :mod:`datkit.prepare.geometry`, :mod:`datkit.prepare.uptake` and
        :mod:`datkit.prepare.voxels`, and the scan's orientation.
    """
    linear, to_voxels = pose.matrix[:3, :3], np.linalg.inv(affine) @ pose.matrix
    scale = float(np.cbrt(np.linalg.det(linear)))
    cosine = (np.trace(linear / scale) - 1) / 2
    place, hottest, on_border, lowest = extremes
    quality: dict[str, Any] = {
        "similarity": pose.similarity,
        "head_in_view": pose.in_view,
        "regions_in_view": regions_in_view(shape, to_voxels),
        "cut": _cut_sides(shape, to_voxels),
        "scale": scale,
        "rotation": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        "upright": float(linear[2, 2] / scale),
        "reference": reference[1],
        "reference_region": reference[0],
        "hottest": hottest / reference[1],
        "hottest_in": "border" if on_border else _where(np.linalg.inv(pose.matrix), place),
        "lowest": lowest / reference[1],
        "fallback": pose.fallback,
        **found,
    }
    reasons = "; ".join(map(describe, find_reasons(quality)))
    return quality | {"verdict": f"look at it: {reasons}" if reasons else "good"}


def regions_in_view(shape: tuple[int, ...], to_voxels: np.ndarray) -> float:
    """Return the visible share of the least visible region."""
    masks, to_index = load_regions(), to_voxels @ GRID.affine
    index = [transform(to_index, np.argwhere(masks[name]).T) for name in LABELS]
    return float(min(is_inside(shape, each).mean() for each in index))


def _cut_sides(shape: tuple[int, ...], to_voxels: np.ndarray) -> str:
    """Return the sides of the field beyond which a part of the head lies, or ``"none"``."""
    index = transform(to_voxels, _head_points())
    beyond = np.stack([index < -0.5, index > np.array(shape)[:, None] - 0.5]).mean(axis=2)
    names = [SIDES[axis][end] for axis, end in np.ndindex(3, 2) if beyond[end, axis] > CUT]
    return ", ".join(names) or "none"


def _where(to_template: np.ndarray, place: np.ndarray) -> str:
    """Return what lies at a place: striatum, brain, or outside the brain."""
    point = transform(to_template, place.reshape(3, 1))
    if sample(to_striata(), GRID.affine, point, cval=np.inf)[0] < STRIATUM_MM:
        return "striatum"
    in_brain = sample(*scaled_template(), point)[0] > HEAD and point[2] > BOTTOM_MM
    return "brain" if in_brain else "outside the brain"


@cache
def _head_points() -> np.ndarray:
    """Return points (3, n) of the template's head above the neck, mm."""
    template, affine = scaled_template()
    points = transform(affine, 3 * np.argwhere(template[::3, ::3, ::3] > HEAD).T)
    return points[:, points[2] > BOTTOM_MM]


def find_reasons(quality: Mapping[str, Any]) -> list[Problem]:
    """Return every reason to look at an exam; none if it is good.

    Parameters
    ----------
    quality : mapping
        ``Prepared.quality``, or a row of ``PreparedCohort.table``. Figures that it lacks are not
        judged.

    Returns
    -------
    list of Problem
        Warnings whose code is the figure's name.

    Examples
    --------
    >>> (reason,) = find_reasons({"similarity": 0.97, "scale": 1.3})
    >>> print(reason.code, reason.found, reason.remedy, sep="; ")
    scale; 1.30; Check the voxel size in the file’s header.
    """
    shifts = np.reshape([quality.get(name, 0.0) for name in SHIFTS], (2, 3))
    figures = {**quality, "striatum_shift": np.linalg.norm(shifts, axis=1).max()}
    reasons = [
        Problem(name, rule.label, rule.expected, rule.write(found), rule.remedy, "warning")
        for name, rule in RULES.items()
        if (found := figures.get(name)) is not None and not rule.allows(found)
    ]  # fmt: skip
    if quality.get("reference_region") == "brain":
        reasons.append(WORDS["reference_region"])
    if (stated := quality.get("orientation", "known")) not in ("known", "stated"):
        reasons.append(replace(WORDS["orientation"], found=stated))
    if (mended := quality.get("mended")) and (lost := quality.get("brain_holes", 0.0)) > 0:
        found = f"{mended}; {lost:.2f} mL of the brain hold 0"
        reasons.append(replace(WORDS["mended"], found=found))
    return reasons


def describe(reason: Problem) -> str:
    """Return a reason in words, without what to do about it."""
    return f"{reason.where} is {reason.found}, expected {reason.expected}"


def advise(reason: Problem) -> str:
    """Return a reason in words, with what to do about it."""
    return f"{describe(reason)}. {reason.remedy}"
