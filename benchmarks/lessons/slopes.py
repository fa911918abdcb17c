"""The best slope of the logit: random folds, centres left out, public and private set.

The sixth place of the challenge found 1.04, about 0.85 and 0.74
(https://github.com/paul-bd/DAT_challenge).
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks.common.figures import SEED, Figure
from benchmarks.lessons.runs import Runs
from datkit.evaluate import calibration_ladder

STEPS = ("random", "grouped", "public", "private", "unseen")
FLATTER = 0.8  # of the slope that was best on random folds: the flattest of the usual bracket


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield the best slope of each model at each step, and what a flatter one saves."""
    settings = runs.settings(*STEPS)
    known = {one: runs.scored(one) for one in settings}
    strata = {one: table["centre"] for one, table in known.items()}
    gains = []
    for name, model in runs.models(*settings).items():
        steps = {one: (known[one]["label"], runs.predict(name, model, one)) for one in settings}
        table = calibration_ladder(steps, [1.0, FLATTER], strata=strata, seed=SEED)
        for step, rows in table.groupby("step", sort=False):
            yield _figure(f"{name}, {step}", rows.iloc[0], "best", "slope")
            last = rows.iloc[-1]
            note = f"; slope {last['slope']:.2f}"
            gains.append(_figure(f"{name}, {step}", last, "gain", f"gain, slope × {FLATTER}", note))
    yield from gains


def _figure(name: str, row: pd.Series, of: str, unit: str, note: str = "") -> Figure:
    value, low, high = (float(row[key]) for key in (of, f"{of}_low", f"{of}_high"))
    return Figure(name, value, interval=(low, high), unit=unit, note=f"n = {int(row['n'])}{note}")
