"""From scans to the canonical grid: the real map and simulated exams, stored in every way."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from datkit.errors import PrepareError, UsageError
from datkit.io.scan import Scan, load_scan
from datkit.measure import measure_prepared, measure_scan
from datkit.prepare import GRID, PrepareSettings, load_regions, prepare_scan, reference_level
from datkit.prepare.sampling import shift, transform
from datkit.simulate.camera.acquisition import rotation

RATIOS = [
    f"{part}_{side}" for part in ("caudate", "putamen", "striatum") for side in ("left", "right")
]
MIRROR = {"left": "right", "right": "left"}


@pytest.fixture(scope="module")
def exam(tiny_cohort) -> Scan:
    return tiny_cohort.load(tiny_cohort.uids[0])


def measured(scan: Scan) -> dict[str, float]:
    return measure_prepared(prepare_scan(scan))


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    """No SBR differs by more than 1 %, no asymmetry by more than one percentage point."""
    for name, value in expected.items():
        if name.endswith("asymmetry"):
            assert found[name] == pytest.approx(value, abs=1.0), name
        else:
            assert found[name] == pytest.approx(value, rel=0.01), name


# ---------------------------------------------------------------- the real map of 174 controls


@pytest.fixture(scope="module")
def map_measures(real_map) -> dict[str, float]:
    return measure_scan(real_map)


def test_real_map_lies_in_the_published_bands(map_measures):
    for side in ("left", "right"):
        assert 0.9 < map_measures[f"whole_caudate_{side}"] < 1.5
        assert 1.3 < map_measures[f"putamen_{side}"] < 2.0
    assert abs(map_measures["putamen_asymmetry"]) < 8
    assert abs(map_measures["caudate_asymmetry"]) < 8


def test_real_map_looks_good(real_map):
    quality = prepare_scan(load_scan(real_map)).quality
    assert quality["verdict"] == "good"
    assert quality["regions_in_view"] == 1 and quality["similarity"] > 0.95


def flip_x(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return data[::-1], affine @ shift([data.shape[0] - 1, 0, 0]) @ np.diag([-1.0, 1, 1, 1])


def permute(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    change = ornt_transform(axcodes2ornt("LAS"), axcodes2ornt("PSR"))
    return nib.apply_orientation(data, change), affine @ inv_ornt_aff(change, data.shape)


def turn_header(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turned = np.eye(4)
    turned[:3, :3], turned[:3, 3] = rotation((8, 3, 5)), (9, -9, 8)
    return data, turned @ affine


def resample_oblique(
    angles: tuple[float, float, float], spacing: float, shape: tuple[int, int, int]
) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def store(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        oblique = np.eye(4)
        oblique[:3, :3] = rotation(angles) * spacing
        oblique[:3, 3] = transform(affine, np.array(data.shape)[:, None] / 2).ravel()
        oblique = oblique @ shift(-np.array(shape) / 2)
        to_map = np.linalg.inv(affine) @ oblique
        volume = affine_transform(data, to_map[:3, :3], to_map[:3, 3], shape, order=3)
        return np.maximum(volume, 0), oblique

    return store


STORED = {
    "little-endian": lambda data, affine: (data.astype("<f4"), affine),
    "big-endian": lambda data, affine: (data.astype(">f4"), affine),
    "int16": lambda data, affine: (np.rint(data * (30000 / data.max())).astype("<i2"), affine),
    "float64": lambda data, affine: (data.astype("<f8"), affine),
    "LAS to RAS": flip_x,
    "PSR": permute,
    "oblique header": turn_header,
    "oblique 2.46 mm": resample_oblique((8, 3, 5), 2.46, (120, 130, 100)),
    "oblique 2 mm": resample_oblique((-10, 4, 12), 2.0, (110, 130, 110)),
    "gain of 10⁴": lambda data, affine: (data * 1e4, affine),
    "empty border": lambda data, affine: (np.pad(data, 17), affine @ shift([-17] * 3)),
}


@pytest.mark.parametrize("name", STORED)
def test_real_map_measures_the_same_however_stored(real_map, map_measures, tmp_path, name):
    image = nib.load(real_map)
    stored = nib.Nifti1Image(*STORED[name](np.asarray(image.dataobj), image.affine))
    if name == "big-endian":
        stored = nib.Nifti1Image(stored.dataobj, stored.affine, nib.Nifti1Header(endianness=">"))
        stored.set_data_dtype(">f4")
    nib.save(stored, tmp_path / "stored.nii.gz")
    assert_same(measure_scan(tmp_path / "stored.nii.gz"), map_measures)


# ---------------------------------------------------------------- the phantom of Auer and others


def test_phantom_recovers_what_its_blur_leaves(shared_data):
    """8:1 in striata of 7 mL: a camera of 9 mm leaves less than half, and no more may be lost."""
    with zipfile.ZipFile(shared_data / "auer_dat_phantom.zip") as parts:
        stored = np.frombuffer(parts.read("DaT_Source_120x120x120.i33"), "<u2")
    source = stored.reshape(120, 120, 120).T.astype(np.float32)  # x, y, z; 2 mm, to left and back
    blurred = gaussian_filter(source, 9 / 2.3548 / 2)
    prepared = prepare_scan(Scan(blurred, np.diag([-2.0, -2, 2, 1])))
    assert not prepared.reasons
    left = blurred[source == 800].mean() / prepared.quality["reference"] - 1
    measures = measure_prepared(prepared)
    for side in ("left", "right"):
        assert measures[f"striatum_{side}"] == pytest.approx(left, rel=0.1)
    assert left < 0.5 * (800 / 100 - 1)


# ---------------------------------------------------------------- simulated exams


def test_tiny_cohort_is_good(prepared_tiny):
    assert not prepared_tiny.failures
    assert len(prepared_tiny.reasons) < 0.1 * len(prepared_tiny)
    assert prepared_tiny.table["similarity"].min() > 0.95
    assert prepared_tiny.table["scale"].between(0.75, 1.15).all()


def test_volume_is_scaled_and_on_the_grid(prepared_tiny):
    for volume in prepared_tiny.volumes[:4]:
        assert volume.shape == GRID.shape and volume.dtype == np.float32
        assert reference_level(volume) == pytest.approx(1)
        assert (volume >= 0).all()


def test_gain_and_empty_border_change_nothing(exam):
    expected = prepare_scan(exam)
    wide = replace(exam, data=np.pad(exam.data, 9), affine=exam.affine @ shift([-9] * 3))
    for other in (replace(exam, data=exam.data * np.float32(1e4)), wide):
        found = prepare_scan(other)
        np.testing.assert_allclose(found.volume, expected.volume, atol=2e-3)
        np.testing.assert_allclose(found.to_scan, expected.to_scan, atol=1e-3)


def test_mirrored_head_swaps_left_and_right(exam):
    mirrored = measured(replace(exam, affine=np.diag([-1.0, 1, 1, 1]) @ exam.affine))
    expected = {}
    for name, value in measured(exam).items():
        part, _, side = name.rpartition("_")
        signed = side == "asymmetry" and not part.startswith("absolute")
        expected[f"{part}_{MIRROR.get(side, side)}"] = -value if signed else value
    assert_same(mirrored, expected)


def as_stored(scan: Scan, orientation: str) -> Scan:
    image = nib.Nifti1Image(scan.data, scan.affine)
    image = image.as_reoriented(
        ornt_transform(io_orientation(scan.affine), axcodes2ornt(orientation))
    )
    return Scan(np.ascontiguousarray(image.dataobj), image.affine)


def test_all_48_orientations_measure_the_same(exam):
    """What a scanner calls the first axis, and where it starts counting, is no finding."""
    expected = measured(exam)
    for pairs in permutations((("L", "R"), ("P", "A"), ("I", "S"))):
        for letters in product(*pairs):
            assert_same(measured(as_stored(exam, "".join(letters))), expected)


def test_dimmed_posterior_putamen_changes_its_side_alone(exam):
    """Dim the back of the left putamen in the scan by half; the right side measures the same."""
    prepared = prepare_scan(exam)
    back = load_regions()["putamen_left"] & (np.indices(GRID.shape)[1] < 54)
    mask = gaussian_filter(back.astype(np.float32), 9 / 2.3548 / 2)
    voxels = np.indices(exam.shape).reshape(3, -1)
    place = np.linalg.inv(prepared.to_scan @ GRID.affine) @ exam.affine
    weight = map_coordinates(mask, transform(place, voxels), order=1).reshape(exam.shape)
    dimmed = replace(exam, data=exam.data * (1 - weight / (2 * mask.max())).astype(np.float32))
    found, before = measured(dimmed), measure_prepared(prepared)
    assert found["putamen_left"] < 0.9 * before["putamen_left"]
    for part in ("caudate", "putamen", "striatum"):
        assert found[f"{part}_right"] == pytest.approx(before[f"{part}_right"], rel=0.02)


def cut_at(scan: Scan, axis: int, mm: float) -> tuple[Scan, int]:
    """Return the exam in RAS voxels, and which of its layers lies at a place in the template."""
    straight = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    place = np.zeros((3, 1))
    place[axis] = mm
    to_voxels = np.linalg.inv(straight.affine) @ prepare_scan(scan).to_scan
    return Scan(np.asarray(straight.dataobj), straight.affine), int(
        transform(to_voxels, place)[axis, 0]
    )


def test_zeros_around_a_cut_head_were_not_seen(exam):
    """Cut the exam below the vertex; padding it with zeros again must not look like air."""
    straight, top = cut_at(exam, axis=2, mm=45)
    cut = prepare_scan(replace(straight, data=straight.data[:, :, :top]))
    padded = straight.data.copy()
    padded[:, :, top:] = 0
    found = prepare_scan(replace(straight, data=padded))
    np.testing.assert_allclose(found.to_scan, cut.to_scan, atol=1e-3)
    assert cut.quality["head_in_view"] < 0.95


def test_cut_reference_region_is_told(exam):
    straight, back = cut_at(exam, axis=1, mm=-80)
    cut = replace(
        straight, data=straight.data[:, back:], affine=straight.affine @ shift([0, back, 0])
    )
    assert "regions_in_view" in [reason.code for reason in prepare_scan(cut).reasons]


def test_empty_scan_is_an_error():
    with pytest.raises(PrepareError, match="found zeros alone"):
        prepare_scan(Scan(np.zeros((20, 20, 20), np.float32), np.diag([4.0, 4, 4, 1])))


@pytest.mark.parametrize("radii", [(80, 80, 80), (70, 88, 65)])
def test_what_merely_looks_like_a_head_is_told(radii):
    voxels = np.indices((64, 64, 50)).reshape(3, -1) - np.array([[32], [32], [25]])
    ball = ((4 * voxels / np.array(radii)[:, None]) ** 2).sum(axis=0) < 1
    scan = Scan(ball.reshape(64, 64, 50).astype(np.float32), np.diag([4.0, 4, 4, 1]))
    assert "similarity" in [reason.code for reason in prepare_scan(scan).reasons]


def test_head_upside_down_is_found_and_told(exam):
    turned = np.eye(4)
    turned[:3, :3] = rotation((180, 0, 0))
    prepared = prepare_scan(replace(exam, affine=turned @ exam.affine))
    assert_same(measure_prepared(prepared), measured(exam))
    assert "rotation" in [reason.code for reason in prepared.reasons]


def test_rigid_preparation_keeps_the_size(exam):
    prepared = prepare_scan(exam, PrepareSettings(scaling=False))
    assert prepared.quality["scale"] == pytest.approx(1)


def test_pose_says_where_the_scan_was_sampled(exam):
    """A voxel of the canonical grid holds what the scan holds at its place."""
    prepared = prepare_scan(exam, PrepareSettings(order=1))
    voxel = np.array([[40.0], [30], [25]])
    place = transform(np.linalg.inv(exam.affine) @ prepared.to_scan @ GRID.affine, voxel)
    near = exam.data[tuple(slice(int(p), int(p) + 2) for p in place.ravel())]
    value = prepared.volume[40, 30, 25] * prepared.quality["reference"]
    assert near.min() <= value <= near.max()


def test_cubic_resampling_blurs_less_than_linear(prepared_tiny, tiny_cohort):
    """Why cubic is the default: linear flattens the striata of coarse scans."""
    thin = tiny_cohort.exams.query("centre == 'centre-04'").index[0]
    scan = tiny_cohort.load(thin)
    striata = load_regions()["striatum_left"] | load_regions()["striatum_right"]
    cubic, linear = (
        prepare_scan(scan, PrepareSettings(order=order)).volume[striata].std() for order in (3, 1)
    )
    assert cubic > linear


# ---------------------------------------------------------------- settings and the reference


@pytest.mark.parametrize("wrong", [{"ceiling": 1.0}, {"striatal_weight": 0.0}, {"order": 7}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="Expected ceiling > 1"):
        PrepareSettings(**wrong)


def test_regions_shipped_are_symmetric_and_apart():
    regions = load_regions()
    for part in ("caudate", "putamen", "striatum"):
        np.testing.assert_array_equal(regions[f"{part}_left"], regions[f"{part}_right"][::-1])
    parts = ("caudate_left", "putamen_left", "caudate_right", "putamen_right", "occipital")
    assert sum(regions[name].astype(int) for name in parts).max() == 1


def test_grid_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        GRID.affine[0, 0] = 3


def test_nothing_is_written(real_map, tmp_path):
    before = sorted(Path(tmp_path).rglob("*"))
    prepare_scan(load_scan(real_map))
    assert sorted(Path(tmp_path).rglob("*")) == before
