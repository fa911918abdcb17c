"""The standard head: symmetric, whole, with a striatum of the right size in the right place."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.simulate.patient.anatomy import AFFINE, SHAPE, axes_mm, standard_anatomy

MILLILITRES = abs(np.linalg.det(AFFINE)) / 1000


@pytest.fixture(scope="module")
def head():
    return standard_anatomy()


def centre_of(weight: np.ndarray) -> np.ndarray:
    """The weighted mean position in mm."""
    return np.array([float((axis * weight).sum() / weight.sum()) for axis in axes_mm()])


def test_every_array_lies_on_the_grid_and_holds_fractions(head):
    for name, part in (dict(head.tissue) | dict(head.regions)).items():
        assert part.shape == SHAPE, name
        assert part.dtype == np.float32, name
        assert part.min() >= 0 and part.max() <= 1, name


def test_tissue_never_fills_a_voxel_twice(head):
    filled = float(sum(head.tissue.values()).max())
    assert filled <= 1 + 1e-5


def test_tissue_is_the_same_on_both_sides(head):
    for name, part in head.tissue.items():
        np.testing.assert_array_equal(part, part[::-1], err_msg=name)


@pytest.mark.parametrize(
    "name", ["caudate", "putamen", "ventral_striatum", "parotid", "submandibular"]
)
def test_left_is_the_mirror_image_of_right_and_lies_at_negative_x(head, name):
    left, right = head.regions[f"{name}_left"], head.regions[f"{name}_right"]
    np.testing.assert_array_equal(left, right[::-1])
    assert centre_of(left)[0] < -5


@pytest.mark.parametrize(("name", "low", "high"), [("caudate", 4.0, 5.5), ("putamen", 7.2, 8.2)])
def test_volumes_are_those_of_atlases(head, name, low, high):
    """In MNI space aseg, CIT168 and Melbourne have 4.0-7.0 mL of caudate, 7.8 mL of putamen."""
    assert low < head.regions[f"{name}_right"].sum() * MILLILITRES < high


@pytest.mark.parametrize(
    ("name", "centre", "miss"),
    [
        ("caudate", (13.7, 9.1, 9.4), 1.5),
        ("putamen", (24.5, 1.3, -0.2), 1.5),  # x: INWARDS of the atlases' 26.0
        ("ventral_striatum", (10.2, 11.4, -8.1), 1.0),
    ],
)
def test_nuclei_lie_where_three_atlases_have_them(head, name, centre, miss):
    """The mean of aseg, CIT168 and Melbourne in MNI152NLin2009cAsym, mm, right side."""
    assert np.linalg.norm(centre_of(head.regions[f"{name}_right"]) - centre) < miss


def test_putamen_lies_beside_and_behind_the_caudate_head(head):
    caudate, putamen = (centre_of(head.regions[f"{name}_right"]) for name in ("caudate", "putamen"))
    assert putamen[0] > caudate[0] + 8
    assert putamen[1] < caudate[1]


def test_caudate_and_putamen_do_not_overlap(head):
    both = head.regions["caudate_left"] + head.regions["putamen_left"]
    assert both.max() <= 1 + 1e-5


def test_depth_runs_from_the_front_to_the_back_of_the_putamen(head):
    depth = head.putamen_depth.ravel()
    assert depth[0] == 1 and depth[-1] == 0
    assert (np.diff(depth) <= 0).all()


def test_glands_lie_inside_the_head_and_outside_the_brain(head):
    brain = head.tissue["grey"] + head.tissue["white"]
    filled = sum(head.tissue.values())
    for name in ("parotid_left", "submandibular_left"):
        gland = head.regions[name]
        assert (brain * gland).sum() < 0.01 * gland.sum()
        assert (filled * gland).sum() > 0.95 * gland.sum()


def test_attenuation_is_that_of_air_tissue_and_bone(head):
    attenuation = head.attenuation
    assert attenuation.shape == SHAPE and attenuation.dtype == np.float32
    assert attenuation[..., -1].max() == 0
    inside = (head.tissue["white"] > 0.99) | (head.regions["putamen_left"] > 0.99)
    np.testing.assert_allclose(attenuation[inside], 0.0153, rtol=0.02)
    assert 0.02 < attenuation.max() <= 0.028
    for place in ((0, 24, -46), (32, 58, -78), (0, -6, -100)):  # sinuses and throat, mm
        voxel = np.rint(np.linalg.inv(AFFINE)[:3] @ (*place, 1)).astype(int)
        assert attenuation[tuple(voxel)] < 0.002, place


def test_the_reference_region_is_occipital_brain(head):
    region, brain = head.regions["occipital"], head.tissue["grey"] + head.tissue["white"]
    assert (brain * region).sum() > 0.85 * region.sum()
    assert centre_of(region)[1] < -75
