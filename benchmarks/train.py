"""The networks on a CPU and on a GPU, and whether the larger one earns its cost.

    python benchmarks/train.py --device cuda               # the full cohort's training exams
    python benchmarks/train.py --size small --device cpu   # no GPU: out-of-fold figures alone

Sections: speed (one network trained alike on both devices: time, and how far the results lie
apart) and networks (the 3-D network out of fold, its seeds, and its difference to the measures).
A CPU trains on one thread, so that its sums do not depend on the number of cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import _run
import numpy as np
from _difficulty import Exams, scored
from _figures import SEED, Figure, describe_run, hash_files

import datkit
from datkit.evaluate import paired_difference
from datkit.files import sha256_file
from datkit.measure import measure_cohort
from datkit.models import MeasuresClassifier, ProjectionClassifier, VolumeClassifier
from datkit.prepare import prepare_cohort

SECTIONS = ("speed", "networks")
EPOCHS = 4  # of the timed trainings; the first one warms the device up and is not counted
SEEDS = (SEED, SEED + 1)
NETWORKS = {"3-D network": VolumeClassifier, "projections": ProjectionClassifier}


class Benchmark:
    """One run on one cohort and device."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.cohort = _run.open_cohort(options)

    @cached_property
    def prepared(self) -> Any:
        """The cohort in the canonical grid."""
        return prepare_cohort(self.cohort, n_jobs=self.options.jobs)

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
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
        """The 3-D network out of fold: each seed, their mean, and beside the measures."""
        models = [VolumeClassifier(accelerator=self.options.device, seed=seed) for seed in SEEDS]
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
    def measures(self) -> Any:
        """The classical measures in located striata."""
        return measure_cohort(self.prepared)

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from: hashes, seeds, versions."""
        models = (Path(datkit.__file__).parent / "models").glob("*.py")
        return {
            "device": device_name(self.options.device),
            "benchmark_sha256": hash_files(Path(__file__).parent.glob("*.py")),
            "models_sha256": hash_files(models),
            "versions": describe_run(),
            "cohort": {key: self.cohort.info.get(key) for key in ("name", "version", "seed")},
            "cohort_sha256": sha256_file(self.cohort.folder / "cohort.json"),
        }


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


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _run.add_options(parser, SECTIONS)
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or mps")
    options = parser.parse_args()
    benchmark = Benchmark(options)
    return _run.run(
        options.only, benchmark.measure, benchmark.source,
        lambda: options.out / f"train-{_run.size_of(benchmark.cohort, options)}.json",
        "The networks on a CPU and on a GPU",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
