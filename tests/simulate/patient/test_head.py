"""What surrounds the brain: bones and skin are thin, glands lie where they should, then air."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.simulate.patient.anatomy import standard_anatomy
from datkit.simulate.patient.head import AFFINE, SHAPE, TABLES, axes_mm, ellipsoid, rod

MILLILITRES = abs(np.linalg.det(AFFINE)) / 1000


@pytest.fixture(scope="module")
def head():
    return standard_anatomy()


def centre_of(weight: np.ndarray) -> np.ndarray:
    """The weighted mean position in mm."""
    return np.array([float((axis * weight).sum() / weight.sum()) for axis in axes_mm()])


def test_a_rod_has_the_volume_of_a_cylinder_and_is_mirrored():
    volume = rod(((30, -20, 0), (30, 0, 0), (30, 20, 0)), 8)
    capsule = np.pi * 8**2 * 40 + 4 / 3 * np.pi * 8**3
    assert volume.shape == SHAPE and volume.dtype == np.float32
    assert volume.sum() * MILLILITRES * 1000 == pytest.approx(2 * capsule, rel=0.03)
    np.testing.assert_array_equal(volume, volume[::-1])


def test_an_ellipsoid_lies_about_its_centre():
    centre = (20, -10, 6)
    np.testing.assert_allclose(centre_of(ellipsoid(centre, (10, 14, 12))), centre, atol=0.01)


def test_every_solid_of_the_table_lies_on_the_grid_and_holds_a_share():
    for kind in ("bones", "air"):
        assert all(0 < solid["share"] <= 1 for solid in TABLES[kind].values())
    lobes = [lobe for gland in TABLES["glands"].values() for lobe in gland]
    for solid in (*TABLES["air"].values(), *lobes):
        volume = ellipsoid(solid["centre"], solid["radii"])
        expected = 4 / 3 * np.pi * np.prod(solid["radii"]) / 1000
        assert volume.sum() * MILLILITRES == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize(("name", "millilitres"), [("parotid", 25), ("submandibular", 8)])
def test_glands_have_the_size_of_real_ones(head, name, millilitres):
    """A real head is 0.9 times as long as the MNI template in each direction."""
    gland = head.regions[f"{name}_right"].sum() * MILLILITRES * 0.9**3
    assert gland == pytest.approx(millilitres, rel=0.1)


def test_the_parotid_lies_below_the_ear_and_the_submandibular_gland_below_and_before_it(head):
    ear = np.array([86, -20, -48])  # the ear canal on the MNI head
    parotid, below = (centre_of(head.regions[f"{n}_right"]) for n in ("parotid", "submandibular"))
    assert parotid[2] < ear[2] - 15 and abs(parotid[1] - ear[1]) < 15
    assert below[2] < parotid[2] - 20 and below[1] > parotid[1] + 20 and below[0] < parotid[0]


def test_scalp_and_skull_are_thin(head):
    """A scalp that filled the field once went unnoticed: measure it along a line at the vertex."""
    line = {name: part[54, 55, 78:] for name, part in head.tissue.items()}  # x = 10, y = -24 mm
    skull, scalp = (2 * line[name].sum() for name in ("skull", "scalp"))  # mm
    assert 3 < skull < 9
    assert 3 < scalp < 10


def test_what_lies_outside_the_head_is_empty(head):
    x, y, z = axes_mm()
    outside = ((x / 90) ** 2 + ((y + 15) / 118) ** 2 > 1) & (z > 0)
    filled = sum(head.tissue.values())
    assert (filled * outside).sum() < 0.002 * filled.sum()


def test_the_neck_leaves_the_grid_and_the_chin_does_not(head):
    lowest = np.argwhere(sum(head.tissue.values())[..., 0] > 0.5)
    x, y = (2 * lowest - (98, 134)).T
    assert 110 < np.ptp(x) < 170 and 110 < np.ptp(y) < 150
    assert y.max() < 40


def test_the_head_is_surrounded_by_air_except_at_the_neck(head):
    filled = sum(head.tissue.values()) > 0.05
    for axis in (0, 1):
        edges = np.take(filled, [0, -1], axis=axis)
        assert not edges.any()
    assert not filled[..., -1].any()
