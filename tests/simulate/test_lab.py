"""Truth for lessons: a phantom in the field, and striata that move with the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.camera.acquisition import Motion, rotation
from datkit.simulate.camera.imaging import camera_over
from datkit.simulate.camera.protocols import load_collimators
from datkit.simulate.exam import Drawn, draw_exam
from datkit.simulate.lab import Phantom, make_phantom, mean_patient, true_striata, window
from datkit.simulate.patient.head_shape import standard_shape


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(mean_patient())


def test_the_whole_head_lies_in_the_field(phantom: Phantom) -> None:
    tissue = phantom.head.attenuation > 0.004
    assert not tissue[[0, -1]].any() and not tissue[:, [0, -1]].any()
    assert not tissue[:, :, -1].any()  # the neck goes on below


def test_both_sides_of_the_head_are_alike(phantom: Phantom) -> None:
    for volume in (phantom.head.activity, phantom.head.attenuation):
        assert np.abs(volume - volume[::-1]).max() < 1e-3


def test_regions_lie_where_they_should(phantom: Phantom) -> None:
    middle = {
        name: (phantom.affine @ [*np.argwhere(mask).mean(0), 1])[:3]
        for name, mask in phantom.regions.items()
    }
    assert middle["caudate"][1] > middle["putamen"][1] > 0 > middle["occipital"][1]
    assert all(mask.sum() > 50 for mask in phantom.regions.values())


def test_truth_is_what_was_painted(phantom: Phantom) -> None:
    assert phantom.truth == pytest.approx({"caudate": 4.5, "putamen": 5.2}, abs=0.05)
    ill = make_phantom(mean_patient(left=0.6)).truth
    assert ill["putamen"] / phantom.truth["putamen"] == pytest.approx(0.6)


def test_a_clear_head_loses_no_photon_and_tissue_takes_most(phantom: Phantom) -> None:
    clear = camera_over(phantom.head, None, views=4, attenuation=False).project(
        phantom.head.activity
    )
    total = phantom.head.activity.sum()
    assert clear.sum((1, 2)) == pytest.approx([total] * 4, rel=0.01)
    seen = camera_over(phantom.head, load_collimators()["short"], views=4).project(
        phantom.head.activity
    )
    assert 0.2 < seen.sum() / clear.sum() < 0.6


def test_the_window_holds_the_head_and_its_millimetres(phantom: Phantom) -> None:
    part, frame = window(phantom)
    tissue = phantom.head.attenuation > 0.004
    assert tissue[part].sum() == tissue.sum()
    corner = [part[0].start, part[1].start, 0, 1]
    assert np.allclose(frame @ [0, 0, 0, 1], phantom.affine @ corner)


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
    assert after_three_quarters.acquisition.mean_pose[:3, 3] == pytest.approx((2, 0, 0))
    shift = true_striata(after_three_quarters) - true_striata(standard)
    assert shift == pytest.approx(np.array([[2, 0, 0]] * 2))
