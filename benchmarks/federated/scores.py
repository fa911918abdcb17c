"""From logits on unseen centres to scores, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.common.curves import exam_loss
from datkit.evaluate.intervals import bound, draw_exams
from datkit.evaluate.metrics import auroc

__all__ = ["Scorer"]

DRAWS = 2000


class Scorer:
    """Scores of several ways to train on the same exams, redrawn alike for all of them.

    Logits (n,) are of a network an exam, which never saw its centre; NaN where none was trained.
    Logits (k, n) are of k networks that each learnt from one centre alone: at each centre they
    score as the median network of the other centres does.

    Parameters
    ----------
    y, centres : array, shape (n,)
    alone : sequence of str
        Whose the k networks are.
    """

    def __init__(self, y: np.ndarray, centres: np.ndarray, alone: Sequence[str]) -> None:
        self.y, self.centres, self.alone = y, centres, np.asarray(alone)
        self.counts = draw_exams(y, centres, seed=0, n_boot=DRAWS).counts

    def describe(
        self, name: str, logits: Mapping[str, np.ndarray], beside: Sequence[str]
    ) -> dict[str, Any]:
        """Return a way's log loss, its AUROC, and its differences to others on the same exams."""
        rows = np.isfinite(np.atleast_2d(logits[name])[0])
        loss = self.draw(logits[name], rows)
        minus = {f"minus {one}": ends(loss - self.draw(logits[one], rows))
                 for one in beside if one in logits}  # fmt: skip
        area = round(self.auroc(logits[name], rows), 4)
        return {"name": name, "n": int(rows.sum()), "log_loss": ends(loss), "auroc": area} | minus

    def draw(self, logits: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the log loss of some exams in each draw; the first is no draw but all of them."""
        losses = exam_loss(self.y[rows], logits[..., rows])
        counts, centres, total = self.counts[:, rows], self.centres[rows], 0
        if losses.ndim == 1:
            return counts @ losses / len(losses)
        for centre in np.unique(centres):
            others = losses[self.alone != centre][:, centres == centre]
            total = total + np.median(counts[:, centres == centre] @ others.T, axis=1)
        return total / len(centres)

    def auroc(self, logits: np.ndarray, rows: np.ndarray) -> float:
        """Return the AUROC over all centres; of networks alone, that of the median one."""
        if logits.ndim == 1:
            return auroc(self.y[rows], expit(logits[rows]))
        unseen = [rows & (self.centres != owner) for owner in self.alone]
        each = zip(logits, unseen, strict=True)
        return float(np.median([auroc(self.y[at], expit(one[at])) for one, at in each]))

    def by_centre(self, logits: np.ndarray) -> dict[str, Any]:
        """Return the log loss at each centre, of networks alone one each."""
        losses = exam_loss(self.y, logits)
        parts = {str(name): losses[..., self.centres == name] for name in np.unique(self.centres)}
        return {name: part.mean(axis=-1).round(3).tolist() for name, part in parts.items()}


def ends(draws: np.ndarray) -> list[float]:
    """Return the value and the ends of its 95 % interval.

    Examples
    --------
    >>> ends(np.array([2.0, 1, 1, 3, 3]))
    [2.0, 1.0, 3.0]
    """
    return [round(number, 4) for number in bound(draws)]
