"""Does preparation find every striatum, and how fast beside others? Each figure has its target.

    python benchmarks/prepare.py                                  # the full cohort, both test sets
    python benchmarks/prepare.py --size small --only striata
    python benchmarks/prepare.py --cohort FOLDER --exams 40 --out FOLDER
    pip install 'antspyx>=0.5'                                    # to have ANTs in the comparison

Sections: striata (error against the truth, on every exam), spoilt (exams cut, turned and lit up),
compare (from a file to measures: ours, SimpleITK with nilearn, ANTs, a crop at the array's middle,
on the same exams in one run). Times are CPU seconds of one thread; on a shared machine only their
ratios mean something. Results go to ``results/prepare-<size>.json`` and ``.md``; a section that is
not asked for keeps what stands there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import _beside
import _run
import _spoilt
import _striata
import pandas as pd
from _figures import Figure, describe_run, hash_files

import datkit
from datkit.data import Cohort
from datkit.files import sha256_file

HERE = Path(__file__).resolve().parent
SECTIONS = ("striata", "spoilt", "compare")


class Benchmark:
    """One run: which cohort, how many exams for what is slow."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    @cached_property
    def cohorts(self) -> list[Cohort]:
        """The cohort and those of its test sets that are there."""
        return _run.open_sets(self.options)

    @property
    def size(self) -> str:
        """The name of the cohort's size, for the results' file."""
        return _run.size_of(self.cohorts[0], self.options)

    def some(self, count: int) -> list[Path]:
        """Return the paths of some exams of the first cohort, evenly spread over it."""
        main = self.cohorts[0]
        uids = main.uids[:: max(1, len(main) // count)][:count]
        return [main.path_of(uid) for uid in uids]

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        if section == "striata":
            looks = [_striata.look_at_cohort(each, self.options.jobs) for each in self.cohorts]
            yield from _striata.judge(pd.concat(looks))
        elif section == "spoilt":
            yield from _spoilt.measure(self.some(self.options.spoilt))
        else:
            yield from _beside.measure(self.some(self.options.exams))

    def source(self, _: str) -> dict[str, Any]:
        """Return what the figures were made from: hashes, versions, cohorts."""
        code = (Path(datkit.__file__).parent / "prepare").glob("*.py")
        return {
            "benchmark_sha256": hash_files(HERE.glob("*.py")),
            "prepare_sha256": hash_files(code),
            "versions": describe_run(),
            "cohorts": {
                each.name: sha256_file(each.folder / "cohort.json") for each in self.cohorts
            },
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return 0 if every figure that has a target holds, else 1."""
    options = _parse(arguments)
    benchmark = Benchmark(options)
    return _run.run(
        options.only,
        benchmark.measure,
        benchmark.source,
        lambda: options.out / f"prepare-{benchmark.size}.json",
        "What preparation shows",
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _run.add_options(parser, SECTIONS)
    add = parser.add_argument
    add("--exams", type=int, default=40, help="exams to compare on (default: 40)")
    add("--spoilt", type=int, default=24, help="exams to spoil in each way (default: 24)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
