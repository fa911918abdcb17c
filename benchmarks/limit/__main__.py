"""What endless patients give: log loss over the number of simulated training exams.

    python -m benchmarks.limit --learn FULL-90210 FULL-60607 --cohort FULL-2026

The networks learn from 100, 200, 400, … exams of full cohorts of other seeds, all three sets of
each: other patients at the same centres. They are scored on all training exams of the cohort and on
its private test set, beside the oracle, which knows each exam's true uptake and errs only where the
readers do. What is left between the curve's end and the oracle is what images do not hold, or this
network does not find.

Without folders the full cohorts of seeds 90210, 60607 and 2026 in the data folder are taken, and
simulated first if they are not there: an hour each. Logits are kept in ``results/limit-2026.json``,
and the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

from benchmarks.common.curves import (
    Kept,
    describe,
    draw_labelled,
    exam_loss,
    hash_exams,
    mean_loss,
    plot_curves,
    table_of,
)
from benchmarks.common.exams import Pool
from benchmarks.common.run import RESULTS
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.evaluate.benchmark.entrants import Entrant, Oracle
from datkit.files import replace_atomically
from datkit.models.registry import make_model
from datkit.simulate.cohort import TEST_SETS, open_simulated

LEARN, SCORED = (90210, 60607), 2026
SMALLEST = 100
DRAWS = {100: 5, 200: 5, 400: 3, 800: 3, 1600: 2}  # of larger sizes one
MODELS = {"projection": "projection", "volume": "volume size=standard"}
SETS = {"train": "training set", "private": "private test set"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, print and write."""
    options = parse(arguments)
    learn = [open_at(place) for place in options.learn or LEARN]
    learnt = Pool.gather(learn, options.sets, options.jobs)
    scored = Pool.gather([open_at(options.cohort or SCORED)], [*SETS], options.jobs)
    kept = Kept(options.out / f"limit-{SCORED}.json", about(learnt, scored))
    rows = [*score(learnt, scored, kept, options)]
    kept.write(rows=rows, oracle=oracle(scored), fit=extrapolate(rows))
    write_pages(kept.path, rows, oracle(scored), extrapolate(rows))
    return 0


def open_at(place: int | Path) -> Cohort:
    """Open a full cohort by its folder or its seed."""
    return open_folder(place) if isinstance(place, Path) else open_simulated("full", place)


def about(learnt: Pool, scored: Pool) -> dict[str, Any]:
    """Return what results are made from."""
    named = {"learnt": learnt, "scored": scored}
    exams = {name: hash_exams([*one.table.index], one.y) for name, one in named.items()}
    sizes = {name: len(one) for name, one in named.items()}
    code = Entrant("projection", MODELS["projection"]).code()
    return {"exams": exams, "n": sizes, "models_sha256": code}


def score(
    learnt: Pool, scored: Pool, kept: Kept, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield a row for each network, number of training exams and set; then those of the mean."""
    found: dict[str, dict[int, np.ndarray]] = {}
    for kind in options.models:
        sizes = sizes_of(len(learnt)) if kind == "projection" else [len(learnt)]
        found[kind] = {}
        for size in sizes:
            draws = range(min(DRAWS.get(size, 1), options.draws))
            each = [fit(kind, size, draw, learnt, scored, kept) for draw in draws]
            found[kind][size] = np.array(each)
    if len(found) > 1:
        found["mean of both"] = {
            len(learnt): np.mean([one[len(learnt)] for one in found.values()], 0)
        }
    for kind, curve in found.items():
        for size, logits in curve.items():
            for name, said in SETS.items():
                part = (scored.table["set"] == name).to_numpy()
                y, strata = scored.y[part], scored.table["centre"][part]
                about = {"model": kind, "size": size, "set": said}
                yield about | describe(y, logits[:, part], strata)


def sizes_of(exams: int) -> list[int]:
    """Return how many exams are learnt from: doubled each time, and at last all.

    Examples
    --------
    >>> sizes_of(1000)
    [100, 200, 400, 800, 1000]
    """
    doubled = SMALLEST * 2 ** np.arange(20)
    return [*(int(size) for size in doubled if size < 0.9 * exams), exams]


def fit(kind: str, size: int, draw: int, learnt: Pool, scored: Pool, kept: Kept) -> np.ndarray:
    """Return the logits of all scored exams, by a network that learnt from a draw."""

    def make() -> np.ndarray:
        print(f"{kind}, {size} exams, draw {draw + 1}", flush=True)
        rows = draw_labelled(learnt.y, np.arange(len(learnt)), size, seed=draw)
        model = make_model(MODELS[kind], seed=draw).fit(learnt.volumes[rows], learnt.y[rows])
        parts = np.array_split(np.arange(len(scored)), 1 + len(scored) // 200)
        return np.concatenate([model.decision_function(scored.volumes[part]) for part in parts])

    return kept.get(f"{kind} | {size} | {draw}", make)


def oracle(scored: Pool) -> dict[str, list[float]]:
    """Return the oracle's log loss on each set, with its interval."""
    found = {}
    for name, said in SETS.items():
        part = (scored.table["set"] == name).to_numpy()
        logits = Oracle().decision_function(scored.table[["weaker_posterior_putamen"]][part])
        losses = exam_loss(scored.y[part], logits)
        found[said] = mean_loss(losses[None], scored.table["centre"][part])
    return found


def extrapolate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit ``loss = limit + a · n^-b`` to the projection network's curve on the training set.

    The interval is that of the fit, from how far the points lie off it. No limit is given from
    fewer than five sizes, nor where its interval is wider than ± 0.02, as where the curve still
    falls in a straight line.
    """
    curve = table_of([row for row in rows if row["model"] == "projection"
                      and row["set"] == SETS["train"]])  # fmt: skip
    none = {"limit": None, "why": "fewer than five sizes"}
    if len(curve) < 5:
        return none
    weight = 1 / np.sqrt(curve["draws"])
    try:
        best, spread = curve_fit(power_law, curve["size"], curve["value"], p0=(0.25, 2, 0.5),
                                 sigma=weight, bounds=([0, 0, 0.05], [1, 50, 3]))  # fmt: skip
    except RuntimeError as error:
        return none | {"why": f"no fit: {error}"}
    half = 1.96 * float(np.sqrt(spread[0, 0]))
    found = {"law": "limit + a n^-b", "a": round(float(best[1]), 4), "b": round(float(best[2]), 3)}
    if not half < 0.02:
        return none | {"why": f"the interval of the limit would be ± {half:.3f}"}
    ends = [round(float(best[0] + step), 4) for step in (0, -half, half)]
    return found | {"limit": ends}


def power_law(n: np.ndarray, limit: float, a: float, b: float) -> np.ndarray:
    """Return ``limit + a · n^-b``."""
    return limit + a * np.asarray(n, float) ** -b


def write_pages(
    path: Path, rows: list[dict[str, Any]], best: dict[str, list[float]], fitted: dict[str, Any]
) -> None:
    """Write the table and the picture beside the results."""
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text("\n".join(lines_of(rows, best, fitted)) + "\n", encoding="utf-8")
    panels = {
        said: {
            kind: table_of([row for row in rows if (row["model"], row["set"]) == (kind, said)])
            for kind in dict.fromkeys(row["model"] for row in rows)
        }
        for said in SETS.values()
    }
    levels = {said: {"oracle": value[0]} for said, value in best.items()}
    plot_curves(panels, levels, "Endless patients").save(path.with_suffix(".png"))


def lines_of(
    rows: list[dict[str, Any]], best: dict[str, list[float]], fitted: dict[str, Any]
) -> Iterator[str]:
    """Yield a Markdown table, and what the fit says."""
    loss = "{:.3f} ({:.3f}–{:.3f})"
    yield "| network | training exams | draws | scored on | n | log loss | AUROC |"
    yield "| --- " * 7 + "|"
    for row in rows:
        texts = (row["model"], row["size"], row["draws"], row["set"], row["n"],
                 loss.format(*row["log_loss"]), f"{row['auroc']:.3f}")  # fmt: skip
        yield "| " + " | ".join(map(str, texts)) + " |"
    for said, ends in best.items():
        yield f"| oracle | – | – | {said} | – | {loss.format(*ends)} | – |"
    yield ""
    if fitted["limit"] is None:
        yield f"No limit is extrapolated: {fitted['why']}."
        return
    value = loss.format(*fitted["limit"])
    law = f"log loss = limit + a·n^−b with b {fitted['b']}"
    yield f"Extrapolated on the training set, {law}: limit {value}."


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--learn", nargs="+", type=Path, help="full cohorts' folders; default: of two seeds")
    add("--sets", nargs="+", default=["train", *TEST_SETS], help="learnt from; default: all three")
    add("--cohort", type=Path, help="a full cohort's folder that is scored; default: of seed 2026")
    add("--models", nargs="+", default=[*MODELS], choices=[*MODELS], help="default: both")
    add("--draws", type=int, default=9, help="of each size, at most")
    add("--jobs", type=int, default=2, help="processes that prepare (default: 2)")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
