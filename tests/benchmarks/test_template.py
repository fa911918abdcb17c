"""The shipped template and regions: rebuilt byte for byte, symmetric, and like a real mean map."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import datkit
from benchmarks.resources.template import GRID_ORIGIN, GRID_SHAPE, LABELS, main
from datkit.io.scan import load_scan
from datkit.prepare import GRID
from datkit.prepare.grid import LABELS as PREPARED_LABELS

RESOURCES = Path(datkit.__file__).parent / "resources"
FILES = ("template.nii.gz", "regions.nii.gz", "parts.nii.gz")


@pytest.fixture(scope="module")
def template():
    return load_scan(RESOURCES / FILES[0])


@pytest.fixture(scope="module")
def regions():
    return load_scan(RESOURCES / FILES[1])


def sample(scan, points_mm):
    """Trilinear values of a scan at (n, 3) positions in mm."""
    from scipy.ndimage import map_coordinates

    inverse = np.linalg.inv(scan.affine)
    voxels = inverse[:3, :3] @ np.transpose(points_mm) + inverse[:3, 3:]
    return map_coordinates(scan.data, voxels, order=1)


def test_the_command_rebuilds_the_files_byte_for_byte(tmp_path):
    main(str(tmp_path))
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (RESOURCES / name).read_bytes(), name


def test_together_they_are_small():
    assert sum((RESOURCES / name).stat().st_size for name in FILES) < 500_000


def test_regions_lie_on_the_canonical_grid(regions):
    assert regions.shape == GRID_SHAPE
    np.testing.assert_allclose(regions.spacing, 2)
    np.testing.assert_allclose(regions.affine[:3, 3], GRID_ORIGIN)


def test_both_are_symmetric(template, regions):
    np.testing.assert_array_equal(template.data, template.data[::-1])
    swapped = np.array([0, 2, 1, 4, 3, 5])[regions.data.astype(int)]
    np.testing.assert_array_equal(regions.data, swapped[::-1])


def test_every_label_is_there_with_the_left_at_low_i(regions):
    for label, name in enumerate(LABELS, start=1):
        voxels = np.argwhere(regions.data == label)
        assert 3 < len(voxels) * 8 / 1000 < 130, name  # mL
        if name.endswith("left"):
            assert voxels[:, 0].max() < GRID_SHAPE[0] / 2


def test_the_striatum_is_the_brightest_and_the_head_is_whole(template):
    data = template.data
    edges = [np.take(data, index, axis=axis) for axis in (0, 1) for index in (0, -1)]
    assert max(edge.max() for edge in edges) <= 2
    assert data[..., -1].max() <= 2
    x, y, z = template.affine[:3, :3] @ np.argwhere(data == 255)[0] + template.affine[:3, 3]
    assert 10 < abs(x) < 30 and 0 < y < 20 and -10 < z < 15


def test_it_resembles_the_mean_of_174_real_controls(template, real_map):
    """Inside the map's valid voxels (ventricles and sulci are zeroed) at a like resolution."""
    from scipy.ndimage import gaussian_filter

    real = nib.as_closest_canonical(nib.load(real_map))
    values = np.asarray(real.dataobj, dtype=np.float32)
    inside = np.argwhere(values > 5)
    shift = (1.8, -2.6, -2.7)  # mm: how far the map lies off MNI anatomy
    points = nib.affines.apply_affine(real.affine, inside) - shift
    blurred = gaussian_filter(template.data, 12 / 2.3548 / template.spacing)
    simulated = sample(type(template)(blurred, template.affine, None, ()), points)
    assert np.corrcoef(values[tuple(inside.T)], simulated)[0, 1] > 0.85


# z, y, and where a left-right profile peaks, |x| in mm, in two maps of healthy controls: their own
# maps are 14-16 mm wide, and neither alone says where the striatum lies.
RIDGES = [
    (2, -12, 27, 26),
    (2, 0, 24, 24),
    (2, 6, 21, 20),
    (2, 12, 18, 16),
    (-4, 12, 18, 16),
    (8, 0, 21, 22),
]


@pytest.mark.parametrize(("z", "y", "one", "other"), RIDGES)
def test_the_ridge_of_a_side_runs_inwards_as_in_two_real_maps(template, z, y, one, other):
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(template.data.astype(float), 10 / 2.3548 / template.spacing)
    x = np.arange(8, 37)
    profile = sample(type(template)(blurred, template.affine, None, ()), [(i, y, z) for i in x])
    ridge = x[profile.argmax()]
    assert min(one, other) - 3 <= ridge <= max(one, other) + 3


def test_the_grid_and_the_labels_are_those_of_preparation():
    """They stand in two places, since simulation may not import preparation."""
    assert GRID.shape == GRID_SHAPE
    np.testing.assert_array_equal(GRID_ORIGIN, GRID.affine[:3, 3])
    assert tuple(LABELS) == PREPARED_LABELS
