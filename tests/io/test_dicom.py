"""DICOM SPECT: the same voxels in the same place as the NIfTI, or a sentence that says why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exams import save_dicom, small

from datkit.errors import ScanError, UsageError
from datkit.io.dicom import describe_dicom, is_dicom, load_dicom

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


def test_left_and_right_are_never_guessed(tmp_path):
    from pydicom.dataset import Dataset

    tilted = Dataset()
    tilted.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
    for sequence, position in (([Dataset()], "FFP"), ([Dataset()], None), ([tilted], "HFS")):
        path = save_dicom(
            tmp_path / "exam.dcm",
            small(),
            AFFINE,
            DetectorInformationSequence=sequence,
            PatientPosition=position,
        )
        with pytest.raises(ScanError, match="left and right are not known"):
            load_dicom(path)


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
