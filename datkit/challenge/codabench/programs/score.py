"""Score a table of predictions; Codabench runs ``python3 score.py /app/input /app/output``.

It reads ``ref/truth.csv`` and ``res/submission.csv`` of the first folder, and writes `scores.json`
into the second one. Scores are those of the kit, which this file does not need.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

CLIP = 1e-6  # for the log loss, probabilities are kept this far from 0 and 1

# Of labels y and predictions p: values whose mean is the score. At a threshold t, p >= t is called
# abnormal. Net benefit: Vickers and Elkin (2006), 10.1177/0272989X06295361.
METRICS: dict[str, Callable[..., np.ndarray]] = {
    "log_loss": lambda y, p: (
        -np.log(np.abs(1 - y - np.clip(p, CLIP, 1 - CLIP)))
    ),  # of the true class
    "brier": lambda y, p: (p - y) ** 2,
    "auroc": lambda y, p: 0.5 + np.sign(p[y == 1][:, None] - p[y == 0]) / 2,  # of all pairs
    "sensitivity": lambda y, p, t: p[y == 1] >= t,
    "specificity": lambda y, p, t: p[y == 0] < t,
    "net_benefit": lambda y, p, t: np.where(y == 1, 1, -t / (1 - t)) * (p >= t),
    "cost": lambda y, p, costs: np.array(costs)[y, p.astype(int)],  # [true class, predicted one]
}


def main(source: str, target: str) -> None:
    """Score what lies in one folder, and write the scores into another."""
    settings = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))
    truth = read_table(Path(source, "ref", "truth.csv"), ["uid", "label", "part"])
    found = read_table(Path(source, "res", "submission.csv"), ["uid", settings["column"]])
    values = check_values(found, [row[0] for row in truth], settings["grades"])
    labels, parts = np.array([int(row[1]) for row in truth]), np.array([row[2] for row in truth])
    present, scores = sorted({*parts}, reverse=True), {}  # public first, if it is there
    for key, (place, name, *more) in settings["scores"].items():
        if place < len(present):
            rows = parts == present[place]
            scores[key] = float(np.mean(METRICS[name](labels[rows], values[rows], *more)))
    Path(target, "scores.json").write_text(json.dumps(scores), encoding="utf-8")


def read_table(path: Path, columns: list[str]) -> list[list[str]]:
    """Return some columns of a table, row by row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, restkey=columns[1])  # so that 0,5 does not count as 0
            return [[row[name] for name in columns] for row in rows]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        sys.exit(f"{path.name}: expected the columns {', '.join(columns)}, found {error!r}.")


def check_values(rows: list[list[str]], uids: list[str], grades: int) -> np.ndarray:
    """Return the predictions in the order of the exams."""
    found = dict(rows)
    try:
        values = np.array([float(found[uid]) for uid in uids])
    except (KeyError, TypeError, ValueError) as error:
        sys.exit(f"submission.csv: expected a number for every exam, found none: {error!r}.")
    right = np.isin(values, range(grades)) if grades else (values >= 0) & (values <= 1)
    if not right.all() or len(rows) > len(uids):
        wants = f"0 to {grades - 1}" if grades else "from 0 to 1"
        sys.exit(f"submission.csv: expected each exam once, and numbers {wants}; found others.")
    return values


if __name__ == "__main__":
    main(*sys.argv[1:3])
