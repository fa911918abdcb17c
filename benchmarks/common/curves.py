"""Curves of log loss over the number of training exams: kept as they grow, with intervals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit

from datkit.data.cohort import Cohort
from datkit.errors import UsageError
from datkit.evaluate.metrics import auroc
from datkit.files import write_json
from datkit.view.canvas import Picture, house_style, new_picture

__all__ = [
    "Kept",
    "describe",
    "draw_labelled",
    "exam_loss",
    "hash_exams",
    "mean_loss",
    "plot_curves",
    "table_of",
    "truth_of",
]

BOOTSTRAPS, LEVEL = 2000, 0.95
DECIMALS = 3  # of a stored logit
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito 2008
MARKS = "o^sD"


class Kept:
    """Logits by name in a JSON file, so that a run goes on where it was stopped.

    Parameters
    ----------
    path : Path
    about : dict
        What all of them are made from; where it is another, the file's logits are made anew.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        same = held.get("about") == about
        self.path, self.about = path, about
        self.logits: dict[str, list[float]] = held["logits"] if same else {}

    def get(self, name: str, make: Callable[[], ArrayLike]) -> np.ndarray:
        """Return what is kept under a name; it is made, and kept, if it is not there."""
        if name not in self.logits:
            self.logits[name] = np.round(np.asarray(make(), float), DECIMALS).tolist()
            self.write()
        return np.array(self.logits[name])

    def write(self, **results: object) -> None:
        """Write the logits, and what was found from them."""
        write_json(self.path, {"about": self.about, "logits": self.logits} | results)


def hash_exams(uids: Sequence[str], labels: ArrayLike) -> str:
    """Return one hash of exams and their labels."""
    lines = (f"{uid},{label:g}" for uid, label in zip(uids, np.asarray(labels), strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def truth_of(cohort: Cohort) -> pd.DataFrame:
    """Return what the oracle is given of a simulated cohort's exams, by uid."""
    if cohort.truth is None:
        raise UsageError(f"{cohort.folder}: expected a simulated cohort, found no truth.csv.")
    return cohort.truth[["weaker_posterior_putamen"]]


def draw_labelled(y: np.ndarray, rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw `n` of some rows, both classes in their shares, in rising order.

    The exams of a smaller `n` are among those of a larger one of the same seed.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    place = pd.Series(y[shuffled]).groupby(y[shuffled]).rank("first", pct=True).to_numpy()
    return np.sort(shuffled[np.argsort(place, kind="stable")[:n]])


def exam_loss(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return each exam's log loss, shape of the logits (…, n)."""
    return np.logaddexp(0, (1 - 2 * y) * logits)


def mean_loss(losses: np.ndarray, strata: ArrayLike) -> list[float]:
    """Return the mean of losses (draws, n), and the ends of its 95 % interval.

    Exams are redrawn within strata, the same ones for all draws of training exams: so the interval
    is that of the mean over such draws, on other patients of these centres.

    Examples
    --------
    >>> mean_loss(np.array([[0.2, 0.2], [0.4, 0.4]]), ["a", "a"])
    [0.3, 0.3, 0.3]
    """
    each = losses.mean(axis=0)
    rng, sums = np.random.default_rng(0), np.zeros(BOOTSTRAPS)
    for rows in pd.Series(range(len(each))).groupby(np.asarray(strata)).indices.values():
        sums += each[rng.choice(rows, (BOOTSTRAPS, len(rows)))].sum(axis=1)
    tails = 50 * (1 - LEVEL)
    ends = np.percentile(sums / len(each), [tails, 100 - tails])
    return [round(float(number), 4) for number in (each.mean(), *ends)]


def describe(y: np.ndarray, logits: np.ndarray, strata: ArrayLike) -> dict[str, Any]:
    """Return a row of results: logits (draws, n) of the same exams."""
    losses = exam_loss(y, logits)
    return {
        "n": len(y),
        "draws": len(logits),
        "log_loss": mean_loss(losses, strata),
        "log_loss_of_each": losses.mean(axis=1).round(4).tolist(),
        "auroc": round(float(np.mean([auroc(y, expit(one)) for one in logits])), 4),
    }


def table_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of results as a table of one curve: size, value, low, high, draws."""
    columns = ["size", "value", "low", "high", "draws"]
    return pd.DataFrame([(r["size"], *r["log_loss"], r["draws"]) for r in rows], columns=columns)


@house_style()
def plot_curves(
    panels: Mapping[str, Mapping[str, pd.DataFrame]],
    lines: Mapping[str, Mapping[str, float]],
    title: str,
) -> Picture:
    """Plot log loss over the number of training exams.

    Parameters
    ----------
    panels : mapping
        Title of a panel → name of a curve → table with `size`, `value`, `low`, `high`.
    lines : mapping
        Title of a panel → name of a level → log loss.
    title : str
    """
    picture, axes = new_picture(1, len(panels), 3.6, title)
    for ax, (name, curves) in zip(axes[0], panels.items(), strict=True):
        for (label, curve), colour, mark in zip(curves.items(), COLOURS, MARKS, strict=False):
            ax.fill_between(curve["size"], curve["low"], curve["high"], color=colour, alpha=0.15)
            ax.plot(curve["size"], curve["value"], mark + "-", color=colour, label=label)
        for (label, level), dash in zip(lines.get(name, {}).items(), ("--", ":"), strict=False):
            ax.axhline(level, color="0.35", linestyle=dash, label=label)
        ax.set(xscale="log", title=name, xlabel="labelled training exams")
        sizes = sorted({*np.concatenate([curve["size"] for curve in curves.values()])})
        crowded = [after < 1.5 * size for size, after in pairwise([*sizes, np.inf])]
        words = ["" if close else f"{size:g}" for size, close in zip(sizes, crowded, strict=True)]
        ax.set_xticks(sizes, words, minor=False)
        ax.set_xticks([], minor=True)
        ax.legend(fontsize="small")
    axes[0, 0].set_ylabel("log loss (lower is better)")
    return picture
