"""How long `datkit predict` takes for one scan, and how much of that is preparation.

    python -m benchmarks.predict --size tiny

Each model predicts scans of the cohort one by one on one core, each for the first time, as
``datkit predict MODEL SCAN`` does once it is imported. Seconds are the processor's, so that busy
neighbours do not count; those of a clock stand in the note. How long a model was trained does not
change how long it predicts: networks are trained for one epoch.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.common.figures import Figure
from benchmarks.common.run import Benchmark
from datkit.cli import main
from datkit.evaluate import train_model
from datkit.io.scan import load_scan
from datkit.models import make_model
from datkit.prepare import prepare_scan

KINDS = ("measures", "boosting", "voxels", "projection epochs=1", "volume epochs=1",
         "volume size=standard epochs=1")  # fmt: skip
MOST = 0.7  # seconds, preparation included


class PredictBenchmark(Benchmark):
    """One run on one cohort."""

    name = "predict"
    title = "One scan's probability, in seconds of one core"
    sections = dict.fromkeys(("seconds",), "benchmarks.predict.__main__")

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add how many scans are predicted."""
        parser.add_argument("--scans", type=int, default=12, help="of each model (default: 12)")

    def measure(self, section: str) -> Iterator[Figure]:  # noqa: ARG002 - the only one
        """Yield a figure a model."""
        rows = np.linspace(0, len(self.cohort) - 1, self.options.scans).astype(int)
        scans = [self.cohort.path_of(self.cohort.uids[row]) for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            models = {kind: Path(folder) / str(row) for row, kind in enumerate(KINDS)}
            for kind, place in models.items():
                train_model(make_model(kind, seed=0), self.cohort, self.prepared, place, folds=0)
            with one_core():
                prepared = [spent(partial(prepare, scan))[0] for scan in scans]
                for kind, place in models.items():
                    yield seconds(kind, place, scans, prepared)


def seconds(kind: str, model: Path, scans: list[Path], prepared: list[float]) -> Figure:
    """Return the median time of a model's predictions beside that of preparation."""
    predict(model, scans[0])  # imports what it needs
    both = np.array([predict(model, scan) for scan in scans])
    processor, clock = np.median(both, axis=0)
    note = (
        f"median of {len(scans)} scans, most {both[:, 0].max():.2f} s; preparation alone "
        f"{np.median(prepared):.2f} s; {clock:.2f} s by a clock, load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores"
    )
    return Figure(f"datkit predict, {kind}", float(processor), (None, MOST), unit="s", note=note)


def prepare(scan: Path) -> None:
    """Read and prepare a scan."""
    prepare_scan(load_scan(scan))


def predict(model: Path, scan: Path) -> tuple[float, float]:
    """Return the seconds of one prediction whose scan was not prepared before."""
    with tempfile.TemporaryDirectory() as data, contextlib.redirect_stdout(io.StringIO()):
        before = os.environ.get("DATKIT_DATA")
        os.environ["DATKIT_DATA"] = data
        try:
            return spent(lambda: main(["predict", str(model), str(scan), "--anyway", "--json"]))
        finally:
            os.environ.pop("DATKIT_DATA")
            os.environ |= {"DATKIT_DATA": before} if before else {}


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of the processor and of a clock that some work takes."""
    start = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - start[0], time.perf_counter() - start[1]


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    import torch

    torch.set_num_threads(1)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    yield
    if cores:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    sys.exit(PredictBenchmark.main())
