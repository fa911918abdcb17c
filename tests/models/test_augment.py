"""Changes to training volumes: drawn once, applied purely, and each doing only what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datkit.models.augment import Draw, augment, draw_changes

SHAPE = (3, 12, 10, 8)


def draw_nothing(n: int = 3, **changes) -> Draw:
    nothing = Draw(
        flip=np.zeros(n, bool),
        gain=np.ones(n, np.float32),
        noise=np.zeros((n, *SHAPE[1:]), np.float32),
        shift=np.zeros((n, 3), np.float32),
        blur=np.zeros(n, np.float32),
    )
    return nothing._replace(**changes)


@pytest.fixture
def boxes() -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) + 1


def test_no_change_changes_nothing(boxes):
    torch.testing.assert_close(augment(boxes, draw_nothing(), 4.0), boxes, atol=2e-5, rtol=0)


def test_one_seed_gives_one_draw():
    first, second = (draw_changes(SHAPE, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    other = draw_changes(SHAPE, np.random.default_rng(8))
    assert not np.array_equal(first.gain, other.gain)


def test_the_same_draw_gives_the_same_boxes_and_leaves_its_input(boxes):
    before, draw = boxes.clone(), draw_changes(SHAPE, np.random.default_rng(0))
    assert torch.equal(augment(boxes, draw, 4.0), augment(boxes, draw, 4.0))
    assert torch.equal(boxes, before)


def test_everything_stays_float32(boxes):
    draw = draw_changes(SHAPE, np.random.default_rng(0))
    assert augment(boxes, draw, 4.0).dtype == torch.float32
    assert {part.dtype for part in draw} == {np.dtype(bool), np.dtype("float32")}


def test_a_flip_mirrors_left_and_right_only(boxes):
    flipped = augment(boxes, draw_nothing(flip=np.array([True, False, False])), 4.0)
    torch.testing.assert_close(flipped[0], boxes[0].flip(0), atol=2e-5, rtol=0)
    torch.testing.assert_close(flipped[1:], boxes[1:], atol=2e-5, rtol=0)


def test_gain_scales_the_binding_and_not_the_reference():
    boxes = torch.ones(SHAPE)
    boxes[:, 5, 5, 4] = 3.0  # SBR 2 in one voxel
    changed = augment(boxes, draw_nothing(gain=np.full(3, 1.5, np.float32)), 4.0)
    assert changed[0, 5, 5, 4].item() == pytest.approx(4.0, abs=1e-4)
    assert changed[0, 0, 0, 0].item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shift_of_one_voxel_moves_one_voxel(axis):
    boxes = torch.zeros(SHAPE)
    boxes[:, 5, 5, 4] = 1.0
    shift = np.zeros((3, 3), np.float32)
    shift[:, axis] = 4.0  # mm, one voxel towards right, front or top
    place = [5, 5, 4]
    place[axis] += 1
    moved = augment(boxes, draw_nothing(shift=shift), 4.0)
    assert moved[0][tuple(place)].item() == pytest.approx(1.0, abs=1e-4)


def test_half_a_voxel_is_shared_by_two():
    boxes = torch.zeros(SHAPE)
    boxes[:, 5, 5, 4] = 1.0
    shift = np.array([[2.0, 0, 0]] * 3, np.float32)
    moved = augment(boxes, draw_nothing(shift=shift), 4.0)[0, :, 5, 4]
    np.testing.assert_allclose(moved[5:7], [0.5, 0.5], atol=1e-3)


def test_blur_keeps_the_sum_and_has_the_width_it_says():
    boxes = torch.zeros(1, 31, 31, 31)
    boxes[0, 15, 15, 15] = 1.0
    draw = draw_nothing(1, blur=np.array([8.0], np.float32))
    draw = draw._replace(noise=np.zeros((1, 31, 31, 31), np.float32))
    profile = augment(boxes, draw, 4.0)[0].sum(dim=(1, 2)).double().numpy()
    assert profile.sum() == pytest.approx(1.0, abs=1e-4)
    variance = (profile * (np.arange(31) - 15.0) ** 2).sum()
    assert np.sqrt(variance) * 4.0 == pytest.approx(8.0, rel=0.01)  # mm


def test_a_flat_volume_stays_flat_up_to_its_border():
    flat = torch.full(SHAPE, 2.0)
    draw = draw_changes(SHAPE, np.random.default_rng(1))
    draw = draw._replace(noise=draw.noise * 0, gain=np.ones(3, np.float32))
    torch.testing.assert_close(augment(flat, draw, 4.0), flat)
