"""One simulated exam, from a seed and an index alone: patient, scan, readings.

:func:`draw_exam` draws every parameter and every row of the tables, without a voxel;
:func:`simulate_exam` makes the volume too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.camera import centres
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition, draw_protocol
from datkit.simulate.camera.centres import Centre, SetName, illness_share
from datkit.simulate.camera.protocols import Protocol
from datkit.simulate.patient.loss import SIDES
from datkit.simulate.patient.person import Patient, draw_patient, draw_pattern
from datkit.simulate.patient.uptake import paint, seen_fractions, true_sbr
from datkit.simulate.readers import Reading, read_exam
from datkit.threads import one_thread

__all__ = ["SETS", "Drawn", "Exam", "draw_exam", "exam_uid", "parse_uid", "simulate_exam"]

# The index of each set's first exam.
SETS: dict[SetName, int] = {"train": 0, "public": 10_000, "private": 20_000}
BLOCK = 24  # exams over which shares and illness are spread evenly
GOLDEN = 0.618034  # step between blocks, so that several blocks too are spread evenly
SLOTS, OFFSET, BIAS, JOINED = 2, 1, 3, 4  # what a stream of random numbers is for: its last number
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
            "reconstruction": self.acquisition.protocol.recipe.in_words,
            "age": f"{self.patient.age:.1f}",
            "sex": self.patient.sex,
        }

    @property
    def truth(self) -> dict[str, str]:
        """What no hospital can know, and the panel's reading: the row of ``truth.csv``."""
        patient, reading = self.patient, self.reading
        row = {"uid": self.uid, "pattern": patient.pattern}
        row |= {f"sbr_{region}": f"{value:.4f}" for region, value in true_sbr(patient).items()}
        row |= {f"severity_{side}": f"{1 - patient.loss.sides[side].back:.4f}" for side in SIDES}
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
class Exam(Drawn):
    """One simulated exam: what was drawn, and its volume.

    Attributes
    ----------
    volume : ndarray, uint16 or int16 (i, j, k)
        On the grid of `acquisition.affine`.
    """

    volume: np.ndarray


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


def parse_uid(uid: str, seed: int | None = None) -> tuple[int, int]:
    """Return the seed and the index that an exam's uid holds.

    Parameters
    ----------
    uid : str
    seed : int, optional
        The seed that it must hold.

    Raises
    ------
    UsageError
        If no simulated exam, or none of this seed, can have this uid.

    Examples
    --------
    >>> parse_uid("sim-2026-0003")
    (2026, 3)
    """
    found = re.fullmatch(r"sim-([0-9]+)-([0-9]+)", uid)
    numbers = (int(found[1]), int(found[2])) if found else (0, 0)
    if exam_uid(*numbers) != uid or seed not in (None, numbers[0]):
        exam = "a simulated exam" if seed is None else f"an exam of seed {seed}"
        example = exam_uid(2026 if seed is None else seed, 3)
        raise UsageError(f"Expected the uid of {exam}, such as {example}; found {uid!r}.")
    return numbers


def draw_exam(seed: int, index: int | str, added: Sequence[Centre] = ()) -> Drawn:
    """Draw every parameter of one exam; it depends on `seed` and `index` only.

    Parameters
    ----------
    seed : int
    index : int or str
        Place in the sets that :data:`SETS` opens, or the exam's uid.
    added : sequence of Centre
        Centres that join the kit's: see
        :func:`~datkit.simulate.camera.centres.load_added_centres`.

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
    index = parse_uid(index, seed)[1] if isinstance(index, str) else index
    uid = exam_uid(seed, index)
    streams = np.random.SeedSequence([seed, index]).spawn(3)
    for_patient, for_camera, for_readers = map(np.random.default_rng, streams)
    centre, protocol, degenerative = _slot_of(seed, index, added)
    patient = draw_patient(for_patient, draw_pattern(for_patient, degenerative))
    acquisition = draw_acquisition(for_camera, centre, protocol)
    bias = np.random.default_rng([seed, centre.stream, BIAS]).normal(0, CENTRE_BIAS)
    reading = read_exam(for_readers, bias=bias, **seen_fractions(patient))
    return Drawn(uid, patient, acquisition, reading)


@one_thread()
def simulate_exam(seed: int, index: int | str, added: Sequence[Centre] = ()) -> Exam:
    """Simulate one exam, alone or as part of a cohort: the same bytes.

    The parameters, and what is raised, are those of :func:`draw_exam`.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> exam = simulate_exam(seed=2026, index=3)
    >>> exam.uid, exam.volume.ndim
    ('sim-2026-0003', 3)
    """
    from datkit.simulate.camera.imaging import acquire  # brings PyTorch

    drawn = draw_exam(seed, index, added)
    volume = acquire(paint(drawn.patient)[0], drawn.patient.shape, drawn.acquisition)
    return Exam(**vars(drawn), volume=volume)


def _slot_of(seed: int, index: int, added: Sequence[Centre]) -> tuple[Centre, Protocol, bool]:
    """Return an exam's centre and protocol, and whether its patient has degenerative disease.

    Systematic sampling: a comb of 24 evenly spaced points is laid over the cumulative shares, all
    ill patients' first, at a place that moves from block to block, and its points are shuffled.
    So any few blocks hold centres, protocols and illness in nearly their shares. An added centre
    then takes over the exams that a draw of its own says, and moves no other.
    """
    name, first = max((item for item in SETS.items() if item[1] <= index), key=itemgetter(1))
    for centre in reversed(added):
        rng = np.random.default_rng([seed, index, centre.stream, JOINED])
        if rng.random() < centre.joins.get(name, 0):
            protocol = draw_protocol(rng, centre)
            return centre, protocol, bool(rng.random() < illness_share(centre, protocol))
    block, place = divmod(index - first, BLOCK)
    slots, ends = _slots(name)
    offset = (np.random.default_rng([seed, first, OFFSET]).random() + GOLDEN * block) % 1
    point = np.random.default_rng([seed, first, block, SLOTS]).permutation(BLOCK)[place]
    return slots[np.searchsorted(ends, (point + offset) / BLOCK, side="right")]


@lru_cache
def _slots(set_name: SetName) -> tuple[list[tuple[Centre, Protocol, bool]], np.ndarray]:
    """Return every kind of exam, and where each ends on the cumulative shares, 0 to 1."""
    slots, shares = [], []
    for ill in (True, False):
        for name, share in centres.share_of_exams(set_name).items():
            centre = centres.load_centres()[name]
            for protocol in centre.protocols:
                chance = illness_share(centre, protocol)
                slots.append((centre, protocol, ill))
                shares.append(share * protocol.weight * (chance if ill else 1 - chance))
    ends = np.cumsum(shares)
    return slots, ends / ends[-1]
