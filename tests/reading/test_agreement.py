"""Coefficients of agreement: pencil cases, and those of scikit-learn and of `krippendorff`."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from datkit.reading import compare_readers, fleiss_kappa, krippendorff_alpha


def rated(counts: list[list[int]]) -> pd.DataFrame:
    return pd.DataFrame([np.repeat(range(len(row)), row) for row in counts])


def test_fleiss_of_his_own_kind_of_table() -> None:
    """Ten exams, 14 readers, five classes: the worked example that textbooks give 0.210 for."""
    counts = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
              [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0],
              [0, 2, 2, 3, 7]]  # fmt: skip
    assert fleiss_kappa(rated(counts)) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize("scale", ["nominal", "ordinal"])
@pytest.mark.parametrize("lost", [0, 0.3])
def test_alpha_is_that_of_the_library(scale: str, lost: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        ratings = rng.integers(0, 4, (25, 1)) + rng.integers(0, 2, (25, 4))
        table = pd.DataFrame(np.where(rng.random(ratings.shape) < lost, np.nan, ratings))
        right = krippendorff.alpha(table.to_numpy().T, level_of_measurement=scale)
        assert krippendorff_alpha(table, scale) == pytest.approx(right, abs=1e-12)


def test_readers_who_agree_have_one_and_those_with_one_class_no_value() -> None:
    same = pd.DataFrame({"a": [0, 1, 1, 0], "b": [0, 1, 1, 0]})
    found = compare_readers(same, n_boot=50)
    assert found["cohen"] == {"a and b": 1.0} and found["fleiss"] == 1.0
    assert found["krippendorff"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    none = compare_readers(same * 0, n_boot=50)
    assert np.isnan([none["cohen"]["a and b"], none["fleiss"], none["krippendorff"]["low"]]).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Two readers, each right in nine of ten of many exams; alpha of all is the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 40_000)
    table = pd.DataFrame({name: truth ^ (rng.random(truth.size) < 0.1) for name in "ab"}).astype(
        int
    )
    right, held = krippendorff_alpha(table), 0
    for start in range(0, 100 * 60, 60):
        part = compare_readers(table[start : start + 60], n_boot=200)["krippendorff"]
        held += part["low"] <= right <= part["high"]
    assert 85 <= held <= 100


def test_ordinal_pairs_are_weighted_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.integers(0, 4, (30, 2)), columns=["a", "b"])
    right = cohen_kappa_score(table["a"], table["b"], weights="quadratic")
    assert compare_readers(table, "ordinal", n_boot=20)["cohen"]["a and b"] == right
