"""The ways to train that are compared, each without the centre that is left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from datkit.federated import (
    STRATEGIES,
    Hospital,
    Order,
    Update,
    adapt_statistics,
    make_hospitals,
    train_federated,
)
from datkit.federated.training import exams_by_centre
from datkit.models import ProjectionClassifier
from datkit.prepare import PreparedCohort

__all__ = ["FEDERATED", "MEAN", "PASSES", "RATE", "ROUNDS", "SETTINGS", "TROUBLES", "Arm", "Exams",
           "alone", "alone_longer", "pooled"]  # fmt: skip

SETTINGS: dict[str, Any] = {"width": 8, "batch_size": 8, "learning_rate": 1e-3}
RATE = 5e-3  # in hospitals: a round moves by the mean of their steps, in one place by the sum
MEAN = "fedavg"  # the strategy of what is not about strategies
ROUNDS, PASSES = 20, 1  # of a federation, and how often a round shows each exam


class Exams:
    """Labelled exams in the order of their centres, and the hospitals that hold them.

    Attributes
    ----------
    volumes, y, centres : array
        A row an exam.
    hospitals : dict of str to Hospital
        By centre.
    """

    def __init__(self, prepared: PreparedCohort) -> None:
        parts = [*exams_by_centre(prepared)]
        rows = np.concatenate([exams["row"] for _, exams, _ in parts])
        self.volumes = prepared.volumes[rows]
        self.uids = [str(uid) for _, exams, _ in parts for uid in exams.index]
        self.y = np.concatenate([exams["is_pathologic"] for _, exams, _ in parts])
        self.centres = np.repeat([name for name, *_ in parts], [len(one) for _, one, _ in parts])
        model = ProjectionClassifier(accelerator="cpu")
        self.hospitals = {one.name: one for one in make_hospitals(prepared, model)}

    def rows(self, *centres: str) -> np.ndarray:
        """Return where the exams of some centres are."""
        return np.flatnonzero(np.isin(self.centres, centres))

    def asked(self, unseen: str, model: ProjectionClassifier) -> list[Hospital]:
        """Return the hospitals that train a model without one of them, the largest first."""
        asked = [
            replace(self.hospitals[name], model=model, kept={}) for name in self.others(unseen)
        ]
        return sorted(asked, key=lambda one: -len(one.labels))

    def join(self, trained: dict[str, dict[str, Any]], whole: bool) -> np.ndarray:
        """Return logits by exam, (n,), NaN where none is: those of each centre that was left out.

        Parameters
        ----------
        trained : dict
            A training by the centre that was left out.
        whole : bool
            Each holds the logits of all exams instead; they are returned one below the other.
        """
        if whole:
            return np.array([row["logits"] for row in trained.values()])
        logits = np.full(len(self.y), np.nan)
        for centre, row in trained.items():
            logits[self.rows(centre)] = row["logits"]
        return logits

    def others(self, centre: str) -> list[str]:
        """Return all centres but one."""
        return [name for name in self.hospitals if name != centre]


class Broken:
    """A hospital whose answers are lost or changed on their way.

    Parameters
    ----------
    hospital : Hospital
    spoil : callable
        From the order and the hospital's answer to what arrives.
    """

    def __init__(self, hospital: Hospital, spoil: Callable[[Order, Update], Update]) -> None:
        self.name, self.hospital, self.spoil = hospital.name, hospital, spoil

    def train(self, order: Order) -> Update:
        """Answer, or not, or with something else."""
        return self.spoil(order, self.hospital.train(order))


def away(order: Order, update: Update) -> Update:
    """Be away in every second round."""
    if order.round % 2:
        raise ConnectionError
    return update


def nonsense(order: Order, update: Update) -> Update:
    """Send noise of a hundred times the weights' size."""
    rng = np.random.default_rng(order.round)
    noise = {name: (100 * rng.normal(0, one.std() + 1e-3, one.shape)).astype(np.float32)
             for name, one in update.weights.items()}  # fmt: skip
    return update._replace(weights=noise)


def swapped(hospital: Hospital) -> Hospital:
    """Return a hospital whose labels are the wrong way round: the server cannot see it."""
    return replace(hospital, labels=1 - hospital.labels)


def dealt(hospitals: list[Hospital]) -> list[Hospital]:
    """Return hospitals of the old sizes, among which all exams were dealt at random."""
    boxes, labels = (np.concatenate([getattr(one, name) for one in hospitals])
                     for name in ("boxes", "labels"))  # fmt: skip
    order = np.random.default_rng(0).permutation(len(labels))
    ends = np.cumsum([len(one.labels) for one in hospitals])[:-1]
    parts = zip(hospitals, np.split(order, ends), strict=True)
    return [replace(one, boxes=boxes[rows], labels=labels[rows]) for one, rows in parts]


@dataclass(frozen=True)
class Arm:
    """One federated way to train.

    Attributes
    ----------
    strategy : str
        A name in ``STRATEGIES``.
    change : callable
        From the hospitals, the largest first, to those that take part.
    rate : float
        The learning rate in hospitals.
    """

    strategy: str
    change: Callable[[list[Hospital]], list[Any]] = list
    rate: float = RATE

    def train(self, unseen: str, exams: Exams) -> dict[str, Any]:
        """Train without a centre; return the logits of its exams, and what that cost."""
        model = make(PASSES, learning_rate=self.rate)
        hospitals = self.change(exams.asked(unseen, model))
        began = time.process_time()
        run = train_federated(model, hospitals, self.strategy, ROUNDS)
        seconds = time.process_time() - began
        volumes = exams.volumes[exams.rows(unseen)]
        if STRATEGIES[self.strategy].local:
            run = run._replace(model=adapt_statistics(run.model, volumes))
        count = {key: sum(len(one[key]) for one in run.history) for key in ("absent", "refused")}
        crossed = sum(one["bytes"] for one in run.history)
        return told(run.model, volumes, seconds) | count | {"bytes": crossed}


FEDERATED = {name: Arm(name) for name in STRATEGIES}
TROUBLES = {
    "largest away every second round": Arm(MEAN, lambda each: [Broken(each[0], away), *each[1:]]),
    "largest sends nonsense": Arm(MEAN, lambda each: [Broken(each[0], nonsense), *each[1:]]),
    "largest swaps its labels": Arm(MEAN, lambda each: [swapped(each[0]), *each[1:]]),
    "none, but exams dealt at random": Arm(MEAN, dealt),
    "none, but the learning rate of pooled": Arm(MEAN, rate=SETTINGS["learning_rate"]),
}


def pooled(unseen: str, exams: Exams, adapt: bool = False) -> dict[str, Any]:
    """Train on the exams of all other centres in one place; adapt the statistics if asked to."""
    rows, volumes = exams.rows(*exams.others(unseen)), exams.volumes[exams.rows(unseen)]
    began = time.process_time()
    model = make(ROUNDS * PASSES).fit(exams.volumes[rows], exams.y[rows])
    seconds = time.process_time() - began
    if adapt:
        model = adapt_statistics(model, volumes)
    return told(model, volumes, seconds)


def alone(centre: str, exams: Exams, epochs: int = ROUNDS * PASSES) -> dict[str, Any]:
    """Train on one centre's exams; the logits are those of all exams."""
    rows = exams.rows(centre)
    began = time.process_time()
    model = make(epochs).fit(exams.volumes[rows], exams.y[rows])
    return told(model, exams.volumes, time.process_time() - began)


def alone_longer(centre: str, exams: Exams) -> dict[str, Any]:
    """Train on one centre's exams for as many steps as all exams together would take."""
    size = SETTINGS["batch_size"]
    steps, all_steps = (ceil(n / size) for n in (len(exams.rows(centre)), len(exams.y)))
    return alone(centre, exams, ROUNDS * PASSES * all_steps // steps)


def make(epochs: int, **settings: float) -> ProjectionClassifier:
    """Return the network that all ways train."""
    return ProjectionClassifier(epochs=epochs, accelerator="cpu", **(SETTINGS | settings))


def told(model: ProjectionClassifier, volumes: np.ndarray, seconds: float) -> dict[str, Any]:
    """Return logits as they are kept, and the seconds of the training."""
    logits = model.decision_function(volumes).astype(float).round(3).tolist()
    return {"logits": logits, "seconds": round(seconds, 1)}
