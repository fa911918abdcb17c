"""What storage and export do to an image: each fault, made of a sound head, has its figure."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import PrepareError
from datkit.io.scan import Scan, load_scan
from datkit.prepare import prepare_scan
from datkit.prepare.grid import load_template
from datkit.prepare.quality import RULES, find_reasons
from datkit.prepare.sampling import transform
from datkit.prepare.voxels import look_at_voxels


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray, float]:
    """The template: voxels, affine, its occipital uptake."""
    template = load_template()
    level = prepare_scan(template).quality["reference"]
    return template.data, template.affine, level


def codes_of(head, data, affine=None) -> list[str]:
    own, level = head[1:]
    found = look_at_voxels(
        data.astype(np.float32), own if affine is None else affine, np.eye(4), level
    )
    return [reason.code for reason in find_reasons(found)]


def striatal(head) -> tuple[int, int, int]:
    """The voxel in the middle of the left putamen."""
    return tuple(
        transform(np.linalg.inv(head[1]), np.array([[-26.0], [2], [2]])).ravel().round().astype(int)
    )


def test_a_sound_head_has_none(head):
    data, affine, level = head
    found = look_at_voxels(data, affine, np.eye(4), level)
    assert not find_reasons(found)
    assert look_at_voxels(7 * data, affine, np.eye(4), 7 * level) == pytest.approx(found, rel=1e-5)
    mirrored = look_at_voxels(data[::-1], affine, np.eye(4), level)
    assert mirrored == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("most", [3.0, 2.0, 1.6])
def test_clipped_voxels_are_told(head, most):
    data, _, level = head
    assert codes_of(head, np.minimum(data, most * level))[0] == "saturated"


def test_a_byte_that_ran_over_is_told(head):
    data = head[0]
    wrapped = (data / data.max() * 400).astype(np.uint16).astype(np.uint8)
    assert "saturated" in codes_of(head, wrapped)
    assert not codes_of(head, np.rint(data / data.max() * 255))


@pytest.mark.parametrize("share", [-0.45, -0.2, -0.1, 0.2])
def test_a_constant_is_told_by_the_air(head, share):
    data, _, level = head
    assert codes_of(head, data + share * level) == ["air"]


def lose(data: np.ndarray, at: int, axis: int, count: int) -> np.ndarray:
    return np.delete(data, slice(at, at + count), axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("count", [3, 4])
def test_lost_slices_are_told(head, axis, count):
    assert "slices" in codes_of(head, lose(head[0], striatal(head)[axis], axis, count))


def empty(data, at):
    data[:, :, at : at + 2] = 0


def reverse(data, at):
    data[:, :, at - 4 : at + 4] = data[:, :, at - 4 : at + 4][:, :, ::-1].copy()


def swap(data, at):
    whole = data[:, :, : data.shape[2] // 2 * 2]
    whole[:, :, ::2], whole[:, :, 1::2] = whole[:, :, 1::2].copy(), whole[:, :, ::2].copy()


def flip(data, at):
    data[:, :, ::2] = data[:, ::-1, ::2]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(empty, "slices"), (reverse, "slices"), (swap, "order"), (flip, "order"), (empty, "holes")],
)
def test_slices_that_do_not_fit_are_told(head, spoil, code):
    data = head[0].copy()
    spoil(data, striatal(head)[2])
    assert code in codes_of(head, data)


def test_a_hole_in_a_striatum_is_told(head):
    data = head[0].copy()
    data[tuple(slice(v - 2, v + 3) for v in striatal(head))] = 0
    assert codes_of(head, data)[0] == "holes"


def test_pixels_that_are_not_square_are_told(head):
    _, affine, level = head
    longer = affine @ np.diag([1, 1.1, 1, 1])
    found = look_at_voxels(head[0], longer, longer @ np.linalg.inv(affine), level)
    assert [reason.code for reason in find_reasons(found)] == ["pixels"]


def test_what_was_mended_in_the_brain_is_told_and_around_it_is_not():
    mended = {"mended": "set 343 NaN or infinite voxels to 0"}
    assert not find_reasons(mended | {"brain_holes": 0.0})
    (reason,) = find_reasons(mended | {"brain_holes": 5.1})
    assert (reason.code, reason.found) == (
        "mended",
        f"{mended['mended']}; 5.10 mL of the brain hold 0",
    )
    assert not find_reasons({"mended": "", "brain_holes": 5.1})


def test_mended_voxels_in_a_scan_are_never_called_good(head):
    data = head[0].copy()
    data[striatal(head)] = 0
    found = prepare_scan(Scan(data, head[1], repairs=("set 1 NaN or infinite voxels to 0",)))
    assert "mended" in [reason.code for reason in found.reasons]


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_huge_voxels_are_an_error(head, value):
    data = head[0].copy()
    data[data > 0.5 * data.max()] = value
    with pytest.raises(PrepareError, match="expected uptake, and below 1e[+]30, found 3e[+]38"):
        prepare_scan(Scan(data, head[1]))


def test_too_few_slices_tell_nothing(head):
    data, affine, level = head
    found = look_at_voxels(
        data[::20, ::20, ::20], affine @ np.diag([20, 20, 20, 1]), np.eye(4), level
    )
    assert "slices" not in found


@pytest.mark.parametrize("count", range(6, 16))
def test_few_slices_are_compared_or_left_out(head, count):
    data, affine, level = head
    low = striatal(head)[2]
    thick = affine @ np.diag([1, 1, 4, 1])
    thick[:3, 3] = (affine @ [0, 0, low, 1])[:3]
    found = look_at_voxels(data[:, :, low : low + count], thick, np.eye(4), level)
    assert all(np.isfinite(value) for value in found.values())


def test_the_real_map_has_none_of_it(real_map):
    prepared = prepare_scan(load_scan(real_map))
    assert not prepared.reasons
    assert {"pixels", "slices", "order", "saturated", "air", "holes"} <= set(prepared.quality)
    assert set(RULES) - set(prepared.quality) == {"striatum_shift"}
