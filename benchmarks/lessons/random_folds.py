"""Random folds flatter: above all what knows the scanner, whose centres they show beforehand.

In the challenge, headers alone had an AUROC of 0.726 on random folds and 0.533 on grouped ones, and
one linear model a log loss of 0.36 and 0.76 (10.5281/zenodo.21480044 and the write-ups that the
book's page on the challenge names).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.common.figures import Figure
from benchmarks.lessons.runs import Runs, difference, scored


def measure(runs: Runs) -> Iterator[Figure]:
    """Yield each model on random and on grouped folds, the same exams in both."""
    known = runs.scored("grouped")
    settings = ("random", "grouped")
    p = {one: runs.predict("scanner only", "measures", one, reads="scanner") for one in settings}
    for setting in settings:
        name = f"scanner only, {setting} folds"
        yield scored(name, known, p[setting].loc[known.index], "auroc")
    for setting in settings:
        name = f"scanner only, {setting} folds"
        yield scored(name, known, p[setting].loc[known.index])
    yield scored("constant, grouped folds", known, runs.predict("constant", "constant"))
    pairs = {"scanner only": [p[one] for one in settings]}
    careless = [runs.predict("with scanner", "measures", one, reads="both") for one in settings]
    pairs |= {"measures and scanner": careless}
    for name, model in runs.models(*settings).items():
        pairs[name] = [runs.predict(name, model, one) for one in settings]
    for name, (random, grouped) in pairs.items():
        figure = difference(name, known, random.loc[known.index], grouped)
        note = f"n = {len(known)}"
        yield replace(figure, unit="random minus grouped, log loss", note=note)
