"""Proportions of the head, uptake as in a DaT exam: the template, stretched and repainted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.prepare.painted import OTHERS, as_scan
from datkit.io.scan import Scan
from datkit.prepare import prepare_scan
from datkit.prepare.grid import GRID, grid_mm, load_regions, load_template
from datkit.prepare.plausibility import find_proportions, look_at_uptake
from datkit.prepare.sampling import sample


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    """The template on the canonical grid."""
    template = load_template()
    points = grid_mm().reshape(3, -1)
    return sample(template.data, template.affine, points)[0].reshape(GRID.shape)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 0.75), (1, 1, 1.3), (0.85, 1.1, 1)])
def test_a_stretched_head_shows_in_its_proportions(size):
    template = load_template()
    affine = np.diag([*size, 1.0]) @ template.affine
    found = find_proportions(template.data, affine, np.cbrt(np.prod(size)) * np.eye(4))
    assert found["height"] == pytest.approx(size[2] / np.sqrt(size[0] * size[1]), rel=0.03)
    assert found["width"] == pytest.approx(size[0] / size[1], rel=0.03)
    assert 0.9 < found["in_head"] <= 1


@pytest.mark.parametrize(("factor", "code"), [(0.7, "height"), (1.63, "height")])
def test_a_wrong_slice_spacing_is_a_reason(factor, code):
    template = load_template()
    found = prepare_scan(Scan(template.data, np.diag([1, 1, factor, 1]) @ template.affine))
    assert code in [reason.code for reason in found.reasons]


def test_a_second_head_in_the_scan_is_told():
    template = load_template()
    two = np.concatenate([template.data, template.data])
    assert "in_head" in [reason.code for reason in prepare_scan(Scan(two, template.affine)).reasons]


def test_striata_stand_out_of_an_even_brain(volume):
    found = look_at_uptake(volume)
    assert found["striatal_uptake"] > 2
    assert found["cortex"] == pytest.approx(0.95, abs=0.1)
    assert 0.05 < found["unevenness"] < 0.2


def test_a_gain_changes_nothing_and_a_mirrored_volume_neither(volume):
    found = look_at_uptake(volume)
    assert look_at_uptake(7 * volume) == pytest.approx(found, rel=1e-5)
    assert look_at_uptake(volume[::-1]) == pytest.approx(found, rel=1e-3)


def test_one_striatum_is_enough_and_none_is_too_little(volume):
    regions = load_regions()
    brain = np.median(volume[regions["occipital"]])
    flat = np.minimum(volume, brain)
    assert look_at_uptake(flat)["striatal_uptake"] == pytest.approx(1, abs=0.05)
    one = flat + 3 * brain * regions["striatum_left"]
    assert look_at_uptake(one)["striatal_uptake"] > 2


def test_what_is_not_shown_does_not_count(volume):
    cut = volume.copy()
    cut[:, :, 40:] = 0
    cut[28:36, 50:60, 24:30] = 0  # ventricles that somebody zeroed
    found = look_at_uptake(volume)
    assert look_at_uptake(cut)["unevenness"] == pytest.approx(found["unevenness"], abs=0.03)
    nothing = np.zeros_like(volume)
    nothing[load_regions()["occipital"]] = 1
    assert look_at_uptake(nothing) == {}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("T1 MRI, brain alone", "striatal_uptake"),
        ("FDG", "cortex"),
        ("amyloid, cortex too", "striatal_uptake"),
        ("uniform brain", "striatal_uptake"),
        ("exam wrapped at 16 bits", "lowest"),
    ],
)
def test_what_is_no_exam_is_called_so(name, code):
    assert code in [reason.code for reason in prepare_scan(as_scan(OTHERS[name]())).reasons]
