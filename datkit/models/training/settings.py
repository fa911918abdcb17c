"""How a network is trained: one frozen object, which is stored with the model."""

from __future__ import annotations

from dataclasses import dataclass

from datkit.errors import UsageError
from datkit.problems import Problem

__all__ = ["TrainingSettings"]

# The least and the most of each number; "auto" of precision is settled by the device.
RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, float("inf")),
    "batch_size": (1, float("inf")),
    "learning_rate": (0, float("inf")),
    "weight_decay": (0, float("inf")),
    "warm_up": (0, 1),
    "ema": (0, 1),
    "patience": (0, float("inf")),
    "seed": (0, float("inf")),
}


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
        problems = [
            Problem(name, where, _range_text(name, low, high), f"{found}", "Change it.")
            for name, (low, high) in RANGES.items()
            if not low <= (found := getattr(self, name)) <= high
        ]
        if problems:
            raise UsageError.of(problems, where=where)


def _range_text(name: str, low: float, high: float) -> str:
    return f"{name} of at least {low}" if high == float("inf") else f"{name} from {low} to {high}"
