"""The models' board on the full simulated cohort, seed by seed, and its place in the challenge.

    python -m benchmarks.models                       # seed 2026: two cores in about two hours
    python -m benchmarks.models --cohort-seeds 2026 90210 60607
    python -m benchmarks.models --model measures --split grouped tests
    python -m benchmarks.models --peers 3 4           # nilearn, MONAI: two grouped folds
    python -m benchmarks.models --exams 360 --tests 72          # a smaller cohort, half an hour

It simulates the cohort and both its test sets, prepares them, runs what ``datkit benchmark`` runs,
and blends what is there. A seed's results go to ``results/models-<seed>.json``, ``.md`` and
``.png``, the figures of all seeds beside their targets to ``results/models-seeds.json`` and
``.md``. Finished fits are kept, and the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.common.figures import describe_run, print_figures
from benchmarks.common.run import RESULTS
from benchmarks.common.seeds import read_seeds, render_seeds, write_seed
from benchmarks.models.distances import distance_lines
from benchmarks.models.ladder import plot_ladder
from benchmarks.models.peers import run_peers
from benchmarks.models.stack import stack_models
from benchmarks.models.targets import measure_board
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.evaluate import benchmark_cohort, benchmark_lines
from datkit.evaluate.benchmark.entrants import MODEL
from datkit.evaluate.benchmark.exams import SPLITS, BenchmarkExams
from datkit.files import data_folder, replace_atomically, write_json
from datkit.prepare.cohort import prepare_cohort
from datkit.simulate.cohort import SIZES, TEST_SETS, open_simulated, simulate_cohort

MODELS = {
    "measures": "measures",
    "boosting": "boosting",
    "voxels": "voxels",
    "projection": "projection",
    "3-D network": "volume size=standard width=8 epochs=15",
    "projection, pretrained": "projection start=pretrained",
    "pretrained, as they ship": f"{Path(__file__).parent / 'pretrained.py'}:AsShipped",
}
# A network costs minutes a fold; the 13 folds that leave one centre out each are for the others.
FOLDS = {"projection": ("random", "grouped", "tests"), "3-D network": ("grouped", "tests")}
FOLDS |= dict.fromkeys(("projection, pretrained", "pretrained, as they ship"), FOLDS["3-D network"])
BLENDED = ("boosting", "projection", "3-D network", "pretrained, as they ship")
TITLE = "Models, references and controls"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and write; return 1 if a control leaves its band or a model fails."""
    options = parse(arguments)
    if options.peers:
        seed = options.cohort_seeds[0]
        path = options.out / f"peers-{seed}.json"
        return run_peers(open_cohort(seed, options), options.peers, path, options.jobs)
    boards = [run_seed(seed, options) for seed in options.cohort_seeds]
    held = [band["holds"] for board in boards for band in board["controls"]]
    return int(any(board["errors"] for board in boards) or not all(held))


def run_seed(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train what is missing of one seed's board, write its results, and return it."""
    how = {"n_jobs": options.jobs, "scheduler": options.scheduler}
    cohort = open_cohort(seed, options)
    exams = BenchmarkExams.gather(cohort, lambda one: prepare_cohort(one, **how))
    path = options.out / f"models-{seed}.json"
    models = {} if options.draw else {one: MODELS.get(one, one) for one in options.model or MODELS}
    for names, splits in plan(models, options.split or tuple(SPLITS)):
        benchmark_cohort(exams, names, splits=splits, seeds=options.seeds, out=path, **how)
    board = json.loads(path.read_text(encoding="utf-8"))
    board["cells"] |= stack_models(board["cells"], BLENDED, exams)
    write_json(path, board)
    board = benchmark_cohort(exams, {}, splits=options.split, out=path, **how)
    write_json(path, slim(board))
    print("\n".join(benchmark_lines(board)))
    write_pages(path)
    limit = options.out / f"limit-{seed}.json"
    figures = measure_board(board, exams, limit)
    source = {"cohort": board["cohort"], "versions": describe_run()}
    sections = {name: {"figures": [one.to_dict() for one in each], "source": source}
                for name, each in figures.items()}  # fmt: skip
    write_seed(options.out / "models-seeds.json", seed, sections, TITLE)
    write_aims(options.out / "models-seeds.json")
    for setting, each in figures.items():
        print(f"\n{setting}, seed {seed}")
        print_figures(one for one in each if one.has_target)
    return board


def slim(board: dict[str, Any]) -> dict[str, Any]:
    """Leave out the controls' probabilities, which every run makes anew in seconds."""
    cells = {
        name: cell if cell.get("role", MODEL) == MODEL else
        {key: value for key, value in cell.items() if key != "p"}
        for name, cell in board["cells"].items()
    }  # fmt: skip
    return board | {"cells": cells}


def plan(
    models: dict[str, str], splits: Sequence[str]
) -> list[tuple[dict[str, str], tuple[str, ...]]]:
    """Return which models run in which splits: the cheap ones in all, then each network."""
    cheap = {name: model for name, model in models.items() if name not in FOLDS}
    found = [(cheap, tuple(splits))]
    found += [({name: models[name]}, tuple(one for one in FOLDS[name] if one in splits))
              for name in FOLDS if name in models]  # fmt: skip
    return [(names, each) for names, each in found if names and each]


def write_pages(path: Path) -> None:
    """Write the board's tables and its picture beside the results."""
    board = json.loads(path.read_text(encoding="utf-8"))
    tables = {"": benchmark_lines(board, markdown=True), "-distances": distance_lines(board)}
    for name, lines in tables.items():
        with replace_atomically(path.with_name(f"{path.stem}{name}.md")) as part:
            part.write_text("\n".join(lines).strip() + "\n", encoding="utf-8")
    plot_ladder(board).save(path.with_suffix(".png"))


def write_aims(path: Path) -> None:
    """Write the figures that have a target, of all seeds, as a table of their own."""
    aims = {
        seed: {
            name: record
            | {"figures": [one for one in record["figures"] if [*one["target"]] != [None, None]]}
            for name, record in sections.items()
        }
        for seed, sections in read_seeds(path).items()
    }
    named = {name for each in aims.values() for name, one in each.items() if one["figures"]}
    aims = {seed: {name: each[name] for name in each if name in named}
            for seed, each in aims.items()}  # fmt: skip
    with replace_atomically(path.with_name("models-aims.md")) as part:
        part.write_text(render_seeds(aims), encoding="utf-8")


def open_cohort(seed: int, options: argparse.Namespace) -> Cohort:
    """Open the full cohort of a seed, or its first exams; they are simulated if need be."""
    if options.cohort is not None:
        return open_folder(options.cohort)
    if options.exams is None:
        return open_simulated("full", seed, options.jobs, scheduler=options.scheduler)
    exams, tests = options.exams, options.tests
    folder = data_folder() / "simulated" / f"models-{exams}-{tests}-{seed}"
    sizes = dict.fromkeys(TEST_SETS, tests)
    with patch.dict(SIZES, full=exams), patch.dict(TEST_SETS, sizes):
        return simulate_cohort(folder, "full", seed, options.jobs, scheduler=options.scheduler)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    named = ", ".join(MODELS)
    add("--model", action="append", help=f"as of datkit benchmark, or of {named} (default: all)")
    add("--split", nargs="+", choices=SPLITS, help="default: all; networks not 'centres'")
    add("--seeds", type=int, nargs="+", default=[0], help="of the models (default: 0)")
    add("--cohort-seeds", type=int, nargs="+", default=[2026], help="default: 2026")
    add("--exams", type=int, help="only so many training exams (default: the full cohort)")
    add("--tests", type=int, default=72, help="with --exams: of each test set (default: 72)")
    add("--cohort", type=Path, help="a cohort's folder instead")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    add("--scheduler", help="address of a Dask scheduler")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    add("--peers", type=int, nargs="+", metavar="FOLD", help="nilearn and MONAI on grouped folds")
    add("--draw", action="store_true", help="train no model: tables and picture of what is there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
