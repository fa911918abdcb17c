"""Blur and noise in training, and exams of centres that nobody trained on.

An entrant of the challenge went from 0.353 to 0.272 on scanners left out. Strong here is what
entrants report: blur of an SD up to 8 mm, and noise, in most exams.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.common.figures import SEED, Figure
from benchmarks.lessons.network import NETWORK, BoxesClassifier
from benchmarks.lessons.runs import Runs, difference, scored
from datkit.evaluate.metrics import exam_losses

PLAIN = "no blur, no noise"
WAYS = {
    PLAIN: BoxesClassifier(augment={"blur": 0.0, "noise": 0.0}, seed=SEED),
    NETWORK: BoxesClassifier(seed=SEED),
    "strong": BoxesClassifier(augment={"blur": 8.0, "noise": 0.6}, seed=SEED),
}
MOST = 0.05  # that the private set may cost beyond grouped folds


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield three ways to train, on each test set, and how far models fall from home."""
    gains, said = [], {NETWORK: "as the kit has it", "strong": "strong", PLAIN: PLAIN}
    for setting in runs.settings("public", "private", "unseen") or ["grouped"]:
        known = runs.scored(setting)
        p = {way: runs.predict(way, model, setting) for way, model in WAYS.items()}
        for way in WAYS:
            yield scored(f"{setting}, {said[way]}", known, p[way])
            if way != PLAIN:
                name = f"{setting}, {said[way]}, minus none"
                gains.append(difference(name, known, p[way], p[PLAIN]))
    yield from gains
    if runs.settings("private"):
        for name, model in runs.models("grouped", "private").items():
            yield fall(name, *(loss_of(runs, name, model, one) for one in ("grouped", "private")))


def fall(name: str, home: pd.Series, away: pd.Series) -> Figure:
    """Return how much more the exams of another set cost than those out of fold."""
    value = away.mean() - home.mean()
    half = 1.96 * np.hypot(*(one.std(ddof=1) / len(one) ** 0.5 for one in (home, away)))
    note = f"n = {len(home)} and {len(away)}, of two means"
    return Figure(name, value, (None, MOST), (value - half, value + half),
                  "private minus grouped", note)  # fmt: skip


def loss_of(runs: Runs, name: str, model: str, setting: str) -> pd.Series:
    """Return what each exam of a setting costs a model."""
    known, p = runs.scored(setting), runs.predict(name, model, setting)
    return pd.Series(exam_losses(known["label"].to_numpy(), p.to_numpy()), known.index)
