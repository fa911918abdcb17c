"""Reconstruction: the right level, flat cylinders, counts kept, noise that halves with counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from datkit.errors import UsageError
from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.protocols import Collimator
from datkit.simulate.camera.reconstruction import (
    chang_correction,
    chang_reconstruction,
    filtered_back_projection,
    osem,
)

N, NZ, SPACING = 48, 20, 3.9
LEHR = Collimator("LEHR", hole_mm=1.11, length_mm=24.05)
WATER = 0.015  # 1/mm at 159 keV
FROM_AXIS = np.hypot(*(np.indices((N, N)) - (N - 1) / 2))
CYLINDER = np.repeat((FROM_AXIS < 18)[..., None], NZ, 2).astype(np.float32)  # 140 mm wide
CORE = np.zeros((N, N, NZ), bool)
CORE[FROM_AXIS < 11, 8:12] = True  # two blurs away from every edge


@pytest.fixture(scope="module")
def camera():
    return Projector(N, NZ, SPACING, 60, 140.0, LEHR, WATER * CYLINDER)


@pytest.fixture(scope="module")
def seen(camera):
    return camera.project(CYLINDER)


def level(image):
    return image[CORE].mean()


def ripple(image):
    """Largest departure from the mean of the core, as a share of it."""
    return np.abs(image[CORE] / level(image) - 1).max()


def smooth(image, fwhm_mm):
    return gaussian_filter(image, fwhm_mm / 2.3548 / SPACING)


def counted(expected, total, seed=0):
    scale = total / expected.sum()
    return np.random.default_rng(seed).poisson(expected * scale).astype(np.float32), scale


def test_fbp_of_a_cylinder_in_air_is_flat_at_the_right_level():
    bare = Projector(N, NZ, SPACING, 60)
    sinograms = bare.project(CYLINDER)
    image = filtered_back_projection(sinograms, bare, cutoff=0.45)
    assert level(image) == pytest.approx(1, abs=0.01)
    assert ripple(image) < 0.02
    assert level(filtered_back_projection(sinograms, bare)) == pytest.approx(1, abs=0.01)
    assert level(chang_correction(image, bare)) == level(image)


def test_changs_correction_flattens_a_cylinder_of_water(camera, seen):
    cupped = filtered_back_projection(seen, camera, cutoff=0.45)
    flat = chang_correction(cupped, camera)
    assert level(cupped) < 0.45
    assert ripple(cupped) > 0.08
    assert level(flat) == pytest.approx(0.95, abs=0.05)  # first order: a few per cent are left
    assert ripple(flat) < 0.05


def test_one_round_of_chang_is_flat_to_3_percent(camera, seen):
    first = chang_reconstruction(seen, camera, 0.45, rounds=0)
    once = chang_correction(filtered_back_projection(seen, camera, cutoff=0.45), camera)
    assert first == pytest.approx(once)
    image = chang_reconstruction(seen, camera, 0.45)
    assert abs(level(image) - 1) < 0.5 * abs(level(first) - 1)
    assert ripple(image) < 0.03


@pytest.mark.parametrize("resolution", [True, False])
def test_osem_with_attenuation_is_flat_to_3_percent(camera, seen, resolution):
    image = smooth(osem(seen, camera if resolution else camera.without_blur()), 6)
    assert level(image) == pytest.approx(1, abs=0.015)
    assert ripple(image) < 0.03


def test_osem_without_attenuation_is_cupped(camera, seen):
    image = smooth(osem(seen, camera.without_blur().with_attenuation(None)), 6)
    assert level(image) < 0.45
    assert ripple(image) > 0.08


def test_osem_without_noise_converges_to_the_truth(camera):
    truth = CYLINDER.copy()
    truth[20:28, 26:34, 7:13] = 5
    truth = smooth(truth, 12)
    image = osem(camera.project(truth), camera, iterations=1)
    errors = [np.linalg.norm(image - truth) / np.linalg.norm(truth)]
    for iterations in (4, 16):
        image = osem(camera.project(truth), camera, iterations)
        errors.append(np.linalg.norm(image - truth) / np.linalg.norm(truth))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


def test_osem_keeps_the_counts(camera, seen):
    counts, _ = counted(seen, 5e5)
    for subsets, tolerance in ((1, 1e-4), (6, 0.01)):  # exact for one subset: Shepp & Vardi 1982
        total = camera.project(osem(counts, camera, 3, subsets)).sum(dtype=float)
        assert total == pytest.approx(counts.sum(dtype=float), rel=tolerance)


def test_doubling_the_counts_leaves_osem_alone_but_for_scale(camera, seen):
    once, twice = osem(seen, camera.without_blur(), 2), osem(2 * seen, camera.without_blur(), 2)
    assert twice[CORE] / 2 == pytest.approx(once[CORE], rel=1e-3)


def test_fbp_is_linear(camera, seen):
    first, second = counted(seen, 1e5, 1)[0], counted(seen, 1e5, 2)[0]
    both = filtered_back_projection(2 * first - second, camera, 0.4)
    parts = [filtered_back_projection(part, camera, 0.4) for part in (first, second)]
    assert both == pytest.approx(2 * parts[0] - parts[1], abs=1e-4 * float(np.abs(both).max()))


@pytest.mark.parametrize("method", ["fbp", "osem"])
def test_doubling_the_counts_halves_the_variance(method):
    draws = 40  # one in each slice: without blur no slice knows of another
    disc = np.repeat((FROM_AXIS < 16)[..., None], draws, 2).astype(np.float32)
    bare = Projector(N, draws, SPACING, 30)
    expected = bare.project(disc)
    variance = []
    for total in (1e5, 2e5):
        counts, scale = counted(expected, total * draws)
        if method == "fbp":
            image = filtered_back_projection(counts, bare) / scale
        else:
            image = osem(counts, bare, 2, 6) / scale
        variance.append(image[FROM_AXIS < 10].var(axis=1).mean())
    assert variance[1] / variance[0] == pytest.approx(0.5, abs=0.04)


def test_a_known_background_is_taken_into_account(camera, seen):
    broad = 0.5 * gaussian_filter(seen, (0, 8, 8))
    with_it, without = (osem(seen + broad, camera, background=b) for b in (broad, None))
    assert level(with_it) == pytest.approx(1, abs=0.015)
    assert level(without) > 1.2
    net = filtered_back_projection(seen + broad - broad, camera, 0.4)
    assert net == pytest.approx(filtered_back_projection(seen, camera, 0.4), abs=1e-3)


def test_noise_makes_no_denormal_numbers_and_nothing_negative(camera, seen):
    counts, _ = counted(seen, 3e4)
    image = osem(counts, camera, iterations=6, subsets=12)
    assert np.isfinite(image).all() and (image >= 0).all()
    assert not ((image > 0) & (image < torch.finfo(torch.float32).tiny)).any()


def test_air_outside_the_cylinder_of_view_stays_air(camera, seen):
    assert (osem(seen, camera, 1)[FROM_AXIS > N / 2 - 1] == 0).all()


def test_no_counts_make_no_activity(camera, seen):
    nothing = np.zeros_like(seen)
    assert (osem(nothing, camera, 1) == 0).all()
    assert (filtered_back_projection(nothing, camera, 0.4) == 0).all()


@pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available())
def test_every_device_reconstructs_the_same(device, camera, seen):
    other = Projector(N, NZ, SPACING, 60, 140.0, LEHR, WATER * CYLINDER, device)
    for here, there in (
        (osem(seen, camera, 1), osem(seen, other, 1)),
        (filtered_back_projection(seen, camera, 0.4), filtered_back_projection(seen, other, 0.4)),
    ):
        assert there == pytest.approx(here, abs=1e-4)


def test_impossible_settings_are_refused(camera, seen):
    with pytest.raises(UsageError, match="subsets that divide 60 views, found 4 and 7"):
        osem(seen, camera, 4, 7)
    for iterations, subsets in ((0, 6), (4, 0)):
        with pytest.raises(UsageError, match="needs 1 iteration or more"):
            osem(seen, camera, iterations, subsets)
    for reconstruct in (osem, filtered_back_projection):
        with pytest.raises(UsageError, match=r"counts \(views, bins, z\) of shape \(60, 48, 20\)"):
            reconstruct(seen[:30], camera)
    with pytest.raises(UsageError, match=r"found \(60, 48, 1\)"):
        osem(seen, camera, background=seen[..., :1])
    for cutoff, order in ((0.0, 7), (0.4, 0)):
        with pytest.raises(UsageError, match="needs cutoff and order above 0"):
            filtered_back_projection(seen, camera, cutoff, order)
