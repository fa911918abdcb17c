"""One patient: who they are and how much transporter is left in each striatum.

:func:`draw_patient` draws every parameter and returns the record;
:mod:`datkit.simulate.patient.uptake` turns a record into a volume. What a pattern takes away stands
in :mod:`datkit.simulate.patient.loss`.

Uptake is relative to occipital brain tissue. What is not the striatum's is nearly flat, as in real
exams. Sources are named beside each number; "design" marks a choice of ours for which no published
value was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.patient.head import TABLES
from datkit.simulate.patient.head_shape import Shape, draw_shape, standard_shape
from datkit.simulate.patient.loss import DEGENERATIVE, OTHER, SIDES, Loss, draw_loss, keep_evenly

__all__ = ["PATTERNS", "Patient", "draw_patient", "draw_pattern", "expected_sbr", "standard_normal"]

PATTERNS = (*OTHER, *DEGENERATIVE)

STRIATUM: dict[str, dict[str, float]] = TABLES["striatum"]
WOMEN_AT_45 = 0.08  # women above men, gone at 75 y (Matsuda 2018, PMC5993845)
BETWEEN_SUBJECTS = 0.15  # log-SD; 13-17 % in normal scans (Lange 2014, PMC4182457; Koh 2016)
CAUDATE_PUTAMEN_CORRELATION = 0.65  # their ratio varies by 12 %; 14 % as measured (Lange 2014)
VENTRAL_SPREAD = 0.20  # own log-SD of the ventral striatum: over the front of the putamen, fits of
# an atlas to two maps of controls find 0.73-0.95 and 1.3-1.5, PET less than 1
NORMAL_TAPER, TAPER_SPREAD = 0.45, 0.20  # loss from front to back of a healthy putamen: back half
# over front half 0.83, 0.76-0.91; the same fits find 0.62-0.79 and 0.41-0.44, PET about 1
AGES = 67.0, 10.0, 40.0, 85.0  # mean, SD, limits; 62 +- 13, 34-85 (Mathies 2022,
# 10.1186/s13550-022-00923-w), in the range that the challenge states
BORDERLINE_OLDER = 6.0  # years; borderline patients are older (Makinen 2016), by how much: design
WOMEN = 0.43  # 41 % in Mathies 2022
ON_SSRI = 0.15  # share of patients; design

BACKGROUND = {name: tuple(row["uptake"]) for name, row in TABLES["tissues"].items()}
REGION_FACTOR: dict[str, tuple[float, float]] = TABLES["regions"]
SEROTONERGIC = ("thalamus", "brainstem", "medial_temporal")  # bind at serotonin transporters
SEROTONIN_SLOPE = 0.08  # of that binding per decade in the thalamus (Koch 2014)
SEROTONIN_WOMEN = 0.15  # women above men; 31 % in the thalamus (Koch 2014), halved: design
SSRI_REFERENCE = 0.92  # occipital uptake under an SSRI over the usual: striatal ratios rise by
# about 10 % (crossover study of paroxetine, Booij 2007, J Nucl Med 48:359)
SSRI_BLOCKED = 0.5  # share of serotonergic binding that is blocked; design
GLANDS = ("parotid_left", "parotid_right", "submandibular_left", "submandibular_right")
GLAND_MEDIAN, GLAND_SPREAD, GLAND_SIDES = 2.2, 0.35, 0.14  # painted; log-SDs; design: brighter
# than the striatum in a fifth to a third of abnormal exams


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
    ssri : bool
        Whether a serotonin reuptake inhibitor lowers the reference.
    healthy : mapping of str to float
        SBR per region (``caudate_left`` …) that this patient would have without disease or drug.
    taper : float
        Loss of SBR from front to back of the healthy putamen.
    loss : Loss
        What is left of it on either side: the latent severity.
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
    ssri: bool
    healthy: Mapping[str, float]
    taper: float
    loss: Loss
    background: Mapping[str, float]
    glands: Mapping[str, float]
    shape: Shape

    @property
    def reference(self) -> float:
        """The reference's uptake over its usual one: an SSRI lowers it, not the striatum's."""
        return SSRI_REFERENCE if self.ssri else 1.0


def expected_sbr(region: str, age: float, sex: str) -> float:
    """Return the mean healthy SBR of a region at an age, free of partial volume.

    Raises
    ------
    KeyError
        If `region` is not caudate, putamen or ventral_striatum.

    Examples
    --------
    >>> expected_sbr("putamen", 65, "M")
    5.2
    >>> round(expected_sbr("putamen", 75, "M") / expected_sbr("putamen", 65, "M"), 3)
    0.958
    """
    women = WOMEN_AT_45 * np.clip((75 - age) / 30, 0, 1) if sex == "F" else 0.0
    by_age = np.exp(-STRIATUM[region]["slope"] * (age - 65) / 10)
    return float(STRIATUM[region]["sbr"] * by_age * (1 + women))


def draw_pattern(rng: np.random.Generator, degenerative: bool) -> str:
    """Draw one of :data:`PATTERNS`, given whether the patient has degenerative disease.

    Examples
    --------
    >>> draw_pattern(np.random.default_rng(0), degenerative=True)
    'parkinson'
    """
    shares = DEGENERATIVE if degenerative else OTHER
    return str(rng.choice(list(shares), p=list(shares.values())))


def draw_patient(rng: np.random.Generator, pattern: str) -> Patient:
    """Draw one patient of a pattern.

    Raises
    ------
    UsageError
        If `pattern` is not one of :data:`PATTERNS`.

    Examples
    --------
    >>> patient = draw_patient(np.random.default_rng(0), "parkinson")
    >>> left = patient.loss.sides["left"]
    >>> left.back < left.caudate
    True
    """
    if pattern not in PATTERNS:
        raise UsageError(f"A pattern is one of {', '.join(PATTERNS)}; found {pattern!r}.")
    age, sex = _draw_age(rng, pattern), "F" if rng.random() < WOMEN else "M"
    ssri = bool(rng.random() < ON_SSRI)
    return Patient(
        age=age,
        sex=sex,
        pattern=pattern,
        ssri=ssri,
        healthy=_draw_healthy(rng, age, sex),
        taper=float(rng.normal(NORMAL_TAPER, TAPER_SPREAD)),
        loss=draw_loss(rng, pattern),
        background=draw_background(rng, age, sex, ssri),
        glands=draw_glands(rng),
        shape=draw_shape(rng, age, sex),
    )


def _draw_age(rng: np.random.Generator, pattern: str) -> float:
    """Draw until the age lies within the limits."""
    mean, sd, low, high = AGES
    mean += BORDERLINE_OLDER * (pattern == "borderline")
    while not low <= (age := rng.normal(mean, sd)) <= high:
        pass
    return round(float(age), 1)


def standard_normal() -> Patient:
    """Return the mean healthy patient: a man of 65 with the standard head, and no randomness."""
    return Patient(
        age=65.0,
        sex="M",
        pattern="normal",
        ssri=False,
        healthy={f"{name}_{side}": STRIATUM[name]["sbr"] for name in STRIATUM for side in SIDES},
        taper=NORMAL_TAPER,
        loss=Loss(keep_evenly(1.0)),
        background={name: mean for name, (mean, _) in (BACKGROUND | REGION_FACTOR).items()},
        glands=dict.fromkeys(GLANDS, GLAND_MEDIAN),
        shape=standard_shape(),
    )


def _draw_healthy(rng: np.random.Generator, age: float, sex: str) -> dict[str, float]:
    """Draw the SBR that this patient would have without disease, per region and side."""
    shared, *own_parts = rng.normal(size=3)
    common, own = np.sqrt(CAUDATE_PUTAMEN_CORRELATION), np.sqrt(1 - CAUDATE_PUTAMEN_CORRELATION)
    factor = {
        name: np.exp(BETWEEN_SUBJECTS * (common * shared + own * part))
        for name, part in zip(("caudate", "putamen"), own_parts, strict=True)
    }
    own_ventral = np.exp(rng.normal(0, VENTRAL_SPREAD))
    factor["ventral_striatum"] = np.sqrt(factor["caudate"] * factor["putamen"]) * own_ventral
    healthy = {}
    for region, value in factor.items():
        tilt = rng.normal(0, STRIATUM[region]["sides"]) / 2
        for side, sign in (("left", 1), ("right", -1)):
            mean = expected_sbr(region, age, sex)
            healthy[f"{region}_{side}"] = float(mean * value * np.exp(sign * tilt))
    return healthy


def draw_background(rng: np.random.Generator, age: float, sex: str, ssri: bool) -> dict[str, float]:
    """Draw the uptake of each tissue and the factor of each region.

    Under an SSRI brain tissue holds 8 % less, and serotonergic regions stand out less.

    Examples
    --------
    >>> drawn = draw_background(np.random.default_rng(0), age=65, sex="M", ssri=False)
    >>> drawn["thalamus"] > drawn["cerebellum"]
    True
    """
    drawn = {name: float(rng.normal(*values)) for name, values in BACKGROUND.items()}
    excess = np.exp(-SEROTONIN_SLOPE * (age - 65) / 10) * (1 + SEROTONIN_WOMEN * (sex == "F"))
    excess *= 1 - SSRI_BLOCKED * ssri
    for name, (mean, sd) in REGION_FACTOR.items():
        factor = excess if name in SEROTONERGIC else 1.0
        drawn[name] = float(1 + (mean - 1) * factor + rng.normal(0, sd))
    for tissue in ("grey", "white"):
        drawn[tissue] *= SSRI_REFERENCE if ssri else 1.0
    return drawn


def draw_glands(rng: np.random.Generator) -> dict[str, float]:
    """Draw the uptake of each salivary gland: much alike within a patient."""
    common = rng.normal(np.log(GLAND_MEDIAN), GLAND_SPREAD)
    return {name: float(np.exp(common + rng.normal(0, GLAND_SIDES))) for name in GLANDS}
