"""The calibrated blend of what is on the board already: no member is trained anew.

It is the members' mean logit times one slope. A fold's exams are predicted with the slope that was
found on the other folds' exams, all of them out of fold; the test sets with that of all exams out
of fold by whole centres. The members of the other folds did see this fold's labels, as in any
stacking whose members are not trained once more inside each fold; of one slope that makes next to
nothing.

Weights are not learnt, and no offset: with five folds of whole centres both were found to follow
the centres that are left. On seed 2026, grouped, the mean of boosting and the two networks that are
trained there has a log loss of 0.294; with weights of least loss on the other folds 0.304, with an
offset and all five models 0.337.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from datkit.evaluate.benchmark.exams import BenchmarkExams
from datkit.evaluate.benchmark.run import seal_cell

__all__ = ["NAME", "predictions", "stack_models"]

NAME = "calibrated blend"
CLIP = 1e-4  # a member's certainty beyond is not believed
DECIMALS = 6

Cells = Mapping[str, dict[str, Any]]


def predictions(cells: Cells, split: str, exams: BenchmarkExams, n_splits: int) -> pd.DataFrame:
    """Return the probabilities of a split, a column a model; NaN where none was predicted."""
    tests = {fold.name: list(fold.test) for fold in exams.folds(split, n_splits)}
    table = pd.DataFrame(index=exams.table.index)
    for cell in cells.values():
        if "p" in cell and cell["split"] == split and cell["fold"] in tests:
            table.loc[tests[cell["fold"]], cell["model"]] = np.array(cell["p"].split(), float)
    return table


def stack_models(
    cells: Cells, members: Sequence[str], exams: BenchmarkExams, n_splits: int = 5
) -> dict[str, dict[str, Any]]:
    """Return a cell of the blend for each fold, in each split that all members have predicted.

    Parameters
    ----------
    cells : dict
        Of the board, by ``"model | split | fold"``.
    members : sequence of str
        Rows of the board.
    exams : BenchmarkExams
    n_splits : int
        Folds, random and grouped, as on the board.
    """
    found: dict[str, dict[str, Any]] = {}
    logits: dict[str, pd.DataFrame] = {}
    for split in ("random", "grouped", "tests"):
        p = predictions(cells, split, exams, n_splits).reindex(columns=[*members])
        logits[split] = logit(p.clip(CLIP, 1 - CLIP)).dropna()
        learnt = logits["grouped" if split == "tests" else split]
        for fold in exams.folds(split, n_splits):
            seen, test = learnt.drop(index=[*fold.test], errors="ignore"), [*fold.test]
            if not {*test} <= {*logits[split].index} or not len(seen):
                continue
            labels = exams.table["label"][seen.index].to_numpy()
            slope = find_slope(seen.mean(axis=1).to_numpy(), labels)
            z = slope * logits[split].loc[test].mean(axis=1)
            like = cells[f"{members[0]} | {split} | {fold.name}"]
            own = {"model": NAME, "reads": ", ".join(members), "key": "", "seconds": 0.0}
            own |= {"slope": round(slope, 3)}
            own |= {"p": " ".join(f"{one:.{DECIMALS}g}" for one in expit(z))}
            found[f"{NAME} | {split} | {fold.name}"] = seal_cell(like | own)
    return found


def find_slope(logits: np.ndarray, y: np.ndarray) -> float:
    """Return the factor on logits (n,) that gives labels y (n,) of 0 and 1 the least log loss.

    Examples
    --------
    Who is twice too sure is believed half:

    >>> truth = np.random.default_rng(0).normal(0, 2, 50_000)
    >>> y = np.random.default_rng(1).random(50_000) < expit(truth)
    >>> round(find_slope(2 * truth, y.astype(int)), 1)
    0.5
    """

    def loss(slope: float) -> float:
        return float(np.logaddexp(0, (1 - 2 * y) * slope * logits).mean())

    return float(minimize_scalar(loss, bounds=(0, 4), method="bounded").x)
