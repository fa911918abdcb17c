"""The challenge's lessons on a simulated cohort and its test sets, each with its numbers.

    python -m benchmarks.lessons --cohort FOLDER               # all: 25 minutes of one core
    python -m benchmarks.lessons --cohort FOLDER --only slopes
    python -m benchmarks.lessons --draw                        # pictures of what is there

Results go to ``results/lessons-<seed>.json`` and ``.md``, and a picture a lesson to
``lessons-<seed>-<lesson>.png``. Each fit is kept in the data folder, so that the same command goes
on where it was ended; probabilities that ``--board``, the results of ``benchmarks.models`` on the
same exams, holds already are taken from there. Intervals are of 95 %, within centres. The network
is that on projections with one seed; three lessons train it anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.common.figures import Figure, from_dict
from benchmarks.common.run import RESULTS, Benchmark
from benchmarks.lessons.pictures import plot_lesson
from benchmarks.lessons.runs import Runs
from datkit.evaluate.benchmark.exams import BenchmarkExams
from datkit.files import data_folder, replace_atomically
from datkit.prepare.cohort import prepare_cohort

LESSONS = ("random_folds", "slopes", "together", "labels", "isotonic", "lesions", "blur")


class LessonsBenchmark(Benchmark):
    """One run on one cohort."""

    name = "lessons"
    title = "The challenge's lessons on a simulated cohort"
    sections: ClassVar[dict[str, str]] = {one: f"benchmarks.lessons.{one}" for one in LESSONS}

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add where probabilities lie that need not be made anew, and to draw alone."""
        board = RESULTS / "models-2026.json"
        parser.add_argument("--board", type=Path, default=board, help="results of the models")
        parser.add_argument("--draw", action="store_true", help="train nothing: pictures alone")

    @property
    def size(self) -> str:
        """The cohort's seed, which names the results."""
        cohort = self.options.cohort
        return str(self.options.seed if cohort is None else self.cohort.info["seed"])

    @cached_property
    def runs(self) -> Runs:
        """The exams, and what is known already."""
        exams = BenchmarkExams.gather(
            self.cohort, partial(prepare_cohort, n_jobs=self.options.jobs)
        )
        path = self.options.board
        board = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return Runs(exams, data_folder() / "lessons", board)

    def measure(self, section: str) -> Iterator[Figure]:
        """Yield a lesson's figures."""
        yield from import_module(self.sections[section]).measure(self.runs)

    def run(self) -> int:
        """Measure and write, then draw; return 0 if every figure with a target holds."""
        status = 0 if self.options.draw else super().run()
        draw(self.options.out / f"lessons-{self.size}.json")
        return status


def draw(path: Path) -> None:
    """Write a picture beside the results for each lesson that they hold, and a table with n."""
    sections: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sections"]
    lines = ["| | measured (95 % interval) | exams, verdict |", "| --- | --- | --- |"]
    for name in [one for one in LESSONS if one in sections]:
        figures = [from_dict(one) for one in sections[name]["figures"]]
        plot_lesson(figures).save(path.with_name(f"{path.stem}-{name}.png"))
        lines.append(f"| **{name.replace('_', ' ').capitalize()}** | | |")
        lines += [f"| {one.name} | {one.row()[1]} | {one.note} |" for one in figures]
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run; return the exit code."""
    return LessonsBenchmark.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
