"""Changes to training volumes: drawn once, applied purely, and each doing only what it says."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from datkit.models.training.augment import (
    STRONG,
    Augmentation,
    Draw,
    Strengths,
    augment,
    dim_putamen,
    draw_changes,
    draw_lesions,
    draw_partners,
    join_halves,
    putamen_backs,
)
from datkit.models.volume import SIZES
from datkit.prepare.grid import GRID, grid_mm, load_regions

SHAPE = (3, 12, 10, 8)
NOTHING = Strengths(**{one.name: 0 for one in fields(Strengths)})
BOX, VOXELS = SIZES["standard"].view
ALL = slice(None)


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def draw_nothing(n: int = 3, shape=SHAPE[1:], **changes) -> Draw:
    return draw_changes((n, *shape), seed(), NOTHING)._replace(**changes)


def repeat(value: float, n: int = 3) -> torch.Tensor:
    return torch.full((n,), value)


@pytest.fixture
def boxes() -> torch.Tensor:
    return torch.rand(SHAPE, generator=seed()) + 1


def test_no_strength_changes_nothing(boxes):
    for strengths in (NOTHING, STRONG):  # whether a step is left out or does nothing
        changed = augment(boxes, draw_nothing(), 4.0, strengths)
        torch.testing.assert_close(changed, boxes, atol=3e-5, rtol=0)
    exams, labels = make_heads()
    changed, same = Augmentation(NOTHING, BOX, VOXELS)(exams, labels, seed(), ALL)
    torch.testing.assert_close(changed, exams, atol=5e-5, rtol=0)
    assert torch.equal(same, labels)


def test_one_seed_gives_one_draw():
    first, second = (draw_changes(SHAPE, seed(7), STRONG) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.gain, draw_changes(SHAPE, seed(8), STRONG).gain)


def test_the_same_draw_gives_the_same_boxes_and_leaves_its_input(boxes):
    before, draw = boxes.clone(), draw_changes(SHAPE, seed(), STRONG)
    first, second = (augment(boxes, draw, 4.0, STRONG) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(boxes, before)


def test_everything_stays_float32(boxes):
    draw = draw_changes(SHAPE, seed(), STRONG)
    assert augment(boxes, draw, 4.0, STRONG).dtype == torch.float32
    assert {part.dtype for part in draw} == {torch.bool, torch.float32}


def test_a_flip_mirrors_left_and_right_only(boxes):
    flipped = augment(boxes, draw_nothing(flip=torch.tensor([True, False, False])), 4.0)
    torch.testing.assert_close(flipped[0], boxes[0].flip(0), atol=3e-5, rtol=0)
    torch.testing.assert_close(flipped[1:], boxes[1:], atol=3e-5, rtol=0)


def test_a_mirrored_brain_mirrors_under_the_mirrored_draw(boxes):
    draw = draw_changes(SHAPE, seed(3), replace(STRONG, flip=0))
    sign = torch.tensor([-1.0, 1, 1])
    mirrored = draw._replace(
        shift=draw.shift * sign, turn=draw.turn * -sign, noise=draw.noise.flip(1),
        field=draw.field.flip(1),
    )  # fmt: skip
    torch.testing.assert_close(
        augment(boxes.flip(1), mirrored, 4.0, STRONG),
        augment(boxes, draw, 4.0, STRONG).flip(1),
        atol=2e-4, rtol=1e-4,
    )  # fmt: skip


def test_gain_scales_the_binding_and_not_the_reference():
    boxes = torch.ones(SHAPE)
    boxes[:, 5, 5, 4] = 3.0  # SBR 2 in one voxel
    changed = augment(boxes, draw_nothing(gain=repeat(1.5)), 4.0)
    assert changed[0, 5, 5, 4].item() == pytest.approx(4.0, abs=1e-4)
    assert changed[0, 0, 0, 0].item() == pytest.approx(1.0, abs=1e-4)


def test_gamma_is_a_power_that_leaves_the_reference():
    boxes = torch.ones(SHAPE)
    boxes[:, 5, 5, 4] = 4.0
    changed = augment(boxes, draw_nothing(gamma=repeat(0.5)), 4.0, STRONG)
    assert changed[0, 5, 5, 4].item() == pytest.approx(2.0, abs=1e-4)
    assert changed[0, 0, 0, 0].item() == pytest.approx(1.0, abs=1e-4)


def test_a_field_is_smooth_and_stays_within_its_share():
    field = draw_changes(SHAPE, seed(), replace(NOTHING, field=0.1)).field
    changed = augment(torch.ones(SHAPE), draw_nothing(field=field), 4.0, STRONG)
    assert 0.9 <= changed.min() < 0.95 and 1.05 < changed.max() <= 1.1
    assert changed.diff(dim=1).abs().max() < 0.2 / 5  # from one knot to the next in 5.5 voxels


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shift_of_one_voxel_moves_one_voxel(axis):
    boxes = torch.zeros(SHAPE)
    boxes[:, 5, 5, 4] = 1.0
    shift = torch.zeros(3, 3)
    shift[:, axis] = 4.0  # mm, one voxel towards right, front or top
    place = [5, 5, 4]
    place[axis] += 1
    moved = augment(boxes, draw_nothing(shift=shift), 4.0)
    assert moved[0][tuple(place)].item() == pytest.approx(1.0, abs=1e-4)


def test_half_a_voxel_is_shared_by_two():
    boxes = torch.zeros(SHAPE)
    boxes[:, 5, 5, 4] = 1.0
    moved = augment(boxes, draw_nothing(shift=torch.tensor([[2.0, 0, 0]] * 3)), 4.0)[0, :, 5, 4]
    np.testing.assert_allclose(moved[5:7], [0.5, 0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("axis", "to"), [(0, (10, 10, 17)), (1, (10, 10, 3)), (2, (10, 17, 10))], ids="xyz"
)
def test_a_quarter_turn_moves_a_voxel_where_the_right_hand_says(axis, to):
    boxes = torch.zeros(1, 21, 21, 21)
    boxes[0, 17, 10, 10] = 1.0  # right of the middle
    if axis == 0:
        boxes = boxes.movedim(1, 2)  # in front of it
    angle = torch.zeros(1, 3)
    angle[0, axis] = np.pi / 2
    turned = augment(boxes, draw_nothing(1, (21, 21, 21), turn=angle), 4.0, STRONG)[0]
    assert tuple(np.unravel_index(int(turned.argmax()), tuple(turned.shape))) == to
    assert turned[to].item() == pytest.approx(1.0, abs=1e-3)


def test_a_turn_knows_that_the_sides_of_a_box_differ():
    boxes = torch.zeros(1, 25, 15, 9)
    boxes[0, 17, 7, 4] = 1.0  # 5 voxels to the right of the middle
    turn = torch.tensor([[0, 0, np.pi / 2]], dtype=torch.float32)
    turned = augment(boxes, draw_nothing(1, boxes.shape[1:], turn=turn), 4.0, STRONG)[0]
    assert turned[12, 12, 4].item() == pytest.approx(1.0, abs=1e-3)  # 5 in front of it


def test_a_turn_is_rigid_although_the_box_is_oblong():
    image = torch.zeros(1, 24, 16, 1)
    image[0, 19, 8, 0] = 1.0  # 7.5 voxels right of the middle
    turn = torch.tensor([[0, 0, np.deg2rad(30)]], dtype=torch.float32)
    draw = draw_nothing(1, (24, 16, 1), turn=turn)
    turned = augment(image, draw, 4.0, STRONG)[0, :, :, 0].double().numpy()
    i, j = np.indices(turned.shape)
    place = (turned * (i - 11.5)).sum(), (turned * (j - 7.5)).sum()
    angle = np.deg2rad(30) + np.arctan2(0.5, 7.5)
    radius = np.hypot(7.5, 0.5) * turned.sum()
    np.testing.assert_allclose(place, radius * np.array([np.cos(angle), np.sin(angle)]), atol=0.3)


def test_zoom_spreads_from_the_middle():
    boxes = torch.zeros(1, 21, 21, 21)
    boxes[0, 15, 10, 10] = 1.0
    zoomed = augment(boxes, draw_nothing(1, (21, 21, 21), zoom=repeat(1.2, 1)), 4.0)[0]
    assert zoomed[16, 10, 10].item() == pytest.approx(1.0, abs=1e-3)  # 5 voxels became 6


def test_blur_keeps_the_sum_and_has_the_width_it_says():
    boxes = torch.zeros(1, 31, 31, 31)
    boxes[0, 15, 15, 15] = 1.0
    draw = draw_nothing(1, (31, 31, 31), blur=repeat(8.0, 1))
    profile = augment(boxes, draw, 4.0)[0].sum(dim=(1, 2)).double().numpy()
    assert profile.sum() == pytest.approx(1.0, abs=1e-4)
    variance = (profile * (np.arange(31) - 15.0) ** 2).sum()
    assert np.sqrt(variance) * 4.0 == pytest.approx(8.0, rel=0.01)  # mm


def test_a_copy_of_low_resolution_is_blurred_by_4_to_8_mm():
    blur = draw_changes((200, 1, 1, 1), seed(), replace(NOTHING, coarse=0.5)).blur
    assert 70 < (blur > 0).sum() < 130
    assert blur[blur > 0].min() >= 4 and blur.max() <= 8


def test_a_flat_volume_stays_flat_up_to_its_border():
    flat = torch.full(SHAPE, 2.0)
    strengths = replace(STRONG, noise=0, gain=0, gamma=0, field=0)
    draw = draw_changes(SHAPE, seed(1), strengths)
    torch.testing.assert_close(augment(flat, draw, 4.0, strengths), flat)


def test_noise_grows_with_the_root_of_the_uptake():
    boxes = torch.ones(1, 20, 20, 20)
    boxes[:, 10:] = 9.0
    noise = torch.randn(1, 20, 20, 20, generator=seed()) * 0.1
    changed = augment(boxes, draw_nothing(1, (20, 20, 20), noise=noise), 4.0)[0]
    assert (changed[10:].std() / changed[:10].std()).item() == pytest.approx(3, rel=0.05)


# New patients: halves of two, and lesions.


def make_heads() -> tuple[torch.Tensor, torch.Tensor]:
    """Two normal exams and three abnormal ones: worse right, worse left, and both alike."""
    backs = putamen_backs(BOX, VOXELS)
    share = torch.tensor([[1, 1], [0.9, 1], [0.8, 0.2], [0.1, 0.7], [0.2, 0.25]])
    return 1 + 3 * torch.tensordot(share, backs, dims=1), torch.tensor([0.0, 0, 1, 1, 1])


def sides(boxes: torch.Tensor) -> torch.Tensor:
    """Return the specific uptake of both putamina's backs, (n, 2; left, right), of 3 at most."""
    backs = putamen_backs(BOX, VOXELS)
    return torch.einsum("nijk,sijk->ns", boxes - 1, backs) / (backs[0] ** 2).sum()


def test_the_backs_of_the_putamina_lie_left_and_right_and_behind():
    left, right = putamen_backs((ALL,) * 3, 1)
    np.testing.assert_allclose(left, right.flip(0), atol=1e-6)
    x, y, _ = (torch.from_numpy(axis) for axis in grid_mm())
    assert (left * x).sum() / left.sum() < -20 and left.max() == 1
    putamen = load_regions()["putamen_left"]
    assert (left * y).sum() / left.sum() < y[putamen].mean()


def test_halves_of_two_normals_are_a_normal_and_of_abnormals_the_worse_sides():
    heads, labels = make_heads()
    change = Augmentation(replace(NOTHING, chimera=1), BOX, VOXELS)
    for number in range(8):
        changed, same = change(heads, labels, seed(number), ALL)
        assert torch.equal(same, labels)
        low, high = sides(changed).sort(1).values.T
        assert (low[:2] > 2.4).all()  # 0.9 of 3 and less, since the donor is scaled to the mean
        host, own = sides(heads)[2:], sides(changed)[2:]
        worse = host.argmin(1)
        rows = torch.arange(3)
        torch.testing.assert_close(own[rows, worse], host[rows, worse], atol=0.02, rtol=0)
        assert (high[2:] < 1.6).all()  # the better sides of 2.4 and 2.1 are gone


def test_joined_halves_meet_at_the_midline_over_four_millimetres():
    host, donor = torch.full((1, 12, 4, 4), 2.0), torch.full((1, 12, 4, 4), 2.0)
    host[:, 6:] = 4.0
    right = torch.tensor([True])
    joined = join_halves(host, donor, right, right, spacing=2.0)[0, :, 0, 0]
    assert joined[-1] == 4.0 and joined[0] == 3.0  # scaled to the mean of the host
    shares = np.array([1, 3, 5, 7]) / 8  # of the host, at −3, −1, 1 and 3 mm
    np.testing.assert_allclose(joined[4:8], shares * [2, 2, 4, 4] + (1 - shares) * 3)


def test_partners_are_others_of_the_same_label():
    labels = torch.tensor([0.0, 1, 0, 1, 0, 1, 1, 0])
    partner = draw_partners(labels, 1.0, seed())
    assert torch.equal(labels[partner], labels)
    assert (partner != torch.arange(8)).all()
    assert torch.equal(draw_partners(labels, 0.0, seed()), torch.arange(8))
    assert torch.equal(draw_partners(torch.tensor([0.0, 1]), 1.0, seed()), torch.arange(2))


def test_a_lesion_lowers_the_back_of_the_putamen_alone():
    volumes = torch.rand(1, *GRID.shape, generator=seed()) + 2
    backs = putamen_backs((ALL,) * 3, 1)
    dimmed = dim_putamen(volumes, torch.tensor([[0.8, 0.0]]), backs)
    lost = (volumes - dimmed)[0]
    assert (lost >= 0).all()
    x, y, _ = (torch.from_numpy(axis) for axis in grid_mm())
    assert lost[x >= 0].max() < 1e-3  # the right side is left alone
    putamen = torch.from_numpy(load_regions()["putamen_left"])
    front, back = (putamen & (y > 8)), (putamen & (y < -8))
    assert lost[back].mean() > 4 * lost[front].mean()
    most = backs[0] == 1
    torch.testing.assert_close(lost[most], 0.8 * (volumes - 1)[0][most])


def test_a_lesion_is_as_blurred_as_the_camera():
    left = putamen_backs((ALL,) * 3, 1)[0]
    steepest = max(left.diff(dim=axis).abs().max().item() for axis in range(3)) / 2.0
    sharp = 0.5  # per mm: an edge from 0 to 1 in one voxel of 2 mm
    assert steepest < sharp / 3


def test_lesions_make_normal_exams_abnormal_and_leave_the_others():
    labels = torch.tensor([0.0, 1] * 50)
    depth = draw_lesions(labels, 0.5, seed())
    hit = depth.any(1)
    assert 15 <= hit.sum() <= 35 and not hit[1::2].any()
    worse = depth[hit].max(1).values
    assert worse.min() >= 0.5 and worse.max() <= 0.9
    heads, labels = make_heads()
    changed, now = Augmentation(replace(NOTHING, lesion=1), BOX, VOXELS)(heads, labels, seed(), ALL)
    assert now.tolist() == [1] * 5
    assert (sides(changed)[:2].min(1).values < 1.8).all()
    torch.testing.assert_close(changed[2:], heads[2:], atol=1e-4, rtol=0)


def test_two_processes_do_to_a_batch_what_one_does():
    heads, labels = make_heads()
    change = Augmentation(STRONG, BOX, VOXELS)
    whole, all_labels = change(heads, labels, seed(), ALL)
    for rank in range(2):
        mine = slice(rank, None, 2)
        part, part_labels = change(heads, labels, seed(), mine)
        torch.testing.assert_close(part, whole[mine])
        assert torch.equal(part_labels, all_labels[mine])
