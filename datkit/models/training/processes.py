"""What several processes share when they train one network: devices, batches and statistics.

Start them with ``torchrun --nproc-per-node 2 my_training.py``: each process trains on its part of
every batch, and all end with the same weights. Without torchrun there is one process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from datkit.errors import UsageError
from datkit.models.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["shared_statistics", "start_fabric"]


def start_fabric(settings: TrainingSettings, network: torch.nn.Module) -> Fabric:
    """Return Lightning Fabric on the devices of this process, or of all that torchrun started.

    Raises
    ------
    UsageError
        If this machine lacks the accelerator or the precision asked for, or its precision is not
        to be trusted with this network.
    """
    from lightning_fabric import Fabric  # here, because only training needs it

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision
    world, here = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    options: dict[str, Any] = {"accelerator": settings.accelerator, "devices": here}
    if world > 1:
        options |= {"strategy": "ddp", "num_nodes": world // here}
    try:
        fabric = Fabric(precision=precision_of(settings), **options)  # type: ignore[arg-type]  # checked there
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"Training cannot start with accelerator={settings.accelerator!r} and "
            f'precision={settings.precision!r}: {error} Use accelerator="auto".'
        ) from error
    volumes = any(weight.ndim == 5 for weight in network.parameters())
    if volumes and fabric.device.type == "cpu" and "bf16" in settings.precision:
        raise UsageError(
            f"precision={settings.precision!r} on a CPU: PyTorch's 3-D convolutions gave gradients "
            'beyond 1e30 there (2.13, 128 channels). Use precision="auto".'
        )
    return fabric


def precision_of(settings: TrainingSettings) -> str:
    """Return the precision of Lightning Fabric: "auto" is bf16-mixed on a GPU of NVIDIA."""
    if settings.precision != "auto":
        return settings.precision
    on_gpu = settings.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu else "32-true"


@contextmanager
def shared_statistics(network: torch.nn.Module, world: int) -> Iterator[None]:
    """Let batch normalisation see the whole batch inside the block, not the part of one process.

    torch's own SyncBatchNorm does so on GPUs alone.
    """
    norms = [one for one in network.modules() if isinstance(one, _BatchNorm)] if world > 1 else []
    for norm in norms:
        norm.forward = partial(_normalise, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalise(norm: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: ANN401  torch's buffers may be None
    """Normalise x (n, c, …) by mean and variance over the batches of all processes."""
    from torch.distributed.nn.functional import all_reduce  # the one that gradients pass through

    if not norm.training:
        mean, variance = norm.running_mean, norm.running_var
        return batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)
    flat = x.float().movedim(1, 0).flatten(1)  # (c, n·…)
    sums = torch.stack([flat.new_full((len(flat),), flat.shape[1]), flat.sum(1), (flat**2).sum(1)])
    count, total, squares = all_reduce(sums)
    mean = total / count
    variance = squares / count - mean**2
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
        norm.num_batches_tracked += 1
    shape = (1, -1, *[1] * (x.ndim - 2))
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return x * scale.view(shape) + (norm.bias - mean * scale).view(shape)
