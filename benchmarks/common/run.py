"""One benchmark's run: which cohort, which sections, and the way from figures to results."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.common.figures import (
    BOOTSTRAPS,
    SEED,
    Figure,
    describe_run,
    hash_code,
    print_figures,
    write_results,
)
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.files import sha256_file
from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.simulate.cohort import TEST_SETS, open_simulated

__all__ = ["RESULTS", "Benchmark"]

RESULTS = Path(__file__).resolve().parents[1] / "results"


class Benchmark:
    """One run of a benchmark; what it needs is made when it is first asked for.

    A subclass names itself, its title and its sections, each with the module that measures it,
    and yields a section's figures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    sections: ClassVar[dict[str, str]]

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a section's figures."""
        raise NotImplementedError

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options that only this benchmark has."""

    @cached_property
    def cohort(self) -> Cohort:
        """The cohort that was asked for; a simulated one is made first if it is not there."""
        if self.options.cohort is not None:
            return open_folder(self.options.cohort)
        return open_simulated(self.options.size, self.options.seed)

    @cached_property
    def cohorts(self) -> list[Cohort]:
        """The cohort, and those of its test sets that are there."""
        folders = (self.cohort.folder / f"{name}_test" for name in TEST_SETS)
        return [self.cohort, *(open_folder(folder) for folder in folders if folder.is_dir())]

    @cached_property
    def prepared(self) -> PreparedCohort:
        """The cohort in the canonical grid."""
        return prepare_cohort(self.cohort, n_jobs=self.options.jobs)

    def source(self, section: str) -> dict[str, Any]:
        """Return what a section's figures were made from: code, versions, seeds, cohorts."""
        cohorts = {
            one.name: {
                **{key: one.info.get(key) for key in ("version", "seed")},
                "sha256": sha256_file(one.folder / "cohort.json"),
            }
            for one in self.cohorts
        }
        return self.describe(section) | {"cohorts": cohorts}

    def describe(self, section: str) -> dict[str, Any]:
        """Return the code and versions that made a section's figures, whatever the cohort."""
        return {
            "code_sha256": hash_code(self.sections[section]),
            "versions": describe_run(),
            "bootstrap": {"draws": BOOTSTRAPS, "seed": SEED},
        }

    def run(self) -> int:
        """Measure, print and write; return 0 if every figure that has a target holds, else 1."""
        shown: list[Figure] = []
        for section in self.options.only:
            print(f"\n{section}", flush=True)
            figures = []
            for figure in self.measure(section):
                print_figures([figure])
                figures.append(figure)
            if figures:  # at once: what took an hour outlives a fault in the next section
                self._write(section, figures)
            shown += figures
        tested = [figure.holds for figure in shown if figure.has_target]
        missed = sum(holds is not True for holds in tested)
        print(f"\n{len(tested) - missed} of {len(tested)} figures hold.")
        return int(not shown or missed > 0)

    def _write(self, section: str, figures: list[Figure]) -> None:
        path = self.options.out / f"{self.name}-{self.size}.json"
        write_results(path, {section: self.record(section, figures)}, f"{self.title}: {self.size}")
        print(f"  written: {path} and .md", flush=True)

    @property
    def size(self) -> str:
        """The cohort's size, which names the results; a cohort that is not needed is not made."""
        if self.options.cohort is None:
            return self.options.size
        return self.cohort.info.get("settings", {}).get("size", self.options.size)

    def record(self, section: str, figures: list[Figure]) -> dict[str, Any]:
        """Return what is written of a section: its figures, and what they were made from."""
        return {"figures": [one.to_dict() for one in figures], "source": self.source(section)}

    @classmethod
    def main(cls, arguments: Sequence[str] | None = None) -> int:
        """Read the command line and run; return the exit code."""
        return cls(cls.parse(arguments)).run()

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Read the command line."""
        parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{cls.name}")
        parser.description = cls.title
        add = parser.add_argument
        add("--size", default="full", help="tiny, small or full (default)")
        add("--seed", type=int, default=2026, help="of the cohort (default: 2026)")
        add("--cohort", type=Path, help="a simulated cohort's folder, instead of size and seed")
        add("--jobs", type=int, default=2, help="processes (default: 2)")
        add("--out", type=Path, default=RESULTS, help="folder of the results")
        names = ",".join(cls.sections)
        add("--only", type=cls._some, default=tuple(cls.sections), help=f"some of {names}")
        cls.add_options(parser)
        return parser.parse_args(arguments)

    @classmethod
    def _some(cls, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [name for name in names if name not in cls.sections]:
            expected, found = ",".join(cls.sections), ", ".join(unknown)
            raise argparse.ArgumentTypeError(f"expected some of {expected}, found {found}")
        return names
