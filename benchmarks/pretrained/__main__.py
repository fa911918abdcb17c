"""What the networks that ship with the kit give someone with few labelled exams.

    python -m benchmarks.pretrained                          # the full cohort of seed 2026
    python -m benchmarks.pretrained --models projection --draws 5

Someone has 100, 200 or 400 labelled exams of some centres. Three ways: the weights that ship, as
they are; trained further on the labelled exams; a network trained on these alone, from random
weights. Each is scored on exams of other centres (a grouped fold of the training set), and on the
private test set. No centre of the cohort was simulated when the weights learnt.

A draw is a fold and the labelled exams that are drawn from the other folds. Results go to
``results/pretrained-<seed>.json``, ``.md`` and ``.png``; logits are kept there, and the same
command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

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
from datkit.data.groups import grouped_folds
from datkit.evaluate.benchmark.entrants import Entrant, Oracle
from datkit.files import replace_atomically, sha256_file
from datkit.models.registry import make_model
from datkit.models.store import PRETRAINED, load_model
from datkit.simulate.cohort import open_simulated

MODELS = {"projection": "projection", "volume": "volume size=standard"}
SHIPPED, FURTHER, ANEW = "as it ships", "trained further", "from random weights"
OTHERS, PRIVATE = "other centres", "private test set"
FOLDS = 5
WIDTH = {"volume": 3}  # of the draws, where all would take too long


class Exams(Pool):
    """Training exams, and after them the private test set."""

    @property
    def private(self) -> int:
        """Where the private test set begins."""
        return int((self.table["set"] == "train").sum())

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what may be labelled, and what is scored, of each grouped fold."""
        private = np.arange(self.private, len(self))
        folds = grouped_folds(self.centres[: self.private], FOLDS)
        return [(known, np.concatenate([others, private])) for known, others in folds]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, print and write."""
    options = parse(arguments)
    cohort = open_folder(options.cohort) if options.cohort else open_simulated("full", options.seed)
    exams = Exams.gather([cohort], ["train", "private"], options.jobs)
    kept = Kept(options.out / f"pretrained-{options.seed}.json", about(cohort, exams))
    rows = [*score(exams, kept, options)]
    kept.write(rows=rows, oracle=oracle(exams))
    write_pages(kept.path, rows, oracle(exams))
    return 0


def about(cohort: Cohort, exams: Exams) -> dict[str, Any]:
    """Return what results are made from."""
    return {
        "cohort": {key: cohort.info.get(key) for key in ("name", "version", "seed")},
        "exams": hash_exams(exams.table.index.tolist(), exams.y),
        "models_sha256": Entrant("projection", "projection").code(),
    }


def score(exams: Exams, kept: Kept, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each network, way, number of labelled exams and set."""
    for kind in options.models:
        draws = min(options.draws, WIDTH.get(kind, FOLDS))
        shipped = kept.get(f"{kind} | {weights_of(kind)}", partial(predict_shipped, kind, exams))
        for size in options.sizes:
            found = {SHIPPED: [shipped[test] for _, test in exams.folds()[:draws]]}
            for way in (FURTHER, ANEW):
                found[way] = [fit(kind, way, size, draw, exams, kept) for draw in range(draws)]
            yield from rows_of(kind, size, found, exams)


def weights_of(kind: str) -> str:
    """Return what tells the weights that ship from those of another version."""
    return sha256_file(PRETRAINED / kind / "weights.safetensors")[:12]


def predict_shipped(kind: str, exams: Exams) -> np.ndarray:
    """Return the logits of the network that ships, for all exams."""
    model = load_model(PRETRAINED / kind)
    parts = np.array_split(np.arange(len(exams)), 1 + len(exams) // 200)
    return np.concatenate([model.decision_function(exams.volumes[part]) for part in parts])


def fit(kind: str, way: str, size: int, draw: int, exams: Exams, kept: Kept) -> np.ndarray:
    """Return the logits, for the fold and the private set, of a network that learnt from a draw."""

    def make() -> np.ndarray:
        known, test = exams.folds()[draw]
        rows = draw_labelled(exams.y, known, size, seed=draw)
        start = " start=pretrained" if way == FURTHER else ""
        model = make_model(f"{MODELS[kind]}{start}", seed=draw)
        print(f"{kind}, {way}, {size} exams, draw {draw + 1}", flush=True)
        return model.fit(exams.volumes[rows], exams.y[rows]).decision_function(exams.volumes[test])

    start = weights_of(kind) if way == FURTHER else "random"
    return kept.get(f"{kind} | {start} | {size} | {draw}", make)


def rows_of(
    kind: str, size: int, found: dict[str, list[np.ndarray]], exams: Exams
) -> Iterator[dict[str, Any]]:
    """Yield each way's row on both sets, and how much better it is than random weights."""
    tests = [test for _, test in exams.folds()][: len(found[ANEW])]
    private = len(exams) - exams.private
    parts = {OTHERS: slice(None, -private), PRIVATE: slice(-private, None)}
    for name, part in parts.items():
        rows = [test[part] for test in tests]
        if name == OTHERS:  # each exam is predicted once
            rows = [np.concatenate(rows)]
        y, strata = exams.y[rows[0]], exams.centres[rows[0]]
        logits = {way: [one[part] for one in each] for way, each in found.items()}
        if name == OTHERS:
            logits = {way: [np.concatenate(each)] for way, each in logits.items()}
        losses = {way: exam_loss(y, np.array(each)) for way, each in logits.items()}
        for way, each in logits.items():
            gain = mean_loss(losses[way] - losses[ANEW], strata)
            row = {"model": kind, "way": way, "size": size, "set": name}
            yield row | describe(y, np.array(each), strata) | {"gain": gain}


def oracle(exams: Exams) -> dict[str, dict[str, float]]:
    """Return the oracle's log loss on both sets."""
    rows = {OTHERS: slice(None, exams.private), PRIVATE: slice(exams.private, None)}
    model = Oracle()
    found = {}
    for name, part in rows.items():
        logits = model.decision_function(exams.table[["weaker_posterior_putamen"]][part])
        found[name] = {"oracle": round(float(exam_loss(exams.y[part], logits).mean()), 4)}
    return found


def write_pages(path: Path, rows: list[dict[str, Any]], best: dict[str, dict[str, float]]) -> None:
    """Write the table and the picture beside the results."""
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text("\n".join(lines_of(rows)) + "\n", encoding="utf-8")
    first = rows[0]["model"]
    ways = (SHIPPED, FURTHER, ANEW)
    key = "model", "set", "way"
    panels = {
        name: {
            way: table_of([row for row in rows if [row[one] for one in key] == [first, name, way]])
            for way in ways
        }
        for name in (OTHERS, PRIVATE)
    }
    plot_curves(panels, best, f"{first} network").save(path.with_suffix(".png"))


def lines_of(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table."""
    heads = ("network", "labelled", "weights", "scored on", "n", "log loss",
             "against random weights", "AUROC")  # fmt: skip
    yield "| " + " | ".join(heads) + " |"
    yield "| --- " * len(heads) + "|"
    for row in rows:
        loss, gain = "{:.3f} ({:.3f}–{:.3f})", "{:+.3f} ({:+.3f} to {:+.3f})"
        texts = (row["model"], row["size"], row["way"], row["set"],
                 f"{row['n']}" + (f" × {row['draws']}" if row["draws"] > 1 else ""),
                 loss.format(*row["log_loss"]),
                 "–" if row["way"] == ANEW else gain.format(*row["gain"]),
                 f"{row['auroc']:.3f}")  # fmt: skip
        yield "| " + " | ".join(map(str, texts)) + " |"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--models", nargs="+", default=[*MODELS], choices=[*MODELS], help="default: both")
    add("--sizes", nargs="+", type=int, default=[100, 200, 400], help="default: 100 200 400")
    add("--draws", type=int, default=FOLDS, help="1 to 5 (default: 5; of the 3-D network 3)")
    add("--cohort", type=Path, help="a full cohort's folder instead of the seed's")
    add("--seed", type=int, default=2026, help="of the cohort (default: 2026)")
    add("--jobs", type=int, default=2, help="processes that prepare (default: 2)")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
