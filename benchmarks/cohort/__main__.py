"""What the simulated cohort must show: each figure beside its target, and whether it holds.

    python -m benchmarks.cohort                              # all of it, on the full cohort
    python -m benchmarks.cohort --size small --only geometry,difficulty
    python -m benchmarks.cohort --cohort FOLDER --map MAP --out FOLDER
    python -m benchmarks.cohort --seeds 4217,5563            # a column a seed, judged on the mean
    python -m benchmarks.cohort --merge A.json B.json        # seeds that were measured elsewhere

Sections: likeness (to two real group maps), physics, geometry, difficulty. Each is computed alone
and written with its settings, versions, seeds, hashes and intervals to
``results/cohort-<size>.json``, and all together as a table to ``results/cohort-<size>.md``; a
section that is not asked for keeps what stands there. The same cohort and code give the same file.
Seeds go to ``results/cohort-<size>-seeds.json`` and ``.md``, one after the other or, by as many
processes as there are seeds or sections, side by side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from benchmarks.cohort import difficulty, geometry, likeness, physics
from benchmarks.cohort.real_maps import TABLE
from benchmarks.common.figures import Figure, hash_code, print_figures
from benchmarks.common.run import Benchmark
from benchmarks.common.seeds import means_of, merge_seeds, read_seeds, write_seed
from datkit.data.cohort import Cohort
from datkit.data.store import load_path
from datkit.errors import DatkitError
from datkit.files import sha256_file
from datkit.simulate.cohort import SIZES, TEST_SETS, open_simulated

MAP = "fpcit-hc174"


class CohortBenchmark(Benchmark):
    """Which cohort, which map."""

    name = "cohort"
    title = "What the simulated cohort shows"
    sections: ClassVar[dict[str, str]] = {part: f"benchmarks.cohort.{part}" for part in
                ("likeness", "physics", "geometry", "difficulty")}  # fmt: skip
    normals, patients = likeness.SEED, physics.SEED  # seeds of what is drawn beside the cohort

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the real map, the seeds, and what may be left out."""
        add = parser.add_argument
        add("--map", type=Path, help=f"the real map; by default the fetched data set {MAP}")
        add("--no-cnn", action="store_true", help="leave the CNN out, which takes minutes")
        add("--device", default="auto", help="where the CNN trains: auto (default), cpu or cuda")
        add("--seeds", type=_numbers, default=(), help="measure these seeds, such as 4217,5563")
        add("--merge", type=Path, nargs="+", default=(), help="add seeds from these files")
        add("--resume", action="store_true", help="of seeds: keep sections of this very code")

    @classmethod
    def main(cls, arguments: Sequence[str] | None = None) -> int:
        """Read the command line and run one cohort, or several seeds; return the exit code."""
        options = cls.parse(arguments)
        if not (options.seeds or options.merge):
            return cls(options).run()
        path = SeedBenchmark(options).path
        if options.merge:
            merge_seeds(path, options.merge, cls.title)
        for seed in options.seeds:
            SeedBenchmark(argparse.Namespace(**vars(options) | {"seed": seed})).run()
        return judge(path)

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        options, jobs = self.options, self.options.jobs
        if section == "likeness":
            yield from self._likeness(jobs)
        elif section == "physics":
            yield from physics.measure(self.prepared, self.cohort.truth, self.patients)
        elif section == "geometry":
            yield from geometry.measure(self.cohort, jobs)
        else:
            cnn = not options.no_cnn
            yield from difficulty.measure(self.cohort, self.prepared, cnn, options.device, jobs)

    def _likeness(self, jobs: int) -> Iterator[Figure]:
        path = self.real_map()
        if path is None:
            print(
                f"  without map A: its correlations are left out, its other values are those of "
                f"{TABLE.name}; run `datkit data fetch {MAP}` or name its file with --map."
            )
        yield from likeness.measure(path, jobs, self.normals)

    def real_map(self) -> Path | None:
        """Return where the real map lies, None if it was not fetched."""
        if self.options.map is not None:
            return self.options.map
        try:
            return Path(load_path(MAP))
        except DatkitError:
            return None

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from; likeness needs the map, no cohort."""
        if section != "likeness":
            return super().source(section)
        path = self.real_map()
        map_sha256 = sha256_file(path) if path else None
        return self.describe(section) | {"normals": self.normals, "map_sha256": map_sha256}


class SeedBenchmark(CohortBenchmark):
    """One seed of several: its training exams alone, its own normal exams and patients."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.normals = self.patients = options.seed

    @cached_property
    def cohort(self) -> Cohort:
        """The training exams of this seed, without test sets; a size may be any number of exams."""
        size = self.options.size
        other = {size: int(size)} if size.isdigit() else {}
        with patch.dict(SIZES, other), patch.dict(TEST_SETS, clear=True):
            return open_simulated(size, self.options.seed, self.options.jobs)

    @property
    def path(self) -> Path:
        """Where all seeds are written."""
        return self.options.out / f"{self.name}-{self.size}-seeds.json"

    def run(self) -> int:
        """Measure, print and write the sections; with --resume those that are out of date."""
        print(f"\nseed {self.options.seed}", flush=True)
        if self.options.resume:
            there = read_seeds(self.path).get(str(self.options.seed), {})
            self.options.only = [one for one in self.options.only if not self._stands(there, one)]
        return super().run()

    def _stands(self, there: dict[str, Any], section: str) -> bool:
        source = there.get(section, {}).get("source", {})
        return source.get("code_sha256") == hash_code(self.sections[section])

    def _write(self, section: str, figures: list[Figure]) -> None:
        part = {section: self.record(section, figures)}
        write_seed(self.path, self.options.seed, part, f"{self.title}: {self.size}, several seeds")
        print(f"  written: {self.path} and .md", flush=True)


def judge(path: Path) -> int:
    """Print the means over all seeds of a file; return 0 if each that has a target holds."""
    tested = []
    seeds = read_seeds(path)
    print(f"\nmean of the seeds {', '.join(seeds)}")
    for section, rows in means_of(seeds).items():
        print(f"\n{section}")
        print_figures(mean for mean, _ in rows)
        tested += [mean.holds is True for mean, _ in rows if mean.has_target]
    print(f"\n{sum(tested)} of {len(tested)} means hold.")
    return int(not tested or not all(tested))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(",")))
    except ValueError as error:
        message = f"expected seeds such as 4217,5563, found {text}"
        raise argparse.ArgumentTypeError(message) from error


if __name__ == "__main__":
    sys.exit(CohortBenchmark.main())
