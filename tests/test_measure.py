"""Measures of a prepared volume, checked with a pencil, and against the simulator's truth."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import PrepareError, UsageError
from datkit.measure import MEASURES, asymmetry, measure_cohort, measure_scan, measure_volume
from datkit.prepare import GRID, load_regions


def painted(**uptake: float) -> np.ndarray:
    """A volume of uptake 1 with regions of another uptake."""
    volume = np.ones(GRID.shape)
    for name, value in uptake.items():
        volume[load_regions()[name]] = value
    return volume


def test_pencil_case():
    """Caudates 3 and 4, putamina 3 and 2, background 1: SBR 2, 3, 2 and 1."""
    found = measure_volume(
        painted(caudate_left=3.0, caudate_right=4.0, putamen_left=3.0, putamen_right=2.0)
    )
    assert (found["caudate_left"], found["caudate_right"]) == (2, 3)
    assert (found["putamen_left"], found["putamen_right"]) == (2, 1)
    assert found["striatum_left"] == 2
    assert found["caudate_asymmetry"] == pytest.approx(200 * (2 - 3) / 5)
    assert found["putamen_asymmetry"] == pytest.approx(200 / 3)
    assert found["putamen_lowest"] == 1
    assert found["caudate_putamen_ratio"] == pytest.approx(5 / 3)


def test_striatum_is_the_mean_over_both_parts():
    sizes = {name: mask.sum() for name, mask in load_regions().items()}
    found = measure_volume(painted(caudate_left=2.0))["striatum_left"]
    assert found == pytest.approx(sizes["caudate_left"] / sizes["striatum_left"])


def test_names_and_order():
    assert tuple(measure_volume(painted())) == MEASURES


def test_doubling_the_counts_leaves_every_measure_alone():
    volume = painted(caudate_left=3.0, putamen_right=2.5)
    assert measure_volume(2 * volume) == pytest.approx(measure_volume(volume))


def test_mirrored_brain_mirrors_left_and_right():
    volume = painted(caudate_left=3.0, putamen_right=2.5)
    found, mirrored = measure_volume(volume), measure_volume(volume[::-1])
    for part in ("caudate", "putamen", "striatum"):
        assert mirrored[f"{part}_left"] == pytest.approx(found[f"{part}_right"])
        assert mirrored[f"{part}_asymmetry"] == pytest.approx(-found[f"{part}_asymmetry"])
    assert mirrored["putamen_lowest"] == pytest.approx(found["putamen_lowest"])


def test_dimming_one_putamen_moves_its_side_alone():
    before = measure_volume(painted(putamen_left=3.0, putamen_right=3.0))
    after = measure_volume(painted(putamen_left=2.0, putamen_right=3.0))
    moved = {name for name in MEASURES if before[name] != pytest.approx(after[name])}
    assert moved == {
        "putamen_left",
        "striatum_left",
        "putamen_asymmetry",
        "striatum_asymmetry",
        "putamen_lowest",
    }  # the ratio of nothing in the caudates stays 0


@pytest.mark.parametrize("left, right, index", [(0, 0, 0), (1, 0, 200), (1, -0.5, 200), (2, 2, 0)])
def test_asymmetry_stays_finite_and_bounded(left, right, index):
    assert asymmetry(left, right) == pytest.approx(index)


def test_no_uptake_in_the_striatum_is_measured_all_the_same():
    assert np.isfinite(list(measure_volume(painted()).values())).all()


@pytest.mark.parametrize(
    "volume, words",
    [
        (np.ones((3, 4, 5)), r"shape \(64, 80, 48\)"),
        (np.full(GRID.shape, np.nan), "finite"),
        (np.zeros(GRID.shape), "occipital"),
    ],
)
def test_what_cannot_be_measured_is_refused(volume, words):
    with pytest.raises(PrepareError, match=words):
        measure_volume(volume)


def test_cohort_table(prepared_tiny):
    table = measure_cohort(prepared_tiny)
    assert list(table.columns) == list(MEASURES) and list(table.index) == prepared_tiny.uids
    assert table.index.name == "uid" and np.isfinite(table.to_numpy()).all()
    first = measure_volume(prepared_tiny.volumes[0])
    assert table.iloc[0].to_dict() == pytest.approx(first)


def test_measures_follow_the_truth(prepared_tiny, tiny_cohort):
    """Thirteen cameras of different recovery together; within one the link is closer."""
    table, truth = measure_cohort(prepared_tiny), tiny_cohort.truth.loc[prepared_tiny.uids]
    for side in ("left", "right"):
        found, true = table[f"putamen_{side}"], truth[f"sbr_putamen_{side}"]
        assert np.corrcoef(found, true)[0, 1] > 0.8
        assert (found < true).mean() > 0.9  # blur only ever lowers it, noise apart


def test_measures_tell_abnormal_from_normal(prepared_tiny):
    lowest = measure_cohort(prepared_tiny)["putamen_lowest"]
    normal, abnormal = (lowest[prepared_tiny.labels == label].mean() for label in (0, 1))
    assert abnormal < 0.75 * normal


def test_scan_is_read_prepared_and_measured(tiny_cohort, prepared_tiny):
    uid = tiny_cohort.uids[0]
    found = measure_scan(tiny_cohort.path_of(uid))
    assert found == pytest.approx(measure_volume(prepared_tiny.volumes[0]))


def test_missing_scan_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="no.nii"):
        measure_scan(tmp_path / "no.nii")
