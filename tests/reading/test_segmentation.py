"""Regions of DICOM exams, as masks and segmentations: every voxel comes back where it lay."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from exams import save_dicom, save_series, save_small, small

from datkit.errors import ScanError, UsageError
from datkit.io.scan import load_scan
from datkit.reading.regions import load_region, save_region

pytest.importorskip("highdicom", reason="the extra segmentation is not installed")

from datkit.reading.segmentation import load_segmentation, save_segmentation

AFFINE = np.array([[5.0, 0, 0, -70], [0, 5.5, 0, -90], [0, 0, 6.0, -60], [0, 0, 0, 1]])
UIDS = {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.4.5"}


def turned(*angles: float) -> dict:
    """Say that the detector's columns and rows run askew."""
    from pydicom.dataset import Dataset
    from scipy.spatial.transform import Rotation

    turn, detector = Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), Dataset()
    detector.ImagePositionPatient = [-80.5, -101.25, -60.125]
    detector.ImageOrientationPatient = [round(float(v), 9) for v in turn[:, :2].T.ravel()]
    return {"DetectorInformationSequence": [detector]}


def lying(position: str) -> dict:
    return {"DetectorInformationSequence": None, "PatientPosition": position}


LAYOUTS = {
    "head first": {},
    "slices from the head down": {"negative": True},
    "oblique": turned(7, -11, 23),
    "columns to the right": turned(0, 180, 0),
    "feet first": lying("FFS"),
    "prone": lying("HFP"),
    "feet first, prone": lying("FFP"),
    "feet first, on the side": lying("FFDR"),
    "feet first and oblique": turned(180, 9, 14) | {"PatientPosition": "FFS"},
    "slices in an order of their own": {"SliceVector": [*range(24, 0, -1)]},
    "a frame of reference": {"FrameOfReferenceUID": "1.2.3.9"},
}


def draw(exam, path):
    """Draw three blocks that have no mirror image, sides where the exam has them."""
    scan = load_scan(exam)
    mask = np.zeros(scan.shape, np.uint8)
    x = (scan.affine @ np.array([*np.indices(scan.shape).reshape(3, -1), np.ones(mask.size)]))[0]
    x = x.reshape(scan.shape) - x.mean()
    block = np.zeros(scan.shape, bool)
    block[5:26, 9:30, 4:19] = True
    block[9, 9:15, 5] = False
    for label, part in {1: x < -20, 2: x > 30, 6: (x > 10) & (x < 30)}.items():
        mask[block & part] = label
    assert len(np.unique(mask)) == 4
    how = {"tool": "scripted", "pen": 3}
    return save_region(mask, exam, path, reader="anna", how=how)


def places(path):
    """Return label and place (mm, RAS) of each voxel, in order, by the file's own library."""
    if path.suffix == ".dcm":
        import highdicom

        volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
        array, affine = volume.array, np.diag([-1, -1, 1, 1]) @ volume.affine
        labels = {1: 1, 2: 2, 3: 6}  # segments are numbered anew
    else:
        image = nib.load(path)
        array, affine, labels = np.asarray(image.dataobj), image.affine, {1: 1, 2: 2, 6: 6}
    rows = np.vstack([
        np.insert(nib.affines.apply_affine(affine, np.argwhere(array == value)), 0, label, axis=1)
        for value, label in labels.items()
    ])  # fmt: skip
    return rows[np.lexsort(rows.round(1).T[::-1])]


@pytest.mark.parametrize("layout", [*LAYOUTS, "a series"])
def test_a_region_goes_to_dicom_and_comes_back_voxel_for_voxel(tmp_path, layout):
    if layout == "a series":
        exam = save_series(tmp_path / "exam", small(), AFFINE, **UIDS)
    else:
        exam = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **UIDS, **LAYOUTS[layout])
    region = draw(exam, tmp_path / "a.nii.gz")
    seg = save_segmentation(region, exam, tmp_path / "a.dcm")
    back = load_segmentation(seg, exam, tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(back.mask, region.mask)
    np.testing.assert_array_equal(back.affine, region.affine)
    assert (back.facts.reader, back.facts.labels) == ("anna", region.facts.labels)
    one, two = (nib.load(tmp_path / f"{name}.nii.gz") for name in "ab")
    assert one.header.binaryblock == two.header.binaryblock
    np.testing.assert_allclose(one.affine, load_scan(exam).affine, atol=1e-4)
    mask = load_region(tmp_path / "a.nii.gz", exam)
    np.testing.assert_array_equal(mask.mask, region.mask)
    np.testing.assert_allclose(places(seg), places(tmp_path / "a.nii.gz"), atol=0.01)


def test_what_was_drawn_is_coded_and_refers_to_its_frames(tmp_path):
    import pydicom

    exam = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **UIDS)
    region = draw(exam, tmp_path / "a.nii.gz")
    seg = pydicom.dcmread(save_segmentation(region, exam, tmp_path / "a.dcm"))
    said = []
    for segment in seg.SegmentSequence:
        [kind] = segment.SegmentedPropertyTypeCodeSequence
        [side] = kind.SegmentedPropertyTypeModifierCodeSequence
        said.append((segment.SegmentLabel, kind.CodeValue, side.CodeValue))
        assert {kind.CodingSchemeDesignator, side.CodingSchemeDesignator} == {"SCT"}
    assert said == [
        ("striatum_left", "31428008", "7771000"),
        ("striatum_right", "31428008", "24028007"),
        ("putamen_right", "89278009", "24028007"),
    ]
    assert (seg.PatientID, seg.StudyInstanceUID) == ("3001", "1.2.3.4")
    source = pydicom.dcmread(exam)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        [image] = frame.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
        number = image.ReferencedFrameNumber
        z = frame.PlanePositionSequence[0].ImagePositionPatient[2]
        assert z == pytest.approx(-60 + 6 * (number - 1))


def test_what_cannot_be_one_is_refused(tmp_path):
    nifti = save_small(tmp_path / "exam.nii.gz")
    with pytest.raises(UsageError, match="came as DICOM.*found NIfTI. Keep the NIfTI mask"):
        save_segmentation(draw(nifti, tmp_path / "n.nii.gz"), nifti, tmp_path / "n.dcm")
    bare = save_dicom(tmp_path / "bare.dcm", small(), AFFINE)
    with pytest.raises(ScanError, match="(?s)StudyInstanceUID.*SeriesInstanceUID"):
        save_segmentation(draw(bare, tmp_path / "c.nii.gz"), bare, tmp_path / "c.dcm")
    exam = save_dicom(tmp_path / "exam.dcm", small(), AFFINE, **UIDS)
    seg = save_segmentation(draw(exam, tmp_path / "a.nii.gz"), exam, tmp_path / "a.dcm")
    moved = AFFINE.copy()
    moved[0, 3] += 2
    other = save_dicom(tmp_path / "other.dcm", small(1), moved, **UIDS)
    with pytest.raises(ScanError, match="(?s)images of this exam.*finer, shifted"):
        load_segmentation(seg, other, tmp_path / "b.nii.gz")
    with pytest.raises(ScanError, match="a DICOM segmentation"):
        load_segmentation(exam, exam, tmp_path / "b.nii.gz")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(seg.read_bytes()[:2000])
    with pytest.raises(ScanError, match="a DICOM segmentation"):
        load_segmentation(cut, exam, tmp_path / "b.nii.gz")
    assert not (tmp_path / "b.nii.gz").exists()
