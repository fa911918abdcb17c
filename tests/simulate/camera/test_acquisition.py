"""One exam's parameters: plausible in the mean, never without the striatum, never impossible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.simulate.camera.acquisition import HEAD_MIDDLE, draw_acquisition, rotation
from datkit.simulate.camera.centres import load_centres, usual_centres
from datkit.simulate.camera.protocols import Matrix

CENTRES, ALL = usual_centres(), list(load_centres().values())
STRIATA = [(x, y, z) for x in (-38, 38) for y in (-28, 30) for z in (-17, 35)]  # corners, mm


@pytest.fixture(scope="module")
def exams():
    """Two thousand exams, the centres in their shares."""
    rng = np.random.default_rng(0)
    shares = [centre.share for centre in CENTRES]
    return [
        draw_acquisition(rng, CENTRES[index])
        for index in rng.choice(len(CENTRES), size=2000, p=shares)
    ]


@pytest.fixture
def exam():
    return draw_acquisition(np.random.default_rng(0), CENTRES[5])


def tilt_of(exam):
    """Degrees between the matrix's axes and the scanner's."""
    axes = exam.affine[:3, :3] / np.linalg.norm(exam.affine[:3, :3], axis=0)
    return np.degrees(np.arccos(np.clip((np.trace(axes) - 1) / 2, -1, 1)))


def voxel_of(exam, point):
    """Where a point of the head (mm) lies in the matrix."""
    return np.linalg.solve(exam.affine, exam.head_to_scanner @ [*point, 1])[:3]


def test_the_same_stream_draws_the_same():
    one, two = (draw_acquisition(np.random.default_rng(4), CENTRES[3]) for _ in range(2))
    np.testing.assert_array_equal(one.affine, two.affine)
    assert (one.counts, one.gain, one.noise_seed) == (two.counts, two.gain, two.noise_seed)


def test_40_per_cent_of_affines_are_oblique_by_less_than_5_degrees_in_the_median(exams):
    tilts = np.array([tilt_of(exam) for exam in exams])
    oblique = tilts > 1e-3
    assert 0.36 < oblique.mean() < 0.44
    assert 4.0 < np.median(tilts[oblique]) < 5.4
    assert 20 < tilts.max() < 45


def test_every_affine_is_right_handed_and_ras(exams):
    for exam in exams:
        axes = exam.affine[:3, :3]
        assert np.linalg.det(axes) > 0
        assert (np.abs(axes).argmax(0) == range(3)).all() and (np.diag(axes) > 0).all()


def test_a_third_of_heads_are_turned_by_more_than_5_degrees(exams):
    """Yaw against the scanner's axes, as seen after resampling through the affine."""
    pose = np.stack([exam.head_to_scanner for exam in exams])
    yaw = np.abs(np.degrees(np.arctan2(pose[:, 1, 0], pose[:, 0, 0])))
    assert 0.25 < (yaw > 5).mean() < 0.40
    assert 15 < yaw.max() < 32


@pytest.mark.parametrize("centre", ALL, ids=lambda centre: centre.name)
def test_the_striatum_always_lies_in_the_matrix(centre):
    rng = np.random.default_rng(1)
    for _ in range(200):
        exam = draw_acquisition(rng, centre)
        corners = np.array([voxel_of(exam, point) for point in STRIATA])
        assert (corners >= 0).all() and (corners <= np.array(exam.shape) - 1).all()


def test_arrays_are_off_the_head_by_up_to_60_mm_and_some_cut_the_brain(exams):
    middles = np.array([(np.array(exam.shape) - 1) / 2 for exam in exams])
    spacing = np.array([np.linalg.norm(exam.affine[:3, :3], axis=0) for exam in exams])
    heads = np.array([voxel_of(exam, HEAD_MIDDLE) for exam in exams])
    off = np.linalg.norm((heads - middles) * spacing, axis=1)
    assert 25 < np.median(off) < 50 and 50 < np.quantile(off, 0.95) < 70
    vertex = [voxel_of(exam, (0, -13, 74))[2] > exam.shape[2] - 0.5 for exam in exams]
    occiput = [voxel_of(exam, (0, -95, 4))[1] < -0.5 for exam in exams]
    assert 0.02 < np.mean(np.logical_or(vertex, occiput)) < 0.08


def test_thin_stacks_end_in_the_glands(exams):
    thin = [exam for exam in exams if exam.centre.family == "3.9 mm, thin stack"]
    lowest = [voxel_of(exam, (50, -13, -63))[2] for exam in thin]  # the parotid's middle
    assert 0.3 < np.mean(np.array(lowest) < 0) < 0.8


def test_the_orbit_clears_the_head_and_lies_about_it(exams):
    for exam in exams:
        head = (exam.head_to_scanner @ [*HEAD_MIDDLE, 1])[:3]
        assert (np.abs(exam.orbit_centre - head) <= 8).all()
        assert 120 <= exam.radius_mm <= 160


def test_counts_and_scales_are_the_centres(exams):
    assert all(exam.centre.counts[0] <= exam.counts <= exam.centre.counts[1] for exam in exams)
    logs = [np.log(exam.gain / exam.centre.gain / exam.protocol.gain) for exam in exams]
    assert np.std(logs) == pytest.approx(0.3, rel=0.1)
    assert np.log10(max(e.gain for e in exams) / min(e.gain for e in exams)) > 3.5
    assert 0.003 < np.mean([exam.protocol.dtype == "int16" for exam in exams]) < 0.03


def test_some_heads_move_once(exams):
    moves = [exam.motion for exam in exams if exam.motion is not None]
    assert 0.04 < len(moves) / len(exams) < 0.08
    for motion in moves:
        turn = motion.transform[:3, :3]
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        step = np.linalg.norm(motion.transform[:3, 3])
        assert 3 <= degrees <= 8 or 3 <= step <= 10


def test_a_turn_leaves_the_heads_middle_where_it_was(exams):
    turned = [e for e in exams if e.motion and abs(np.trace(e.motion.transform) - 4) > 1e-9]
    for exam in turned:
        head = exam.head_to_scanner @ [*HEAD_MIDDLE, 1]
        np.testing.assert_allclose(exam.motion.transform @ head, head, atol=1e-9)


def test_a_bright_edge_befalls_thin_stacks_only(exams):
    heights = [e.shape[2] * np.linalg.norm(e.affine[:3, 2]) for e in exams if e.edge]
    assert 0.003 < len(heights) / len(exams) < 0.025 and max(heights) < 215


def test_a_protocol_can_be_chosen():
    protocol = CENTRES[0].protocols[2]
    exam = draw_acquisition(np.random.default_rng(0), CENTRES[0], protocol)
    assert exam.protocol is protocol


def test_a_matrix_that_cannot_hold_both_striata_is_refused():
    small = Matrix(columns=8, slices=128, pixel=2.3)
    made = replace(CENTRES[5].protocols[0], matrix=small, oblique=0)
    with pytest.raises(UsageError, match="18.4 x 18.4 x 294.4 mm cannot hold both striata"):
        draw_acquisition(np.random.default_rng(0), CENTRES[5], made)


def test_rotations_keep_lengths_and_invert():
    turn = rotation((10, -20, 30))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
