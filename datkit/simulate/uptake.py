"""Paint one patient's uptake: a pure function from the drawn record to a volume.

Uptake is relative: non-specific brain uptake is about 1, and a voxel whose specific binding ratio
is SBR holds 1 + SBR. The background is nearly flat, as in real exams: white and grey matter differ
by a few per cent.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from datkit.simulate.anatomy import standard_anatomy
from datkit.simulate.patient import BACKGROUND, NORMAL_TAPER, REGION_FACTOR, SIDES, Patient
from datkit.simulate.shape import deform

__all__ = ["STRIATUM", "paint"]

STRIATUM = ("caudate", "putamen", "ventral_striatum")
POSTERIOR = 0.6  # depth from which the putamen counts as posterior; design


def paint(patient: Patient) -> tuple[np.ndarray, dict[str, float]]:
    """Paint a patient's uptake.

    Returns
    -------
    uptake : ndarray, float32 (99, 121, 128)
        Uptake on the grid of :mod:`datkit.simulate.anatomy`, in the patient's own head (mm).
    truth : dict of str to float
        True SBR per region and side (``caudate_left`` …, ``posterior_putamen_left`` …), free of
        partial volume: the mean of what was painted into the region, over that of occipital
        brain tissue, less 1.
    """
    anatomy = standard_anatomy()
    uptake, reference = _paint_background(patient)
    truth = {}
    for side in SIDES:
        for name in STRIATUM:
            weight = anatomy.regions[f"{name}_{side}"]
            sbr = _painted_sbr(patient, name, side)
            uptake += weight * np.float32(reference * (1 + sbr))
            truth[f"{name}_{side}"] = _mean(sbr, _profile(f"{name}_{side}"))
        back = _profile(f"putamen_{side}") * (anatomy.putamen_depth > POSTERIOR)
        truth[f"posterior_putamen_{side}"] = _mean(_painted_sbr(patient, "putamen", side), back)
    for gland, value in patient.glands.items():
        weight = anatomy.regions[gland]
        uptake += weight * (np.float32(value) - uptake)
    return deform(uptake, patient.shape), truth


def _paint_background(patient: Patient) -> tuple[np.ndarray, float]:
    """Paint everything but striatum and glands; also return the occipital tissue's mean."""
    anatomy = standard_anatomy()
    factor = np.float32(1)
    for name in REGION_FACTOR:
        factor = factor + anatomy.regions[name] * np.float32(patient.background[name] - 1)
    uptake = sum(anatomy.tissue[name] * np.float32(patient.background[name]) for name in BACKGROUND)
    kinds = ("grey", "white")
    parts = [float((anatomy.tissue[kind] * anatomy.regions["occipital"]).sum()) for kind in kinds]
    reference = np.average([patient.background[kind] for kind in kinds], weights=parts)
    return uptake * factor, float(reference)


@lru_cache
def _profile(region: str) -> np.ndarray:
    """Return how much of a region lies at each y, (1, 121, 1): what is painted varies along y."""
    weight = standard_anatomy().regions[region]
    return weight.sum(axis=(0, 2), keepdims=True, dtype=np.float64)


def _mean(values: np.ndarray | float, weight: np.ndarray) -> float:
    """Return the weighted mean of values along y."""
    return float((values * weight).sum() / weight.sum())


def _painted_sbr(patient: Patient, region: str, side: str) -> np.ndarray | float:
    """Return the SBR painted into a region: one number, or a profile along the putamen."""
    healthy, left = patient.healthy[f"{region}_{side}"], patient.sides[side]
    if region != "putamen":
        return healthy * getattr(left, region)
    depth = standard_anatomy().putamen_depth
    taper = 1 + NORMAL_TAPER * (0.5 - depth)
    return healthy * taper * (left.front + (left.back - left.front) * depth**left.bend)
