"""The models' board on a simulated cohort and its test sets, and where it stands in the challenge.

    python -m benchmarks.models                                # what two cores do in half an hour
    python -m benchmarks.models --model volume --jobs 2        # joins the board
    python -m benchmarks.models --exams 1400 --tests 400 --cohort-seed 2026 --scheduler tcp://…

It simulates the first exams of the full cohort and of both its test sets, prepares them, and runs
what ``datkit benchmark`` runs. Results go to ``results/models-<seed>.json``, ``.md`` and ``.png``;
finished fits are kept there, and the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.common.run import RESULTS
from benchmarks.models.distances import distance_lines
from benchmarks.models.ladder import plot_ladder
from datkit.data.cohort import Cohort
from datkit.evaluate import benchmark_cohort, benchmark_lines
from datkit.files import data_folder, replace_atomically
from datkit.simulate.cohort import SIZES, TEST_SETS, simulate_cohort

MODELS = {name: name for name in ("measures", "boosting", "voxels", "projection")}
MODELS["blend"] = "blend members=measures,boosting"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and write; return 1 if a control leaves its band or a model fails."""
    options = parse(arguments)
    cohort = open_cohort(options)
    path = options.out / f"models-{options.cohort_seed}.json"
    how = {"n_jobs": options.jobs, "scheduler": options.scheduler}
    models = {} if options.draw else {one: one for one in options.model or ()} or MODELS
    board = benchmark_cohort(cohort, models, seeds=options.seeds, out=path, **how)
    lines = list(benchmark_lines(board))
    print("\n".join(lines))
    write_pages(path)
    return int(bool(board["errors"]) or not all(band["holds"] for band in board["controls"]))


def write_pages(path: Path) -> None:
    """Write the board's tables and its picture beside the results."""
    board = json.loads(path.read_text(encoding="utf-8"))
    tables = {"": benchmark_lines(board, markdown=True), "-distances": distance_lines(board)}
    for name, lines in tables.items():
        with replace_atomically(path.with_name(f"{path.stem}{name}.md")) as part:
            part.write_text("\n".join(lines).strip() + "\n", encoding="utf-8")
    plot_ladder(board).save(path.with_suffix(".png"))


def open_cohort(options: argparse.Namespace) -> Cohort:
    """Open the first exams of the full cohort of a seed; they are simulated if need be."""
    if options.cohort is not None:
        from datkit.data.folder import open_folder

        return open_folder(options.cohort)
    exams, tests, seed = options.exams, options.tests, options.cohort_seed
    folder = data_folder() / "simulated" / f"models-{exams}-{tests}-{seed}"
    sizes = dict.fromkeys(TEST_SETS, tests)
    with patch.dict(SIZES, full=exams), patch.dict(TEST_SETS, sizes):
        return simulate_cohort(folder, "full", seed, options.jobs, scheduler=options.scheduler)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--model", action="append", help=f"as of datkit benchmark; default: {', '.join(MODELS)}")
    add("--seeds", type=int, nargs="+", default=[0], help="of the models (default: 0)")
    add("--exams", type=int, default=360, help="training exams (default: 360)")
    add("--tests", type=int, default=72, help="exams of each test set (default: 72)")
    add("--cohort-seed", type=int, default=2026, help="default: 2026")
    add("--cohort", type=Path, help="a cohort's folder instead")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    add("--scheduler", help="address of a Dask scheduler")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    add("--draw", action="store_true", help="train no model: table and picture of what is there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
