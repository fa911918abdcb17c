"""What the board must show, for one seed of the cohort: figures beside their targets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.figures import Figure
from benchmarks.models.stack import NAME, predictions
from datkit.evaluate import paired_difference
from datkit.evaluate.benchmark.exams import BenchmarkExams

__all__ = ["measure_board"]

SETTINGS = {"grouped": "grouped", "random": "random"} | dict.fromkeys(
    ("public", "private", "unseen"), "tests"
)
NETWORKS = ("projection", "3-D network")  # and what starts from the pretrained weights
BEST, BASE = "best single network", "constant"
# The project's own aims, in log loss: setting, row or distance → least and most.
TARGETS: dict[tuple[str, str], tuple[float | None, float | None]] = {
    ("grouped", "measures"): (0.36, 0.47),
    ("grouped", f"{NAME} minus oracle"): (None, 0.10),
    ("grouped", f"{NAME} minus the limit"): (None, 0.03),
    ("grouped", f"{BEST} minus projection"): (None, -0.02),
    ("grouped", "3-D network minus projection"): (None, 0.0),
    ("private", f"{NAME}: private minus grouped"): (None, 0.05),
    ("private", f"{BEST}: private minus grouped"): (None, 0.05),
}


def measure_board(
    board: dict[str, Any], exams: BenchmarkExams, limit: Path | None = None
) -> dict[str, list[Figure]]:
    """Return each setting's figures: log loss of each row, and the distances that are aims.

    Parameters
    ----------
    board : dict
        What :func:`datkit.evaluate.benchmark_cohort` returned.
    exams : BenchmarkExams
        Its exams.
    limit : path, optional
        Results of ``benchmarks.limit`` on the same seed, if there are any.
    """
    found, best = {}, {}
    for setting, split in SETTINGS.items():
        rows = {row["model"]: row for row in board["scores"] if row["setting"] == setting}
        if not rows:
            continue
        n_splits = board["settings"][split]["folds"]
        p = predictions(board["cells"], split, exams, n_splits)
        networks = [name for name in rows if name.startswith(NETWORKS)]
        best[setting] = min(networks, key=lambda name: rows[name]["log_loss"][0], default="")
        told = [row for row in rows.values() if row["role"] != "control" or row["model"] == BASE]
        found[setting] = [*map(_row, sorted(told, key=lambda row: row["log_loss"][0]))]
        found[setting] += _distances(setting, p.loc[exams.scored(setting).index], best, exams)
    if {"grouped", "private"} <= {*found}:
        found["private"] += _travelled(board, best)
    if limit is not None and limit.is_file() and "grouped" in found:
        reached = json.loads(limit.read_text(encoding="utf-8"))["fit"]["limit"]
        blend = _losses(board, "grouped").get(NAME)
        if blend is not None and reached is not None:  # none where the curve still falls
            gap = blend - reached[0]  # beside the ends of its interval
            found["grouped"].append(_figure("grouped", f"{NAME} minus the limit", gap))
    return found


def _figure(setting: str, name: str, value: float, **more: Any) -> Figure:  # noqa: ANN401
    return Figure(name, value, TARGETS.get((setting, name), (None, None)), **more)


def _row(row: dict[str, Any]) -> Figure:
    value, low, high = row["log_loss"]
    note = f"n = {row['n']}, AUROC {row['auroc'][0]:.3f}, Brier score {row['brier'][0]:.3f}"
    return _figure(row["setting"], row["model"], value, interval=(low, high), note=note)


def _losses(board: dict[str, Any], setting: str) -> dict[str, float]:
    return {row["model"]: row["log_loss"][0] for row in board["scores"]
            if row["setting"] == setting}  # fmt: skip


def _distances(
    setting: str, p: pd.DataFrame, best: dict[str, str], exams: BenchmarkExams
) -> Iterator[Figure]:
    """Yield paired differences of two rows on the same exams."""
    known = exams.scored(setting)
    pairs = {
        f"{NAME} minus oracle": (NAME, "oracle"),
        f"{BEST} minus projection": (best[setting], "projection"),
        "3-D network minus projection": ("3-D network", "projection"),
    }
    for name, (first, second) in pairs.items():
        if first in p and second in p and first != second:
            gap = paired_difference(known["label"], p[first], p[second], strata=known["centre"])
            note = f"{first}; n = {len(known)}"
            yield _figure(setting, name, gap.value, interval=(gap.low, gap.high), note=note)


def _travelled(board: dict[str, Any], best: dict[str, str]) -> Iterator[Figure]:
    """Yield by how much more is lost on the private set than on whole centres left out."""
    grouped, private = _losses(board, "grouped"), _losses(board, "private")
    for name, row in ((NAME, NAME), (BEST, best["grouped"]), ("oracle", "oracle")):
        if row in grouped and row in private:
            lost = private[row] - grouped[row]
            yield _figure("private", f"{name}: private minus grouped", lost, note=row)
