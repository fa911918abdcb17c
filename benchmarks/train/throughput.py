"""Training throughput: exams a second of our loop beside a plain loop of MONAI, at equal batch.

The plain loop is that of MONAI's own tutorial (densenet_training_array.py): a Dataset with random
transforms, each at MONAI's default probability of 0.1, a DataLoader, DenseNet121, Adam, float32.
Our loop changes every exam. Both see the striatal crop of random volumes: MONAI's at 2 mm, ours
averaged to 4 mm, as the standard network does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from scipy import stats
from torch import nn

from benchmarks.common.figures import Figure
from datkit.models import ProjectionClassifier, VolumeClassifier
from datkit.models.network import NetworkClassifier
from datkit.models.training.loop import Run, repeatable
from datkit.models.training.settings import TrainingSettings
from datkit.prepare import GRID

ROUNDS = 5  # of each, in turn; the first of all is not counted
BATCH = {"cpu": 16, "cuda": 32}
STEPS = {"cpu": 1, "cuda": 10}  # of a round
LARGE = 128  # a batch that a GPU likes better
WORKERS = 2  # of the tutorial's DataLoader, on a GPU; on one core there are none
LEAST = {"cpu": 5, "cuda": 20}

Epoch = Callable[[], object]  # shows the exams of one round


def throughput(device: str, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield ratios on one CPU core, and those of a GPU if `device` is one."""
    yield from beside_monai("cpu", BATCH["cpu"], rounds, workers=0)
    if device == "cpu":
        return
    batch = BATCH[device]
    yield from beside_monai(device, batch, rounds, WORKERS)
    yield from beside_monai(device, LARGE, rounds, WORKERS)
    yield from beside_monai(device, batch, rounds, workers=8, target=None)
    ours, core = standard(device, batch), standard("cpu", batch)
    with repeatable(0):
        n, m = (batch * STEPS[where] for where in (device, "cpu"))
        name = f"standard network: GPU over one CPU core (batch {batch})"
        figure = ratio(name, ours, core, n, m, rounds, 10)
    yield figure


def beside_monai(
    device: str, batch: int, rounds: int, workers: int, target: float | None = 0
) -> Iterator[Figure]:
    """Yield our loop over MONAI's: with its network, and with ours in both."""
    n = batch * STEPS[device]
    least = LEAST[device] if target == 0 else target
    where = f"{device}, batch {batch}, {workers} workers"
    fine, coarse = (cut(n, voxels) for voxels in (1, 2))
    ours = standard(device, batch)
    with repeatable(0):
        peer = plain_loop(densenet(), fine, device, batch, workers)
        name = f"standard network, our loop over MONAI's with DenseNet121 ({where})"
        yield ratio(name, ours, peer, n, n, rounds, least)
        network = VolumeClassifier(size="standard").build()
        peer = plain_loop(network, coarse, device, batch, workers)
        name = f"standard network in both, our loop over MONAI's ({where})"
        yield ratio(name, ours, peer, n, n, rounds, None)


def ratio(
    name: str, ours: Epoch, peer: Epoch, n: int, m: int, rounds: int, least: float | None
) -> Figure:
    """Return how many times faster `ours` shows n exams than `peer` m, with Student's interval."""
    speeds = np.array([(n / seconds(ours), m / seconds(peer)) for _ in range(1 + rounds)])[1:]
    logs = np.log(speeds[:, 0] / speeds[:, 1])
    half = stats.t.ppf(0.975, rounds - 1) * logs.std(ddof=1) / np.sqrt(rounds)
    low, value, high = np.exp(logs.mean() + half * np.array([-1, 0, 1]))
    mine, theirs = np.median(speeds, axis=0)
    note = f"{mine:,.1f} against {theirs:,.1f} exams a second, {rounds} rounds in turn"
    return Figure(name, value, (least, None), (low, high), "×", note, clearly=least is not None)


def seconds(epoch: Epoch) -> float:
    """Return how long one round takes."""
    start = time.perf_counter()
    epoch()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def speeds(device: str, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield exams a second of each network in our loop."""
    models: dict[str, NetworkClassifier] = {
        "projections": ProjectionClassifier(),
        "compact": VolumeClassifier(size="compact"),
        "standard": VolumeClassifier(size="standard"),
        "full": VolumeClassifier(size="full"),
    }
    for name, model in models.items():
        for batch in (BATCH[device], LARGE) if device == "cuda" else (BATCH[device],):
            n = batch * STEPS[device]
            with repeatable(0):
                epoch = our_loop(model, device, batch)
                taken = [seconds(epoch) for _ in range(1 + rounds)][1:]
            speed = n / np.median(taken)
            note = f"median of {rounds} rounds; {n / max(taken):,.1f} to {n / min(taken):,.1f}"
            yield Figure(f"{name}, our loop ({device}, batch {batch})", speed, unit="exams/s",
                         note=note)  # fmt: skip


def standard(device: str, batch: int) -> Epoch:
    """Return a round of the standard network in our loop."""
    return our_loop(VolumeClassifier(size="standard"), device, batch)


def our_loop(model: NetworkClassifier, device: str, batch: int) -> Epoch:
    """Return one epoch of a network of the kit, all its random changes included."""
    n = batch * STEPS[device]
    boxes = torch.from_numpy(model.plan.view.crop(volumes(n)))
    settings = TrainingSettings(epochs=1000, batch_size=batch, ema=0.99, accelerator=device)
    fixed, learning = model.parts(model.build())
    with torch.no_grad():
        inputs = fixed(boxes)
    return Run(learning, inputs, labels(n), settings, model.change()).train_epoch


def plain_loop(
    network: nn.Module, boxes: np.ndarray, device: str, batch: int, workers: int
) -> Epoch:
    """Return one epoch as MONAI's tutorial writes it."""
    from monai.data import DataLoader, Dataset
    from monai.transforms import Compose

    items = [
        {"image": box[None], "label": label}
        for box, label in zip(boxes, labels(len(boxes)), strict=True)
    ]
    loader = DataLoader(
        Dataset(items, Compose(transforms())),
        num_workers=workers,
        batch_size=batch,
        shuffle=True,
        pin_memory=device == "cuda",
        persistent_workers=workers > 0,
    )
    network = network.to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    return partial(plain_epoch, network, loader, optimizer, device)


def transforms() -> list[Callable]:
    """Return MONAI's counterparts of our changes, at MONAI's default probabilities."""
    from monai import transforms as t

    key = "image"
    return [
        t.ToTensord(key),
        t.RandFlipd(key, spatial_axis=0),
        t.RandRotated(key, range_x=0.2, range_y=0.2, range_z=0.2),
        t.RandZoomd(key),
        t.RandGaussianSmoothd(key),
        t.RandGaussianNoised(key),
        t.RandAdjustContrastd(key),
        t.RandScaleIntensityd(key, factors=0.1),
    ]


def plain_epoch(network: nn.Module, loader: object, optimizer: object, device: str) -> None:
    """Show each exam once."""
    network.train()
    for part in loader:
        inputs, target = part["image"].to(device), part["label"].to(device)
        optimizer.zero_grad()
        logits = network(inputs[:, 0] if inputs.shape[2] < 30 else inputs).flatten()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
        loss.backward()
        optimizer.step()
        loss.item()


def densenet() -> nn.Module:
    """Return MONAI's DenseNet121 of volumes."""
    from monai.networks.nets import DenseNet121

    return DenseNet121(spatial_dims=3, in_channels=1, out_channels=1)


def volumes(n: int) -> np.ndarray:
    """Return random volumes (n, 64, 80, 48)."""
    return 0.5 + 2.5 * np.random.default_rng(0).random((n, *GRID.shape), dtype=np.float32)


def cut(n: int, voxels: int) -> np.ndarray:
    """Return what the standard network sees, at 2 mm (1) or averaged to 4 mm (2)."""
    view = VolumeClassifier(size="standard").plan.view
    return view._replace(voxels=voxels).crop(volumes(n))


def labels(n: int) -> torch.Tensor:
    """Return labels in turn."""
    return (torch.arange(n) % 2).float()
