"""Elements of a header: what is absent, and what is damaged, is never a number."""

from __future__ import annotations

import math

import pytest
from exams import save_dicom, small

from datkit.errors import ScanError
from datkit.io.dicom_header import (
    is_dicom,
    items_of,
    number,
    numbers,
    read_header,
    shown,
    text,
)

pytestmark = pytest.mark.usefixtures("pydicom")


@pytest.fixture
def item():
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    made = Dataset()
    made.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO"]
    made.PixelSpacing, made.Rows, made.SliceThickness = [2.5, 3], 64, None
    made.DetectorInformationSequence = [Dataset(), Dataset()]
    made.add(DataElement("PatientPosition", "UN", b"HFS"))
    made.add(DataElement("PatientName", "PN", "DOE^JO  ANN"))
    return made


def test_elements_are_read_as_numbers_text_and_items(item):
    assert numbers(item, "PixelSpacing", 2).tolist() == [2.5, 3]
    assert numbers(item, "PixelSpacing", 3) is numbers(item, "Columns", 1) is None
    assert numbers(item, "Rows", 1).tolist() == [64], "one value is a list of one"
    assert (number(item, "Rows"), number(item, "SliceThickness", 7.0)) == (64, 7)
    assert math.isnan(number(item, "Columns")) and math.isnan(number(item, "ImageType", 1.0))
    assert text(item, "ImageType") == "ORIGINAL\\PRIMARY\\RECON TOMO"
    assert (text(item, "PatientName"), text(item, "Columns")) == ("DOE^JO ANN", "")
    assert (shown(item, "Columns"), shown(item, "SliceThickness"), shown(item, "Rows")) == (
        "absent",
        "absent",
        "64",
    )
    assert len(items_of(item, "DetectorInformationSequence", "Columns", "PatientPosition")) == 2


def test_a_bare_data_set_is_told_from_other_files(tmp_path):
    bare = save_dicom(
        tmp_path / "bare", small(), __import__("numpy").diag([5.0, 5, 6, 1]), syntax=None
    )
    assert bare.read_bytes()[:2] == b"\x08\x00" and is_dicom(bare)
    assert text(read_header(bare), "Modality") == "NM"
    voxels = tmp_path / "pair.img"  # those of a NIfTI pair may look alike
    voxels.write_bytes(bare.read_bytes())
    assert not is_dicom(voxels)
    (tmp_path / "text").write_text("no DICOM at all" * 20)
    assert not is_dicom(tmp_path / "text") and not is_dicom(tmp_path)
    with pytest.raises(ScanError, match="expected a DICOM file"):
        read_header(tmp_path / "text")
