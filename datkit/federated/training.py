"""Federated training in one process, short enough to read in class: hospitals, and rounds.

A hospital holds its own exams and hands out weights alone; the server holds weights and no exam. In
each round it sends them to all hospitals, checks what comes back, and takes the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median_low
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as log_loss
from tqdm import trange

from datkit.errors import ModelError, UsageError
from datkit.models.network import NetworkClassifier, crop_striata
from datkit.models.training.loop import repeatable
from datkit.prepare.cohort import PreparedCohort
from datkit.problems import Problem

__all__ = ["STRATEGIES", "Federation", "Hospital", "Order", "Strategy", "Update",
           "adapt_statistics", "check_updates", "exams_by_centre", "make_hospitals",
           "mean_weights", "read_weights", "train_federated"]  # fmt: skip

FURTHEST = 10  # times the round's median change: a hospital whose weights moved more is refused
MOST_EXAMS = 100_000  # of one hospital: a count is a claim, and weighs its weights
STATISTICS = ("running_mean", "running_var")  # ends of the names of batch normalisation's
LOSS = "the loss"
POSITIVE = ("running_var", LOSS)

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Strategy:
    """What differs between strategies; the mean weighted by exams is the same for all.

    Attributes
    ----------
    source : str
        Number of the paper.
    proximal : float
        μ of FedProx: how strongly a hospital's weights are pulled back to the round's first ones.
    local : bool
        Statistics of batch normalisation never leave a hospital.
    """

    source: str
    proximal: float = 0.0
    local: bool = False

    def keeps(self, name: str) -> bool:
        """Whether weights of this name stay in the hospital."""
        return self.local and name.endswith(STATISTICS)


#: By name. FedProx's μ is one of 0.001, 0.01, 0.1 and 1, which its paper tries.
STRATEGIES = {
    "fedavg": Strategy("arXiv:1602.05629"),
    "fedprox": Strategy("arXiv:1812.06127", proximal=0.1),
    "local-statistics": Strategy("arXiv:2008.07424", local=True),
}


class Order(NamedTuple):
    """What the server asks of a hospital in one round: the same of all.

    Parameters
    ----------
    weights : dict of str to array
        The network's weights, to start from.
    round, rounds : int
        Which one, from 0, of how many: the learning rate falls from round to round as a cosine.
    strategy : str
        A name in ``STRATEGIES``.
    """

    weights: Weights
    round: int
    rounds: int
    strategy: str = "fedavg"


class Update(NamedTuple):
    """What a hospital answers: weights, how many exams they learnt from, their mean log loss."""

    weights: Weights
    n: int
    loss: float


@dataclass(eq=False)
class Hospital:
    """One hospital and its exams, which nothing here hands out.

    Parameters
    ----------
    name : str
    boxes : array, shape (n, 24, 16, 16)
        Striatal boxes, as :func:`datkit.models.crop_striata` cuts them.
    labels : array, shape (n,)
        0 normal, 1 abnormal; one class alone is allowed here.
    model : NetworkClassifier
        Which network, epochs a round, batch size, learning rate, random changes and seed; all
        hospitals alike.

    Attributes
    ----------
    kept : dict of str to array
        What the strategy leaves in the hospital, from round to round.
    """

    name: str
    boxes: np.ndarray = field(repr=False)  # no voxel may enter a log
    labels: np.ndarray = field(repr=False)
    model: NetworkClassifier
    kept: Weights = field(default_factory=dict, repr=False)

    def train(self, order: Order) -> Update:
        """Train the network on the own exams, and return what is shared of it.

        The optimiser is AdamW, new in each round. The same order on the same exams gives the same
        weights.
        """
        strategy, settings = STRATEGIES[order.strategy], self.model.training_settings()
        fixed, learning = self.model.parts(self.model.build())
        write_weights(learning, order.weights | self.kept)
        inputs = fixed(torch.from_numpy(self.boxes))
        labels = torch.from_numpy(self.labels.astype(np.float32))
        weights = [*learning.parameters()]
        start = [(one, one.detach().clone()) for one in weights] if strategy.proximal else []
        rate = settings.learning_rate * (1 + np.cos(np.pi * order.round / order.rounds)) / 2
        optimizer = torch.optim.AdamW(weights, rate, weight_decay=settings.weight_decay)
        seed = crc32(f"{settings.seed} {order.round} {self.name}".encode())
        change, losses = self.model.change(), []
        learning.train()
        with repeatable(seed):
            generator = torch.Generator().manual_seed(seed)
            for _ in range(settings.epochs):
                shuffled = torch.randperm(len(labels), generator=generator)
                for rows in shuffled.split(settings.batch_size):
                    x, y = inputs[rows], labels[rows]
                    x, y = change(x, y, generator, slice(None)) if change else (x, y)
                    loss = log_loss(learning(x), y)
                    pull = sum(((now - first) ** 2).sum() for now, first in start)
                    optimizer.zero_grad()
                    (loss + strategy.proximal / 2 * pull).backward()
                    optimizer.step()
                    losses.append(loss.item() * len(rows))
        learnt = read_weights(learning)
        self.kept = {name: one for name, one in learnt.items() if strategy.keeps(name)}
        shared = {name: one for name, one in learnt.items() if name not in self.kept}
        return Update(shared, len(labels), sum(losses) / settings.epochs / max(len(labels), 1))


def read_weights(network: torch.nn.Module) -> Weights:
    """Return a network's weights and statistics as float32 arrays, by name."""
    state = network.state_dict()
    return {name: one.numpy().astype(np.float32) for name, one in state.items() if one.ndim}


def write_weights(network: torch.nn.Module, weights: Weights) -> None:
    """Give a network weights that :func:`read_weights` read."""
    state = {name: torch.tensor(one) for name, one in weights.items()}
    network.load_state_dict(network.state_dict() | state)


def make_hospitals(prepared: PreparedCohort, model: NetworkClassifier) -> list[Hospital]:
    """Part a cohort's labelled exams by the column `centre`: each centre is a hospital.

    Raises
    ------
    UsageError
        If the cohort names no centres.
    """
    if "centre" not in prepared.table:
        found = "found none: it says which hospital holds an exam. Add it."
        raise UsageError(f"Expected a column 'centre' in exams.csv, {found}")
    return [
        Hospital(centre, boxes, exams["is_pathologic"].to_numpy(), model)
        for centre, exams, boxes in exams_by_centre(prepared)
    ]


def exams_by_centre(prepared: PreparedCohort) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Yield each centre, ``"all"`` where none is named, its labelled exams and their boxes."""
    exams = prepared.table.assign(row=range(len(prepared))).dropna(subset="is_pathologic")
    exams = exams.astype({"is_pathologic": int})
    centres = exams["centre"].astype(str) if "centre" in exams else ["all"] * len(exams)
    for centre, rows in exams.assign(centre=centres).groupby("centre"):
        yield str(centre), rows, crop_striata(prepared.volumes[rows["row"]])


class Federation(NamedTuple):
    """What a federated training gave.

    Parameters
    ----------
    model : NetworkClassifier
        Fitted, as if it had been trained in one place.
    history : list of dict
        A record a round: `round`, `loss` (mean log loss in training, by exams), `hospitals` (whose
        answers were used), `absent`, `refused` (a Problem each), and `bytes`, of weights sent and,
        where they were used, received.
    """

    model: NetworkClassifier
    history: list[dict[str, Any]]


def train_federated(
    model: NetworkClassifier, hospitals: list[Hospital], strategy: str = "fedavg", rounds: int = 20
) -> Federation:
    """Train one network over hospitals: rounds of weights out, weights back, their mean.

    A hospital that is away in a round (it raises ConnectionError or TimeoutError) or answers
    nonsense is left out of that round and asked again in the next. Equal hospitals and settings
    give equal weights.

    Parameters
    ----------
    model : NetworkClassifier
        Which network and settings, those of the hospitals; it is not changed.
    hospitals : list of Hospital
        Or anything with a `name` and ``train(order)``.
    strategy : str
        A name in ``STRATEGIES``.
    rounds : int
        In each a hospital shows its exams to the network as often as the model's `epochs` say.

    Raises
    ------
    UsageError
        If there is no such strategy, no hospital, one name twice, or no round.
    ModelError
        If no hospital's answer can be used in a round.
    """
    clients = sorted(hospitals, key=attrgetter("name"))
    names = [client.name for client in clients]
    if not names or len({*names}) < len(names) or strategy not in STRATEGIES or rounds < 1:
        wanted = f"hospitals of different names, one of {', '.join(STRATEGIES)}, and rounds"
        raise UsageError(f"Expected {wanted}; found {names}, {strategy!r}, {rounds}.")
    network = model.build()
    learning = model.parts(network)[1]
    weights, history = read_weights(learning), []
    for number in trange(rounds, desc="federated", unit="round", disable=None):  # on a terminal
        answers, record = _ask(clients, Order(weights, number, rounds, strategy))
        weights = weights | mean_weights([*answers.values()])
        history.append(record)
    write_weights(learning, weights)
    fitted = deepcopy(model)
    fitted.network_, fitted.settings_ = network.eval(), model.training_settings()
    return Federation(fitted, history)


def _ask(clients: list[Hospital], order: Order) -> tuple[dict[str, Update], dict[str, Any]]:
    answers, absent = {}, []
    for client in clients:
        try:
            answers[client.name] = client.train(order)
        except (ConnectionError, TimeoutError):
            absent.append(client.name)
    refused = check_updates(answers, order)
    bad = {one.where for one in refused}
    good = {name: one for name, one in answers.items() if name not in bad}
    if not good:
        found = " ".join(map(str, refused)) or f"none of {', '.join(absent)}."
        raise ModelError(f"Expected an answer to use in round {order.round + 1}, found {found}")
    loss = np.average([one.loss for one in good.values()], weights=[one.n for one in good.values()])
    crossed = [*(one.weights for one in good.values()), *[order.weights] * len(answers)]
    sent = sum(np.asarray(array).nbytes for one in crossed for array in one.values())
    record = {"round": order.round + 1, "loss": float(loss), "hospitals": [*good]}
    return good, record | {"absent": absent, "refused": refused, "bytes": sent}


def check_updates(answers: dict[str, Update], order: Order) -> list[Problem]:
    """Return why some hospitals' answers cannot be used: counts, names, shapes, numbers, size.

    A change of the weights more than 10 times as long as the round's median is taken for nonsense,
    of the statistics, which differ between scanners, one of more than 100 times.
    A hospital that lies within these bounds is not found: the server sees no exam.
    """
    keeps, why, sound = STRATEGIES[order.strategy].keeps, {}, {}
    names = [name for name in order.weights if not keeps(name)]
    shapes = {name: order.weights[name].shape for name in names} | {LOSS: ()}
    for name, answer in answers.items():
        try:
            numbers = {str(one): _numbers(array) for one, array in answer.weights.items()}
            numbers[LOSS] = _numbers(answer.loss)
        except (AttributeError, TypeError, ValueError, RuntimeError) as error:
            why[name] = "weights and a loss, as numbers", f"{error!r:.80}"
            continue
        has = {one: array.shape for one, array in numbers.items()}
        odd = [one for one in sorted(has | shapes) if has.get(one) != shapes.get(one)]
        if type(answer.n) is not int or not 0 < answer.n <= MOST_EXAMS:
            why[name] = f"1 to {MOST_EXAMS} exams", repr(answer.n)
        elif odd:
            why[name] = "the network's shapes", f"{odd[0]} {has.get(odd[0], 'missing')}"
        elif bad := [one for one, array in numbers.items() if not np.isfinite(array).all()]:
            why[name] = "finite numbers", f"NaN or infinity in {bad[0]}"
        elif bad := [one for one in has if one.endswith(POSITIVE) and (numbers[one] < 0).any()]:
            why[name] = "no variance or loss below 0", bad[0]
        else:
            sound[name] = numbers
    for kind, times in (("weights", FURTHEST), ("statistics", FURTHEST**2)):
        part = [one for one in names if one.endswith(STATISTICS) == (kind == "statistics")]
        moved = {
            name: sum(np.square(its[one] - order.weights[one], dtype=float).sum() for one in part)
            for name, its in sound.items()
        }
        moved = {name: float(np.sqrt(squares)) for name, squares in moved.items()}
        usual = median_low(moved.values()) if moved else 0.0
        most = f"{kind} that moved at most {times} times the median of {usual:.3g}"
        why |= {name: (most, f"{far:.3g}") for name, far in moved.items() if far > times * usual}
    return [Problem("update", name, *one, "It is left out this time.") for name, one in why.items()]


def _numbers(array: object) -> np.ndarray:
    """Return numbers as float32, where what is larger becomes infinite."""
    found = np.asarray(array)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"{found.dtype} for numbers")
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def mean_weights(answers: list[Update]) -> Weights:
    """Return the mean of hospitals' weights, each counted by its exams (McMahan et al. 2017).

    Examples
    --------
    >>> small, large = Update({"w": np.array([0.0])}, 1, 0), Update({"w": np.array([4.0])}, 3, 0)
    >>> mean_weights([small, large])
    {'w': array([3.], dtype=float32)}
    """
    shares = [one.n for one in answers]
    arrays = {name: [one.weights[name] for one in answers] for name in answers[0].weights}
    return {name: np.average(each, 0, shares).astype(np.float32) for name, each in arrays.items()}


@torch.no_grad()
def adapt_statistics(model: NetworkClassifier, X: np.ndarray) -> NetworkClassifier:
    """Return a network with statistics of batch normalisation from one hospital's exams.

    In training a hospital's batches are normalised by its own means and variances, which take the
    offset of its scanner away: the network never meets one. At a hospital that took no part it
    needs the statistics of that one, as local statistics are meant (Andreux et al. 2020,
    arXiv:2008.07424). No label is needed, but exams: of a few the statistics are rough.

    Parameters
    ----------
    model : NetworkClassifier
        Fitted; it is not changed.
    X : array, shape (n, 64, 80, 48)
        Prepared volumes of one hospital. Their mirror images count, too.

    Raises
    ------
    ModelError
        If the shape is another, or a voxel of the box is not finite.
    """
    adapted, boxes = deepcopy(model), torch.from_numpy(model.plan.view.crop(X))
    for part in adapted.network_.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.momentum = 1.0  # all exams are one batch, and what was before is forgotten
    adapted.network_.train()(torch.cat([boxes, boxes.flip(1)]))
    adapted.network_.eval()
    return adapted
