"""Which files of a disc or an archive are exams, and what the others are."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from exams import save_dicom, save_directory, save_series, small

from datkit.errors import ScanError
from datkit.io.dicom_files import files_below, find_exams
from datkit.io.scan import load_scan

pytestmark = pytest.mark.usefixtures("pydicom")

AFFINE = np.diag([5.0, 5.0, 6.0, 1.0])
SCREEN = "1.2.840.10008.5.1.4.1.1.7"
KINDS = {
    "a screen": ({"SOPClassUID": SCREEN}, "screen captures"),
    "a colour screen": ({"SOPClassUID": f"{SCREEN}.4", "Modality": "OT"}, "screen captures"),
    "a coloured NM image": ({"SamplesPerPixel": 3}, "screen captures"),
    "a palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "screen captures"),
    "raw": ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}, "raw projections"),
    "gated raw": ({"ImageType": ["ORIGINAL", "PRIMARY", "GATED TOMO"]}, "raw projections"),
    "planar": ({"ImageType": ["ORIGINAL", "PRIMARY", "STATIC"]}, "planar images"),
    "a map": (
        {"ImageType": ["DERIVED", "PRIMARY", "RECON TOMO", "TRANSMISSION"]},
        "transmission maps",
    ),
    "CT": ({"Modality": "CT"}, "CT images"),
    "PET": ({"Modality": "PT"}, "PT images"),
    "a report": ({"Modality": "SR"}, "SR images"),
    "raw, type wiped": ({"ImageType": None, "AngularViewVector": [1] * 24}, "other images"),
}
FLAT = ["LOCALIZER", "SCOUT", "MIP", "MAX_IP", "PROJECTION IMAGE", "REPROJECTION"]
KINDS |= {
    kind: ({"ImageType": ["DERIVED", "SECONDARY", kind]}, "projections and localizers")
    for kind in FLAT
}
EXAMS = {
    "as it is": {},
    "another spelling": {"ImageType": ["DERIVED", "SECONDARY", "RECON_TOMO"]},
    "type wiped": {"ImageType": None, "SliceVector": [*range(1, 25)]},
    "type cut": {"ImageType": ["DERIVED", "SECONDARY"], "SliceVector": [*range(1, 25)]},
    "the old name of SPECT": {"Modality": "ST"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_exam_has_a_name(tmp_path, kind):
    changes, name = KINDS[kind]
    path = save_dicom(tmp_path / "a", small(), AFFINE, **changes)
    exams, others = find_exams([path])
    assert exams == [] and others == {name: 1}
    with pytest.raises(ScanError, match="expected"):
        load_scan(path)


@pytest.mark.parametrize("kind", EXAMS)
def test_what_is_an_exam_by_all_that_is_left_is_one(tmp_path, kind):
    path = save_dicom(tmp_path / "a", small(), AFFINE, **EXAMS[kind])
    assert [exam.path for exam in find_exams([path])[0]] == [path]
    assert load_scan(path).data.sum() == small().sum()


def test_slices_of_a_wiped_type_are_a_series_and_those_of_pet_are_none(tmp_path):
    wiped = save_series(tmp_path / "wiped", small(), AFFINE, ImageType=["O", "P"])
    assert load_scan(wiped).data.sum() == small().sum()
    pet = {"Modality": "PT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128"}
    folder = save_series(tmp_path / "pet", small(), AFFINE, ImageType=["O", "P"], **pet)
    with pytest.raises(ScanError, match="one exam in a folder, found 24 PT images"):
        load_scan(folder)


@pytest.mark.parametrize("element", ["PatientID", "PatientName", "StudyInstanceUID"])
def test_slices_of_two_patients_are_two_exams_whatever_their_other_numbers(tmp_path, element):
    series = {"SeriesInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.4"}
    for person in (1, 2):
        folder = tmp_path / str(person)
        save_series(folder, small(person), AFFINE, **series, **{element: f"1.2.{person}"})
        for path in [*folder.iterdir()]:
            path.rename(tmp_path / f"{path.name}-{person}")
    exams, _ = find_exams(files_below(tmp_path))
    found = [load_scan(exam.path).data.sum() for exam in exams]
    assert found == [small(seed).sum() for seed in (1, 2)]
    assert len({exam.code for exam in exams}) == 2


def test_two_images_of_one_slice_are_told_apart_from_its_copies(tmp_path):
    folder = save_series(tmp_path / "P1", small(), AFFINE, SOPInstanceUID="1.2.4")
    shutil.copy(folder / "IM0007", folder / "copy")
    assert load_scan(folder).data.sum() == small().sum()
    other = small()[:, :, 1:2] + np.uint16(1)
    place = AFFINE.copy()
    place[2, 3] = 6.0
    one = {"SOPInstanceUID": "1.2.4", "NumberOfFrames": None, "NumberOfSlices": None}
    one |= {"SeriesInstanceUID": "1.2.3.129", "SpacingBetweenSlices": None}
    save_dicom(folder / "other", other, place, **one)
    with pytest.raises(ScanError, match="found another in other than in IM0007. Keep one"):
        load_scan(folder)


def test_exams_of_a_folder_are_whole_objects_and_series(tmp_path):
    save_dicom(tmp_path / "a" / "IM1", small(1), AFFINE)
    save_series(tmp_path / "b", small(2), AFFINE)
    save_series(tmp_path / "c", small(3), AFFINE)
    for path in (tmp_path / "c").iterdir():  # two series in one folder
        path.rename(tmp_path / "b" / f"c{path.name}")
    save_directory(tmp_path / "DICOMDIR")
    (tmp_path / "b" / "cut").write_bytes((tmp_path / "a" / "IM1").read_bytes()[:140])
    exams, others = find_exams(files_below(tmp_path))
    names = [exam.path.relative_to(tmp_path).as_posix() for exam in exams]
    assert names == ["a/IM1", "b/IM0000", "b/cIM0000", "b/cut"] and others == {"DICOMDIR": 1}
    found = [load_scan(exam.path).data.sum() for exam in exams[:3]]
    assert found == [small(seed).sum() for seed in (1, 2, 3)]
    with pytest.raises(
        ScanError, match="one exam in a folder, found .*IM1, .*IM0000.*Name the file"
    ):
        load_scan(tmp_path)


def test_a_code_comes_of_the_exam_not_of_its_place_or_person(tmp_path):
    who = {"PatientName": "DOE^JOHN", "PatientBirthDate": "19500131"}
    path = save_dicom(tmp_path / "a", small(), AFFINE, **who)
    copy = shutil.copy(path, tmp_path / "b")
    [first, second], _ = find_exams([path, copy])
    [moved], _ = find_exams([copy])
    assert moved.code == first.code and second.code == f"{first.code}-2"
    assert set(first.private) == {"doe", "john", "19500131", "31011950"}
    other = save_dicom(tmp_path / "c", small(), AFFINE, PatientName="3001")
    [pseudonym], _ = find_exams([other])
    assert pseudonym.code != first.code and pseudonym.private == ()


def test_a_folder_without_an_exam_says_what_it_holds(tmp_path):
    with pytest.raises(ScanError, match="one exam in a folder, found no DICOM file"):
        load_scan(tmp_path)
    save_directory(tmp_path / "DICOMDIR")
    with pytest.raises(ScanError, match="found 1 DICOMDIR"):
        load_scan(tmp_path)
