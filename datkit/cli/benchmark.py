"""`datkit benchmark`: models judged alike, beside references and controls."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from datkit.cli.command import FINDINGS, FINE, JOBS, READING, SCHEDULER, Group, Result, arg, reading
from datkit.cli.data import open_exams
from datkit.files import replace_atomically

BENCHMARK = Group("")
USUAL = ("measures", "boosting", "voxels", "projection")
_MODEL = {
    "action": "append",
    "metavar": "MODEL",
    "help": "repeatable; default: " + ", ".join(USUAL),
}


@BENCHMARK.command(
    arg("--model", **_MODEL),
    arg("--cohort", type=Path, required=True, metavar="COHORT", help="labelled exams, any layout"),
    arg("--split", action="append", metavar="SPLIT", help="repeatable; default: all"),
    arg("--seed", action="append", type=int, metavar="S", help="of models; repeatable; default: 0"),
    arg("--folds", type=int, default=5, metavar="N", help="random and grouped; default: 5"),
    arg("--out", type=Path, default="benchmark.json", metavar="FILE", help="benchmark.json"),
    READING,
    JOBS,
    SCHEDULER,
)
def benchmark(args: Namespace) -> Result:
    """Judge models alike: same folds, intervals, ties shown as ties, controls beside them.

    split      what a model is asked
    random     exams of centres that it has seen; it flatters
    grouped    exams of whole centres that it has not seen
    centres    the same, one centre after the other
    tests      public_test and private_test in COHORT, trained on all training exams; of the
               private ones, those of the centre that nobody trained on once more alone

    MODEL is a kind of 'datkit train --help' with its settings, "projection epochs=5", or a class of
    your own with fit(X, y) and predict_proba(X), "my_model.py:MyModel". That file is code, and is
    run because you name it. A model that fails becomes a line, and the others go on.

    Beside the models stand the oracle (it knows the simulated truth), the panel of readers, and
    controls: a constant; scanner alone; age alone; shuffled labels; a leak made on purpose. Each
    control must stay in a band that is known beforehand, and no model may beat the oracle, or the
    command ends with 1 and says what is out.

    FILE keeps every finished fit: the same command goes on where it was stopped, and computes anew
    what another setting, file or version would change. Other models join those in FILE. The board
    goes beside it, as .md and as .png. A Dask cluster must see COHORT and the data folder under the
    same paths: see datkit prepare --help.

    For example:
      datkit benchmark --cohort cohort
      datkit benchmark --cohort cohort --model measures --model "boosting trees=50" --split grouped
      datkit benchmark --cohort cohort --model my_model.py:MyModel --jobs 2
      datkit benchmark --cohort cohort --model volume --seed 0 --seed 1 --out volume.json
    """
    from datkit.evaluate.benchmark.board import benchmark_lines, plot_benchmark
    from datkit.evaluate.benchmark.run import benchmark_cohort

    cohort = open_exams(args.cohort, reading(args))
    how = {"n_jobs": args.jobs, "scheduler": args.scheduler, "progress": not args.json}
    how |= {"splits": args.split, "seeds": args.seed or [0], "n_splits": args.folds}
    board = benchmark_cohort(cohort, args.model or USUAL, out=args.out, **how)
    with replace_atomically(args.out.with_suffix(".md")) as part:
        part.write_text("\n".join(benchmark_lines(board, markdown=True)) + "\n", encoding="utf-8")
    settings = dict.fromkeys(row["setting"] for row in board["scores"])
    setting = "grouped" if "grouped" in settings else next(iter(settings))
    plot_benchmark(board, setting).save(args.out.with_suffix(".png"))
    fine = all(band["holds"] for band in board["controls"]) and not board["errors"]
    data = {key: one for key, one in board.items() if key != "cells"}
    return Result([*benchmark_lines(board), str(args.out)], data, FINE if fine else FINDINGS)
