"""One simulated exam, from a seed and an index alone: patient, scan, readings.

:func:`draw_exam` draws every parameter and every row of the tables, without a voxel;
:func:`simulate_exam` makes the volume too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition
from datkit.simulate.camera.centres import CENTRES, SHIFTED, Centre, Protocol, illness_share
from datkit.simulate.camera.scanner import Recipe
from datkit.simulate.patient.person import SIDES, Patient, draw_patient, draw_pattern
from datkit.simulate.patient.uptake import paint, seen_fractions, true_sbr
from datkit.simulate.readers import Reading, read_exam
from datkit.threads import one_thread

__all__ = ["SETS", "Drawn", "Exam", "describe_recipe", "draw_exam", "exam_uid", "simulate_exam"]

SETS = {"train": 0, "public": 10_000, "private": 20_000}  # the index of each set's first exam
BLOCK = 24  # exams over which shares and illness are spread evenly
GOLDEN = 0.618034  # step between blocks, so that several blocks too are spread evenly
CENTRE_BIAS = 0.03  # SD between centres of the reading threshold; design


@dataclass(frozen=True)
class Drawn:
    """One exam before its volume is made.

    Attributes
    ----------
    uid : str
    patient : Patient
    acquisition : Acquisition
        It holds the centre and the protocol too.
    reading : Reading
        What readers call it.
    """

    uid: str
    patient: Patient
    acquisition: Acquisition
    reading: Reading

    @property
    def exam(self) -> dict[str, str]:
        """What a hospital would know: the row of ``exams.csv``."""
        centre = self.acquisition.centre
        return {
            "uid": self.uid,
            "centre": centre.name,
            "camera": centre.camera,
            "reconstruction": describe_recipe(self.acquisition.recipe),
            "age": f"{self.patient.age:.1f}",
            "sex": self.patient.sex,
        }

    @property
    def truth(self) -> dict[str, str]:
        """What no hospital can know, and the panel's reading: the row of ``truth.csv``."""
        patient, reading = self.patient, self.reading
        row = {"uid": self.uid, "pattern": patient.pattern}
        row |= {f"sbr_{region}": f"{value:.4f}" for region, value in true_sbr(patient).items()}
        row |= {f"severity_{side}": f"{1 - patient.sides[side].back:.4f}" for side in SIDES}
        row["weaker_posterior_putamen"] = f"{seen_fractions(patient)['fraction']:.4f}"
        row |= {f"reader_{n}": str(vote) for n, vote in enumerate(reading.votes, start=1)}
        return row | {
            "votes": str(sum(reading.votes)),
            "likert": str(reading.likert),
            "benamer": str(reading.benamer),
            "panel_pattern": reading.pattern,
            "confidence": f"{reading.confidence:.4f}",
            "difficult": str(int(reading.difficult)),
        }


@dataclass(frozen=True)
class Exam:
    """One simulated exam.

    Attributes
    ----------
    uid : str
    volume : ndarray, uint16 or int16 (i, j, k)
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
    >>> exam_uid(2026, 3), exam_uid(2026, SETS["private"] + 3)
    ('sim-2026-0003', 'sim-2026-20003')
    """
    for name, value in (("seed", seed), ("index", index)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            raise UsageError(f"A {name} is an integer, 0 or more; found {value!r}.")
    return f"sim-{seed}-{index:04d}"


def draw_exam(seed: int, index: int | str) -> Drawn:
    """Draw every parameter of one exam; it depends on `seed` and `index` only.

    Parameters
    ----------
    seed : int
    index : int or str
        Place in the sets that :data:`SETS` opens, or the exam's uid.

    Raises
    ------
    UsageError
        If `seed` or `index` is negative or no integer, or a uid is no exam of this seed.

    Examples
    --------
    >>> drawn = draw_exam(2026, "sim-2026-0003")
    >>> drawn.uid == draw_exam(2026, 3).uid, drawn.reading.label in (0, 1)
    (True, True)
    """
    index = _index_of(seed, index) if isinstance(index, str) else index
    uid = exam_uid(seed, index)
    streams = np.random.SeedSequence([seed, index]).spawn(3)
    for_patient, for_camera, for_readers = map(np.random.default_rng, streams)
    centre, protocol, degenerative = _slot_of(seed, index)
    patient = draw_patient(for_patient, draw_pattern(for_patient, degenerative))
    acquisition = draw_acquisition(for_camera, centre, protocol)
    bias = _bias_of(seed, centre)
    reading = read_exam(for_readers, bias=bias, **seen_fractions(patient))
    return Drawn(uid, patient, acquisition, reading)


@one_thread()
def simulate_exam(seed: int, index: int | str) -> Exam:
    """Simulate one exam, alone or as part of a cohort: the same bytes.

    Parameters
    ----------
    seed : int
    index : int or str
        Place in the sets that :data:`SETS` opens, or the exam's uid.

    Raises
    ------
    UsageError
        If `seed` or `index` is negative or no integer, or a uid is no exam of this seed.

    Examples
    --------
    >>> exam = simulate_exam(seed=2026, index=3)
    >>> exam.uid, exam.volume.ndim
    ('sim-2026-0003', 3)
    """
    from datkit.simulate.camera.imaging import acquire  # brings PyTorch

    drawn = draw_exam(seed, index)
    uptake, _ = paint(drawn.patient)
    return Exam(
        uid=drawn.uid,
        volume=acquire(uptake, drawn.patient.shape, drawn.acquisition),
        affine=drawn.acquisition.affine,
        label=drawn.reading.label,
        exam=drawn.exam,
        truth=drawn.truth,
    )


def _index_of(seed: int, uid: str) -> int:
    """Return the index that a uid of this seed names."""
    number = uid.rsplit("-", 1)[-1]
    index = int(number) if number.isdecimal() else 0
    if uid != exam_uid(seed, index):
        raise UsageError(
            f"Expected the uid of an exam of seed {seed}, such as {exam_uid(seed, 3)}; "
            f"found {uid!r}."
        )
    return index


def _slot_of(seed: int, index: int) -> tuple[Centre, Protocol, bool]:
    """Return an exam's centre and protocol, and whether its patient has degenerative disease.

    Systematic sampling: a comb of 24 evenly spaced points is laid over the cumulative shares, all
    ill patients' first, at a place that moves from block to block, and its points are shuffled.
    So any few blocks hold centres, protocols and illness in nearly their shares.
    """
    first = max(start for start in SETS.values() if start <= index)
    block, place = divmod(index - first, BLOCK)
    slots, ends = _slots(private=first == SETS["private"])
    offset = (np.random.default_rng([seed, first, 1]).random() + GOLDEN * block) % 1
    point = np.random.default_rng([seed, first, block, 2]).permutation(BLOCK)[place]
    return slots[np.searchsorted(ends, (point + offset) / BLOCK, side="right")]


@lru_cache
def _slots(private: bool) -> tuple[list[tuple[Centre, Protocol, bool]], np.ndarray]:
    """Return every kind of exam, and where each ends on the cumulative shares, 0 to 1."""
    centres = {centre: centre.share * (1 - SHIFTED.share * private) for centre in CENTRES}
    if private:
        centres[SHIFTED] = SHIFTED.share
    slots, shares = [], []
    for ill in (True, False):
        for centre, share in centres.items():
            for protocol in centre.protocols:
                chance = illness_share(centre, protocol)
                slots.append((centre, protocol, ill))
                shares.append(share * protocol.weight * (chance if ill else 1 - chance))
    ends = np.cumsum(shares)
    return slots, ends / ends[-1]


def _bias_of(seed: int, centre: Centre) -> float:
    """Return how a centre's reader differs, the same for all its exams in a cohort."""
    rng = np.random.default_rng([seed, (*CENTRES, SHIFTED).index(centre), 3])
    return float(rng.normal(0, CENTRE_BIAS))


def describe_recipe(recipe: Recipe) -> str:
    """Return a recipe in words."""
    if recipe.method == "fbp":
        parts = [f"FBP, Butterworth {recipe.cutoff:.2f}/cm order {recipe.order}"]
    else:
        parts = [f"OSEM {recipe.iterations} x {recipe.subsets}, {recipe.postfilter_mm:g} mm filter"]
    if recipe.resolution:
        parts.append("resolution")
    if recipe.attenuation != "none":
        parts.append(f"attenuation ({recipe.attenuation})")
    return ", ".join(parts + ["scatter"] * recipe.scatter)
