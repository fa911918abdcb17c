"""Exams without a voxel, made by the readers' own model, and a benchmark that takes no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datkit.data.cohort import Cohort
from datkit.evaluate.benchmark.exams import KNOWN, BenchmarkExams
from datkit.evaluate.benchmark.run import benchmark_cohort
from datkit.simulate.readers import label_probability

N = 200


@pytest.fixture(scope="session")
def made_exams():
    """Two hundred exams of five centres; two measures show the truth, with noise."""
    rng = np.random.default_rng(3)
    uids = pd.Index([f"e{number:03}" for number in range(N)], name="uid")
    fraction = rng.uniform(0.2, 1.2, N)
    label = (rng.random(N) < label_probability(fraction)).astype(int)
    known = {"centre": [f"centre-{one}" for one in rng.integers(5, size=N)]}
    known |= {"age": rng.normal(67, 10, N).round(1), "set": "train"}
    truth = {"weaker_posterior_putamen": fraction, "votes": 5 * label, "likert": 6 * label - 3}
    table = pd.DataFrame(known | truth | {"label": label}, index=uids)
    table["shuffled"] = rng.permutation(label)
    table["scanner"] = table["centre"].str[-1].astype(int)
    measures = fraction[:, None] + rng.normal(0, 0.2, (N, 2))
    inputs = {name: table[columns].astype(float) for name, columns in KNOWN.items()}
    inputs |= {"measures": pd.DataFrame(measures, uids, ["a", "b"])}
    inputs |= {"scanner": pd.get_dummies(table[["centre"]], dtype=float)}
    images = {f"niftis/{uid}.nii.gz": uid for uid in uids}
    columns = table[["centre"]].assign(is_pathologic=label.astype(float))
    cohort = Cohort("demo", Path("demo"), columns, info={"sha256": images})
    return BenchmarkExams(cohort, table, inputs, "centre")


@pytest.fixture
def exams(made_exams, monkeypatch):
    """The same, as what the benchmark gathers."""
    monkeypatch.setattr(BenchmarkExams, "gather", lambda *_: made_exams)
    return made_exams


@pytest.fixture(scope="session")
def board(made_exams):
    """The board of three models on grouped folds; two are the same."""
    models = {"a": "measures", "also a": "measures", "blind": "measures C=1e-6"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BenchmarkExams, "gather", lambda *_: made_exams)
        how = {"splits": ["grouped"], "n_jobs": 1, "progress": False}
        return benchmark_cohort(made_exams.cohort, models, **how)
