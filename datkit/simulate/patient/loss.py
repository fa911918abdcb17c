"""What disease, drugs and infarcts leave of the striatum: the latent severity of every exam.

A pattern is what a trainee must tell apart on the image, not a diagnosis: essential tremor,
Alzheimer's disease and drug-induced parkinsonism all look ``normal``. Sources are named beside each
number; "design" marks a choice of ours for which no published value was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

__all__ = ["DEGENERATIVE", "OTHER", "SIDES", "Defect", "Loss", "Side", "draw_loss", "keep_evenly"]

SIDES = ("left", "right")
TABLES = yaml.safe_load(Path(__file__).with_name("loss.yaml").read_text(encoding="utf-8"))
DEGENERATIVE: dict[str, float] = TABLES["degenerative"]
OTHER: dict[str, float] = TABLES["other"]
SEVERITY_SPREAD = 0.35  # log-SD of the worst posterior putamen at a given time; design
YEARLY_LOSS = 0.07  # PPMI putamen -0.05 a year from 0.66 (PMC5087900)
BORDERLINE = (0.70, 0.88)  # 17.6 % below normal scans (Makinen 2016); the range: design
DRUG = (0.15, 0.60)  # what blocking drugs leave, evenly; design (review: Chahid 2023)
FOCAL, DIFFUSE = 0.40, 0.10  # of vascular exams, the rest look normal; design
DEFECT_MM = (12.0, 20.0)  # diameter of a punched-out defect: smaller ones do not show; design


@dataclass(frozen=True)
class Side:
    """What is left of one striatum: fractions of the patient's own healthy binding, 0..1.

    In the putamen the fraction at depth u (0 front, 1 back) is
    ``front + (back - front) * u ** bend``.
    """

    caudate: float = 1.0
    ventral_striatum: float = 1.0
    front: float = 1.0
    back: float = 1.0
    bend: float = 1.0


@dataclass(frozen=True)
class Defect:
    """A solid of fluid, as an old infarct leaves it: middle and diameter (of a slice) in MNI mm."""

    middle: tuple[float, float, float]
    diameter: float


@dataclass(frozen=True)
class Loss:
    """What is left on either side, and at most one focal defect."""

    sides: Mapping[str, Side]
    defect: Defect | None = None


def draw_loss(rng: np.random.Generator, pattern: str) -> Loss:
    """Draw what a pattern leaves of the striatum.

    Raises
    ------
    KeyError
        If `pattern` is in neither :data:`DEGENERATIVE` nor :data:`OTHER`.

    Examples
    --------
    >>> draw_loss(np.random.default_rng(0), "normal").sides["left"]
    Side(caudate=1.0, ventral_striatum=1.0, front=1.0, back=1.0, bend=1.0)
    >>> sides = draw_loss(np.random.default_rng(0), "parkinson").sides
    >>> sides["left"].back < sides["left"].front < sides["left"].caudate
    True
    """
    ranges = {"borderline": BORDERLINE, "drug": DRUG}
    if pattern in ranges:
        return Loss(keep_evenly(rng.uniform(*ranges[pattern])))
    if pattern == "vascular":
        return _draw_vascular(rng)
    if pattern == "normal":
        return Loss(keep_evenly(1.0))
    return Loss(_degenerate(rng, TABLES["courses"][pattern]))


def keep_evenly(left: float) -> dict[str, Side]:
    """Keep the same fraction everywhere: low, yet of normal shape."""
    return {side: Side(left, left, left, left) for side in SIDES}


def _draw_vascular(rng: np.random.Generator) -> Loss:
    """Draw a focal defect, a mild loss everywhere, or nothing to be seen."""
    kind = rng.random()
    if kind >= FOCAL:
        return Loss(keep_evenly(rng.uniform(*BORDERLINE) if kind < FOCAL + DIFFUSE else 1.0))
    site = TABLES["defects"]["putamen" if rng.random() < 0.7 else "caudate"]
    y, side = rng.uniform(*site["y"]), rng.choice([-1, 1])
    middle = float(side * np.interp(y, site["y"], site["x"])), y, float(site["z"])
    return Loss(keep_evenly(1.0), Defect(middle, float(rng.uniform(*DEFECT_MM))))


def _degenerate(rng: np.random.Generator, course: Mapping[str, Any]) -> dict[str, Side]:
    """Draw loss that starts at the back of the worse putamen and spreads forward with the years.

    The sides grow alike as the disease goes on. The bend has no published value (design).
    """
    if rng.random() < course["unseen"]:
        return keep_evenly(1.0)
    years = rng.gamma(2, 2)  # since onset; design
    worse = course["worst"] * np.exp(-YEARLY_LOSS * years + rng.normal(0, SEVERITY_SPREAD))
    worse = float(np.clip(worse, 0.05, 0.95))
    gap = abs(rng.normal(*course["gap"])) * np.sqrt(worse / 0.5)  # at half of normal as published
    steep = rng.uniform(*course["steep"])
    bend = float(np.exp(rng.normal(np.log(1.3), 0.25)))
    start, slope, scatter = course["caudate"]
    extra = rng.normal(0, scatter)
    sides = {}
    for side, left in zip(rng.permutation(SIDES), (1.0, np.exp(gap)), strict=True):
        back = min(1.0, float(worse * left))
        front = min(1.0, float(steep * back))
        caudate = float(np.clip(start + slope * front + extra, 0.05, 1))
        ventral = caudate + course["ventral"] * (1 - caudate)
        sides[str(side)] = Side(caudate, ventral, front, back, bend)
    return sides
