"""The benchmark of the measures: its bound on made-up boxes, and one run on the tiny cohort."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.measure import __main__ as script
from benchmarks.measure import linear, truth


def test_the_bound_finds_fixed_weights_that_other_centres_teach():
    """Binding is a weighted sum of voxels, the same at every centre: ridge regression finds it."""
    rng = np.random.default_rng(0)
    boxes = rng.normal(0, 1e4, (60, 2, 12))
    true, centres = boxes @ rng.normal(size=12) + 3, np.repeat(list("abcdef"), 10)
    for binding in linear.bindings(boxes, true, centres):
        np.testing.assert_allclose(binding, true, rtol=1e-4, atol=1)
    for difference in linear.differences(boxes, true, centres):
        np.testing.assert_allclose(difference, true[:, 0] - true[:, 1], rtol=1e-4, atol=1)


def test_a_run_on_the_tiny_cohort(tiny_cohort, prepared_tiny, tmp_path, monkeypatch):
    """Too few exams of one kind for a correlation; all that needs none is measured."""
    monkeypatch.setattr(script, "prepare_cohort", lambda *_, **__: prepared_tiny)
    monkeypatch.setattr(truth, "PATIENTS", 1)
    monkeypatch.setattr(truth, "REPEATS", 2)
    script.MeasureBenchmark.main(["--cohort", str(tiny_cohort.folder), "--out", str(tmp_path)])
    figures = json.loads((tmp_path / "measure-tiny.json").read_text())["sections"]["measure"][
        "figures"
    ]
    values = {figure["name"]: figure["value"] for figure in figures}
    assert values["sign of an asymmetry beyond 10 %: putamen"] >= 80
    names = [f"error of the asymmetry of the {name}: SD" for name in ("caudate", "whole caudate")]
    assert 5 < values[names[0]] < values[names[1]]
    assert 0.1 < values["putamen asymmetry between two scans of a patient: SD"] < 40
    assert 0.8 < values["recovery of the putamen over theory's"] < 1.2
    assert -1 < values["z of putamen lowest in normal exams: mean"] < 1.5
