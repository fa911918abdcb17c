"""What the simulated cohort must show: each figure beside its target, and whether it holds.

    python benchmarks/cohort.py                              # all of it, on the full cohort
    python benchmarks/cohort.py --size small --only geometry,difficulty
    python benchmarks/cohort.py --cohort FOLDER --map MAP --out FOLDER

Sections: likeness (to a real group map), physics, geometry, difficulty. Each is computed alone and
written with its settings, versions, seeds, hashes and intervals to
``results/cohort-<size>.json``, and all together as a table to ``results/cohort-<size>.md``; a
section that is not asked for keeps what stands there. The same cohort and code give the same file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import _figures
import _run
from _figures import Figure, describe_run, hash_files

import datkit
from datkit.data import Cohort
from datkit.errors import DatkitError
from datkit.files import sha256_file
from datkit.prepare import PreparedCohort, prepare_cohort

HERE = Path(__file__).resolve().parent
SECTIONS = ("likeness", "physics", "geometry", "difficulty")
MAP = "fpcit-hc174"


class Benchmark:
    """One run: which cohort, which map, how; what is needed is made when it is first asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    @cached_property
    def cohort(self) -> Cohort:
        """The simulated cohort; made first if it is not there."""
        return _run.open_cohort(self.options)

    @cached_property
    def prepared(self) -> PreparedCohort:
        """The cohort in the canonical grid."""
        return prepare_cohort(self.cohort, n_jobs=self.options.jobs)

    @property
    def size(self) -> str:
        """The name of the cohort's size, for the results' file."""
        return _run.size_of(self.cohort, self.options)

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        yield from getattr(self, f"_{section}")()

    def _likeness(self) -> Iterator[Figure]:
        import _likeness

        path = self.real_map()
        if path is None:
            print(
                f"  left out: expected the map of 174 controls, found none; run `datkit data fetch "
                f"{MAP}` or name its file with --map."
            )
            return
        yield from _likeness.measure(path, self.options.jobs)

    def _physics(self) -> Iterator[Figure]:
        import _physics

        yield from _physics.measure(self.prepared, self.cohort.truth)

    def _geometry(self) -> Iterator[Figure]:
        import _geometry

        yield from _geometry.measure(self.cohort, self.options.jobs)

    def _difficulty(self) -> Iterator[Figure]:
        import _difficulty

        cnn = not self.options.no_cnn
        yield from _difficulty.measure(self.cohort, self.prepared, cnn)

    def real_map(self) -> Path | None:
        """Return where the real map lies, None if it was not fetched."""
        if self.options.map is not None:
            return self.options.map
        from datkit.data import load_path

        try:
            return Path(load_path(MAP))
        except DatkitError:
            return None

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from: hashes, seeds, versions."""
        simulator = (Path(datkit.__file__).parent / "simulate").glob("*.py")
        source = {
            "benchmark_sha256": hash_files(HERE.glob("*.py")),
            "simulator_sha256": hash_files(simulator),
            "versions": describe_run(),
            "bootstrap": {"draws": _figures.BOOTSTRAPS, "seed": _figures.SEED},
        }
        if section == "likeness":
            return source | {"map_sha256": sha256_file(self.real_map())}
        info = self.cohort.info
        return source | {
            "cohort": {key: info.get(key) for key in ("name", "version", "seed", "settings")},
            "cohort_sha256": sha256_file(self.cohort.folder / "cohort.json"),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return 0 if every figure that has a target holds, else 1."""
    options = _parse(arguments)
    benchmark = Benchmark(options)
    return _run.run(
        options.only,
        benchmark.measure,
        benchmark.source,
        lambda: options.out / f"cohort-{benchmark.size}.json",
        "What the simulated cohort shows",
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _run.add_options(parser, SECTIONS)
    add = parser.add_argument
    add("--map", type=Path, help=f"the real map; by default the fetched data set {MAP}")
    add("--no-cnn", action="store_true", help="leave the CNN out, which takes minutes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
