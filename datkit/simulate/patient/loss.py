"""What disease, drugs and infarcts leave of the striatum: the latent severity of every exam.

A pattern is what a trainee must tell apart on the image, not a diagnosis: essential tremor,
Alzheimer's disease and drug-induced parkinsonism all look ``normal``. Sources are named beside each
number; "design" marks a choice of ours for which no published value was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["DEGENERATIVE", "OTHER", "SIDES", "Defect", "Loss", "Side", "draw_loss", "keep_evenly"]

SIDES = ("left", "right")
DEGENERATIVE = {"parkinson": 0.74, "lewy_body": 0.12, "atypical": 0.12, "corticobasal": 0.02}
OTHER = {"normal": 0.63, "borderline": 0.20, "vascular": 0.15, "drug": 0.02}
# Shares among degenerative and other patients; design, after clinical series. Over the cohort:
# borderline 9 % (10 % in Makinen 2016, utupub.fi/handle/10024/155837), drug 1 %, focal defect 3 %.
SEVERITY_SPREAD = 0.40  # log-SD of the worst posterior putamen at a given time; design
YEARLY_LOSS = 0.07  # PPMI putamen -0.05 a year from 0.66 (PMC5087900)
BORDERLINE = (0.70, 0.88)  # 17.6 % below normal scans (Makinen 2016); the range: design
DRUG = (0.15, 0.60)  # what blocking drugs leave, evenly; design (review: Chahid 2023)
FOCAL, DIFFUSE = 0.40, 0.10  # of vascular exams, the rest look normal; design
DEFECT_MM = (6.0, 15.0)  # diameter of a punched-out defect; design
DEFECT_SITES = {  # middle in MNI mm at the right: x, y from, y to, z
    "putamen": (27, -18, 14, 2),
    "caudate": (13, 2, 18, 10),
}


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
    """A sphere without any binding, as an old infarct leaves it: middle and diameter in MNI mm."""

    middle: tuple[float, float, float]
    diameter: float


@dataclass(frozen=True)
class Loss:
    """What is left on either side, and at most one focal defect."""

    sides: Mapping[str, Side]
    defect: Defect | None = None


@dataclass(frozen=True)
class Course:
    """How one disease takes the striatum; all but sources of single numbers: design.

    `worst` is the median fraction of the worse posterior putamen at onset, `gap` the mean and SD of
    ln(better / worse side), `steep` the range of front / back, `caudate` the line (at 0, slope)
    from the front of the putamen to the caudate and `caudate_sd` its scatter, `ventral` how much of
    the caudate's loss the ventral striatum is spared, `unseen` the share of normal scans.
    """

    worst: float
    gap: tuple[float, float]
    steep: tuple[float, float]
    caudate: tuple[float, float] = (0.0, 1.0)
    caudate_sd: float = 0.10
    ventral: float = 0.0
    unseen: float = 0.0


COURSES = {
    # Half of normal binding in clinical series (Lange 2014, PMC4182457); 51 and 39.5 % loss on the
    # two sides (Heng 2023, PMC10105104); back / front 0.62 (322 patients, JNNP-221031); caudate
    # 0.67 where putamen is 0.38 of normal (PPMI); ventral parts go last (Morrish 1996).
    "parkinson": Course(0.43, (0.44, 0.26), (1.6, 2.0), (0.40, 0.75), 0.08, ventral=0.3),
    # flatter and more symmetric; 10 % have a normal scan (Thomas 2017)
    "lewy_body": Course(0.45, (0.08, 0.06), (1.1, 1.5), (0.15, 0.85), 0.10, unseen=0.10),
    # "burst striatum": severe, symmetric, caudate as putamen (Kahraman 2012; JNNP-169837)
    "atypical": Course(0.40, (0.08, 0.06), (1.0, 1.3)),
    # asymmetric, caudate as putamen, can be normal early (JNNP-169837)
    "corticobasal": Course(0.60, (0.44, 0.26), (1.0, 1.3), unseen=0.30),
}


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
    if pattern in COURSES:
        return Loss(_degenerate(rng, COURSES[pattern]))
    if pattern == "borderline":
        return Loss(keep_evenly(rng.uniform(*BORDERLINE)))
    if pattern == "drug":
        return Loss(keep_evenly(rng.uniform(*DRUG)))
    if pattern == "vascular":
        return _draw_vascular(rng)
    return {"normal": Loss(keep_evenly(1.0))}[pattern]


def keep_evenly(left: float) -> dict[str, Side]:
    """Keep the same fraction everywhere: low, yet of normal shape."""
    return {side: Side(left, left, left, left) for side in SIDES}


def _draw_vascular(rng: np.random.Generator) -> Loss:
    """Draw a focal defect, a mild loss everywhere, or nothing to be seen."""
    kind = rng.random()
    if kind >= FOCAL:
        return Loss(keep_evenly(rng.uniform(*BORDERLINE) if kind < FOCAL + DIFFUSE else 1.0))
    x, back, front, z = DEFECT_SITES["putamen" if rng.random() < 0.7 else "caudate"]
    middle = (float(x * rng.choice([-1, 1])), float(rng.uniform(back, front)), float(z))
    return Loss(keep_evenly(1.0), Defect(middle, float(rng.uniform(*DEFECT_MM))))


def _degenerate(rng: np.random.Generator, course: Course) -> dict[str, Side]:
    """Draw loss that starts at the back of the worse putamen and spreads forward with the years.

    The sides grow alike as the disease goes on. The bend has no published value (design).
    """
    if rng.random() < course.unseen:
        return keep_evenly(1.0)
    years = rng.gamma(2, 2)  # since onset; design
    worse = course.worst * np.exp(-YEARLY_LOSS * years + rng.normal(0, SEVERITY_SPREAD))
    worse = float(np.clip(worse, 0.05, 0.95))
    gap = abs(rng.normal(*course.gap)) * np.sqrt(worse / 0.5)  # at half of normal as published
    steep = rng.uniform(*course.steep)
    bend = float(np.exp(rng.normal(np.log(1.3), 0.25)))
    scatter = rng.normal(0, course.caudate_sd)
    backs = worse, min(1.0, worse * np.exp(gap))
    sides = rng.permutation(SIDES)
    return {
        str(side): _side(course, back, min(1.0, steep * back), bend, scatter)
        for side, back in zip(sides, backs, strict=True)
    }


def _side(course: Course, back: float, front: float, bend: float, scatter: float) -> Side:
    """Return one side, given what is left of its putamen."""
    start, slope = course.caudate
    caudate = float(np.clip(start + slope * front + scatter, 0.05, 1))
    ventral = caudate + course.ventral * (1 - caudate)
    return Side(caudate, float(ventral), float(front), float(back), bend)
