"""DICOM SPECT: the same voxels in the same place as the NIfTI, or a sentence that says why not."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exams import save_dicom, save_series, small

from datkit.errors import ScanError, UsageError
from datkit.io.dicom import describe_dicom, is_dicom, load_dicom
from datkit.io.scan import load_scan, save_scan

AFFINE = np.array([[5.0, 0, 0, -70], [0, 5.5, 0, -90], [0, 0, 6.0, -60], [0, 0, 0, 1]])


pytestmark = pytest.mark.usefixtures("pydicom")


def millimetres_of(data: np.ndarray, affine: np.ndarray, value: int) -> np.ndarray:
    """Where the one voxel of this value lies."""
    [index] = np.argwhere(data == value)
    return (affine @ [*index, 1])[:3]


@pytest.mark.parametrize("negative", [False, True], ids=["feet first", "head first"])
def test_every_voxel_lies_where_it_lay(tmp_path, negative):
    data = small()
    data[3, 5, 7] = 5000  # one voxel that has no mirror image
    scan = load_dicom(save_dicom(tmp_path / "a.dcm", data, AFFINE, negative=negative))
    assert sorted(scan.shape) == sorted(data.shape)
    place = millimetres_of(scan.data, scan.affine, 5000)
    np.testing.assert_allclose(place, millimetres_of(data, AFFINE, 5000), atol=1e-3)
    np.testing.assert_allclose(scan.spacing, [5.0, 5.5, 6.0], atol=1e-5)
    assert scan.data.sum() == data.sum()


def test_the_first_column_is_the_patients_right_in_ras(tmp_path):
    data = np.zeros((20, 20, 20), np.uint16)
    data[2, 10, 10] = 9  # on the patient's right, at x = -70 + 2·5
    scan = load_dicom(save_dicom(tmp_path / "a.dcm", data, AFFINE))
    assert millimetres_of(scan.data, scan.affine, 9)[0] == pytest.approx(-60.0)


def test_without_an_orientation_head_first_supine_is_enough(tmp_path):
    from pydicom.dataset import Dataset

    path = save_dicom(tmp_path / "a.dcm", small(), AFFINE, DetectorInformationSequence=[Dataset()])
    scan = load_dicom(path)
    centre = scan.affine @ [*((np.array(scan.shape) - 1) / 2), 1]
    np.testing.assert_allclose(centre[:3], 0, atol=1e-6)
    turned = load_dicom(save_dicom(tmp_path / "b.dcm", small(), AFFINE))
    np.testing.assert_array_equal(scan.affine[:3, :3], turned.affine[:3, :3])


def test_counts_are_rescaled(tmp_path):
    changes = {"RescaleSlope": 0.5, "RescaleIntercept": 1.0}
    plain = load_dicom(save_dicom(tmp_path / "a.dcm", small(), AFFINE))
    scaled = load_dicom(save_dicom(tmp_path / "b.dcm", small(), AFFINE, **changes))
    np.testing.assert_array_equal(scaled.data, plain.data / 2 + 1)


def test_a_file_tells_person_tracer_and_camera(tmp_path):
    path = save_dicom(tmp_path / "a.dcm", small(), AFFINE)
    assert is_dicom(path) and not is_dicom(tmp_path)
    assert describe_dicom(path) == {
        "subject": "3001",
        "tracer": "Ioflupane I-123",
        "camera": "Maker Camera",
        "series": "Reconstructed DaTSCAN",
        "image_type": "DERIVED\\PRIMARY\\RECON TOMO\\EMISSION",
        "modality": "NM",
    }


def test_left_and_right_are_never_guessed_but_can_be_told(tmp_path):
    unknown = {"DetectorInformationSequence": None, "PatientPosition": None}
    path = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **unknown)
    with pytest.raises(ScanError, match="left and right are not known.*--orientation LPS"):
        load_dicom(path)
    told = load_scan(path, orientation="LPS")
    known = load_scan(save_dicom(tmp_path / "known.dcm", small(), AFFINE))
    np.testing.assert_array_equal(told.affine[:3, :3], known.affine[:3, :3])
    assert (told.orientation, known.orientation) == ("stated", "known")
    denied = load_scan(tmp_path / "known.dcm", orientation="RPS")
    assert denied.affine[0, 0] == -known.affine[0, 0], "what is told holds"
    assert denied.orientation == "contradictory"


@pytest.mark.parametrize("vector", [[*range(24, 0, -1)], None], ids=["by number", "by sign"])
def test_slices_stored_from_the_head_down_lie_where_they_lay(tmp_path, vector):
    data = small()
    data[3, 5, 7] = 5000
    changes = {"SliceVector": vector}
    if vector:  # the frames turn round, and their numbers with them
        changes["PixelData"] = data[::-1, ::-1, ::-1].transpose(2, 1, 0).astype("<u2").tobytes()
    path = save_dicom(tmp_path / "a.dcm", data, AFFINE, negative=not vector, **changes)
    scan = load_dicom(path)
    place = millimetres_of(scan.data, scan.affine, 5000)
    np.testing.assert_allclose(place, millimetres_of(data, AFFINE, 5000), atol=1e-3)


ENCODINGS = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big-endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "run lengths": "1.2.840.10008.1.2.5",
    "a bare data set": None,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_the_same_voxels(tmp_path, encoding):
    path = save_dicom(tmp_path / "exam", small(), AFFINE, syntax=ENCODINGS[encoding])
    assert is_dicom(path)
    scan = load_scan(path)
    np.testing.assert_array_equal(scan.data[::-1, ::-1], small())
    assert describe_dicom(path)["subject"] == "3001"


def test_a_byte_that_makes_a_deflated_file_even_is_not_waited_for(tmp_path):
    path = save_dicom(tmp_path / "exam", small(), AFFINE, syntax=ENCODINGS["deflated"])
    whole = path.read_bytes()
    for content in (whole.removesuffix(b"\0"), whole.removesuffix(b"\0") + b"\0"):
        path.write_bytes(content)
        assert load_scan(path).data.sum() == small().sum()
    path.write_bytes(whole[:-100])
    with pytest.raises(ScanError, match="truncated"):
        load_scan(path)


def test_more_frames_than_are_named_are_not_left_out(tmp_path):
    counts = {"NumberOfFrames": 20, "NumberOfSlices": 20}
    path = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **counts)
    with pytest.raises(ScanError, match="expected 20 frames of pixels, found .* 24 frames"):
        load_dicom(path)


@pytest.mark.parametrize("vector", ["EnergyWindow", "TimeSlot", "RRInterval"])
def test_frames_of_several_windows_or_gates_are_no_one_volume(tmp_path, vector):
    one, two = {f"{vector}Vector": [1] * 24}, {f"{vector}Vector": [1] * 12 + [2] * 12}
    assert load_dicom(save_dicom(tmp_path / "one", small(), AFFINE, **one)).shape == (32, 36, 24)
    for changes in (two, {f"NumberOf{vector}s": 2}):
        with pytest.raises(ScanError, match="expected one .*, found 2. Export each alone"):
            load_dicom(save_dicom(tmp_path / "two", small(), AFFINE, **changes))


def test_jpeg_names_the_extra_that_unpacks_it(tmp_path):
    from pydicom.encaps import encapsulate

    frames = encapsulate([b"\xff\xd8\xff\xd9"] * 24)
    path = save_dicom(
        tmp_path / "exam.dcm", small(), AFFINE, syntax="1.2.840.10008.1.2.4.70", PixelData=frames
    )
    with pytest.raises(ScanError, match=r"dat-spect-kit\[jpeg\]"):
        load_dicom(path)


# ------------------------------------------------------------ scale


def mapping(slope, intercept):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 65535
    if slope is not None:
        item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    return item


@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": 1, "RescaleIntercept": 0}])
def test_a_real_world_value_mapping_is_applied(tmp_path, rescale):
    maps = {"RealWorldValueMappingSequence": [mapping(0.5, -100.0)]}
    plain = load_dicom(save_dicom(tmp_path / "a.dcm", small(), AFFINE))
    mapped = load_dicom(save_dicom(tmp_path / "b.dcm", small(), AFFINE, **maps, **rescale))
    np.testing.assert_array_equal(mapped.data, plain.data / 2 - 100)


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ([(0.5, -100.0), (1.0, 0.0)], "one stored value for no counts"),
        ([(None, None)], "found absent × stored . absent"),
        ([(0.0, 0.0)], "a finite rescale slope above 0"),
        ([(-1.0, 0.0)], "a finite rescale slope above 0"),
    ],
)
def test_mappings_that_contradict_or_are_no_line_are_refused(tmp_path, maps, said):
    items = [mapping(*one) for one in maps]
    path = save_dicom(tmp_path / "a.dcm", small(), AFFINE, RealWorldValueMappingSequence=items)
    with pytest.raises(ScanError, match=said):
        load_dicom(path)


def test_frames_with_a_scale_or_place_of_their_own_are_refused(tmp_path):
    groups = [mapping(1.0, 0.0), mapping(2.0, 0.0)]
    path = save_dicom(tmp_path / "a.dcm", small(), AFFINE, PerFrameFunctionalGroupsSequence=groups)
    with pytest.raises(ScanError, match=r"one scale and one place for all frames.*2 groups"):
        load_dicom(path)


def test_a_table_of_values_is_refused(tmp_path):
    from pydicom.dataset import Dataset

    path = save_dicom(tmp_path / "a.dcm", small(), AFFINE, ModalityLUTSequence=[Dataset()])
    with pytest.raises(ScanError, match="expected a slope and an intercept, found .*LUT"):
        load_dicom(path)


# ------------------------------------------------------------ one file a slice


def altered(folder, files, **elements):
    """Change elements of some files of a series."""
    import pydicom

    for path in sorted(folder.iterdir())[files]:
        header = pydicom.dcmread(path)
        for name, value in elements.items():
            setattr(header, name, value)
        header.save_as(path)
    return folder


def test_copies_of_slices_count_once(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE)
    for path in sorted(folder.iterdir())[3:]:
        shutil.copy(path, folder / f"copy of {path.name}")
    assert load_scan(folder).data.sum() == small().sum()


def test_slices_may_spell_a_number_in_two_ways_but_not_lie_in_two(tmp_path):
    from pydicom.dataset import Dataset

    every_other = slice(None, None, 2)
    folder = save_series(tmp_path / "P1", small(), AFFINE, PixelSpacing=["5.5", "5"])
    altered(folder, every_other, PixelSpacing=["5.500", "5.0"])
    assert load_scan(folder).data.sum() == small().sum()
    mirrored = Dataset()
    mirrored.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
    mirrored.ImagePositionPatient = [70, -102.5, 0]
    altered(folder, slice(5, 6), DetectorInformationSequence=[mirrored])
    with pytest.raises(ScanError, match="the same ImageOrientationPatient in all slices"):
        load_scan(folder)


def test_a_fault_of_any_slice_is_told(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE)
    with pytest.raises(ScanError, match="one energy window, found 2"):
        load_scan(altered(folder, slice(5, 6), NumberOfEnergyWindows=2))


def test_a_series_of_one_slice_files_is_one_volume(tmp_path):
    data = small()
    data[3, 5, 7] = 5000
    folder = save_series(tmp_path / "P1", data, AFFINE)
    (folder / "readme.txt").write_text("no slice")
    for path in (folder, folder / "IM0007"):
        scan = load_scan(path)
        place = millimetres_of(scan.data, scan.affine, 5000)
        np.testing.assert_allclose(place, millimetres_of(data, AFFINE, 5000), atol=1e-3)
        assert scan.data.sum() == data.sum() and scan.path == path


def test_each_slice_has_its_own_scale(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE)
    path = save_dicom(tmp_path / "whole.dcm", small(), AFFINE)
    first = next(iter(sorted(folder.iterdir())))
    import pydicom

    header = pydicom.dcmread(first)
    header.RescaleSlope, header.RescaleIntercept = "3", "0"
    header.save_as(first)
    np.testing.assert_array_equal(load_scan(folder).data[..., 0], load_scan(path).data[..., 0] * 3)
    np.testing.assert_array_equal(load_scan(folder).data[..., 1], load_scan(path).data[..., 1])


def test_slices_whose_intercepts_differ_are_refused(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE)
    altered(folder, slice(None, None, 2), RescaleSlope="1", RescaleIntercept="500")
    with pytest.raises(ScanError, match="one rescale intercept in all slices, found 0, 500"):
        load_scan(folder)


def test_an_intercept_that_makes_air_negative_is_refused(tmp_path):
    data = small()
    data[:, :20] = 0  # air
    scale = {"RescaleSlope": 1, "RescaleIntercept": -300}
    with pytest.raises(ScanError, match="found 71% of the voxels below 0, by .* of -300"):
        load_dicom(save_dicom(tmp_path / "a.dcm", data, AFFINE, **scale))
    data += 300  # negative values that filtered back-projection makes, stored without a sign
    data[0, 0, 0] = 0
    assert load_dicom(save_dicom(tmp_path / "b.dcm", data, AFFINE, **scale)).data.min() == -300


def test_a_slice_alone_or_a_gap_is_told(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE)
    (folder / "IM0007").unlink()  # the second from below
    with pytest.raises(ScanError, match="found 23, 0 where another is, 1 gaps.*dcm2niix"):
        load_scan(folder)
    alone = save_dicom(tmp_path / "one" / "a.dcm", small()[:, :, :1], AFFINE)
    with pytest.raises(ScanError, match="expected NumberOfFrames above 1, or the other slices"):
        load_scan(alone)


def test_dicom_is_measured_as_nifti_is(tiny_cohort, tmp_path, capsys):
    """Head or feet first, supine or prone, stored up or down, in five encodings: all the same."""
    from scanner import ENCODINGS, LYING, export

    from datkit.cli import main

    scan = tiny_cohort.load("sim-2026-0016")  # its left putamen is the brighter one by far
    counts = (scan.data / scan.data.max() * 30_000).astype(np.uint16)
    straight = np.diag([*scan.spacing, 1.0])
    files = [save_scan(counts, straight, tmp_path / "exam.nii.gz")]
    ways = itertools.product(LYING, (True, False), ENCODINGS)
    files += [
        export(
            tmp_path / f"{lying}-{up}-{encoding}",
            counts,
            scan.spacing,
            lying,
            up=up,
            encoding=encoding,
        )
        for lying, up, encoding in ways
    ]
    assert main(["measure", *map(str, files), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    nifti, *others = found["measures"].values()
    assert nifti["putamen_left"] > 1.5 * nifti["putamen_right"] and len(others) == 40
    for name, measures in zip(files[1:], others, strict=True):
        assert measures == pytest.approx(nifti, abs=0.005, nan_ok=True), name


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="found none"):
        load_dicom(tmp_path / "no.dcm")


def test_without_pydicom_the_extra_is_named(tmp_path):
    path = save_dicom(tmp_path / "exam.dcm", small(), AFFINE)
    code = (
        "import sys; sys.modules['pydicom'] = None\n"
        "from datkit.io.dicom import load_dicom\nfrom datkit.errors import UsageError\n"
        f"try: load_dicom({str(path)!r})\nexcept UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "dat-spect-kit[dicom]" in done.stdout and "dcm2niix" in done.stdout
    assert Path(path).is_file()
