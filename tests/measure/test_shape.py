"""Length, half-maximum volume, elongation and the Southampton ratio on shapes one can draw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from datkit.measure import measure_volume
from datkit.measure.regions import right_frame, take_side
from datkit.measure.shape import (
    elongation,
    half_maximum,
    half_volume,
    smooth_side,
    striatal_length,
)
from datkit.measure.southampton import HEAD, STRIATUM_ML, southampton
from datkit.prepare import GRID, load_regions

NOTHING = np.ones(right_frame().away.shape)


def box_of(*sizes_mm: float) -> np.ndarray:
    """Whether a voxel lies in a box of these sizes in the middle of the striatum."""
    frame = right_frame()
    middle = frame.mm[:, frame.masks["striatum"]].mean(axis=1)
    return np.all(
        [np.abs(at - m) < mm / 2 for at, m, mm in zip(frame.mm, middle, sizes_mm, strict=True)], 0
    )


def test_length_of_a_bar():
    """A bar three times as hot as the rest, across the line from caudate to putamen tail."""
    frame = right_frame()
    inner = frame.away <= 8
    for mm in (20, 30):
        bar = inner & (np.abs(along_line() - along_line()[inner].mean()) < mm / 2)
        assert striatal_length(np.where(bar, 3.0, 1.0)) == pytest.approx(mm, abs=2.5)


def along_line() -> np.ndarray:
    """Each voxel's place along that line, mm."""
    frame = right_frame()
    caudate, putamen = (frame.mm[:, frame.masks[name]] for name in ("caudate", "putamen"))
    front = caudate[:, caudate[1] >= np.percentile(caudate[1], 90)].mean(axis=1)
    tail = putamen[:, putamen[1] <= np.percentile(putamen[1], 10)].mean(axis=1)
    way = (tail - front) * (1, 1, 0)
    return np.tensordot(way / np.linalg.norm(way), frame.mm, axes=1)


def test_length_and_volume_move_smoothly_with_binding():
    """One per cent more binding is no jump of a voxel."""
    side = ndimage.gaussian_filter(take_side(load_regions()["striatum_right"] * 1.0, "right"), 2)
    grown = [smooth_side(1 + sbr * side) for sbr in np.linspace(3, 6, 61)]
    lengths = np.array([striatal_length(each) for each in grown])
    steps = np.diff(lengths)
    assert (steps > 0).all() and steps.max() < 0.5
    volumes = [half_volume(half_maximum(1 + (each - 1) * 2)) for each in grown]
    assert np.ptp(volumes) < 0.02 * np.mean(volumes)


def test_the_shorter_side_counts():
    volume = np.ones(GRID.shape)
    volume[load_regions()["striatum_left"]] = 4
    found = measure_volume(volume)
    assert found["length_left"] > 30 and found["length_right"] == found["length_shortest"] == 0


def test_a_short_gap_in_binding_cuts_the_tail_off():
    volume = np.ones(GRID.shape)
    volume[load_regions()["striatum_right"]] = 4
    y = GRID.affine[1, 3] + 2 * np.arange(GRID.shape[1])
    whole = measure_volume(volume)["length_right"]
    volume[:, (y < -4)] = 1
    assert measure_volume(volume)["length_right"] < whole - 8


def test_half_maximum_of_a_block_is_the_block():
    """A cube of 16 mm, four times the rest: half maximum runs along its faces."""
    part = half_maximum(np.where(box_of(16, 16, 16), 4.0, 1.0))
    inside = ndimage.binary_erosion(box_of(16, 16, 16))
    assert (part[inside] == 1).all() and not part[
        ~ndimage.binary_dilation(box_of(16, 16, 16))
    ].any()
    assert half_volume(part) == pytest.approx(np.count_nonzero(box_of(16, 16, 16)) * 8 / 1000, 0.05)


def test_half_maximum_of_a_ball_is_the_ball():
    """A Gaussian of 20 mm FWHM falls to half at 10 mm: 4.19 mL, wherever its middle lies."""
    frame = right_frame()
    middle = frame.mm[:, frame.masks["striatum"]].mean(axis=1)
    for shift in (0.0, 0.3, 0.9):
        radius = np.linalg.norm(frame.mm - (middle + shift)[:, None, None, None], axis=0)
        part = half_maximum(1 + 5 * 0.5 ** ((radius / 10) ** 2))
        assert half_volume(part) == pytest.approx(4.19, rel=0.06)
        assert elongation(part) == pytest.approx(1, abs=0.03)


def test_half_maximum_does_not_depend_on_recovery():
    side = take_side(load_regions()["striatum_right"].astype(float), "right")
    blurred = ndimage.gaussian_filter(side, 2)
    volumes = [half_volume(half_maximum(1 + share * blurred)) for share in (1.0, 3.0, 6.0)]
    assert volumes == pytest.approx([volumes[0]] * 3) and volumes[0] > 3


@pytest.mark.parametrize(("x", "y", "expected"), [(8, 8, 1.0), (8, 24, 3.0), (24, 8, 3.0)])
def test_elongation_of_a_block_is_its_sides_ratio(x, y, expected):
    assert elongation(box_of(x, y, 8) * 1.0) == pytest.approx(expected, rel=0.05)


def test_a_comma_is_longer_than_a_dot():
    """Loss of the putamen but for its front leaves a dot."""
    y = GRID.affine[1, 3] + 2 * np.arange(GRID.shape[1])
    volume = np.ones(GRID.shape)
    volume[load_regions()["striatum_right"]] = 7
    lost = volume.copy()
    lost[load_regions()["putamen_right"] & (y < 8)[:, None]] = 1
    comma, dot = (
        measure_volume(ndimage.gaussian_filter(each, 2))["elongation_right"]
        for each in (volume, lost)
    )
    assert comma > 1.9 and dot < 0.85 * comma


def test_a_lost_striatum_has_defined_values():
    found = measure_volume(np.ones(GRID.shape))
    for side in ("left", "right"):
        assert found[f"length_{side}"] == found[f"half_volume_{side}"] == 0
        assert found[f"elongation_{side}"] == 1
        assert found[f"southampton_{side}"] == 0
    cold = np.ones(GRID.shape)
    cold[load_regions()["striatum_left"]] = 0.0  # a defect that holds nothing at all
    assert np.isfinite(list(measure_volume(cold).values())).all()


def test_southampton_of_the_assumed_volume_is_the_binding_itself():
    """Specific counts of SBR 6 in 15.4 mL of the canonical grid, which are 11.2 mL of a head."""
    side, voxels = NOTHING.copy(), round(1000 * STRIATUM_ML / HEAD**3 / 8)
    inside = np.flatnonzero((right_frame().away <= 4).ravel())[:voxels]
    side.ravel()[inside] += 6
    assert southampton(side) == pytest.approx(6, rel=0.001)


def test_blur_lowers_the_regional_ratio_but_hardly_southampton():
    volume = np.ones(GRID.shape)
    volume[load_regions()["striatum_right"]] = 7
    blurred = ndimage.gaussian_filter(volume, 10 / 2.3548 / 2)
    sharp, dull = (measure_volume(v) for v in (volume, blurred))
    assert dull["striatum_right"] < 0.65 * sharp["striatum_right"]
    assert dull["southampton_right"] > 0.93 * sharp["southampton_right"]
