"""Isotonic calibration pays for one miss: it says 0 and 1, and is wrong once.

An entrant of the challenge paid 0.026 for one exam that isotonic calibration gave 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from benchmarks.common.figures import Figure
from benchmarks.lessons.runs import Runs, difference
from datkit.evaluate.metrics import CLIP, clipped_logits, exam_losses
from datkit.models import fit_temperature

EDGE = 0.01  # what the careful version keeps from 0 and 1


def isotonic(p: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Learn from probabilities and labels, and return those of other exams."""
    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, y).predict(others)


def temperature(p: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Divide by one number, as the book does."""
    return expit(clipped_logits(others) / fit_temperature(clipped_logits(p), y))


def careful(p: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Keep what isotonic regression says from the ends."""
    return isotonic(p, y, others).clip(EDGE, 1 - EDGE)


WAYS = {"isotonic": isotonic, f"isotonic, kept {EDGE} from the ends": careful,
        "temperature": temperature}  # fmt: skip


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield each way to calibrate, learnt from other folds, minus none; and what misses cost."""
    known = runs.scored("grouped")
    misses = []
    for name, model in runs.models("grouped").items():
        raw = runs.predict(name, model)
        for way, calibrate in WAYS.items():
            p = pd.Series(np.nan, raw.index)
            for fold in runs.folds("grouped"):
                others, test = (raw[[*side]].to_numpy() for side in (fold.train, fold.test))
                y = known.loc[[*fold.train], "label"].to_numpy()
                p[[*fold.test]] = calibrate(others, y, test)
            figure = difference(f"{name}, {way}", known, p, raw)
            yield replace(figure, unit="calibrated minus not, log loss")
            if calibrate is isotonic:
                misses.append(missed(name, known["label"].to_numpy(), p.to_numpy()))
    yield from misses


def missed(name: str, y: np.ndarray, p: np.ndarray) -> Figure:
    """Return what the exams add to the log loss that were given 0 or 1, and wrongly."""
    loss = exam_losses(y, p)
    wrong = loss > -np.log(2 * CLIP)
    note = f"n = {len(y)}; {wrong.sum()} exams, {-np.log(CLIP) / len(y):.4f} each"
    return Figure(name, float(loss[wrong].sum() / len(y)), unit="log loss of misses", note=note)
