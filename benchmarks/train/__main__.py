"""The networks on a CPU and on a GPU, and whether the larger one earns its cost.

    python -m benchmarks.train --device cuda               # the full cohort's training exams
    python -m benchmarks.train --size small --device cpu   # no GPU: out-of-fold figures alone
    python -m benchmarks.train --only throughput           # no cohort; needs MONAI

Sections: speed (one network trained alike on both devices: time, and how far the results lie
apart), networks (the 3-D network out of fold, its seeds, and its difference to the measures) and
throughput (exams a second in our training loop and in a plain one of MONAI, in turn).
A CPU trains on one thread, so that its sums do not depend on the number of cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cohort.difficulty import Exams, scored
from benchmarks.common.figures import SEED, Figure
from benchmarks.common.run import Benchmark
from benchmarks.train.throughput import speeds, throughput
from datkit.evaluate import paired_difference
from datkit.measure import measure_cohort
from datkit.models import MeasuresClassifier, ProjectionClassifier, VolumeClassifier

EPOCHS = 4  # of the timed trainings; the first one warms the device up and is not counted
SEEDS = (SEED, SEED + 1)
NETWORKS = {"3-D network": VolumeClassifier, "projections": ProjectionClassifier}


class TrainBenchmark(Benchmark):
    """One run on one cohort and device."""

    name = "train"
    title = "The networks on a CPU and on a GPU"
    sections = dict.fromkeys(("speed", "networks"), "benchmarks.train.__main__") | {
        "throughput": "benchmarks.train.throughput"
    }

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the device, and how long a network out of fold is trained."""
        parser.add_argument("--device", default="cpu", help="cpu (default), cuda or mps")
        parser.add_argument("--rounds", type=int, default=5, help="of throughput (default: 5)")
        parser.add_argument("--epochs", type=int, help="of a network out of fold; default: its own")

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        if section == "throughput":
            yield from throughput(self.options.device, self.options.rounds)
            yield from speeds(self.options.device, self.options.rounds)
            return
        exams = Exams.of(self.cohort, self.prepared)
        yield from {"speed": self.speed, "networks": self.networks}[section](exams)

    def speed(self, exams: Exams) -> Iterator[Figure]:
        """How much sooner the device ends the same epochs, and how far its logits are off."""
        if self.options.device == "cpu":
            return
        for name, kind in NETWORKS.items():
            (cpu, one), (gpu, other) = (
                time_epoch(kind, device, exams) for device in ("cpu", self.options.device)
            )
            apart = np.abs(one - other)
            note = (
                f"n = {len(exams.labels)}: {cpu:.2f} s on one CPU thread, {gpu:.2f} s on the GPU; "
                f"logits after {1 + EPOCHS} epochs differ by {np.median(apart):.2g} in the median, "
                f"{apart.max():.2g} at most"
            )
            yield Figure(f"{name}: an epoch on the CPU over one on the GPU", cpu / gpu, note=note)

    def networks(self, exams: Exams) -> Iterator[Figure]:
        """Yield the 3-D network out of fold: each seed, their mean, and beside the measures."""
        changed = {"epochs": self.options.epochs} if self.options.epochs else {}
        models = [
            VolumeClassifier(accelerator=self.options.device, seed=seed, **changed)
            for seed in SEEDS
        ]
        for grouped, kind in ((True, "grouped"), (False, "random")):
            p = [exams.predict(model, exams.volumes, grouped) for model in models]
            ways = {f"seed {seed}": values for seed, values in zip(SEEDS, p, strict=True)}
            ways[f"mean of {len(SEEDS)} seeds"] = mean = np.mean(p, axis=0)
            for way, values in ways.items():
                name = f"3-D network, {kind}, {way}: log loss"
                yield scored(name, exams.score(values), "log_loss", (None, None))
            if grouped:
                yield self.beside_measures(exams, mean)

    def beside_measures(self, exams: Exams, p: np.ndarray) -> Figure:
        """How much less the network loses than logistic regression on the measures."""
        measures = exams.predict(MeasuresClassifier(), self.measures, grouped=True)
        gain = paired_difference(exams.labels, p, measures, strata=exams.centres, seed=SEED)
        name = "3-D network minus measures, grouped: log loss"
        return Figure(name, gain.value, interval=(gain.low, gain.high))

    @cached_property
    def measures(self) -> pd.DataFrame:
        """The classical measures in located striata."""
        return measure_cohort(self.prepared)

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from, the device too."""
        made = self.describe if section == "throughput" else super().source
        return made(section) | {"device": device_name(self.options.device)}


def time_epoch(kind: type, device: str, exams: Exams) -> tuple[float, np.ndarray]:
    """Return the seconds of one epoch after the first, and the logits (n,) at the end."""
    seconds = []
    for epochs in (1, 1 + EPOCHS):
        model = kind(epochs=epochs, accelerator=device, seed=SEED)
        start = time.perf_counter()
        model.fit(exams.volumes, exams.labels)
        seconds.append(time.perf_counter() - start)
    return (seconds[1] - seconds[0]) / EPOCHS, model.decision_function(exams.volumes)


def device_name(device: str) -> str:
    """Return what PyTorch calls the device."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else device


if __name__ == "__main__":
    sys.exit(TrainBenchmark.main())
