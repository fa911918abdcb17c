"""The exams of the reading trainer, drawn: who is read, in which order, and what is true."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from datkit.simulate.camera.acquisition import draw_acquisition
from datkit.simulate.camera.centres import load_centres
from datkit.simulate.exam import Drawn, draw_exam, exam_uid
from datkit.simulate.patient.loss import SIDES
from datkit.simulate.patient.uptake import seen_fractions, true_sbr
from datkit.simulate.readers import LOST_CAUDATE, THRESHOLD, read_exam

__all__ = ["BLOCKS", "Chosen", "choose_exams", "order_presentations"]

TABLE = tomllib.loads(Path(__file__).with_name("exams.toml").read_text(encoding="utf-8"))
BLOCKS = (1, 2)
AGAIN = 3  # the block of exams that are read a second time
TWIN, ORDER = 7, 8  # what a stream of random numbers is for
EQUAL = 0.10  # sides whose fractions differ by less have no weaker one; design: about what the
# asymmetry of a normal putamen is (7 to 9 %, Lange 2014, PMC4182457)


@dataclass(frozen=True)
class Chosen:
    """One exam of the trainer.

    Attributes
    ----------
    name : str
        ``"0007"``, or ``"0007 centre-10"`` for that patient on another camera.
    block : int
        1 or 2.
    kind : str
        ``normal``, ``abnormal`` or ``hard``.
    """

    name: str
    block: int
    kind: str

    @property
    def index(self) -> int:
        """The exam's place in the cohort."""
        return int(self.name[:4])

    @property
    def uid(self) -> str:
        """The exam of the cohort that shows this patient."""
        return exam_uid(TABLE["seed"], self.index)

    @property
    def centre(self) -> str:
        """The centre of the other camera, ``""`` for the exam of the cohort itself."""
        return self.name[5:]

    @cached_property
    def drawn(self) -> Drawn:
        """Every parameter of the exam; on another camera, the same patient read anew."""
        drawn = draw_exam(TABLE["seed"], self.index)
        if not self.centre:
            return drawn
        centre = load_centres()[self.centre]
        stream = [TABLE["seed"], self.index, centre.stream, TWIN]
        for_camera, for_readers = map(
            np.random.default_rng, np.random.SeedSequence(stream).spawn(2)
        )
        acquisition = replace(draw_acquisition(for_camera, centre), motion=None, edge=0.0)
        reading = read_exam(for_readers, **seen_fractions(drawn.patient))
        return replace(drawn, uid=f"{drawn.uid}-{centre.name}", acquisition=acquisition,
                       reading=reading)  # fmt: skip

    @cached_property
    def fractions(self) -> dict[str, float]:
        """What is left of expected binding: see `seen_fractions`."""
        return seen_fractions(self.drawn.patient)

    @property
    def label(self) -> int:
        """1 where the weaker posterior putamen holds less than the readers' threshold, else 0."""
        return int(self.fractions["fraction"] < THRESHOLD)

    @property
    def grade(self) -> int:
        """The Benamer grade of the truth, as the readers' without their errors."""
        if not self.label:
            return 0
        if self.fractions["caudate"] < LOST_CAUDATE:
            return 3
        return 2 if self.fractions["other"] < THRESHOLD else 1

    @property
    def side(self) -> str:
        """The weaker side of an abnormal exam, ``"none"`` where the two hardly differ."""
        if not self.label or self.fractions["other"] - self.fractions["fraction"] < EQUAL:
            return "none"
        truth = true_sbr(self.drawn.patient)
        return min(SIDES, key=lambda side: truth[f"posterior_putamen_{side}"])


def choose_exams() -> dict[str, Chosen]:
    """Return the trainer's exams by the names that its pages know: ``e01`` … ``e48``.

    The names are in the order of reading, so they tell nothing.
    """
    chosen: list[Chosen] = []
    for block in BLOCKS:
        kinds = TABLE[f"block-{block}"].items()
        exams = [Chosen(name, block, kind) for kind, names in kinds for name in names]
        chosen += _shuffle(exams, block)
    return {f"e{number:02d}": one for number, one in enumerate(chosen, start=1)}


def order_presentations(exams: dict[str, Chosen]) -> list[dict[str, object]]:
    """Return what is read in which order: ``{"exam", "block"}``; the last block repeats."""
    once = [{"exam": name, "block": one.block} for name, one in exams.items()]
    again = [name for name, one in exams.items() if one.name in TABLE["again"]]
    return once + [{"exam": name, "block": AGAIN} for name in _shuffle(again, AGAIN)]


def _shuffle(items: list, block: int) -> list:
    order = np.random.default_rng([TABLE["seed"], block, ORDER]).permutation(len(items))
    return [items[place] for place in order]
