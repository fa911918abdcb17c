"""Exams: geometry lands where the affine says, intensities scale, blur is as stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.acquisition import draw_acquisition, rotation
from datkit.simulate.anatomy import AFFINE, SHAPE, standard_anatomy
from datkit.simulate.camera import acquire
from datkit.simulate.centres import CENTRES
from datkit.simulate.patient import standard_normal
from datkit.simulate.uptake import paint

IDEAL = replace(CENTRES[2], scatter=True, attenuation=True)  # 128 x 128 x 128 at 2.30 mm


@pytest.fixture(scope="module")
def uptake():
    return paint(standard_normal())[0]


def exam_of(centre, seed=0, **changes):
    return replace(draw_acquisition(np.random.default_rng(seed), centre), **changes)


def centre_of(volume, affine):
    """The centre of mass in mm."""
    voxels = np.argwhere(volume > 0)
    weights = volume[tuple(voxels.T)].astype(float)
    return affine[:3, :3] @ np.average(voxels, axis=0, weights=weights) + affine[:3, 3]


@pytest.mark.parametrize("centre", CENTRES, ids=lambda centre: centre.name)
def test_every_centre_stores_what_it_draws(uptake, centre):
    exam = exam_of(centre)
    volume = acquire(uptake, exam)
    assert volume.dtype == np.uint16 and volume.shape == exam.shape
    assert volume.max() > 5
    background = np.median(volume[volume > 0.5 * exam.gain])
    assert 0.4 < background / exam.gain < 2.5


def test_the_centres_differ_in_matrix_and_span_three_decades():
    exams = [exam_of(centre) for centre in CENTRES]
    assert len({exam.shape for exam in exams}) == 4
    assert max(c.gain for c in CENTRES) / min(c.gain for c in CENTRES) > 500
    assert sum(centre.share for centre in CENTRES) == 12


def test_about_40_per_cent_of_affines_are_oblique():
    def is_oblique(exam):
        return np.count_nonzero(np.abs(exam.affine[:3, :3]) > 1e-9) > 3

    share = np.mean([is_oblique(exam_of(CENTRES[0], seed)) for seed in range(300)])
    assert 0.32 < share < 0.48


def test_every_affine_is_right_handed_and_ras():
    for seed in range(50):
        affine = exam_of(CENTRES[3], seed).affine
        assert np.linalg.det(affine[:3, :3]) > 0
        assert (np.diag(affine[:3, :3]) > 0).all()


def test_a_point_lands_where_the_pose_and_the_affine_say():
    point = np.zeros(SHAPE, np.float32)
    point[60, 70, 80] = 1000
    exam = exam_of(IDEAL, seed=3, noise=0.0, gain=500.0)
    found = centre_of(acquire(point, exam), exam.affine)
    expected = exam.head_to_scanner @ AFFINE @ [60, 70, 80, 1]
    np.testing.assert_allclose(found, expected[:3], atol=0.3)


@pytest.mark.parametrize("fwhm", [8.0, 11.0])
def test_a_point_has_the_stated_resolution(fwhm):
    point = np.zeros(SHAPE, np.float32)
    point[60, 70, 80] = 1
    straight = np.eye(4)
    exam = exam_of(IDEAL, noise=0.0, gain=2e6, fwhm=fwhm)
    affine = exam.affine.copy()
    affine[:3, :3] = np.eye(3) * 2.30
    affine[:3, 3] = (AFFINE @ [60, 70, 80, 1])[:3] - 64 * 2.30
    exam = replace(exam, affine=affine, head_to_scanner=straight)
    profile = acquire(point, exam)[:, 64, 64].astype(float)
    positions = 2.30 * (np.arange(128) - 64)
    spread = np.sqrt(np.average(positions**2, weights=profile))
    assert spread * 2.3548 == pytest.approx(fwhm, rel=0.05)


def test_doubling_the_gain_leaves_every_ratio_alone(uptake):
    exam = exam_of(IDEAL, gain=2000.0)
    one = acquire(uptake, exam).astype(int)
    two = acquire(uptake, replace(exam, gain=4000.0)).astype(int)
    assert np.abs(two - 2 * one).max() <= 2  # rounding


def test_without_noise_the_seed_does_not_matter(uptake):
    exam = exam_of(IDEAL, noise=0.0)
    other = replace(exam, noise_seed=exam.noise_seed + 1)
    np.testing.assert_array_equal(acquire(uptake, exam), acquire(uptake, other))


def test_noise_is_correlated_and_of_the_stated_size(uptake):
    exam = exam_of(IDEAL, noise=0.10, gain=2000.0)
    clean = acquire(uptake, replace(exam, noise=0.0)).astype(float)
    noise = acquire(uptake, exam) - clean
    brain = (clean > 1500) & (clean < 3000)
    assert noise[brain].std() / clean[brain].mean() == pytest.approx(0.10, rel=0.25)
    neighbours = noise[:-1] * noise[1:]
    both = brain[:-1] & brain[1:]
    assert neighbours[both].mean() / noise[brain].var() > 0.5


def test_corrections_raise_the_contrast(uptake):
    def sbr(attenuation, scatter):
        centre = replace(IDEAL, attenuation=attenuation, scatter=scatter)
        exam = exam_of(centre, noise=0.0, gain=2000.0, affine=AFFINE, shape=SHAPE)
        volume = acquire(uptake, replace(exam, head_to_scanner=np.eye(4))).astype(float)
        regions = standard_anatomy().regions
        target, reference = (
            volume[regions[name] > 0.9].mean() for name in ("putamen_left", "occipital")
        )
        return target / reference - 1

    assert 0.08 < sbr(True, True) / sbr(False, True) - 1 < 0.25  # published: 16 %
    assert 0.15 < sbr(True, True) / sbr(True, False) - 1 < 0.35  # published: 24-32 %


def test_rotations_keep_lengths_and_invert():
    turn = rotation((10, -20, 30))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
