"""What the simulated cohort must show: each figure beside its target, and whether it holds.

    python -m benchmarks.cohort                              # all of it, on the full cohort
    python -m benchmarks.cohort --size small --only geometry,difficulty
    python -m benchmarks.cohort --cohort FOLDER --map MAP --out FOLDER

Sections: likeness (to a real group map), physics, geometry, difficulty. Each is computed alone and
written with its settings, versions, seeds, hashes and intervals to
``results/cohort-<size>.json``, and all together as a table to ``results/cohort-<size>.md``; a
section that is not asked for keeps what stands there. The same cohort and code give the same file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.cohort import difficulty, geometry, likeness, physics
from benchmarks.cohort.real_maps import TABLE
from benchmarks.common.figures import Figure
from benchmarks.common.run import Benchmark
from datkit.data.store import load_path
from datkit.errors import DatkitError
from datkit.files import sha256_file

MAP = "fpcit-hc174"


class CohortBenchmark(Benchmark):
    """Which cohort, which map."""

    name = "cohort"
    title = "What the simulated cohort shows"
    sections: ClassVar[dict[str, str]] = {part: f"benchmarks.cohort.{part}" for part in
                ("likeness", "physics", "geometry", "difficulty")}  # fmt: skip

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the real map, and what may be left out."""
        add = parser.add_argument
        add("--map", type=Path, help=f"the real map; by default the fetched data set {MAP}")
        add("--no-cnn", action="store_true", help="leave the CNN out, which takes minutes")

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        jobs = self.options.jobs
        if section == "likeness":
            yield from self._likeness(jobs)
        elif section == "physics":
            yield from physics.measure(self.prepared, self.cohort.truth)
        elif section == "geometry":
            yield from geometry.measure(self.cohort, jobs)
        else:
            yield from difficulty.measure(self.cohort, self.prepared, not self.options.no_cnn)

    def _likeness(self, jobs: int) -> Iterator[Figure]:
        path = self.real_map()
        if path is None:
            print(
                f"  without map A: its correlations are left out, its other values are those of "
                f"{TABLE.name}; run `datkit data fetch {MAP}` or name its file with --map."
            )
        yield from likeness.measure(path, jobs)

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
        source = super().source(section)
        if section == "likeness":
            del source["cohorts"]
            path = self.real_map()
            source["map_sha256"] = sha256_file(path) if path else None
        return source


if __name__ == "__main__":
    sys.exit(CohortBenchmark.main())
