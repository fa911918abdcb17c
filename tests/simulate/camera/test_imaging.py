"""Exams: voxels lie where the affine says, counts are Poisson's, corrections correct."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.camera import imaging as camera
from datkit.simulate.camera.acquisition import Motion, draw_acquisition
from datkit.simulate.camera.centres import usual_centres
from datkit.simulate.camera.imaging import FIELD, acquire, count, place
from datkit.simulate.camera.protocols import Recipe
from datkit.simulate.patient.anatomy import AFFINE, SHAPE, standard_anatomy
from datkit.simulate.patient.head_shape import sample, standard_shape
from datkit.simulate.patient.person import standard_normal
from datkit.simulate.patient.uptake import paint

CENTRES = usual_centres()
CUBE = next(centre for centre in CENTRES if centre.family == "2.30 mm")
QUICK = Recipe("osem", iterations=2, subsets=6, postfilter_mm=8)
REAL_SIZE = replace(standard_shape(), scale=np.full(3, 0.9))


@pytest.fixture(scope="module")
def uptake():
    return paint(standard_normal())[0]


def exam_of(centre=CUBE, seed=0, **changes):
    """An exam without motion and edge artefact, and with so many counts that noise is gone."""
    drawn = draw_acquisition(np.random.default_rng(seed), centre)
    protocol = replace(drawn.protocol, recipe=QUICK)
    plain = {"motion": None, "edge": 0.0, "protocol": protocol, "counts": 1e10}
    return replace(drawn, **(plain | changes))


def mean_of(volume, region, exam):
    """The mean of the camera's field over one of the standard head's regions."""
    to_head = np.linalg.inv(exam.head_to_scanner) @ camera.field_about(exam.orbit_centre)
    weight = sample(standard_anatomy().regions[region], REAL_SIZE, to_head, FIELD)
    return (volume * weight).sum() / weight.sum()


def image_of(uptake, exam, **recipe):
    """The reconstruction of expected counts, before it is stored."""
    head = place(uptake, REAL_SIZE, exam)
    device = camera.camera_of(head, exam)
    primary = device.project(head.activity)
    broad = camera.broad_background(primary, exam.protocol.collimator.penetration)
    expected = camera.Counts(primary + broad, broad, 1.0)
    recipe = replace(exam.protocol.recipe, **recipe)
    return camera.reconstruct(expected, device, head.attenuation, recipe)


@pytest.mark.parametrize("centre", CENTRES[3:], ids=lambda centre: centre.name)
def test_every_centre_stores_what_it_draws(uptake, centre):
    exam = draw_acquisition(np.random.default_rng(1), centre)
    recipe = replace(exam.protocol.recipe, iterations=1)
    exam = replace(exam, protocol=replace(exam.protocol, recipe=recipe))
    volume = acquire(uptake, REAL_SIZE, exam)
    assert volume.dtype == exam.protocol.dtype and volume.shape == exam.shape
    assert volume.min() == 0 and 1.5 * exam.gain < volume.max() < 60 * exam.gain


def test_a_point_lands_where_the_pose_and_the_affine_say(uptake):
    point = np.zeros(SHAPE, np.float32)
    point[57:64, 67:74, 77:84] = 1  # larger than a voxel of the field
    exam = exam_of(seed=3, gain=5000.0)
    head = place(point, standard_shape(), exam)
    weight = np.argwhere(head.activity > 0.01)
    middle = np.average(weight, axis=0, weights=head.activity[tuple(weight.T)])
    found = camera.field_about(exam.orbit_centre)[:3] @ [*middle, 1]
    expected = exam.head_to_scanner @ AFFINE @ [60, 70, 80, 1]
    np.testing.assert_allclose(found, expected[:3], atol=0.3)
    stored = camera.store(head.activity, exam)
    voxels = np.argwhere(stored)
    middle = np.average(voxels, axis=0, weights=stored[tuple(voxels.T)].astype(float))
    np.testing.assert_allclose(exam.affine[:3] @ [*middle, 1], expected[:3], atol=0.5)


def test_the_expected_counts_are_those_of_the_exam(uptake):
    exam = exam_of(counts=1e6)
    head = place(uptake, REAL_SIZE, exam)
    primary = camera.camera_of(head, exam).project(head.activity)
    broad = camera.broad_background(primary, 0.3)
    drawn = count(primary, broad, exam.counts, np.random.default_rng(0))
    assert drawn.photopeak.sum() == pytest.approx(1e6, rel=0.005)  # five standard deviations
    expected = drawn.scale * (primary + broad)
    seen = expected > 1
    chi_squared = (drawn.photopeak - expected)[seen] ** 2 / expected[seen]
    assert chi_squared.mean() == pytest.approx(1, abs=0.05)
    window = drawn.background[10:, 15:-15, 15:-15].sum() / (drawn.scale * broad).sum()
    assert 0.4 < window < 1


def test_the_seed_is_the_only_chance(uptake):
    exam = exam_of(counts=1e6, gain=1000.0)
    one, two = (acquire(uptake, REAL_SIZE, exam) for _ in range(2))
    other = acquire(uptake, REAL_SIZE, replace(exam, noise_seed=exam.noise_seed + 1))
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.02


def test_doubling_the_gain_leaves_every_ratio_alone(uptake):
    image = place(uptake, REAL_SIZE, exam_of()).activity
    one = camera.store(image, exam_of(gain=2000.0)).astype(int)
    two = camera.store(image, exam_of(gain=4000.0)).astype(int)
    assert np.abs(two - 2 * one).max() <= 1  # rounding


def test_doubling_the_counts_halves_the_variance(uptake):
    exam = exam_of()
    head = place(uptake, REAL_SIZE, exam)
    device = camera.camera_of(head, exam)
    primary = device.project(head.activity)
    broad = camera.broad_background(primary, 0.3)

    def spread(total):
        draws = [
            camera.reconstruct(
                count(primary, broad, total, np.random.default_rng(seed)),
                device,
                head.attenuation,
                Recipe("fbp", attenuation="none", scatter=False),
            )
            for seed in range(8)
        ]
        return np.var(draws, axis=0)[head.activity > 0.5].mean()

    assert spread(1e6) / spread(2e6) == pytest.approx(2, rel=0.05)


def test_corrections_raise_the_binding_ratio(uptake):
    exam = exam_of()

    def sbr(**recipe):
        image = image_of(uptake, exam, **recipe)
        target, reference = (mean_of(image, name, exam) for name in ("putamen_left", "occipital"))
        return target / reference - 1

    both = sbr(attenuation="map", scatter=True)
    assert both > 1.1 * sbr(attenuation="map", scatter=False)
    assert both > 1.1 * sbr(attenuation="uniform", scatter=False)
    assert sbr(attenuation="uniform", scatter=False) > 1.05 * sbr(attenuation="none", scatter=False)


def test_an_outline_filled_with_one_value_is_assumed_without_a_map(uptake):
    head = place(uptake, REAL_SIZE, exam_of())
    assumed = camera._assumed(head.attenuation, Recipe("fbp", attenuation="uniform", scatter=False))
    assert set(np.unique(assumed)) == {np.float32(0), np.float32(camera.UNIFORM)}
    assert assumed[head.attenuation > 0.01].min() > 0  # no hole inside the head


def test_a_head_that_moves_is_smeared(uptake):
    shift = np.eye(4)
    shift[0, 3] = 15
    exam = exam_of(gain=1000.0)
    still = acquire(uptake, REAL_SIZE, exam).astype(float)
    moved = acquire(uptake, REAL_SIZE, replace(exam, motion=Motion(0.5, shift))).astype(float)
    assert moved.max() < 0.95 * still.max()
    nowhere = replace(exam, motion=Motion(0.5, np.eye(4)))
    np.testing.assert_array_equal(acquire(uptake, REAL_SIZE, nowhere), still)


def test_an_edge_artefact_stays_in_the_lowest_slice(uptake):
    image = place(uptake, REAL_SIZE, exam_of()).activity
    exam = exam_of(CENTRES[3], gain=100.0)
    plain, bright = (camera.store(image, replace(exam, edge=edge)) for edge in (0.0, 3.0))
    np.testing.assert_array_equal(plain[..., 1:], bright[..., 1:])
    np.testing.assert_array_equal(bright[..., 0], 4 * plain[..., 0])
