"""Paint one patient's uptake: a pure function from the drawn record to a volume.

Uptake is relative: non-specific brain uptake is about 1, and a voxel whose specific binding ratio
is SBR holds 1 + SBR. The background is nearly flat, as in real exams: white and grey matter differ
by a few per cent. What is painted has the standard head's form:
:mod:`datkit.simulate.patient.head_shape` gives it the patient's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import find_objects

from datkit.simulate.patient import person
from datkit.simulate.patient.anatomy import SHAPE, axes_mm, standard_anatomy
from datkit.simulate.patient.loss import SIDES, Defect
from datkit.simulate.patient.person import STRIATUM, Patient, expected_sbr, standard_normal

__all__ = ["paint", "seen_fractions", "true_sbr"]

TALL = 1.5  # height of an infarct over its width: it follows the arteries upwards; design
POSTERIOR = 0.6  # depth from which the putamen counts as posterior; design
CAUDATE_GRADIENT = 0.5  # how much of the putamen's loss from front to back the caudate shares;
# design: posterior over anterior caudate is 0.67 in Parkinson's disease (PET, JNNP-221031)


def paint(patient: Patient) -> tuple[np.ndarray, dict[str, float]]:
    """Paint a patient's uptake.

    Returns
    -------
    uptake : ndarray, float32 (99, 121, 128)
        Uptake on the grid of :mod:`datkit.simulate.patient.anatomy`, in the standard head's form.
    truth : dict of str to float
        True SBR per region and side: see :func:`true_sbr`.

    Examples
    --------
    >>> from datkit.simulate.patient.person import standard_normal
    >>> uptake, truth = paint(standard_normal())
    >>> uptake.shape, round(truth["caudate_left"], 1)
    ((99, 121, 128), 4.5)
    """
    anatomy, tissues = standard_anatomy(), patient.background
    regions = anatomy.regions
    uptake = np.zeros(SHAPE, np.float32)
    for name in person.BACKGROUND:
        uptake += anatomy.tissue[name] * np.float32(tissues[name])
    for name in person.REGION_FACTOR:
        box = _box(name)
        uptake[box] *= 1 + regions[name][box] * np.float32(tissues[name] - 1)
    reference = _usual_reference(patient)
    for side in SIDES:
        for name in STRIATUM:
            box = _box(f"{name}_{side}")
            binding = _binding(patient, name, side)[:, box[1]]
            specific = (reference * (1 + binding)).astype(np.float32)
            uptake[box] += regions[f"{name}_{side}"][box] * specific
    for gland, value in patient.glands.items():
        box = _box(gland)
        uptake[box] += regions[gland][box] * (np.float32(value) - uptake[box])
    if patient.loss.defect is not None:
        uptake += (1 - _kept(patient.loss.defect)) * (np.float32(tissues["csf"]) - uptake)
    return uptake, true_sbr(patient)


def true_sbr(patient: Patient) -> dict[str, float]:
    """Return a patient's true specific binding ratios, free of partial volume.

    Returns
    -------
    dict of str to float
        ``caudate_left``, ``putamen_left``, ``ventral_striatum_left``, ``posterior_putamen_left`` …:
        the mean of what is painted into the region, over that of occipital brain tissue, less 1.

    Examples
    --------
    >>> from datkit.simulate.patient.person import standard_normal
    >>> sorted(true_sbr(standard_normal()))[:2]
    ['caudate_left', 'caudate_right']
    """
    truth = {}
    for side in SIDES:
        for name in STRIATUM:
            truth[f"{name}_{side}"] = _mean_sbr(patient, name, side)
        truth[f"posterior_putamen_{side}"] = _mean_sbr(patient, "putamen", side, POSTERIOR)
    return truth


def seen_fractions(patient: Patient) -> dict[str, float]:
    """Return what a reader judges: binding over that expected at the patient's age and sex.

    Returns
    -------
    dict of str to float
        ``fraction`` of the weaker posterior putamen, ``other`` of the other one and ``caudate`` of
        the caudate on the weaker side: 1 in the mean healthy patient. They are arguments of
        :func:`datkit.simulate.readers.read_exam`.

    Examples
    --------
    >>> from datkit.simulate.patient.person import standard_normal
    >>> seen_fractions(standard_normal())
    {'fraction': 1.0, 'other': 1.0, 'caudate': 1.0}
    """
    back = {side: _fraction(patient, "putamen", side, POSTERIOR) for side in SIDES}
    weaker, other = sorted(SIDES, key=back.__getitem__)
    caudate = _fraction(patient, "caudate", weaker)
    return {"fraction": back[weaker], "other": back[other], "caudate": caudate}


def _usual_reference(patient: Patient) -> float:
    """Return the uptake of occipital brain tissue as it would be without a drug."""
    grey, tissues = _occipital_grey(), patient.background
    return (tissues["grey"] * grey + tissues["white"] * (1 - grey)) / patient.reference


@lru_cache
def _occipital_grey() -> float:
    """Return how much of the occipital reference's brain tissue is grey matter."""
    anatomy = standard_anatomy()
    tissues = (anatomy.tissue[kind] for kind in ("grey", "white"))
    grey, white = (float((tissue * anatomy.regions["occipital"]).sum()) for tissue in tissues)
    return grey / (grey + white)


@lru_cache
def _box(region: str) -> tuple[slice, ...]:
    """Return the smallest box that holds a region: painting there alone saves most of the time."""
    return find_objects((standard_anatomy().regions[region] > 0).astype(np.uint8))[0]


@lru_cache(maxsize=2)
def _kept(defect: Defect | None) -> np.ndarray:
    """Return 1 where tissue is left, and 0 in a defect (edge of one voxel)."""
    if defect is None:
        return np.ones(SHAPE, np.float32)
    offsets = [a - m for a, m in zip(axes_mm(), defect.middle, strict=True)]
    squared = offsets[0] ** 2 + offsets[1] ** 2 + (offsets[2] / TALL) ** 2
    return np.clip(0.5 + (np.sqrt(squared) - defect.diameter / 2) / 2, 0, 1)


@lru_cache(maxsize=32)
def _profile(region: str, defect: Defect | None = None) -> np.ndarray:
    """Return how much of a region is kept at each y, (1, 121, 1): binding varies along y only."""
    weight = standard_anatomy().regions[region] * _kept(defect)
    return weight.sum(axis=(0, 2), keepdims=True, dtype=np.float64)


def _binding(patient: Patient, region: str, side: str) -> np.ndarray:
    """Return a region's binding over the usual reference, along y: (1, 121, 1)."""
    healthy, left = patient.healthy[f"{region}_{side}"], patient.loss.sides[side]
    depth = standard_anatomy().putamen_depth
    if region == "ventral_striatum":
        return np.full_like(depth, healthy * left.ventral_striatum)
    if region == "caudate":  # disease spares its head longer than its tail
        lost = 1 - left.back / max(left.front, left.back)
        return healthy * left.caudate * (1 + CAUDATE_GRADIENT * lost * (0.5 - depth))
    taper = 1 + patient.taper * (_putamen_middle() - depth)
    return healthy * taper * (left.front + (left.back - left.front) * depth**left.bend)


@lru_cache
def _putamen_middle() -> float:
    """Return the mean depth of the putamen's volume: there a taper changes nothing."""
    weight = _profile("putamen_left")
    return float((weight * standard_anatomy().putamen_depth).sum() / weight.sum())


def _mean_sbr(patient: Patient, region: str, side: str, start: float = 0) -> float:
    """Return the mean SBR painted into a region behind depth `start`."""
    part = standard_anatomy().putamen_depth >= start
    name = f"{region}_{side}"
    whole, kept = _profile(name) * part, _profile(name, patient.loss.defect) * part
    fluid = patient.background["csf"] / _usual_reference(patient)
    held = (1 + _binding(patient, region, side)) * kept + fluid * (whole - kept)
    return float(held.sum() / whole.sum()) / patient.reference - 1


def _fraction(patient: Patient, region: str, side: str, start: float = 0) -> float:
    """Return a part's SBR over that of the mean healthy patient of the same age and sex."""
    expected = expected_sbr(region, patient.age, patient.sex)
    return _mean_sbr(patient, region, side, start) / (_typical_sbr(region, start) * expected)


@lru_cache
def _typical_sbr(region: str, start: float) -> float:
    """Return a part's SBR over its region's published mean in the mean healthy patient."""
    return _mean_sbr(standard_normal(), region, "left", start) / STRIATUM[region]["sbr"]
