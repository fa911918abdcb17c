"""The camera: an exact adjoint, the right bin, the stated blur, the attenuation of water."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datkit.errors import UsageError
from datkit.simulate.camera import projector as module
from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.protocols import Collimator

GOLDEN = Path(__file__).parents[2] / "golden" / "projector" / "pytomography.npz"
LEHR = Collimator("LEHR", hole_mm=1.11, length_mm=24.05)
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
RNG = np.random.default_rng(3)


def point(n, nz, *at):
    volume = np.zeros((n, n, nz), np.float32)
    volume[at] = 1
    return volume


def disc(n, radius):
    """A slice (n, n), 1 within `radius` voxels of the axis."""
    return (np.hypot(*(np.indices((n, n)) - (n - 1) / 2)) <= radius).astype(np.float32)


def seen_from(n, views, x, y):
    """Where view by view a point should land, and its depth towards the camera; by hand."""
    angle = 2 * np.pi * np.arange(views) / views
    x, y, middle = x - (n - 1) / 2, y - (n - 1) / 2, (n - 1) / 2
    return x * np.cos(angle) - y * np.sin(angle) + middle, x * np.sin(angle) + y * np.cos(angle)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("collimator", [None, LEHR], ids=["sharp", "blurred"])
@pytest.mark.parametrize("attenuated", [False, True], ids=["air", "attenuated"])
@pytest.mark.parametrize(("n", "nz", "views"), [(24, 8, 12), (23, 7, 9), (17, 1, 5)])
def test_backprojection_is_the_transpose(n, nz, views, collimator, attenuated, device):
    attenuation = RNG.uniform(0, 0.02, (n, n, nz)) if attenuated else None
    camera = Projector(n, nz, 4.0, views, 140.0, collimator, attenuation, device)
    volume, projections = RNG.random((n, n, nz)), RNG.random((views, n, nz))
    there = np.vdot(camera.project(volume).astype(float), projections)
    back = np.vdot(volume, camera.backproject(projections).astype(float))
    assert there == pytest.approx(back, rel=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_gives_the_same_projections(device):
    volume, attenuation = RNG.random((20, 20, 6)), np.full((20, 20, 6), 0.01)
    here, there = (Projector(20, 6, 4.0, 6, 140.0, LEHR, attenuation, d) for d in ("cpu", device))
    expected = here.project(volume)
    assert there.project(volume) == pytest.approx(expected, rel=1e-5)
    assert there.backproject(expected) == pytest.approx(here.backproject(expected), rel=1e-5)
    assert there.mean_transmission() == pytest.approx(here.mean_transmission(), rel=1e-5)


def test_views_can_be_chosen():
    camera = Projector(16, 4, 4.0, 8, 140.0, LEHR)
    volume, every = RNG.random((16, 16, 4)), RNG.random((8, 16, 4))
    assert np.array_equal(camera.project(volume, [5, 2]), camera.project(volume)[[5, 2]])
    parts = [camera.backproject(every[k::2], range(k, 8, 2)) for k in (0, 1)]
    assert sum(parts) == pytest.approx(camera.backproject(every), rel=1e-5)


@pytest.mark.parametrize("collimator", [None, LEHR], ids=["sharp", "blurred"])
def test_no_count_of_a_source_inside_is_lost(collimator):
    volume = np.zeros((48, 48, 24), np.float32)
    volume[14:32, 17:29, 10:14] = RNG.random((18, 12, 4))
    counts = Projector(48, 24, 3.9, 15, 140.0, collimator).project(volume).sum((1, 2))
    assert counts == pytest.approx(np.full(15, volume.sum()), rel=2e-3)


def test_view_0_is_from_the_front_and_view_1_of_4_from_the_right():
    nose = point(9, 3, 4, 7, 2)  # three voxels in front of the axis
    front, right, back, left = Projector(9, 3, 4.0, 4).project(nose)
    assert [np.unravel_index(view.argmax(), (9, 3)) for view in (front, right, back, left)] == [
        (4, 2), (1, 2), (4, 2), (7, 2)
    ]  # fmt: skip
    water = np.full((9, 9, 3), 0.015)
    front, right, back, left = Projector(9, 3, 4.0, 4, attenuation=water).project(nose).sum((1, 2))
    assert right == pytest.approx(left)
    assert front > right > back
    ear = Projector(9, 3, 4.0, 4, attenuation=water).project(point(9, 3, 7, 4, 2)).sum((1, 2))
    assert ear.argmax() == 1  # x to the right: nearest to the camera on the right


@pytest.mark.parametrize("at", [(20, 28), (31, 17), (9, 22)])
def test_a_point_follows_its_sinusoid(at):
    n, views = 40, 16
    projections = Projector(n, 5, 4.0, views, 140.0).project(point(n, 5, *at, 3))
    lands = np.einsum("vbz,b->v", projections, np.arange(n))
    assert lands == pytest.approx(seen_from(n, views, *at)[0], abs=1e-3)
    assert projections[:, :, 3].sum(1) == pytest.approx(np.ones(views), abs=1e-5)


def fitted_fwhm(profile):
    """FWHM in voxels of a Gaussian, from a parabola through its logarithm above a third."""
    near = np.flatnonzero(profile > profile.max() / 3)
    return 2.3548 / np.sqrt(-2 * np.polyfit(near, np.log(profile[near]), 2)[0])


@pytest.mark.parametrize("at", [(36, 36), (36, 60), (14, 30), (52, 20)])
def test_a_point_is_as_wide_as_the_collimator_says(at):
    n, spacing, views = 73, 2.0, 12
    camera = Projector(n, 41, spacing, views, 140.0, LEHR)
    projections = camera.project(point(n, 41, *at, 20))
    expected = LEHR.fwhm(140 - spacing * seen_from(n, views, *at)[1])
    across = spacing * np.array([fitted_fwhm(view.sum(1)) for view in projections])
    along = spacing * np.array([fitted_fwhm(view.sum(0)) for view in projections])
    assert along == pytest.approx(expected, rel=0.05)
    assert across == pytest.approx(expected, rel=0.07)  # along the axes sharper: nothing is turned
    assert (across / expected).mean() == pytest.approx(1, abs=0.05)


def test_large_voxels_keep_the_width_on_average_over_views():
    n, spacing, views = 72, 3.9, 60
    projections = Projector(n, 3, spacing, views, 140.0, LEHR).project(point(n, 3, 40, 45, 1))
    across = projections.sum(2)
    middle = across @ np.arange(n) / across.sum(1)
    variance = (across * (np.arange(n) - middle[:, None]) ** 2).sum(1) / across.sum(1)
    expected = LEHR.fwhm(140 - spacing * seen_from(n, views, 40, 45)[1])
    ratio = 2.3548 * spacing * np.sqrt(variance) / expected
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert ratio == pytest.approx(np.ones(views), abs=0.18)  # sharpest along the axes


def test_planes_that_share_a_blur_cost_little(monkeypatch):
    volume = np.repeat(disc(48, 18)[..., None], 12, 2)
    volume[20:26, 24:34] = 6
    shared = Projector(48, 12, 3.9, 8, 140.0, LEHR).project(volume)
    monkeypatch.setattr(module, "GROUP", 1)
    module._turns.cache_clear()
    single = Projector(48, 12, 3.9, 8, 140.0, LEHR).project(volume)
    module._turns.cache_clear()
    assert np.abs(shared - single).max() < 0.003 * single.max()


def test_kernels_hold_no_denormal_number():
    across, along = Projector(72, 55, 3.9, 1, 160.0, LEHR)._blurs
    smallest = torch.finfo(torch.float32).tiny
    for kernel in (across, along):
        assert not ((kernel != 0) & (kernel.abs() < smallest)).any()
    middles = across.reshape(72, -1, 72)[36].sum(1)
    assert middles.numpy() == pytest.approx(np.ones(18), abs=1e-5)
    assert torch.equal(along, along.transpose(1, 2))


def test_water_attenuates_a_point_in_the_middle_as_it_should():
    n, radius, spacing, water = 61, 24.5, 3.0, 0.015
    cylinder = np.repeat(disc(n, radius)[..., None], 3, 2) * np.float32(water)
    camera = Projector(n, 3, spacing, 24, attenuation=cylinder)
    seen = camera.project(point(n, 3, 30, 30, 1)).sum((1, 2))
    crossed = -np.log(seen) / water
    assert crossed[::6] == pytest.approx(np.full(4, spacing * radius), rel=1e-4)  # along the axes
    assert np.abs(crossed - spacing * radius).max() < spacing / 2
    mean = camera.mean_transmission()[:, :, 1]
    assert mean[30, 30] == pytest.approx(seen.mean(), rel=0.01)
    assert mean[30, 30] < mean[40, 30] < mean[53, 30] < 1


def test_without_attenuation_every_photon_leaves():
    assert (Projector(12, 2, 4.0, 4).mean_transmission() == 1).all()


def test_derived_cameras_leave_the_first_as_it_was():
    volume, water = RNG.random((16, 16, 4)), np.full((16, 16, 4), 0.015)
    full = Projector(16, 4, 4.0, 4, 140.0, LEHR, water)
    before = full.project(volume)
    bare = full.without_blur().with_attenuation(None)
    assert np.array_equal(bare.project(volume), Projector(16, 4, 4.0, 4).project(volume))
    thinner = full.with_attenuation(water / 2)
    assert (thinner.project(volume).sum((1, 2)) > before.sum((1, 2))).all()
    assert np.array_equal(full.project(volume), before)


def test_pytomography_sees_the_same():
    golden = {name: array.astype(np.float32) for name, array in np.load(GOLDEN).items()}
    camera = Projector(32, 16, 4.0, 12, 140.0, LEHR, golden["attenuation"])
    ours, theirs = camera.project(golden["activity"]), golden["projections"]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9995
    assert ours.sum((1, 2)) == pytest.approx(theirs.sum((1, 2)), rel=0.003)
    sharper = Projector(32, 16, 4.0, 12, 140.0, replace(LEHR, hole_mm=0.8), golden["attenuation"])
    mirrored = ours[:, ::-1]
    for wrong in (sharper.project(golden["activity"]), mirrored, camera.project(
        golden["activity"][::-1]
    )):  # fmt: skip
        assert np.corrcoef(wrong.ravel(), theirs.ravel())[0, 1] < 0.9995


@pytest.mark.parametrize("name", ["n", "nz", "spacing_mm", "views", "radius_mm"])
def test_an_impossible_size_is_refused_by_name(name):
    setting = {"n": 8, "nz": 2, "spacing_mm": 4.0, "views": 4, "radius_mm": 140.0}
    with pytest.raises(UsageError, match=f"A projector needs {name} above 0, found 0"):
        Projector(**setting | {name: 0})


def test_arrays_that_do_not_fit_are_refused():
    camera = Projector(8, 2, 4.0, 4)
    with pytest.raises(UsageError, match=r"volume \(x, y, z\) of shape \(8, 8, 2\), found"):
        camera.project(np.zeros((2, 8, 8)))  # as many voxels, in the wrong order
    with pytest.raises(UsageError, match=r"projections .* of shape \(4, 8, 2\)"):
        camera.backproject(np.zeros((3, 8, 2)))
    with pytest.raises(UsageError, match=r"attenuation .* of shape \(8, 8, 2\)"):
        camera.with_attenuation(np.zeros((8, 8, 3)))
    for value in (-0.1, np.nan):
        with pytest.raises(UsageError, match="must be 0 or more per mm"):
            Projector(8, 2, 4.0, 4, attenuation=np.full((8, 8, 2), value))
