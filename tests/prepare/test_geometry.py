"""Size along each axis, of a stretched template; sharpness, of heads whose blur is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from datkit.io.scan import Scan, load_scan
from datkit.prepare import prepare_scan
from datkit.prepare.geometry import find_proportions, find_resolution
from datkit.prepare.grid import load_template
from datkit.prepare.quality import RULES
from datkit.prepare.sampling import SIGMA, shift


@pytest.fixture(scope="module")
def head():
    """A patient's painted uptake, 2 mm, of template form: no blur but the painting's."""
    from datkit.simulate.patient.anatomy import AFFINE
    from datkit.simulate.patient.person import draw_patient
    from datkit.simulate.patient.uptake import paint

    return paint(draw_patient(np.random.default_rng(5), "parkinson"))[0], AFFINE


def blurred(volume, affine, fwhm):
    return ndimage.gaussian_filter(volume, fwhm * SIGMA / affine[0, 0])


@pytest.mark.parametrize("fwhm", [7, 9, 11, 14, 17])
def test_a_known_blur_is_found(head, fwhm):
    volume, affine = head
    found = find_resolution(blurred(volume, affine, fwhm), affine, np.eye(4))
    assert found == pytest.approx(fwhm, abs=1.2)


@pytest.mark.parametrize("fwhm", [9, 14])
def test_a_blurred_image_is_told_to_be_more_blurred(head, fwhm):
    """By what the blur adds, in squares, far beyond what any exam has."""
    volume, affine = head
    image, more = blurred(volume, affine, fwhm), np.array([0, 6, 12, 18, 25])
    found = [find_resolution(blurred(image, affine, one), affine, np.eye(4)) for one in more]
    assert (np.diff(found) > 1).all()
    np.testing.assert_allclose(found, np.hypot(fwhm, more), rtol=0.12)


def test_the_real_map_blurred_is_more_blurred(real_map):
    """What somebody zeroed in it is no edge of the camera's, even once it has been blurred."""
    scan, pose = load_scan(real_map), shift([2, -2.5, -2]) @ np.diag([0.97, 0.97, 0.97, 1])
    found = [
        find_resolution(blurred(scan.data, np.abs(scan.affine), more), scan.affine, pose)
        for more in (0, 8, 12, 16, 20)
    ]
    assert found[1] > found[0] - 1  # its edges are masked, so that it looks smoother than it is
    assert (np.diff(found[1:]) > 1).all() and found[-1] > found[0] + 6


def test_unit_noise_and_striata_do_not_matter(head):
    volume, affine = head
    image = blurred(volume, affine, 11)
    alone = find_resolution(image, affine, np.eye(4))
    hot = image + 20 * blurred(np.where(volume > 2.5, volume, 0), affine, 11)
    assert hot.max() > 15 * image.max()
    assert find_resolution(hot, affine, np.eye(4)) == pytest.approx(alone, abs=1)
    assert find_resolution(7 * image, affine, np.eye(4)) == pytest.approx(alone, abs=1e-3)
    noise = blurred(np.random.default_rng(0).normal(size=image.shape), affine, 7)
    noisy = image + 0.15 * noise / noise.std() * image
    assert find_resolution(noisy, affine, np.eye(4)) == pytest.approx(alone, abs=1)


def test_a_small_head_is_as_sharp_in_its_own_millimetres(head):
    volume, affine = head
    image, small = blurred(volume, affine, 12), np.diag([0.8, 0.8, 0.8, 1.0])
    whole = find_resolution(image, affine, np.eye(4))
    assert find_resolution(image, small @ affine, small) == pytest.approx(0.8 * whole, rel=0.02)


def test_a_mask_is_not_taken_for_sharpness(head):
    """Brain alone, ventricles zeroed, as group maps are."""
    volume, affine = head
    image = blurred(volume, affine, 14)
    masked = np.where(image > 0.75, image, 0)
    assert find_resolution(masked, affine, np.eye(4)) == pytest.approx(14, abs=2)


def test_what_is_not_shown_tells_nothing():
    scan = load_template()
    assert find_resolution(scan.data, scan.affine, shift([0, 150, 0])) is None


def test_the_real_map_is_as_blurred_as_an_atlas_says(real_map):
    """15-16 mm, by fits of an atlas to it; its head is told to be 0.97 of the template's."""
    scan, pose = load_scan(real_map), shift([2, -2.5, -2]) @ np.diag([0.97, 0.97, 0.97, 1])
    assert 15 <= find_resolution(scan.data, scan.affine, pose) <= 18


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 0.75), (1, 1, 1.3), (0.85, 1.1, 1)])
def test_a_stretched_head_shows_in_its_proportions(size):
    template = load_template()
    affine = np.diag([*size, 1.0]) @ template.affine
    found = find_proportions(template.data, affine, np.cbrt(np.prod(size)) * np.eye(4))
    assert found["height"] == pytest.approx(size[2] / np.sqrt(size[0] * size[1]), rel=0.03)
    assert found["width"] == pytest.approx(size[0] / size[1], rel=0.03)
    assert 0.9 < found["in_head"] <= 1


@pytest.mark.parametrize("factor", [0.7, 1.63])
def test_a_wrong_slice_spacing_is_a_reason(factor):
    template = load_template()
    found = prepare_scan(Scan(template.data, np.diag([1, 1, factor, 1]) @ template.affine))
    assert "height" in [reason.code for reason in found.reasons]


@pytest.fixture(scope="module", params=[(777, 57), (777, 108), (777, 193)])
def exam(request):
    """A whole exam whose head is tilted by 5 to 15 degrees: volume, affine, true pose."""
    from datkit.simulate import simulate_exam

    made = simulate_exam(*request.param)
    posed = made.acquisition
    head = posed.mean_pose @ np.diag([*made.patient.shape.scale, 1.0])
    return made.volume.astype(np.float32), posed.affine, head


@pytest.mark.parametrize("factor", [0.6, 0.7, 0.77, 1, 1.33, 1.5, 1.63, 1.7])
def test_any_wrong_slice_spacing_shows_wherever_registration_went(exam, factor):
    """A tilted head of wrong spacing is sheared, found turned by 20 to 50 degrees, or 180."""
    volume, affine, head = exam
    thick = np.diag([1, 1, factor, 1])
    turns = [Rotation.from_euler("x", angle, degrees=True) for angle in (0, 40, 180)]
    rule = RULES["height"]
    for turn in turns:
        start = thick @ head
        start[:3, :3] = np.cbrt(np.linalg.det(start[:3, :3])) * turn.as_matrix()
        found = find_proportions(volume, thick @ affine, start)
        assert (rule.low <= found["height"] <= rule.high) == (factor == 1)
        assert found["height"] == pytest.approx(factor, rel=0.07)  # heads differ by 5 % (SD)
        assert 0.9 < found["width"] < 1.1


def test_the_real_map_has_the_proportions_of_a_head(real_map):
    quality = prepare_scan(load_scan(real_map)).quality
    assert quality["height"] == pytest.approx(1.0, abs=0.06)
    assert quality["width"] == pytest.approx(0.95, abs=0.04)


def test_a_second_head_in_the_scan_is_told():
    template = load_template()
    two = np.concatenate([template.data, template.data])
    assert "in_head" in [reason.code for reason in prepare_scan(Scan(two, template.affine)).reasons]


def test_a_constant_image_has_no_sharpness():
    scan = load_template()
    with np.errstate(all="raise"):
        assert find_resolution(np.full_like(scan.data, 7), scan.affine, np.eye(4)) is None


def test_a_constant_in_all_voxels_is_no_second_head():
    head = load_template()
    wide = Scan(np.pad(head.data, 40), head.affine @ shift([-40] * 3))
    plain = find_proportions(wide.data, wide.affine, np.eye(4))
    lifted = find_proportions(wide.data + head.data.max() / 5, wide.affine, np.eye(4))
    assert lifted == pytest.approx(plain, abs=0.01)
