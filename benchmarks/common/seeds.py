"""A benchmark over several seeds: a column for each, and their mean, which is what is judged.

One file holds all seeds, each with the figures and sources of its sections, so that seeds may be
measured at different times, side by side or on several machines, and merged. Nothing is averaged
before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from scipy import stats

from benchmarks.common.figures import Figure, from_dict, read_results, shorten
from datkit.errors import UsageError
from datkit.files import data_folder, replace_atomically, write_json

__all__ = ["mean_figure", "means_of", "merge_seeds", "read_seeds", "render_seeds", "write_seed"]

Sections = dict[str, dict[str, Any]]
LEVEL = 0.95


def read_seeds(path: Path) -> dict[str, Sections]:
    """Return the sections of each seed, by seed; nothing if there is no such file.

    Raises
    ------
    UsageError
        If the file is there but is not one of ours.
    """
    seeds = read_results(path, "seeds")
    return {seed: seeds[seed] for seed in sorted(seeds, key=int)}


def write_seed(path: Path, seed: int, sections: Sections, title: str) -> None:
    """Add sections of one seed to the file and make its table anew; all else is kept.

    Parameters
    ----------
    path : Path
        The JSON file; the table lies beside it as Markdown. Processes may write to it side by side.
    seed : int
    sections : dict
        Name to ``{"figures": [Figure.to_dict(), …], "source": …}``.
    """
    lock = data_folder() / "locks" / f"{path.stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        seeds = read_seeds(path)
        seeds[str(seed)] = seeds.get(str(seed), {}) | sections
        _write(path, seeds, title)


def merge_seeds(path: Path, others: Iterable[Path], title: str) -> None:
    """Add the seeds of other files; of a section in both, that of the other file stays.

    Raises
    ------
    UsageError
        If one of them is not there, or not one of ours.
    """
    seeds = read_seeds(path)
    for other in others:
        if not (found := read_seeds(other)):
            raise UsageError(f"{other}: expected the results of some seeds, found none.")
        for seed, sections in found.items():
            seeds[seed] = seeds.get(seed, {}) | sections
    _write(path, seeds, title)


def _write(path: Path, seeds: dict[str, Sections], title: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"title": title, "seeds": seeds})
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text(render_seeds(seeds), encoding="utf-8")


def mean_figure(figures: Iterable[Figure]) -> Figure:
    """Return the mean of one figure over seeds, with Student's 95 % interval of that mean.

    A seed without a value is left out, and the note says how many are there. One seed keeps its
    own interval; seeds that do not differ have none.

    Examples
    --------
    >>> figure = mean_figure([Figure("r", value, (0, 1)) for value in (0.4, 0.5, 0.6)])
    >>> figure.value, figure.holds, [round(end, 3) for end in figure.interval]
    (0.5, True, [0.252, 0.748])
    """
    figures = list(figures)
    first = figures[0]
    values = [figure.value for figure in figures if figure.value is not None]
    beside = {name: float(np.mean([one.beside[name] for one in figures if name in one.beside]))
              for name in first.beside}  # fmt: skip
    mean = float(np.mean(values)) if values else None
    interval = first.interval if len(figures) == 1 else None
    if len(values) > 1 and np.ptp(values) > 0:
        half = float(stats.sem(values) * stats.t.ppf((1 + LEVEL) / 2, len(values) - 1))
        interval = (mean - half, mean + half)
    note = f"mean of {len(values)} seeds"
    return Figure(first.name, mean, first.target, interval, first.unit, note, first.clearly, beside)


def means_of(seeds: dict[str, Sections]) -> dict[str, list[tuple[Figure, dict[str, Figure]]]]:
    """Return each section's figures: the mean, and the figure of each seed that has it."""
    found: dict[str, list[tuple[Figure, dict[str, Figure]]]] = {}
    for section in sorted({name for sections in seeds.values() for name in sections}):
        by_name: dict[str, dict[str, Figure]] = {}
        for seed, sections in seeds.items():
            for record in sections.get(section, {"figures": []})["figures"]:
                by_name.setdefault(record["name"], {})[seed] = from_dict(record)
        found[section] = [(mean_figure(each.values()), each) for each in by_name.values()]
    return found


def render_seeds(seeds: dict[str, Sections]) -> str:
    """Return a Markdown table: a column for each seed, their mean, its target, whether it holds."""
    seeds = {seed: seeds[seed] for seed in sorted(seeds, key=int)}
    parts = means_of(seeds)
    wide = any(mean.beside for rows in parts.values() for mean, _ in rows)
    names = [f"Seed {seed}" for seed in seeds]
    head = ["Figure", *names, "Mean (95 % interval)", "Target", "Holds"] + ["Real maps"] * wide
    lines = [head, ["---"] * len(head)]
    for section, rows in parts.items():
        lines.append([f"**{section.capitalize()}**"] + [""] * (len(head) - 1))
        for mean, each in rows:
            name, value, target, holds = mean.row()
            cells = [shorten(each[seed].value) if seed in each else "" for seed in seeds]
            lines.append([name, *cells, value, target, holds] + [mean.beside_text] * wide)
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{table}\n{describe_cohorts(seeds)}\n"


def describe_cohorts(seeds: dict[str, Sections]) -> str:
    """Return what stands below the table: how many seeds, of which versions of the simulator.

    Examples
    --------
    >>> cohorts = {"simulated-600-5": {"version": "7"}}
    >>> describe_cohorts({"5": {"physics": {"figures": [], "source": {"cohorts": cohorts}}}})
    'Seeds: 1. Versions of the simulated cohort: 7.'
    """
    records = [record for sections in seeds.values() for record in sections.values()]
    cohorts = (record.get("source", {}).get("cohorts", {}) for record in records)
    found = {str(one["version"]) for each in cohorts for one in each.values() if "version" in one}
    versions = f" Versions of the simulated cohort: {', '.join(sorted(found))}." if found else ""
    return f"Seeds: {len(seeds)}.{versions}"
