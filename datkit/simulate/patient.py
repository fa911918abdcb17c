"""One patient: who they are and how much transporter is left in each striatum.

:func:`draw_patient` draws every parameter and returns the record; :mod:`datkit.simulate.uptake`
turns a record into a volume.

Sources are named beside each number; "design" marks a choice of ours for which no published value
was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.shape import Shape, draw_shape, standard_shape

__all__ = [
    "PATTERNS",
    "SIDES",
    "Patient",
    "Side",
    "draw_patient",
    "draw_pattern",
    "expected_sbr",
    "standard_normal",
]

SIDES = ("left", "right")
PATTERNS = ("normal", "borderline", "parkinson", "atypical")

SBR_AT_65 = {"caudate": 5.4, "putamen": 6.0, "ventral_striatum": 5.4}
# free of partial volume; Koh 2016 (10.1111/ncn3.12082): 6.84 +- 1.01 at 69 y with the Southampton
# method; Nobili 2013 (10.1007/s00259-012-2304-8): about 5.4 with BasGan. The ventral value and
# the caudate's 7 % less: design.
SLOPE_PER_DECADE = {"caudate": 0.055, "putamen": 0.063, "ventral_striatum": 0.055}
# 4-6.7 % per decade (Varrone 2013, ENC-DAT), 6.3 % (Matsuda 2018), steeper in putamen (Nobili 2013)
WOMEN_AT_45 = 0.08  # women above men, gone at 75 y (Matsuda 2018, PMC5993845)
BETWEEN_SUBJECTS = 0.13  # log-SD; 13-17 % in normal scans, noise included (Lange 2014, PMC4182457)
CAUDATE_PUTAMEN_CORRELATION = 0.85  # design
NORMAL_TAPER = 0.10  # loss of SBR from front to back of a healthy putamen; design
BORDERLINE_SHARE = 0.20  # of non-degenerative exams, 9 % of all (10 % in Makinen 2016)
ATYPICAL_SHARE = 0.20  # of degenerative exams: Lewy body dementia, MSA, PSP; design
SEVERITY_SPREAD = 0.35  # log-SD of the worst posterior putamen at a given time; design

BACKGROUND = {  # mean and SD of uptake / occipital, read off two maps of healthy controls
    "grey": (1.00, 0.03),  # (Dukart 2018, 10.1038/s41598-018-22444-0, and JuSpace); SDs: design
    "white": (1.02, 0.04),
    "csf": (0.22, 0.03),
    "skull": (0.12, 0.02),  # design, as are scalp and soft tissue
    "scalp": (0.42, 0.07),
    "soft": (0.38, 0.06),
}
REGION_FACTOR = {  # mean and SD of a factor on the background
    "thalamus": (1.38, 0.08),
    "brainstem": (1.22, 0.08),
    "medial_temporal": (1.20, 0.08),
    "cerebellum": (0.95, 0.04),
    "parietal": (0.90, 0.03),
}
GLANDS = ("parotid_left", "parotid_right", "submandibular_left", "submandibular_right")
GLAND_MEDIAN, GLAND_SPREAD, GLAND_SIDES = 2.4, 0.35, 0.12  # painted; log-SDs; design


@dataclass(frozen=True)
class Side:
    """What is left of one striatum: fractions of the patient's own healthy binding, 0..1.

    In the putamen the fraction at depth u (0 front, 1 back) is
    ``front + (back - front) * u ** bend``.
    """

    caudate: float
    ventral_striatum: float
    front: float
    back: float
    bend: float


@dataclass(frozen=True)
class Patient:
    """Every parameter of one simulated patient.

    Attributes
    ----------
    age : float
        Years.
    sex : str
        ``"F"`` or ``"M"``.
    pattern : str
        One of :data:`PATTERNS`.
    healthy : mapping of str to float
        SBR per region (``caudate_left`` …) that this patient would have without disease.
    sides : mapping of str to Side
        What is left of it, for ``left`` and ``right``.
    background : mapping of str to float
        Uptake per tissue, and factors per region.
    glands : mapping of str to float
        Uptake per salivary gland.
    shape : Shape
        Size and form of the head.
    """

    age: float
    sex: str
    pattern: str
    healthy: Mapping[str, float]
    sides: Mapping[str, Side]
    background: Mapping[str, float]
    glands: Mapping[str, float]
    shape: Shape


def expected_sbr(region: str, age: float, sex: str) -> float:
    """Return the mean healthy SBR of a region at an age, free of partial volume.

    Raises
    ------
    KeyError
        If `region` is not caudate, putamen or ventral_striatum.

    Examples
    --------
    >>> expected_sbr("putamen", 65, "M")
    6.0
    >>> round(expected_sbr("putamen", 75, "M") / expected_sbr("putamen", 65, "M"), 3)
    0.939
    """
    women = WOMEN_AT_45 * np.clip((75 - age) / 30, 0, 1) if sex == "F" else 0.0
    by_age = np.exp(-SLOPE_PER_DECADE[region] * (age - 65) / 10)
    return float(SBR_AT_65[region] * by_age * (1 + women))


def draw_pattern(rng: np.random.Generator, degenerative: bool) -> str:
    """Draw one of :data:`PATTERNS`, given whether the patient has degenerative disease.

    Examples
    --------
    >>> draw_pattern(np.random.default_rng(0), degenerative=True)
    'parkinson'
    """
    if degenerative:
        return "atypical" if rng.random() < ATYPICAL_SHARE else "parkinson"
    return "borderline" if rng.random() < BORDERLINE_SHARE else "normal"


def draw_patient(rng: np.random.Generator, pattern: str) -> Patient:
    """Draw one patient of a pattern.

    Raises
    ------
    UsageError
        If `pattern` is not one of :data:`PATTERNS`.

    Examples
    --------
    >>> patient = draw_patient(np.random.default_rng(0), "parkinson")
    >>> patient.sides["left"].back < patient.sides["left"].caudate
    True
    """
    if pattern not in PATTERNS:
        raise UsageError(f"A pattern is one of {', '.join(PATTERNS)}; found {pattern!r}.")
    older = 6 if pattern == "borderline" else 0  # borderline patients are older (Makinen 2016)
    age = round(_truncated_normal(rng, 67 + older, 10, 40, 85), 1)  # 62 +- 13 in Mathies 2022
    sex = "F" if rng.random() < 0.43 else "M"  # 41 % in Mathies 2022 (10.1186/s13550-022-00923-w)
    return Patient(
        age=age,
        sex=sex,
        pattern=pattern,
        healthy=_draw_healthy(rng, age, sex),
        sides=_draw_sides(rng, pattern),
        background=_draw_background(rng),
        glands=_draw_glands(rng),
        shape=draw_shape(rng, age, sex),
    )


def _truncated_normal(
    rng: np.random.Generator, mean: float, sd: float, low: float, high: float
) -> float:
    """Draw until the value lies within low..high."""
    while not low <= (value := rng.normal(mean, sd)) <= high:
        pass
    return float(value)


def standard_normal() -> Patient:
    """Return the mean healthy patient: a man of 65 with the standard head, and no randomness."""
    regions = [f"{region}_{side}" for region in SBR_AT_65 for side in SIDES]
    return Patient(
        age=65.0,
        sex="M",
        pattern="normal",
        healthy={name: SBR_AT_65[name.rsplit("_", 1)[0]] for name in regions},
        sides={side: Side(1.0, 1.0, 1.0, 1.0, 1.0) for side in SIDES},
        background={name: mean for name, (mean, _) in (BACKGROUND | REGION_FACTOR).items()},
        glands={name: GLAND_MEDIAN for name in GLANDS},
        shape=standard_shape(),
    )


def _draw_healthy(rng: np.random.Generator, age: float, sex: str) -> dict[str, float]:
    """Draw the SBR that this patient would have without disease, per region and side."""
    shared, caudate, putamen = rng.normal(size=3)
    common, own = np.sqrt(CAUDATE_PUTAMEN_CORRELATION), np.sqrt(1 - CAUDATE_PUTAMEN_CORRELATION)
    factor = {
        "caudate": np.exp(BETWEEN_SUBJECTS * (common * shared + own * caudate)),
        "putamen": np.exp(BETWEEN_SUBJECTS * (common * shared + own * putamen)),
    }
    factor["ventral_striatum"] = np.sqrt(factor["caudate"] * factor["putamen"])
    healthy = {}
    for region, value in factor.items():
        spread = 0.08 if region == "putamen" else 0.06  # log of left over right; design
        tilt = rng.normal(0, spread) / 2
        for side, sign in (("left", 1), ("right", -1)):
            mean = expected_sbr(region, age, sex)
            healthy[f"{region}_{side}"] = float(mean * value * np.exp(sign * tilt))
    return healthy


def _draw_sides(rng: np.random.Generator, pattern: str) -> dict[str, Side]:
    """Draw what is left of each striatum."""
    if pattern == "normal":
        return {side: Side(1.0, 1.0, 1.0, 1.0, 1.0) for side in SIDES}
    if pattern == "borderline":  # mildly low, symmetric, shape kept (Makinen 2016: 17.6 % low)
        left = rng.uniform(0.70, 0.88)
        return {side: Side(left, left, left, left, 1.0) for side in SIDES}
    return _draw_degenerative(rng, pattern)


def _draw_degenerative(rng: np.random.Generator, pattern: str) -> dict[str, Side]:
    """Draw loss that starts at the back of the worse putamen and spreads forward.

    Severity 0.55 exp(-0.07 t) with t years since onset: about half of normal binding in clinical
    series (Lange 2014), falling about 8 % a year (PPMI). Between sides: 51 and 39.5 % loss (Heng
    2023). The bend has no published value (design); the caudate follows PPMI baseline means.
    """
    typical = pattern == "parkinson"
    years = rng.gamma(2, 2)
    worse = 0.46 * np.exp(-0.07 * years + rng.normal(0, SEVERITY_SPREAD))
    worse = np.clip(worse, 0.05, 0.95)
    gap = abs(rng.normal(0.28, 0.18) if typical else rng.normal(0.08, 0.06))
    steep = rng.uniform(1.6, 2.0) if typical else rng.uniform(1.0, 1.3)
    bend = float(np.exp(rng.normal(np.log(1.3), 0.25)))
    noise = rng.normal(0, 0.08)
    sides = {}
    for side, back in zip(rng.permutation(SIDES), (worse, worse * np.exp(gap)), strict=True):
        front = min(1.0, steep * back)
        caudate = 0.40 + 0.75 * front + noise if typical else front + noise
        caudate = float(np.clip(caudate, 0.05, 1))
        sides[str(side)] = Side(caudate, caudate, float(front), float(min(1.0, back)), bend)
    return sides


def _draw_background(rng: np.random.Generator) -> dict[str, float]:
    table = BACKGROUND | REGION_FACTOR
    return {name: float(rng.normal(mean, sd)) for name, (mean, sd) in table.items()}


def _draw_glands(rng: np.random.Generator) -> dict[str, float]:
    common = rng.normal(np.log(GLAND_MEDIAN), GLAND_SPREAD)
    return {name: float(np.exp(common + rng.normal(0, GLAND_SIDES))) for name in GLANDS}
