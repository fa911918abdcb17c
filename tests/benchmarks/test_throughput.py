"""Throughput beside MONAI's plain loop: ratios, their intervals, and what both are shown."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.train import throughput
from benchmarks.train.throughput import ratio


def test_a_ratio_is_that_of_exams_a_second_and_its_interval_holds_it(monkeypatch):
    took = {"ours": 0.004, "peer": 0.02}  # seconds
    monkeypatch.setattr(throughput, "seconds", took.get)
    figure = ratio("x", "ours", "peer", 8, 4, 4, 5)
    assert figure.value == pytest.approx(10)
    assert figure.interval[0] <= figure.value <= figure.interval[1]
    assert figure.clearly and figure.target == (5, None)


def test_both_loops_are_timed_at_equal_batch(monkeypatch):
    pytest.importorskip("monai")
    monkeypatch.setattr(throughput, "BATCH", {"cpu": 2})
    beside, same = throughput.throughput("cpu", rounds=2)
    assert "batch 2, 0 workers" in beside.name and beside.value > 1
    assert same.value > 0 and not same.has_target


def test_what_both_see_is_the_same_crop():
    fine, coarse = (throughput.cut(1, voxels) for voxels in (1, 2))
    assert fine.shape == (1, 52, 46, 34) and coarse.shape == (1, 26, 23, 17)
    np.testing.assert_allclose(coarse[0, 0, 0, 0], fine[0, :2, :2, :2].mean(), rtol=1e-5)
