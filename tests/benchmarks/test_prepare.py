"""The benchmark of preparation on the tiny cohort: every section runs and finds the striata."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.prepare import compare, painted, shifts, spoilt
from benchmarks.prepare.__main__ import PrepareBenchmark

REPAINTED = ("as the cohort has it", "both striata absent", "like map A", "like map B")

STORED = ("two slices at 0", "clipped at twice the brain")


@pytest.fixture(scope="module")
def sections(tiny_cohort, tmp_path_factory):
    """One run on one exam a section; two ways of spoiling it are enough here."""
    out = tmp_path_factory.mktemp("results")
    few = {name: spoilt.SPOILS[name] for name in list(spoilt.SPOILS)[::6]}
    no_exams = {name: painted.OTHERS[name] for name in ("uniform brain", "CT in HU")}
    options = ["--cohort", str(tiny_cohort.folder), "--exams", "1", "--spoilt", "1"]
    options += ["--heads", "1", "--sound", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spoilt, "SPOILS", few)
        patch.setattr(spoilt, "STORED", {name: spoilt.STORED[name] for name in STORED})
        patch.setattr(shifts, "KINDS", {kind: shifts.KINDS[kind] for kind in REPAINTED})
        patch.setattr(painted, "OTHERS", no_exams)
        patch.setattr(painted, "SPACINGS", {"slices 0.7 as thick": (1, 1, 0.7)})
        PrepareBenchmark.main([*options, "--jobs", "1", "--out", str(out)])
    return json.loads((out / "prepare-tiny.json").read_text())["sections"]


def values_of(section):
    return {figure["name"]: figure["value"] for figure in section["figures"]}


def test_striata_are_found(sections):
    values = values_of(sections["striata"])
    assert values and all(value is not None for value in values.values())


def test_no_failure_goes_unflagged(sections):
    values = values_of(sections["spoilt"])
    assert len(values) == 4 and set(values.values()) == {0}
    assert {f"{name}: called good" for name in STORED} < set(values)


def test_repainted_heads_are_found(sections):
    values = values_of(sections["shifts"])
    assert set(REPAINTED) <= {name.split(":")[0] for name in values}
    assert values["all kinds: refused"] == values["all kinds: failures not flagged"] == 0
    assert max(values[f"{kind}: striatal error, median"] for kind in REPAINTED) < 5


def test_a_repaint_changes_what_it_says_and_nothing_else():
    drawn = shifts.drawn_still(1)
    plain = shifts.repaint(drawn.patient, shifts.PLAIN)
    assert plain == drawn.patient
    ventral = shifts.repaint(drawn.patient, shifts.Paint(ventral=0.6)).healthy
    assert ventral["ventral_striatum_left"] == pytest.approx(0.6 * ventral["putamen_left"])
    back = shifts.repaint(drawn.patient, shifts.Paint(back=0.4)).taper
    assert (1 - back / 4) / (1 + back / 4) == pytest.approx(0.4)


def test_pitched_striata_stay_where_they_are():
    """Their centroid does, and all that lies further away: the truth of the exam."""
    x, y, z = np.broadcast_arrays(*shifts.axes_mm())
    putamen = shifts.standard_anatomy().regions["putamen_right"]
    turned = shifts.deform_striata(putamen, shifts.Paint(pitch=6, size=0.91))
    for axis in (x, y, z):
        assert np.average(axis, weights=turned) == pytest.approx(
            np.average(axis, weights=putamen), abs=0.8
        )
    assert turned.sum() == pytest.approx(0.91**3 * putamen.sum(), rel=0.05)
    slope = [np.polyfit(y[part > 0.5], z[part > 0.5], 1)[0] for part in (putamen, turned)]
    assert np.degrees(np.arctan(slope[1]) - np.arctan(slope[0])) > 3  # the front goes up


def test_no_exam_is_called_good_and_each_sound_one_is(sections):
    first, second, *margins = sections["others"]["figures"]
    assert first["value"] == 0 and first["note"] == "3 kinds; good: none"
    assert second["value"] == 100 and second["note"].startswith("n = 3")
    notes = " ".join(figure["note"] for figure in margins)
    assert "(CT in HU)" in notes and "(exam, slices 0.7 as thick)" in notes


def test_ways_are_compared_by_ratios_with_an_interval(sections):
    ratio = next(f for f in sections["compare"]["figures"] if "floor" in f["name"])
    assert ratio["interval"][0] <= ratio["value"] <= ratio["interval"][1] and ratio["clearly"]


def test_a_ratio_holds_if_its_whole_interval_does():
    by_a_hair = np.array([36.0, 38, 39, 40.2, 41, 44, 45])
    assert np.median(by_a_hair) > 40
    assert not compare._ratio("ANTs", by_a_hair, (40, None)).holds
    assert compare._ratio("ANTs", by_a_hair + 10, (40, None)).holds
