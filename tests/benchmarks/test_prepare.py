"""The benchmark of preparation on the tiny cohort: every section runs and finds the striata."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.prepare import compare, spoilt
from benchmarks.prepare.__main__ import PrepareBenchmark


@pytest.fixture(scope="module")
def sections(tiny_cohort, tmp_path_factory):
    """One run on one exam a section; two ways of spoiling it are enough here."""
    out = tmp_path_factory.mktemp("results")
    few = {name: spoilt.SPOILS[name] for name in list(spoilt.SPOILS)[::6]}
    options = ["--cohort", str(tiny_cohort.folder), "--exams", "1", "--spoilt", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spoilt, "SPOILS", few)
        PrepareBenchmark.main([*options, "--jobs", "1", "--out", str(out)])
    return json.loads((out / "prepare-tiny.json").read_text())["sections"]


def values_of(section):
    return {figure["name"]: figure["value"] for figure in section["figures"]}


def test_striata_are_found(sections):
    values = values_of(sections["striata"])
    assert values and all(value is not None for value in values.values())


def test_no_failure_goes_unflagged(sections):
    values = values_of(sections["spoilt"])
    assert len(values) == 2 and set(values.values()) == {0}


def test_ways_are_compared_by_ratios_with_an_interval(sections):
    ratio = next(f for f in sections["compare"]["figures"] if "floor" in f["name"])
    assert ratio["interval"][0] <= ratio["value"] <= ratio["interval"][1] and ratio["clearly"]


def test_a_ratio_holds_if_its_whole_interval_does():
    by_a_hair = np.array([36.0, 38, 39, 40.2, 41, 44, 45])
    assert np.median(by_a_hair) > 40
    assert not compare._ratio("ANTs", by_a_hair, (40, None)).holds
    assert compare._ratio("ANTs", by_a_hair + 10, (40, None)).holds
