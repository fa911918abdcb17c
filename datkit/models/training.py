"""The training loop: short enough to read in class, the same on a laptop and on a GPU.

Lightning Fabric moves the network and each batch to the chosen device and handles precision; the
loop itself is plain PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from datkit.errors import ModelError, UsageError
from datkit.problems import Problem
from datkit.threads import one_thread

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["TrainingSettings", "train"]

Change = Callable[[torch.Tensor, np.random.Generator], torch.Tensor]


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    epochs, batch_size : int
        How often each exam is seen, and how many exams share one step.
    learning_rate : float
        The highest rate; it rises to there during the first three tenths, then falls to zero.
    weight_decay : float
        Of AdamW.
    seed : int
        Of the order of the exams, of their random changes and of dropout.
    accelerator, precision : str
        As in Lightning Fabric: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``; ``"32-true"``,
        ``"bf16-mixed"``. One device is used.

    Raises
    ------
    UsageError
        If a number is out of range; every problem is listed.
    """

    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0
    accelerator: str = "auto"
    precision: str = "32-true"

    def __post_init__(self) -> None:
        low = {"epochs": 1, "batch_size": 1, "learning_rate": 0, "weight_decay": 0, "seed": 0}
        where = "the training settings"
        problems = [
            Problem(name, where, f"{name} of at least {least}", f"{found}", "Raise it.")
            for name, least in low.items()
            if not (found := getattr(self, name)) >= least
        ]
        if problems:
            raise UsageError.of(problems, where=where)


def train(
    network: torch.nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    settings: TrainingSettings,
    *,
    change: Change | None = None,
    progress: bool = False,
) -> list[dict[str, float]]:
    """Train `network` in place and return one record per epoch.

    The loss is the log loss of the logits. On a CPU, equal inputs and settings give equal weights,
    and PyTorch's global random state is left as it was.

    Parameters
    ----------
    network : torch.nn.Module
        From a batch of X to one logit per exam, shape (batch,). It ends on the CPU, in eval mode.
    X, y : float32 tensors, shapes (n, …) and (n,)
        Inputs, and labels 0 or 1.
    change : callable, optional
        ``change(batch, rng)`` returns a randomly changed batch (see ``datkit.models.augment``).
    progress : bool
        Show a progress bar over epochs.

    Returns
    -------
    list of dict
        ``epoch`` (from 1), ``loss`` (mean over the epoch) and ``learning_rate`` (at its end).

    Raises
    ------
    ModelError
        If the loss is not a finite number.
    UsageError
        If this machine lacks the accelerator asked for.
    """
    from tqdm.auto import trange

    fabric = _start_fabric(settings)
    rng = np.random.default_rng(settings.seed)
    optimizer, schedule = _make_optimizer(network, settings, len(X))
    model, optimizer = fabric.setup(network.train(), optimizer)
    history = []
    with seeded(settings.seed), one_thread():
        for epoch in trange(settings.epochs, desc="training", unit="epoch", disable=not progress):
            total = 0.0
            for rows in torch.from_numpy(rng.permutation(len(X))).split(settings.batch_size):
                inputs, labels = fabric.to_device((X[rows], y[rows]))
                if change is not None:
                    inputs = change(inputs, rng)
                loss = binary_cross_entropy_with_logits(model(inputs), labels)
                optimizer.zero_grad()
                fabric.backward(loss)
                optimizer.step()
                schedule.step()
                total += loss.item() * len(rows)
            if not math.isfinite(total):
                raise ModelError(
                    f"The loss became {total} in epoch {epoch + 1}: expected a finite number. "
                    f"Lower the learning rate ({settings.learning_rate}) or look for extreme "
                    "values in the volumes."
                )
            rate = schedule.get_last_lr()[0]
            history.append({"epoch": epoch + 1, "loss": total / len(X), "learning_rate": rate})
    network.cpu().eval()
    return history


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give PyTorch a seed inside the block, and its own random state back afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _start_fabric(settings: TrainingSettings) -> Fabric:
    from lightning_fabric import Fabric  # here, because only training needs it

    try:
        return Fabric(accelerator=settings.accelerator, precision=settings.precision, devices=1)  # type: ignore[arg-type]  # checked there
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"Training cannot start with accelerator={settings.accelerator!r} and "
            f'precision={settings.precision!r}: {error} Use accelerator="auto".'
        ) from error


def _make_optimizer(network: torch.nn.Module, settings: TrainingSettings, n: int) -> tuple:
    """Return AdamW and its schedule: one rise, one fall, counted in batches."""
    rate = settings.learning_rate
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=settings.weight_decay)
    batches = settings.epochs * math.ceil(n / settings.batch_size)
    # No 1/4 here: torch divides by zero where a share of the steps is exactly one step.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=batches + 1, pct_start=0.3
    )
    return optimizer, schedule
