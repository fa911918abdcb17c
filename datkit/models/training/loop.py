"""The training loop: short enough to read in class, the same on a laptop and on many GPUs.

Lightning Fabric places the network, spreads it over the processes that torchrun started, and
handles precision; the loop itself is plain PyTorch. The exams lie on the device from the first
step, and are changed there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as log_loss

from datkit.errors import ModelError
from datkit.models.training.checkpoint import FILE, fingerprint, read_checkpoint, write_checkpoint
from datkit.models.training.processes import shared_statistics, start_fabric
from datkit.models.training.settings import TrainingSettings
from datkit.threads import one_thread

__all__ = ["repeatable", "seeded", "train"]

# change(exams, labels, generator, mine): the own part of a batch, changed, and its labels.
Change = Callable[
    [torch.Tensor, torch.Tensor, torch.Generator, slice], tuple[torch.Tensor, torch.Tensor]
]
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
INNER = 5  # one of so many exams is kept apart where training may stop early


def train(
    network: torch.nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    settings: TrainingSettings,
    *,
    change: Change | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> list[dict[str, float]]:
    """Train `network` in place and return one record per epoch.

    The loss is the log loss of the logits. On one device, equal inputs and settings give equal
    weights, whether the training was killed and taken up again or not, and PyTorch's global random
    state is left as it was: all that is random in an epoch follows from the seed and its number.

    Parameters
    ----------
    network : torch.nn.Module
        From a batch of X to one logit per exam, shape (batch,). It ends on the CPU, in eval mode.
    X, y : float32 tensors, shapes (n, …) and (n,)
        Inputs, and labels 0 or 1.
    change : callable, optional
        ``change(exams, labels, generator, mine)`` takes a whole batch and returns its part `mine`
        randomly changed, with its labels (see ``datkit.models.training.augment``).
    checkpoint : path, optional
        A folder. The state is written there after each epoch, and training goes on from there.
    progress : bool
        Show a progress bar over epochs.

    Returns
    -------
    list of dict
        ``epoch`` (from 1), ``loss`` (mean over the epoch), ``learning_rate`` (at its end), and
        ``inner_loss`` where there is an inner split.

    Raises
    ------
    ModelError
        If the loss or a weight is not a finite number; the last good checkpoint is named.
    UsageError
        If this machine lacks the accelerator asked for, or the checkpoint is of another training.
    """
    from tqdm.auto import trange

    folder = None if checkpoint is None else Path(checkpoint)
    of = fingerprint(network, X, y, settings) if folder else ""
    with repeatable(settings.seed):
        run = Run(network, X, y, settings, change)
        if folder and (state := read_checkpoint(folder, of, run.fabric.device)):
            run.resume(state)
        epochs = trange(settings.epochs, desc="training", unit="epoch", initial=run.epoch,
                        disable=not progress or not run.fabric.is_global_zero)  # fmt: skip
        with epochs, shared_statistics(network, run.fabric.world_size):
            while run.epoch < settings.epochs and not run.has_stalled():
                record = run.train_epoch()
                if not run.is_finite(record):
                    raise ModelError(_explain(record, settings, folder))
                run.keep(record)
                if folder and run.fabric.is_global_zero:
                    write_checkpoint(folder, run.state(), of)
                epochs.update()
        run.finish()
    return run.history


class Run:
    """One training: what learns, on its device, and where it stands.

    Attributes
    ----------
    network, average : torch.nn.Module
        What learns, and what is to be the model: the moving mean of its weights, or itself.
    history : list of dict
        A record per epoch.
    best : dict of tensors
        The weights of the epoch with the lowest loss on the inner split; empty without one.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        X: torch.Tensor,
        y: torch.Tensor,
        settings: TrainingSettings,
        change: Change | None,
    ) -> None:
        self.network, self.settings, self.change = network, settings, change
        self.fabric = fabric = start_fabric(settings, network)
        self.learn, self.inner = split_off(y.numpy(), settings)
        self.X, self.y = fabric.to_device((X, y))
        network.to(fabric.device).to(memory_format=fastest_format(network))  # type: ignore[call-overload]  # a gap in torch's stubs
        self.average = deepcopy(network).eval() if settings.ema else network
        self.optimizer, self.schedule = make_optimizer(network, settings, len(self.learn))
        self.model, self.stepper = fabric.setup(network, self.optimizer)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def train_epoch(self) -> dict[str, float]:
        """Show each exam once, in batches over all processes; return the epoch's record."""
        fabric, seed = self.fabric, epoch_seed(self.settings.seed, self.epoch)
        torch.manual_seed(seed + fabric.global_rank)  # of dropout
        generator = torch.Generator(fabric.device).manual_seed(seed)
        order = np.random.default_rng(seed).permutation(self.learn)
        mine = slice(fabric.global_rank, None, fabric.world_size)
        losses = []
        self.network.train()
        for rows in torch.from_numpy(order).to(fabric.device).split(self.settings.batch_size):
            inputs, labels = self._batch(rows, generator, mine)
            loss = log_loss(self.model(inputs), labels, reduction="sum") / len(rows)
            self.stepper.zero_grad()
            fabric.backward(loss * fabric.world_size)  # their mean over processes is the gradient
            self.stepper.step()
            self.schedule.step()
            self._average()
            losses.append(loss.detach() * len(rows))  # stays on the device: nothing waits for it
        total: Any = fabric.all_reduce(torch.stack(losses).sum(), reduce_op="sum")
        record = {"epoch": self.epoch + 1, "loss": total.item() / len(order)}
        record["learning_rate"] = self.schedule.get_last_lr()[0]
        return record | ({"inner_loss": self._inner_loss()} if len(self.inner) else {})

    def _batch(
        self, rows: torch.Tensor, generator: torch.Generator, mine: slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the own part of a batch; changes are drawn for all of it, by all alike."""
        if self.change is None:
            return self.X[rows[mine]], self.y[rows[mine]]
        return self.change(self.X[rows], self.y[rows], generator, mine)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the mean of the weights towards the weights; statistics of the batches are taken."""
        if self.average is self.network:
            return
        step = self.schedule.last_epoch  # torch's name for the number of steps
        decay = min(self.settings.ema, (1 + step) / (10 + step))  # the first ones soon fade
        mean, last = self.average, self.network
        torch._foreach_lerp_([*mean.parameters()], [*last.parameters()], 1 - decay)
        if statistics := [*mean.buffers()]:
            torch._foreach_copy_(statistics, [*last.buffers()])

    @torch.no_grad()
    def _inner_loss(self) -> float:
        """Return the log loss on the inner split, which nothing is learnt from."""
        rows = torch.from_numpy(self.inner).to(self.fabric.device)
        self.average.eval()
        with self.fabric.autocast():
            logits = [self.average(self.X[part]).float() for part in rows.split(64)]
        return log_loss(torch.cat(logits), self.y[rows]).item()

    def is_finite(self, record: dict[str, float]) -> bool:
        """Whether the epoch's losses and all weights are numbers."""
        weights = torch.stack([weight.isfinite().all() for weight in self.network.parameters()])
        return all(map(math.isfinite, record.values())) and bool(weights.all())

    def keep(self, record: dict[str, float]) -> None:
        """Enter an epoch, and keep its weights if its inner loss is the lowest so far."""
        self.history.append(record)
        if "inner_loss" in record and record is min(self.history, key=itemgetter("inner_loss")):
            self.best = deepcopy(self.average.state_dict())

    def has_stalled(self) -> bool:
        """Whether the inner loss has not fallen for as many epochs as patience allows."""
        if not self.settings.patience or not self.history:
            return False
        best = min(self.history, key=itemgetter("inner_loss"))
        return self.epoch - best["epoch"] >= self.settings.patience

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return parts | {"history": self.history, "best": self.best}

    def resume(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self.history, self.best = state["history"], state["best"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        names = ("network", "average", "optimizer", "schedule")
        return {name: getattr(self, name) for name in names}

    def finish(self) -> None:
        """Leave the weights to be kept in the network, on the CPU, ready to predict."""
        self.network.load_state_dict(self.best or deepcopy(self.average.state_dict()))
        self.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.network.cpu().eval()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give PyTorch a seed inside the block, and its own random state back afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Let PyTorch compute the same twice in the block: a seed, one CPU thread, fixed kernels."""
    cudnn = torch.backends.cudnn
    before, cudnn.deterministic = cudnn.deterministic, True
    try:
        with seeded(seed), one_thread():
            yield
    finally:
        cudnn.deterministic = before


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch: a resumed training needs no random state of the past."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def split_off(y: np.ndarray, settings: TrainingSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from, and a fifth of each class for early stopping, if asked for."""
    shuffled = np.random.default_rng(settings.seed).permutation(len(y))
    if not settings.patience:
        return np.arange(len(y)), shuffled[:0]
    inner = np.concatenate([rows[::INNER] for rows in (shuffled[y[shuffled] == c] for c in (0, 1))])
    return np.setdiff1d(shuffled, inner), inner


def fastest_format(network: torch.nn.Module) -> torch.memory_format:
    """Return how convolutions like their weights: channels last, of images or of volumes."""
    dimensions = max(weight.ndim for weight in network.parameters())
    return FORMATS.get(dimensions, torch.contiguous_format)


def make_optimizer(network: torch.nn.Module, settings: TrainingSettings, n: int) -> tuple:
    """Return AdamW and its schedule: one rise, one fall, counted in batches."""
    rate, on_gpu = settings.learning_rate, next(network.parameters()).is_cuda
    optimizer = torch.optim.AdamW(
        network.parameters(), rate, weight_decay=settings.weight_decay, fused=on_gpu or None
    )
    batches = settings.epochs * math.ceil(n / settings.batch_size)
    # No 1/4 here: torch divides by zero where a share of the steps is exactly one step.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=batches + 1, pct_start=settings.warm_up
    )
    return optimizer, schedule


def _explain(record: dict[str, float], settings: TrainingSettings, folder: Path | None) -> str:
    """Say what is no number, and what there is to go on from."""
    last, loss = int(record["epoch"]) - 1, record["loss"]
    what = "A weight became NaN or infinite" if math.isfinite(loss) else f"The loss became {loss}"
    kept = f" What was learnt until epoch {last} is in {folder / FILE}." if folder and last else ""
    return (
        f"{what} in epoch {last + 1}: expected a finite number. Lower the learning rate "
        f"({settings.learning_rate}) or look for extreme values in the volumes.{kept}"
    )
