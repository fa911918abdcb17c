"""Where the striata of a simulated exam lie: both sides, in scan mm, moved with the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.camera.acquisition import Motion, rotation
from datkit.simulate.exam import Drawn, draw_exam
from datkit.simulate.patient.head_shape import standard_shape
from datkit.simulate.patient.striata import mean_pose, true_striata


@pytest.fixture(scope="module")
def standard() -> Drawn:
    """An exam of the standard head, which lies straight at the scanner's origin."""
    drawn = draw_exam(2026, 3)
    straight = posed(drawn, np.eye(4))
    return replace(straight, patient=replace(drawn.patient, shape=standard_shape()))


def posed(drawn: Drawn, pose: np.ndarray, motion: Motion | None = None) -> Drawn:
    place = {"head_to_scanner": pose, "orbit_centre": pose[:3, 3]}
    return replace(drawn, acquisition=replace(drawn.acquisition, **place, motion=motion))


def test_the_standard_head_is_symmetric_and_its_left_lies_left(standard: Drawn) -> None:
    left, right = true_striata(standard)
    assert left[0] < 0 < right[0]
    assert left == pytest.approx(right * (-1, 1, 1), abs=1e-3)


def test_striata_move_with_the_head(standard: Drawn) -> None:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation((10, -20, 30)), (5, 6, -300)
    expected = true_striata(standard) @ pose[:3, :3].T + pose[:3, 3]
    assert true_striata(posed(standard, pose)) == pytest.approx(expected)


def test_a_small_head_has_its_striata_closer_together(standard: Drawn) -> None:
    shape = replace(standard_shape(), scale=np.full(3, 0.9))
    small = replace(standard, patient=replace(standard.patient, shape=shape))
    assert true_striata(small) == pytest.approx(0.9 * true_striata(standard), abs=0.1)


def test_of_a_head_that_moves_it_is_the_mean_over_the_views(standard: Drawn) -> None:
    moved = np.eye(4)
    moved[:3, 3] = (8, 0, 0)
    after_three_quarters = posed(standard, np.eye(4), Motion(0.75, moved))
    assert mean_pose(after_three_quarters.acquisition)[:3, 3] == pytest.approx((2, 0, 0))
    shift = true_striata(after_three_quarters) - true_striata(standard)
    assert shift == pytest.approx(np.array([[2, 0, 0]] * 2))
