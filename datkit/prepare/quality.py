"""What may be wrong with a prepared exam: figures, and the reasons to look at it.

The reasons are data, one :class:`datkit.problems.Problem` each, found anew from the figures. Code
asks for them (``Prepared.reasons``, ``PreparedCohort.reasons``: none means good); people read them
in the figure ``verdict``, which no code reads back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from datkit.prepare.align import Pose
from datkit.prepare.grid import GRID, LABELS, load_regions, to_striata
from datkit.prepare.levels import BOTTOM_MM, STRIATUM_MM, scaled_template
from datkit.prepare.sampling import is_inside, sample, transform
from datkit.prepare.striatum import FURTHEST, SHIFTS
from datkit.problems import Problem

__all__ = ["RULES", "TRACER", "advise", "describe", "find_reasons"]

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


FAR = 0.9 * FURTHEST  # mm; a striatum found as far away as was looked is none
# By figure, causes before what follows from them. Balls, cylinders and heads cut or turned fall
# outside (see the tests); so do MRI, CT, other tracers and other body parts (benchmarks/prepare,
# section `others`: it prints how far apart exams and the rest are).
RULES = {
    # Cameras reconstruct squares; all simulated exams have 1.
    "pixels": Rule("voxels’ width over their length", 0.98, 1.02,
        "Cameras make square pixels: check the pixel spacing in the file’s header."),
    # Heads differ by 5 % (SD) in height over length and in width over length; the simulated ones
    # in height by 0.93 to 1.08, so what is 0.77 or 1.3 times as thick is told.
    "height": Rule("head’s height over its width and length (template = 1)", 0.83, 1.2,
        "Check the slice spacing in the file’s header: the head is squashed or stretched."),
    "width": Rule("head’s width over its length (template = 1)", 0.8, 1.25,
        "Check the pixel spacing in the file’s header: the head is squashed or stretched."),
    # Adult heads measure about 0.9 of the MNI template.
    "scale": Rule("head size", 0.75, 1.15, "Check the voxel size in the file’s header."),
    "rotation": Rule("turn of the head", 0.0, 45.0,
        "Check the orientation in the file’s header, and left and right with it.", "°"),
    "upright": Rule("direction of the vertex (1 up, −1 down)", -0.5, np.inf,
        "The head is upside down: check the order of the slices, and left and right with it."),
    # 150 exams (every centre, severe loss) have 0; a ball of 8 mm holds 0.6 and more.
    "holes": Rule("voxels of 0 in the striata", 0.0, 0.05,
        "What is missing counts as no uptake: export the exam again.", " mL"),
    # 0.01 to 0.26 in the same exams; striata clipped at 0.7 of their peak have 4.
    "saturated": Rule("voxels as bright as the brightest, within 1 %", 0.0, 0.35,
        "Voxels were clipped, or ran over the largest number: export the exam again.", " mL"),
    # 1.1 to 3.9; two lost slices 8 (median), four 17, an empty one 40 and more.
    "slices": Rule("largest break between slices (their neighbours = 1)", 0.0, 4.2,
        "Slices are missing, empty, repeated or out of order: export the exam again."),
    # 0.26 to 0.48 in the same exams; swapped pairs have about 1, mirrored ones 2 and more.
    "order": Rule("step to the next slice over the step to the one after it, squared", 0.0, 0.6,
        "Slices are swapped, or every other one is mirrored: export the exam again."),
    # Reconstructions without a bound at 0 undershoot, but not by more than the brain's uptake.
    "lowest": Rule("lowest voxel (reference = 1)", -1.5, 0.05,
        "Air has no counts, and none are negative: was a constant added to every voxel, was a "
        "number of 16 bits read with a sign, or is it CT?"),
    # 0 to 0.12 by scatter; a constant of 0.1 of the reference taken off gives -0.07.
    "air": Rule("air around the head (reference = 1)", -0.05, 0.18,
        "Air has no counts: was a constant added or taken off, or a root or logarithm stored?"),
    "in_head": Rule("share of the uptake in and around the head", 0.7, np.inf,
        "Something else is in the scan, a second head or a body: cut the scan down to the head."),
    # 0.95 to 1.11; an occipital region that holds 0.7 or 1.5 of its uptake gives 1.34 or 0.73.
    "brain_reference": Rule("rest of the brain over the reference (template = 1)", 0.85, 1.2,
        "An occipital infarct, or an uneven correction? It moves every binding ratio."),
    # 0.87 and more but for exams so noisy that one must look; volumes that are no DaT exam reach
    # 0.99 and are told by their uptake (benchmarks/prepare, section `others`).
    "similarity": Rule("similarity to the template", 0.87, 1.0,
        "Is it a brain, the right way up, and not mostly noise?"),
    "head_in_view": Rule("share of the head in view", 0.5, 1.0,
        "Part of the head was not scanned: trust what the pictures show, no more."),
    "regions_in_view": Rule("share of the regions in view", 0.95, 1.0,
        "A measured region lies partly outside the scan, so it measures too low."),
    "striatal_uptake": Rule("brighter striatum over the brightest brain elsewhere", 1.1, np.inf,
        "No uptake stands out in either striatum: total loss, or not a DaT exam."),
    "cortex": Rule("cortex over white matter", 0.75, 1.2,
        "Cortex and white matter differ as in FDG, perfusion, amyloid or MRI: is it a DaT exam?"),
    # Exams have 0.09 to 0.25; counts whose logarithm was stored 0.06 and less.
    "unevenness": Rule("spread of the brain’s uptake away from the striata", 0.07, 0.3,
        "The brain is too even or too uneven for a DaT exam: is it one, not mostly noise, and "
        "stored as counts, not as their logarithm?"),
    # Normal exams have 8 to 14 mm (datkit/resources/normals.json), all simulated ones 6 to 19.
    "resolution": Rule("effective resolution (FWHM)", 4.5, 20.0,
        "Normal ranges come from sharper or smoother images: they do not compare.", " mm"),
    "striatum_shift": Rule("distance of a striatum from its place", 0.0, FAR,
        "See in the pictures whether both striata lie where they should.", " mm"),
}  # fmt: skip
NOT_OCCIPITAL = Problem(
    "reference_region", "the reference", "the occipital region, which is not shown",
    "the whole brain", "Binding ratios are not comparable with those of other exams.", "warning",
)  # fmt: skip
LEFT_AND_RIGHT = Problem(
    "orientation", "the orientation", "one that the file states", "unknown",
    "Left and right may be wrong: find out how the axes run, and state it (--orientation).",
    "warning",
)  # fmt: skip
FILLED = Problem(
    "mended", "what was mended", "nothing within the brain", "",
    "What was no number counts as no uptake there: export the exam again.", "warning",
)  # fmt: skip
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
        reasons.append(NOT_OCCIPITAL)
    if (stated := quality.get("orientation", "known")) not in ("known", "stated"):
        reasons.append(replace(LEFT_AND_RIGHT, found=stated))
    if (mended := quality.get("mended")) and (lost := quality.get("brain_holes", 0.0)) > 0:
        reasons.append(replace(FILLED, found=f"{mended}; {lost:.2f} mL of the brain hold 0"))
    return reasons


def describe(reason: Problem) -> str:
    """Return a reason in words, without what to do about it."""
    return f"{reason.where} is {reason.found}, expected {reason.expected}"


def advise(reason: Problem) -> str:
    """Return a reason in words, with what to do about it."""
    return f"{describe(reason)}. {reason.remedy}"
