"""Does preparation find every striatum, and how fast beside others? Each figure has its target.

    python -m benchmarks.prepare                                  # the full cohort, both test sets
    python -m benchmarks.prepare --size small --only striata
    python -m benchmarks.prepare --cohort FOLDER --exams 40 --out FOLDER
    pip install 'antspyx>=0.5'                                    # to have ANTs in the comparison

Sections: striata (error against the truth, on every exam), shifts (heads of known pose, painted
beyond the cohort's range), outline (a real map's pose beside that of its brain's outline; skipped
where ``datkit data fetch fpcit-hc174`` has not been run), spoilt (exams cut, turned and lit up),
others (MRI, CT, other tracers, phantoms: none may be good, while exams of three seeds are), compare
(from a file to measures: ours, SimpleITK with nilearn, ANTs, a crop at the array's middle, on the
same exams in one run). Times are CPU seconds of one thread; on a shared machine only their ratios
mean something. Results go to ``results/prepare-<size>.json`` and ``.md``; a section that is not
asked for keeps what stands there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd

from benchmarks.common.figures import Figure
from benchmarks.common.run import Benchmark
from benchmarks.prepare import compare, others, outline, shifts, spoilt, striata
from datkit.files import sha256_file


class PrepareBenchmark(Benchmark):
    """Which cohort, how many exams for what is slow."""

    name = "prepare"
    title = "What preparation shows"
    sections: ClassVar[dict[str, str]] = {
        part: f"benchmarks.prepare.{part}"
        for part in ("striata", "shifts", "outline", "spoilt", "others", "compare")
    }
    drawn = ("shifts", "outline", "others")  # of exams of their own: they need no cohort

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add how many exams are taken for what is slow."""
        add = parser.add_argument
        add("--exams", type=int, default=40, help="exams to compare on (default: 40)")
        add("--heads", type=int, default=24, help="heads to repaint in each way (default: 24)")
        add("--map", type=Path, help=f"real map A; by default the fetched data set {outline.MAP}")
        add("--spoilt", type=int, default=24, help="exams to spoil in each way (default: 24)")
        add("--sound", type=int, default=200, help="exams a seed that must be good (default: 200)")

    def some(self, count: int) -> list[Path]:
        """Return the paths of some exams of the first cohort, evenly spread over it."""
        uids = self.cohort.uids[:: max(1, len(self.cohort) // count)][:count]
        return [self.cohort.path_of(uid) for uid in uids]

    @property
    def map(self) -> Path | None:
        """Where real map A lies, None if it was not fetched."""
        return outline.find_map(self.options.map)

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from; some need no cohort, one a map."""
        if section not in self.drawn:
            return super().source(section)
        counts = {"sound": self.options.sound} if section == "others" else {
            "seed": shifts.SEED, "heads": self.options.heads}  # fmt: skip
        path = self.map if section == "outline" else None
        with_map = {"map_sha256": sha256_file(path)} if path else {}
        return self.describe(section) | counts | with_map

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        if section == "striata":
            looks = [striata.look_at_cohort(each, self.options.jobs) for each in self.cohorts]
            yield from striata.figures(pd.concat(looks))
        elif section == "shifts":
            yield from shifts.figures(shifts.look_at_all(self.options.heads, self.options.jobs))
        elif section == "outline":
            yield from outline.figures(self.map, self.options.heads)
        elif section == "spoilt":
            yield from spoilt.measure(self.some(self.options.spoilt))
        elif section == "others":
            yield from others.measure(self.options.sound)
        else:
            yield from compare.measure(self.some(self.options.exams))


if __name__ == "__main__":
    sys.exit(PrepareBenchmark.main())
