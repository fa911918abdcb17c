"""Models err together: where one is wrong, so are the others, and their mean cannot help.

In the challenge half of the loss sat in 5 to 8 % of the exams, where ensembles were of one mind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit

from benchmarks.cohort.difficulty import share_of_half
from benchmarks.common.figures import Figure, bootstrap
from benchmarks.lessons.runs import Runs, difference, scored
from datkit.evaluate import log_loss
from datkit.evaluate.metrics import clipped_logits, exam_losses


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield the blend beside its members, and how its members agree on the dearest exams."""
    known = runs.scored("grouped")
    models = runs.models("grouped")
    p = pd.DataFrame({name: runs.predict(name, model) for name, model in models.items()})
    blend = pd.Series(expit(clipped_logits(p.to_numpy()).mean(axis=1)), p.index)
    yield from [scored(name, known, p[name]) for name in models]
    yield scored("mean of their logits", known, blend)
    best = min(models, key=lambda name: log_loss(known["label"], p[name]))
    yield difference(f"mean minus best ({best})", known, blend, p[best])
    labels = known["label"].to_numpy()
    yield from agreement(labels, p.to_numpy(), blend.to_numpy())


def agreement(y: np.ndarray, p: np.ndarray, blend: np.ndarray) -> Iterator[Figure]:
    """Yield how often members (n, m) are all wrong, and what the blend (n,) pays for that."""
    n = len(y)

    def figure(name: str, value: Callable[[np.ndarray], float], unit: str) -> Figure:
        interval = tuple(bootstrap(value, n))
        found = float(value(np.arange(n)))
        return Figure(name, found, interval=interval, unit=unit, note=f"n = {n}")

    loss, wrong = exam_losses(y, blend), (p >= 0.5) != (y == 1)[:, None]
    unanimous = wrong.all(axis=1)
    yield figure(
        "exams with half of the mean's loss", lambda r: share_of_half(loss[r]), "% of exams"
    )
    yield figure("all members wrong", lambda r: 100 * unanimous[r].mean(), "% of exams")
    alone = "all wrong, if they erred apart"
    yield figure(alone, lambda r: 100 * wrong[r].mean(axis=0).prod(), "% of exams")
    share = "loss of those where all are wrong"
    yield figure(
        share, lambda r: 100 * loss[r][unanimous[r]].sum() / loss[r].sum(), "% of the loss"
    )
    error = p - y[:, None]
    yield figure("errors of two members", lambda r: mean_correlation(error[r]), "correlation")


def mean_correlation(errors: np.ndarray) -> float:
    """Return the mean correlation of the columns of errors (n, m)."""
    with np.errstate(invalid="ignore"):  # a draw of one exam alone has no spread
        table = np.corrcoef(errors.T)
    return float(np.mean([table[pair] for pair in combinations(range(len(table)), 2)]))
