"""How far weights move in a federation and in one place: why hospitals learn at a higher rate."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from benchmarks.federated import arms
from datkit.federated import Order
from datkit.federated.training import STATISTICS, Weights, mean_weights, read_weights

__all__ = ["describe_moves"]


def describe_moves(exams: arms.Exams) -> dict[str, Any]:
    """Return how far the weights end from where they began, without the largest centre.

    Returns
    -------
    dict
        `pooled` and, by learning rate, `federated`: that distance. `mean_over_own`: how long the
        mean of a round's moves is beside the moves themselves. `steps`: of the optimiser in a
        round, in one place and in a hospital, each counted by its exams.
    """
    largest = max(exams.hospitals, key=lambda name: len(exams.rows(name)))
    rows = exams.rows(*exams.others(largest))
    model = arms.make(arms.ROUNDS * arms.PASSES)
    first = weights_of(model.build())
    model.fit(exams.volumes[rows], exams.y[rows])
    far, shares = {}, []
    for rate in (arms.SETTINGS["learning_rate"], arms.RATE):
        last, shares = follow(exams, largest, rate)
        far[f"{rate:g}"] = length(last, first)
    sizes = [len(exams.rows(name)) for name in exams.others(largest)]
    own = np.average([ceil(n / arms.SETTINGS["batch_size"]) for n in sizes], weights=sizes)
    return {
        "without": largest, "pooled": length(weights_of(model.network_), first), "federated": far,
        "mean_over_own": round(float(np.mean(shares)), 3),
        "steps": [ceil(sum(sizes) / arms.SETTINGS["batch_size"]), round(float(own), 2)],
    }  # fmt: skip


def follow(exams: arms.Exams, unseen: str, rate: float) -> tuple[Weights, list[float]]:
    """Return the weights after all rounds, and of each round how long the mean move is."""
    model = arms.make(arms.PASSES, learning_rate=rate)
    weights, shares = weights_of(model.build()), []
    for number in range(arms.ROUNDS):
        order = Order(weights, number, arms.ROUNDS)
        answers = [one.train(order) for one in exams.asked(unseen, model)]
        own = [length(one.weights, weights) for one in answers]
        after = mean_weights(answers)
        mean_own = np.average(own, weights=[one.n for one in answers])
        shares.append(length(after, weights) / mean_own)
        weights = after
    return weights, shares


def weights_of(network: Any) -> Weights:  # noqa: ANN401 - a module of torch
    """Return the weights of what learns in a network."""
    return read_weights(arms.ProjectionClassifier.parts(network)[1])


def length(one: Weights, other: Weights) -> float:
    """Return the distance of two sets of weights; statistics of normalisation are none."""
    names = [name for name in one if not name.endswith(STATISTICS)]
    return round(float(np.sqrt(sum(((one[n] - other[n]) ** 2).sum() for n in names))), 3)
