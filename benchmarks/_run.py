"""What the benchmarks of a cohort share: which cohort, and the way from figures to results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from _figures import Figure, print_figures, write_results

from datkit.data import Cohort, open_folder

RESULTS = Path(__file__).resolve().parent / "results"


def add_options(parser: argparse.ArgumentParser, sections: Sequence[str] = ()) -> None:
    """Add what says which cohort, which sections, how many processes, and where results go."""
    add = parser.add_argument
    add("--size", default="full", help="tiny, small or full (default)")
    add("--seed", type=int, default=2026, help="of the cohort (default: 2026)")
    add("--cohort", type=Path, help="a simulated cohort's folder, instead of size and seed")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    if sections:

        def some(text: str) -> tuple[str, ...]:
            names = tuple(text.split(","))
            if unknown := [name for name in names if name not in sections]:
                raise argparse.ArgumentTypeError(
                    f"expected some of {','.join(sections)}, found {', '.join(unknown)}"
                )
            return names

        add("--only", type=some, default=tuple(sections), help=f"some of {','.join(sections)}")


def open_cohort(options: argparse.Namespace) -> Cohort:
    """Open the cohort that was asked for; a simulated one is made first if it is not there."""
    if options.cohort is not None:
        return open_folder(options.cohort)
    from datkit.simulate.cohort import open_simulated

    return open_simulated(options.size, options.seed)


def open_sets(options: argparse.Namespace) -> list[Cohort]:
    """Open the cohort, and those of its test sets that are there."""
    from datkit.simulate.cohort import TEST_SETS

    first = open_cohort(options)
    folders = (first.folder / f"{name}_test" for name in TEST_SETS)
    return [first, *(open_folder(folder) for folder in folders if folder.is_dir())]


def size_of(cohort: Cohort, options: argparse.Namespace) -> str:
    """Return the name of a cohort's size, for the results' file."""
    return str(cohort.info.get("settings", {}).get("size", options.size))


def run(
    sections: Iterable[str],
    measure: Callable[[str], Iterator[Figure]],
    source: Callable[[str], dict[str, Any]],
    path: Callable[[], Path],
    title: str,
) -> int:
    """Measure, print and write; return 0 if every figure that has a target holds, else 1.

    Parameters
    ----------
    sections : iterable of str
    measure, source : callables
        From a section's name to its figures, and to what they were made from.
    path : callable
        Returns the file of the results; asked when there are some.
    title : str
        Of the results; the name of the file's size is added.
    """
    shown, target = [], None
    for section in sections:
        print(f"\n{section}", flush=True)
        figures = []
        for figure in measure(section):
            print_figures([figure])
            figures.append(figure.to_dict())
        if figures:  # written at once: what took an hour outlives a fault in the next section
            target, part = path(), {"figures": figures, "source": source(section)}
            write_results(target, {section: part}, f"{title}: {target.stem.rpartition('-')[2]}")
            shown += figures
    judged = [figure["holds"] for figure in shown if figure["target"] != [None, None]]
    missed = sum(holds is not True for holds in judged)
    if target is not None:
        print(f"\n{len(judged) - missed} of {len(judged)} figures hold. Written: {target} and .md")
    return int(target is None or missed > 0)
