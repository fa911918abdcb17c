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
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import _figures
from _figures import Figure, describe_run, hash_files, print_figures, write_results

import datkit
from datkit.cohort import Cohort, open_folder
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
        if self.options.cohort is not None:
            return open_folder(self.options.cohort)
        from datkit.simulate.cohort import open_simulated

        return open_simulated(self.options.size, self.options.seed)

    @cached_property
    def prepared(self) -> PreparedCohort:
        """The cohort in the canonical grid."""
        return prepare_cohort(self.cohort, n_jobs=self.options.jobs)

    @property
    def size(self) -> str:
        """The name of the cohort's size, for the results' file."""
        return str(self.cohort.info.get("settings", {}).get("size", self.options.size))

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
        from datkit.fetch import load_path

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
    benchmark, sections = Benchmark(options), {}
    for section in options.only:
        figures = list(_printed(section, benchmark.measure))
        if figures:
            records = [figure.to_dict() for figure in figures]
            sections[section] = {"figures": records, "source": benchmark.source(section)}
    if not sections:
        return 1
    path = options.out / f"cohort-{benchmark.size}.json"
    write_results(path, sections, f"What the simulated cohort shows: {benchmark.size}")
    shown = [figure for part in sections.values() for figure in part["figures"]]
    judged = [figure["holds"] for figure in shown if figure["target"] != [None, None]]
    missed = sum(holds is not True for holds in judged)
    print(f"\n{len(judged) - missed} of {len(judged)} figures hold. Written: {path} and .md")
    return int(missed > 0)


def _printed(section: str, measure: Callable[[str], Iterator[Figure]]) -> Iterator[Figure]:
    """Print each figure as soon as it is measured."""
    print(f"\n{section}", flush=True)
    for figure in measure(section):
        print_figures([figure])
        yield figure


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--size", default="full", help="tiny, small or full (default)")
    add("--seed", type=int, default=2026, help="of the cohort (default: 2026)")
    add("--cohort", type=Path, help="a simulated cohort's folder, instead of size and seed")
    add("--map", type=Path, help=f"the real map; by default the fetched data set {MAP}")
    add("--only", type=_sections, default=SECTIONS, help=f"some of {','.join(SECTIONS)}")
    add("--no-cnn", action="store_true", help="leave the CNN out, which takes minutes")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    add("--out", type=Path, default=HERE / "results", help="folder of the results")
    return parser.parse_args(arguments)


def _sections(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"expected some of {','.join(SECTIONS)}, found {', '.join(unknown)}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
