"""The image's own sharpness: of heads whose blur is known, of masked ones, and of a real map."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from datkit.io.scan import load_scan
from datkit.prepare.grid import load_template
from datkit.prepare.resolution import find_resolution
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
