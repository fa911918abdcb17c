"""The quality record: what is cut, where the hottest voxel lies, what helped, and the verdict."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from datkit.io.scan import Scan
from datkit.measure import measure_volume
from datkit.prepare import Prepared, prepare_scan
from datkit.prepare.sampling import shift, spacing, transform


@pytest.fixture(scope="module")
def straight(tiny_cohort) -> Scan:
    scan = tiny_cohort.load(tiny_cohort.uids[0])
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    return Scan(np.asarray(image.dataobj), image.affine)


@pytest.fixture(scope="module")
def prepared(straight) -> Prepared:
    return prepare_scan(straight)


def voxel_of(scan: Scan, prepared: Prepared, mm: tuple[float, ...]) -> np.ndarray:
    to_voxels = np.linalg.inv(scan.affine) @ prepared.to_scan
    return np.rint(transform(to_voxels, np.reshape(mm, (3, 1))).ravel()).astype(int)


def test_sound_exam_is_good(prepared):
    quality = prepared.quality
    assert quality["verdict"] == "good" and quality["fallback"] == "none"
    assert quality["reference_region"] == "occipital" and quality["cut"] == "none"
    assert quality["hottest_in"] == "striatum" and 2 < quality["hottest"] < 15


@pytest.mark.parametrize(
    ("axis", "sign", "mm", "name"),
    [(2, 1, 40, "top"), (1, -1, -70, "back"), (1, 1, 40, "front"), (0, -1, -50, "left")],
)
def test_cut_sides_are_named(straight, prepared, axis, sign, mm, name):
    place = [0.0, 0.0, 0.0]
    place[axis] = mm
    at = voxel_of(straight, prepared, tuple(place))[axis]
    keep = [slice(None)] * 3
    keep[axis] = slice(None, at) if sign > 0 else slice(at, None)
    start = [part.start or 0 for part in keep]
    cut = prepare_scan(Scan(straight.data[tuple(keep)], straight.affine @ shift(start)))
    assert cut.quality["cut"] == name


def test_lost_occipital_region_gives_way_to_the_brain(straight, prepared):
    back = voxel_of(straight, prepared, (0, -50, 0))[1]
    cut = prepare_scan(Scan(straight.data[:, back:], straight.affine @ shift([0, back, 0])))
    assert cut.quality["reference_region"] == "brain"
    assert "reference is the whole brain" in cut.quality["verdict"]
    whole, rest = measure_volume(prepared.volume), measure_volume(cut.volume)
    assert rest["striatum_left"] == pytest.approx(whole["striatum_left"], rel=0.2)


def lit(scan: Scan, voxel: np.ndarray) -> Scan:
    box = tuple(slice(v - 1, v + 2) for v in voxel)
    data = scan.data.copy()
    data[box] = 3 * data.max()
    return Scan(data, scan.affine)


@pytest.mark.parametrize(
    ("mm", "name"), [((57, -15, -72), "outside the brain"), ((30, -60, 20), "brain")]
)
def test_hot_spots_are_placed_and_attract_nothing(straight, prepared, mm, name):
    found = prepare_scan(lit(straight, voxel_of(straight, prepared, mm)))
    assert found.quality["hottest_in"] == name
    middle = np.zeros((3, 1))
    moved = transform(found.to_scan, middle) - transform(prepared.to_scan, middle)
    assert np.linalg.norm(moved) < 1.0


def test_bright_border_is_left_out_and_told(straight, prepared):
    data = straight.data.copy()
    data[:, :, 0] = 10 * data.max()
    found = prepare_scan(Scan(data, straight.affine))
    assert found.quality["hottest_in"] == "border" and found.quality["verdict"] == "good"
    layer = spacing(straight.affine)[2]
    assert np.abs(found.to_scan - prepared.to_scan)[:3, 3].max() < layer / 4


def test_turned_head_says_what_helped(straight):
    turned = np.diag([1.0, -1, -1, 1])  # upside down
    quality = prepare_scan(Scan(straight.data, turned @ straight.affine)).quality
    assert quality["fallback"] == "other starts" and "rotation" in quality["verdict"]
