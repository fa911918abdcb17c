"""One head's form: the standard one moves nothing, and each parameter does what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.head import AFFINE, SHAPE, axes_mm, ellipsoid
from datkit.simulate.patient.head_shape import (
    deform,
    draw_shape,
    sample,
    source_voxels,
    standard_shape,
)

FIELD = (72, 72, 55)  # the camera's working grid, 3.9 mm
FIELD_AFFINE = np.array([[3.9, 0, 0, -140], [0, 3.9, 0, -150], [0, 0, 3.9, -118], [0, 0, 0, 1]])


EVERY_SECOND = AFFINE @ np.diag([2, 2, 2, 1])
HALF = tuple((n + 1) // 2 for n in SHAPE)


def draw(seed=0, age=65, sex="M"):
    return draw_shape(np.random.default_rng(seed), age, sex)


def volume_of(name, shape):
    """What a tissue or region fills in a head, over what it fills in the standard one."""
    anatomy = standard_anatomy()
    standard = (dict(anatomy.tissue) | dict(anatomy.regions))[name]
    return deform(standard, shape).sum() / standard.sum()


def centre_of(weight):
    return np.array([float((axis * weight).sum() / weight.sum()) for axis in axes_mm()])


def test_the_standard_shape_moves_no_voxel_at_all():
    noise = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    np.testing.assert_array_equal(deform(noise, standard_shape()), noise)
    voxels = source_voxels(standard_shape(), AFFINE, SHAPE)
    np.testing.assert_array_equal(voxels, np.indices(SHAPE))


def test_a_coarse_grid_sees_the_same_head_as_a_fine_one():
    """Every second voxel of the standard grid, asked for directly or picked out afterwards."""
    ball = ellipsoid((20, 0, 0), (30, 30, 30))
    np.testing.assert_allclose(
        sample(ball, draw(), EVERY_SECOND, HALF), deform(ball, draw())[::2, ::2, ::2], atol=2e-4
    )


def test_a_tilted_grid_sees_the_head_where_it_is():
    turn = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    ball = ellipsoid((40, -10, 20), (12, 12, 12))
    places = []
    for affine in (FIELD_AFFINE, turn @ FIELD_AFFINE):
        seen = sample(ball, draw(), affine, FIELD)
        voxel = np.average(np.argwhere(seen > 0), axis=0, weights=seen[seen > 0])
        places.append((affine @ np.r_[voxel, 1])[:3])
    np.testing.assert_allclose(places[0], places[1], atol=0.2)


def test_labels_keep_their_values_at_order_zero():
    labels = np.float32(standard_anatomy().regions["putamen_left"] > 0.5) * 7
    assert set(np.unique(sample(labels, draw(), FIELD_AFFINE, FIELD, order=0))) == {0, 7}


def test_scale_is_the_size_of_the_head():
    scale = np.array([0.9, 0.8, 1.0])
    ball = ellipsoid((0, 0, 0), (30, 30, 30))
    smaller = deform(ball, replace(standard_shape(), scale=scale))
    assert smaller.sum() / ball.sum() == pytest.approx(scale.prod(), rel=0.01)


def test_beyond_the_grid_lies_air_and_below_it_the_neck():
    solid = np.float32(sum(standard_anatomy().tissue.values()))
    affine = AFFINE.copy()
    affine[:3, 3] -= (0, 0, 100)
    below = sample(solid, standard_shape(), affine, (99, 121, 40))
    np.testing.assert_array_equal(below[..., 0], solid[..., 0])
    affine[:3, 3] += (0, 0, 400)
    assert sample(solid, standard_shape(), affine, (99, 121, 40)).max() == 0


def test_a_mirrored_shape_mirrors_the_head():
    shape = draw(3)
    flipped = {}
    for name in ("warp", "folds"):
        field = getattr(shape, name)[:, ::-1].copy()
        field[0] *= -1
        flipped[name] = field
    volume = np.random.default_rng(1).random(SHAPE, dtype=np.float32)
    one, two = deform(volume, shape), deform(volume[::-1], replace(shape, **flipped))
    difference = np.abs(one - two[::-1])
    assert np.quantile(difference, 0.999) < 1e-3


def test_wide_ventricles_hold_more_fluid_and_push_the_caudate_outward():
    wide = replace(standard_shape(), ventricles=0.4)
    assert volume_of("csf", wide) > 1.005
    caudate = standard_anatomy().regions["caudate_right"]
    assert centre_of(deform(caudate, wide))[0] > centre_of(caudate)[0] + 0.5


def test_wide_sulci_trade_brain_for_fluid():
    wide = replace(standard_shape(), sulci=1.0)
    assert volume_of("csf", wide) > 1.1
    assert 0.93 < volume_of("grey", wide) < 0.99


def test_a_shrunken_striatum_is_smaller_by_about_the_share_asked():
    shrunken = replace(standard_shape(), striatum=0.1)
    for name in ("caudate_left", "putamen_right"):
        assert volume_of(name, shrunken) == pytest.approx(0.90, abs=0.03)


def test_the_neck_moves_and_the_brain_does_not():
    bent = replace(standard_shape(), neck=np.array([15.0, 0.1]))
    tissue = standard_anatomy().tissue
    np.testing.assert_array_equal(deform(tissue["grey"], bent)[..., 46:], tissue["grey"][..., 46:])
    skin = tissue["soft"] + tissue["scalp"]
    front = [np.argwhere(part[49, :, 0] > 0.3).max() for part in (skin, deform(skin, bent))]
    assert front[1] > front[0] + 3  # voxels of 2 mm


def test_age_takes_some_per_cent_of_the_putamen_a_decade():
    def size(age, seed):
        shape = draw(seed, age)
        shape = replace(shape, scale=np.ones(3))
        return volume_of("putamen_left", shape)

    ratio = np.mean([size(80, seed) / size(50, seed) for seed in range(3)])
    assert 0.02 < (1 - ratio) / 3 < 0.06


def test_heads_have_the_size_of_real_ones_and_women_smaller_ones():
    men, women = (
        np.mean([draw(seed, 65, sex).scale.prod() for seed in range(100)]) for sex in "MF"
    )
    assert 0.65 < women < men < 0.85  # MNI is about 1.4 times a real head


def test_no_drawn_head_folds_onto_itself():
    """The warp keeps neighbours in order: its Jacobian is positive everywhere."""
    for seed in range(5):
        voxels = source_voxels(draw(seed, 85), AFFINE, SHAPE)[:, ::2, ::2, 20::2]
        slopes = np.stack([np.stack(np.gradient(part, 2.0)) for part in voxels])
        assert np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1))).min() > 0.2


def test_gyri_differ_more_between_heads_than_the_deep_nuclei_do():
    shapes = [replace(draw(seed), scale=np.ones(3)) for seed in range(12)]
    voxels = np.stack([source_voxels(shape, EVERY_SECOND, HALF) for shape in shapes])
    spread = 2 * voxels.std(axis=0).mean(axis=0)  # mm
    putamen, grey = standard_anatomy().regions["putamen_left"], standard_anatomy().tissue["grey"]
    deep, cortex = (spread[part[::2, ::2, ::2] > 0.7].mean() for part in (putamen, grey))
    assert 0.8 < deep < cortex < 3


def test_the_same_stream_draws_the_same_head():
    one, two = draw(5), draw(5)
    for name in ("scale", "warp", "folds", "neck"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
