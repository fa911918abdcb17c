"""Measures of a prepared volume, checked with a pencil, and against the simulator's truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datkit.errors import PrepareError, UsageError
from datkit.measure import (
    MEASURES,
    SBR_MEASURES,
    UNITS,
    asymmetry,
    measure_cohort,
    measure_scan,
    measure_volume,
)
from datkit.measure.regions import right_frame, shifts_of
from datkit.prepare import GRID, load_regions, locate_striata, reference_level
from datkit.prepare.grid import distance_to


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
    assert (found["whole_caudate_left"], found["whole_caudate_right"]) == (2, 3)
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


def test_a_caudate_is_read_from_its_hottest_voxels_a_little_off_too():
    thin = painted(caudate_left=3.0)
    assert measure_volume(np.roll(thin, 1, axis=0))["caudate_left"] > 1.9
    assert measure_volume(np.roll(thin, 1, axis=0))["whole_caudate_left"] < 1.7
    half = painted(caudate_left=3.0)
    half[:, :, : GRID.shape[2] // 2] = 1.0  # fluid, or what somebody zeroed: the rest still counts
    assert measure_volume(half)["caudate_left"] == measure_volume(half)["whole_caudate_left"] < 2


def test_the_hottest_voxels_are_the_caudates_own():
    """Neither the putamen beside it nor what lies farther than 6 mm, nor the other side."""
    frame = right_frame()
    assert not (frame.near & frame.masks["putamen"]).any() and frame.mm[0, frame.near].min() > 2
    assert frame.near[frame.masks["caudate"]].all()
    reached = distance_to(load_regions()["caudate_right"])[frame.box][frame.near].max()
    assert 4 < reached <= 6
    bright = painted(putamen_left=9.0)
    assert measure_volume(bright)["caudate_left"] == 0


def test_parts_make_the_putamen():
    sizes = {name: mask.sum() for name, mask in right_frame().masks.items()}
    assert sizes["anterior_putamen"] + sizes["posterior_putamen"] == sizes["putamen"]
    assert sizes["caudate"] + sizes["putamen"] == sizes["striatum"]
    assert 0.25 < sizes["posterior_putamen"] / sizes["putamen"] < 0.45


def test_masks_lie_where_preparation_says():
    for name in ("caudate", "putamen", "striatum"):
        whole = np.zeros(GRID.shape, bool)
        whole[right_frame().box] = right_frame().masks[name]
        np.testing.assert_array_equal(whole, load_regions()[f"{name}_right"])


def moved(volume: np.ndarray, voxels: tuple[int, int, int]) -> np.ndarray:
    return np.roll(volume, voxels, axis=(0, 1, 2))


def test_a_striatum_that_lies_off_is_found_where_its_shift_says():
    volume = painted(caudate_left=3.0, putamen_left=2.5, putamen_right=4.0)
    shifts = dict.fromkeys(("left", "right"), (4.0, -6.0, 2.0))
    found = measure_volume(moved(volume, (2, -3, 1)), shifts)
    expected = measure_volume(volume)
    assert found == pytest.approx(expected)
    assert measure_volume(moved(volume, (2, -3, 1)))["putamen_right"] < expected["putamen_right"]


def test_no_shift_changes_no_bit(prepared_tiny):
    volume = prepared_tiny.volumes[0]
    zero = dict.fromkeys(("left", "right"), (0.0, 0.0, 0.0))
    found = measure_volume(volume, zero)
    assert found == measure_volume(volume) == measure_volume(volume, {})
    plain = volume[load_regions()["putamen_right"]].mean(dtype=float) / reference_level(volume) - 1
    assert found["putamen_right"] == pytest.approx(plain, rel=1e-12)


def test_half_a_voxel_is_halfway():
    volume = painted(putamen_right=3.0)
    values = [measure_volume(volume, {"right": (x, 0, 0)})["putamen_right"] for x in (0, 1, 2)]
    assert values[1] == pytest.approx((values[0] + values[2]) / 2)


def test_mirrored_shifts_mirror_every_measure(prepared_tiny):
    volume = prepared_tiny.volumes[1]
    found = measure_volume(volume, {"left": (1.3, -0.7, 2.1), "right": (0.4, 1.9, -1.2)})
    mirrored = measure_volume(volume[::-1], {"right": (-1.3, -0.7, 2.1), "left": (-0.4, 1.9, -1.2)})
    other = {"left": "right", "right": "left"}
    for name in MEASURES:
        stem, _, side = name.rpartition("_")
        twin = f"{stem}_{other[side]}" if side in other else name
        signed = name.endswith("asymmetry") and not name.startswith("absolute")
        sign = -1 if signed else 1
        assert mirrored[twin] == pytest.approx(sign * found[name], rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("shift", [(1, 2), (np.nan, 0, 0), (0, 0, 21), (np.inf, 0, 0)])
def test_shifts_that_cannot_be_are_refused(shift):
    with pytest.raises(UsageError, match="shift of the left striatum"):
        measure_volume(painted(), {"left": shift})


def test_columns_of_locate_striata_are_no_shifts_until_shifts_of_makes_them():
    volume = moved(painted(caudate_left=3.0, caudate_right=3.0, putamen_left=3.0), (0, 1, 0))
    found = locate_striata(volume)
    with pytest.raises(UsageError, match="expected left and right alone, found 'left_shift_x'"):
        measure_volume(volume, found)
    with pytest.raises(UsageError, match=r"found 'Left'.*shifts_of"):
        measure_volume(volume, {"Left": (0, 0, 0), "right": (0, 0, 0)})
    assert measure_volume(volume, shifts_of(found)) != measure_volume(volume)


def test_a_cohort_is_measured_where_its_table_says(prepared_tiny):
    names = [f"{side}_shift_{axis}" for side in ("left", "right") for axis in "xyz"]
    table = prepared_tiny.table.drop(columns=names, errors="ignore")
    shifts = dict(zip(names, (1.0, 2.0, -1.0, -0.5, 1.5, 0.0), strict=True))
    plain = measure_cohort(replace(prepared_tiny, table=table)).iloc[0]
    there = measure_cohort(replace(prepared_tiny, table=table.assign(**shifts))).iloc[0]
    at = {"left": (1.0, 2.0, -1.0), "right": (-0.5, 1.5, 0.0)}
    assert there.to_dict() == measure_volume(prepared_tiny.volumes[0], at)
    assert plain.to_dict() == measure_volume(prepared_tiny.volumes[0])
    assert (plain != there).sum() > 20


def test_the_classical_measures_are_among_all_and_all_have_a_unit():
    assert set(SBR_MEASURES) <= set(MEASURES) and len(SBR_MEASURES) == 11
    assert list(UNITS) == MEASURES and set(UNITS.values()) == {"", "%", "mm", "mL"}


def test_names_and_order():
    assert list(measure_volume(painted())) == MEASURES


def test_soft_regions_read_lower_and_scatter_less():
    sharp, soft = ("caudate_right", "putamen_right"), ("soft_caudate_right", "soft_putamen_right")
    bright = measure_volume(painted(caudate_right=3.0, putamen_right=3.0))
    assert all(0.5 < bright[name] < 2.0 for name in soft)  # of 2, which the sharp ones read
    rng = np.random.default_rng(0)
    noisy = pd.DataFrame([measure_volume(rng.normal(1, 0.3, GRID.shape)) for _ in range(24)])
    assert (noisy[list(soft)].mean().abs() < 0.02).all()
    assert (noisy[list(soft)].std().to_numpy() < noisy[list(sharp)].std().to_numpy()).all()


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
    parts = ("putamen", "anterior_putamen", "posterior_putamen", "striatum", "soft_putamen",
             "soft_caudate")  # fmt: skip
    asymmetries = {f"{part}_asymmetry" for part in parts} | {"absolute_putamen_asymmetry"}
    lowest = {"putamen_lowest", "posterior_putamen_lowest"}
    assert not [name for name in moved if name.endswith("_right")]
    assert {f"{part}_left" for part in parts} | asymmetries | lowest <= moved
    # Caudates that hold nothing have no ratio; what is left is form, and counts, of the left side.
    form = {"length_left", "length_shortest", "half_volume_left", "elongation_left"}
    assert moved - asymmetries - lowest - {f"{part}_left" for part in parts} <= form | {
        "southampton_left"
    }


def test_dimming_one_posterior_putamen_leaves_the_anterior_one_alone():
    volume = painted(putamen_left=3.0, putamen_right=3.0)
    before = measure_volume(volume)
    y = GRID.affine[1, 3] + 2 * np.arange(GRID.shape[1])
    back = load_regions()["putamen_right"] & (y < -5)[:, None]
    volume[back] = 2.0
    after = measure_volume(volume)
    assert after["posterior_putamen_right"] == 1 and after["anterior_putamen_right"] == 2
    assert after["anterior_posterior_ratio_right"] == pytest.approx(2)
    assert after["posterior_putamen_lowest"] == 1
    assert {
        name for name in MEASURES if name.endswith("_left") and before[name] != after[name]
    } == (set())


@pytest.mark.parametrize(
    ("left", "right", "index"), [(0, 0, 0), (1, 0, 200), (1, -0.5, 200), (2, 2, 0)]
)
def test_asymmetry_stays_finite_and_bounded(left, right, index):
    assert asymmetry(left, right) == pytest.approx(index)


def test_no_uptake_in_the_striatum_is_measured_all_the_same():
    assert np.isfinite(list(measure_volume(painted()).values())).all()


@pytest.mark.parametrize(
    ("volume", "words"),
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
    first = measure_volume(prepared_tiny.volumes[0], shifts_of(prepared_tiny.table.iloc[0]))
    assert table.iloc[0].to_dict() == pytest.approx(first)


def test_measures_follow_the_truth(prepared_tiny, tiny_cohort):
    """Thirteen cameras of different recovery together; within one the link is closer."""
    table, truth = measure_cohort(prepared_tiny), tiny_cohort.truth.loc[prepared_tiny.uids]
    for side in ("left", "right"):
        found, true = table[f"putamen_{side}"], truth[f"sbr_putamen_{side}"]
        assert np.corrcoef(found, true)[0, 1] > 0.75
        assert (found < true).mean() > 0.9  # blur only ever lowers it, noise apart


def test_measures_tell_abnormal_from_normal(prepared_tiny):
    lowest = measure_cohort(prepared_tiny)["putamen_lowest"]
    normal, abnormal = (lowest[prepared_tiny.labels == label].mean() for label in (0, 1))
    assert abnormal < 0.75 * normal


def test_scan_is_read_prepared_and_measured(tiny_cohort, prepared_tiny):
    uid = tiny_cohort.uids[0]
    found = measure_scan(tiny_cohort.path_of(uid))
    assert found == pytest.approx(measure_cohort(prepared_tiny).iloc[0].to_dict())


def test_missing_scan_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="no.nii"):
        measure_scan(tmp_path / "no.nii")
