"""Controls on a class's board: what knowing nothing gives, what the scanner gives, and the truth.

They are those of the benchmark (`datkit.evaluate.benchmark.entrants`), which need no voxel.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from datkit.challenge.description import Challenge
from datkit.data.cohort import LABEL, Cohort
from datkit.data.groups import infer_families
from datkit.errors import ModelError
from datkit.evaluate.benchmark.entrants import CONTROLS
from datkit.evaluate.benchmark.exams import KNOWN, SCANNER

__all__ = ["control_predictions"]


def control_predictions(
    cohort: Cohort, labels: pd.Series, parts: dict[str, list[str]], challenge: Challenge
) -> dict[str, dict[str, float]]:
    """Return what each control says of every test exam, learnt from the training exams.

    Parameters
    ----------
    cohort : Cohort
        All exams.
    labels : pandas.Series
        Their labels, integers, by uid.
    parts : dict
        The exams of ``train``, ``public`` and ``private``.
    challenge : Challenge

    Returns
    -------
    dict
        {control: {uid: probability or grade}}. A grade has one control: the one whose errors cost
        least on the training exams. Without ``truth.csv`` there is no oracle.
    """
    tests = [*parts["public"], *parts["private"]]
    y = labels[parts["train"]]
    if costs := challenge.metrics[0].costs:
        best = int(np.array(costs)[y].mean(axis=0).argmin())
        return {"constant": dict.fromkeys(tests, best)}
    scanner = cohort.exams.assign(family=infer_families(cohort))
    tables = {
        "scanner": pd.get_dummies(scanner[[*{*SCANNER} & {*scanner}]].astype(str), dtype=float)
    }
    if cohort.truth is not None and challenge.task.column == LABEL:
        known = cohort.truth.filter(KNOWN["oracle"]).apply(pd.to_numeric, errors="coerce")
        tables["oracle"] = known.dropna(axis="columns")  # it knows every exam, or is none
    found = {}
    for control in CONTROLS:
        table = tables.get(control.reads, pd.DataFrame())
        if not table.empty:
            try:
                model = control.build(0).fit(table.loc[parts["train"]], y.to_numpy())
                p = model.predict_proba(table.loc[tests])[:, 1]
            except ModelError:  # too few exams to learn from
                continue
            found[control.name] = dict(zip(tests, p.tolist(), strict=True))
    return found
