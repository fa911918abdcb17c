"""Uptake that is not the striatum's: brain, skull, scalp and salivary glands.

Uptake is relative to occipital brain tissue. The background is nearly flat, as in real exams.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BACKGROUND", "GLANDS", "REGION_FACTOR", "draw_background", "draw_glands"]

BACKGROUND = {  # mean and SD of uptake / occipital, read off two maps of healthy controls
    "grey": (1.00, 0.03),  # (Dukart 2018, 10.1038/s41598-018-22444-0, and JuSpace); SDs: design
    "white": (1.02, 0.04),
    "csf": (0.22, 0.03),
    "skull": (0.12, 0.02),  # design, as are scalp and soft tissue
    "scalp": (0.42, 0.07),
    "soft": (0.38, 0.06),
}
REGION_FACTOR = {  # mean and SD, for a man of 65, of a factor on the background; same maps
    "thalamus": (1.35, 0.08),
    "brainstem": (1.22, 0.08),
    "medial_temporal": (1.20, 0.08),
    "cerebellum": (0.95, 0.04),
    "parietal": (0.90, 0.03),
}
SEROTONERGIC = ("thalamus", "brainstem", "medial_temporal")  # bind at serotonin transporters
SEROTONIN_SLOPE = 0.08  # of that binding per decade in the thalamus (Koch 2014)
SEROTONIN_WOMEN = 0.15  # women above men; 31 % in the thalamus (Koch 2014), halved: design
SSRI_REFERENCE = 0.92  # occipital uptake under an SSRI over the usual: striatal ratios rise by
# about 10 % (crossover study of paroxetine, Booij 2007, J Nucl Med 48:359)
SSRI_BLOCKED = 0.5  # share of serotonergic binding that is blocked; design
GLANDS = ("parotid_left", "parotid_right", "submandibular_left", "submandibular_right")
GLAND_MEDIAN, GLAND_SPREAD, GLAND_SIDES = 2.2, 0.35, 0.14  # painted; log-SDs; design: brighter
# than the striatum in a fifth to a third of abnormal exams


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
