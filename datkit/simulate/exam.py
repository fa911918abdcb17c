"""One simulated exam, from a seed and an index alone: patient, scan, readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.acquisition import draw_acquisition
from datkit.simulate.camera import acquire
from datkit.simulate.centres import CENTRES, Centre
from datkit.simulate.patient import (
    NORMAL_TAPER,
    SIDES,
    Patient,
    draw_patient,
    draw_pattern,
    expected_sbr,
)
from datkit.simulate.readers import read_exam
from datkit.simulate.uptake import paint

__all__ = ["Exam", "exam_uid", "simulate_exam"]

CENTRE_BIAS = 0.03  # SD between centres of the reading threshold; design


@dataclass(frozen=True)
class Exam:
    """One simulated exam.

    Attributes
    ----------
    uid : str
    volume : ndarray, uint16 (i, j, k)
    affine : ndarray (4, 4)
        Voxel to scanner mm, RAS+.
    label : int
        1 abnormal, 0 normal, as one reader called it.
    exam, truth : dict of str to str
        Its rows of ``exams.csv`` and ``truth.csv``, as written there.
    """

    uid: str
    volume: np.ndarray
    affine: np.ndarray
    label: int
    exam: dict[str, str]
    truth: dict[str, str]


def exam_uid(seed: int, index: int) -> str:
    """Return the identifier of an exam.

    Raises
    ------
    UsageError
        If `seed` or `index` is negative or no integer.

    Examples
    --------
    >>> exam_uid(2026, 3)
    'sim-2026-0003'
    """
    for name, value in (("seed", seed), ("index", index)):
        if not isinstance(value, int | np.integer) or value < 0:
            raise UsageError(f"A {name} is an integer, 0 or more; found {value!r}.")
    return f"sim-{seed}-{index:04d}"


def simulate_exam(seed: int, index: int) -> Exam:
    """Simulate one exam; it depends on `seed` and `index` only, not on any other exam.

    Raises
    ------
    UsageError
        If `seed` or `index` is negative or no integer.

    Examples
    --------
    >>> exam = simulate_exam(seed=2026, index=3)
    >>> exam.uid, exam.volume.dtype
    ('sim-2026-0003', dtype('uint16'))
    """
    uid = exam_uid(seed, index)
    streams = np.random.SeedSequence([seed, index]).spawn(3)
    for_patient, for_camera, for_readers = map(np.random.default_rng, streams)
    centre, degenerative = _slot_of(seed, index)
    patient = draw_patient(for_patient, draw_pattern(for_patient, degenerative))
    acquisition = draw_acquisition(for_camera, centre)
    uptake, sbr = paint(patient)
    fraction = _weaker_posterior_putamen(patient, sbr)
    reading = read_exam(for_readers, fraction, _bias_of(seed, centre))
    truth = {"uid": uid, "pattern": patient.pattern}
    truth |= {f"sbr_{region}": f"{value:.4f}" for region, value in sbr.items()}
    truth |= {f"severity_{side}": f"{1 - patient.sides[side].back:.4f}" for side in SIDES}
    truth |= {"weaker_posterior_putamen": f"{fraction:.4f}", "votes": str(reading.votes)}
    return Exam(
        uid=uid,
        volume=acquire(uptake, acquisition),
        affine=acquisition.affine,
        label=reading.label,
        exam=_exam_row(uid, centre, patient),
        truth=truth,
    )


def _slot_of(seed: int, index: int) -> tuple[Centre, bool]:
    """Return an exam's centre, and whether its patient has degenerative disease.

    Every block of twelve exams holds each centre's share in shuffled order, and illness is spread
    evenly over it, so that a small cohort too has every centre and both kinds of patients.
    """
    slots = [centre for centre in CENTRES for _ in range(centre.share)]
    block, place = divmod(index, len(slots))
    rng = np.random.default_rng([seed, block, 1])
    centre = slots[rng.permutation(len(slots))[place]]
    quantile = (rng.permutation(len(slots))[place] + 0.5) / len(slots)
    return centre, bool(quantile < centre.prevalence)


def _bias_of(seed: int, centre: Centre) -> float:
    """Return how a centre's reader differs, the same for all its exams in a cohort."""
    rng = np.random.default_rng([seed, CENTRES.index(centre), 2])
    return float(rng.normal(0, CENTRE_BIAS))


def _weaker_posterior_putamen(patient: Patient, sbr: dict[str, float]) -> float:
    """Return the weaker posterior putamen's true SBR over that expected at this age and sex."""
    weaker = min(sbr[f"posterior_putamen_{side}"] for side in SIDES)
    healthy = expected_sbr("putamen", patient.age, patient.sex) * (1 - NORMAL_TAPER / 4)
    return weaker / healthy


def _exam_row(uid: str, centre: Centre, patient: Patient) -> dict[str, str]:
    """Return what a hospital would know of the exam."""
    return {
        "uid": uid,
        "centre": centre.name,
        "camera": centre.camera,
        "age": f"{patient.age:.1f}",
        "sex": patient.sex,
    }
