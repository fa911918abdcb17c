"""How a network is trained: one frozen object, which is stored with the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from datkit.errors import UsageError
from datkit.problems import Problem

__all__ = ["TrainingSettings"]

FROM_ZERO = ("learning_rate", "weight_decay", "warm_up", "ema", "patience", "seed")
LEAST = {"epochs": 1, "batch_size": 1} | dict.fromkeys(FROM_ZERO, 0)
MOST = {"warm_up": 1, "ema": 1}  # the others have no bound


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    epochs, batch_size : int
        How often each exam is seen, and how many exams share one step, over all processes.
    learning_rate : float
        The highest rate; it rises to there during the warm-up, then falls to zero as a cosine.
    weight_decay : float
        Of AdamW.
    warm_up : float
        Share of all steps during which the rate rises.
    ema : float
        Decay per step of the mean of the weights that is kept as the model (exponential moving
        average), from 2 / 11 at the first step on; 0 keeps the last weights.
    patience : int
        Stop after so many epochs without a lower loss on an inner split, a fifth of the exams that
        are given, and keep the best epoch's weights; 0 trains on all exams for all epochs.
    seed : int
        Of the order of the exams, of their random changes, of the inner split and of dropout.
    accelerator, precision : str
        As in Lightning Fabric: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``; ``"32-true"``,
        ``"bf16-mixed"``. The precision ``"auto"`` is bf16-mixed on a GPU of NVIDIA and 32-true
        elsewhere.

    Raises
    ------
    UsageError
        If a number is out of range; every problem is listed.

    Examples
    --------
    >>> TrainingSettings(warm_up=2)
    Traceback (most recent call last):
    datkit.errors.UsageError: the training settings: expected warm_up from 0 to 1, found 2. ...
    """

    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.3
    ema: float = 0.0
    patience: int = 0
    seed: int = 0
    accelerator: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        where = "the training settings"
        bad = {name: getattr(self, name) for name in LEAST if not _fits(name, getattr(self, name))}
        problems = [Problem(name, where, _range_text(name), repr(one), "Change it.")
                    for name, one in bad.items()]  # fmt: skip
        UsageError.raise_any(problems, where=where)


def _fits(name: str, found: Any) -> bool:  # noqa: ANN401 - whatever was asked for
    number = isinstance(found, Integral | type(getattr(TrainingSettings, name)))
    return number and LEAST[name] <= found <= MOST.get(name, found) < math.inf


def _range_text(name: str) -> str:
    least, most = LEAST[name], MOST.get(name)
    whole = ", a whole number" * isinstance(getattr(TrainingSettings, name), int)
    return f"{name} from {least} to {most}" if most else f"{name} of at least {least}{whole}"
