"""Regions as DICOM segmentations (SEG), and back, voxel for voxel.

A segmentation refers to the images that it was drawn on, so only an exam that came as DICOM has
one; it needs highdicom, the extra ``segmentation``. What was drawn is coded as the standard has it
(PS3.16, CID 7153 "CNS Segmentation Types", SNOMED CT): corpus striatum 31428008, caudate nucleus
11000004, putamen 89278009, each with a side, left 7771000 or right 24028007 (CID 244).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datkit.errors import ScanError, UsageError
from datkit.files import replace_atomically
from datkit.io.dicom import is_dicom
from datkit.io.dicom_files import headers_of, is_slice
from datkit.io.dicom_geometry import LPS_TO_RAS, places_of, slice_order
from datkit.io.dicom_header import items_of, number, numbers, text
from datkit.io.scan import Scan, load_scan, one_line, scan_error
from datkit.problems import Problem
from datkit.reading.regions import LABELS, Region, save_region

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["load_segmentation", "save_segmentation"]

CODES = {"striatum": "CorpusStriatum", "caudate": "CaudateNucleus", "putamen": "Putamen"}
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
EMPTY = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
         "StudyDate", "StudyTime")  # fmt: skip  # type 2: present, and empty where unknown
ROUNDED = 0.01  # of a voxel: DICOM writes numbers with at most 16 characters
KEEP = "Keep the NIfTI mask, or draw on the DICOM files that the exam was made from."
EXTRA = "DICOM segmentations need highdicom: pip install 'dat-spect-kit[segmentation]'."


def save_segmentation(region: Region, exam: str | os.PathLike[str], path: Path) -> Path:
    """Write a region as a DICOM segmentation of the exam that it was drawn on.

    It carries the patient and the study of the exam, as archives need; the region's reader is its
    content creator. Without a frame of reference, which older consoles leave out, it gets one made
    of the series' identifier.

    Raises
    ------
    UsageError
        If the exam did not come as DICOM, or highdicom is not installed.
    ScanError
        If the exam cannot be read, or lacks the identifiers that a reference needs.
    OSError
        If the file cannot be written.
    """
    highdicom = _highdicom()
    from pydicom.sr.codedict import codes

    scan = load_scan(exam)
    first, *others = [_placed(source, scan) for source in _sources(Path(exam))]
    used = sorted(set(np.unique(region.mask).tolist()) - {0})
    tool = str(region.facts.how.get("tool", "unknown"))[:64]
    parts = []
    for segment, label in enumerate(used, start=1):
        what, side = (name := region.facts.labels[label]).split("_")
        parts.append(highdicom.seg.SegmentDescription(
            segment_number=segment, segment_label=name, algorithm_type="MANUAL",
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=getattr(codes.SCT, CODES[what]),
            anatomic_regions=[getattr(codes.SCT, CODES[what])],
        ))  # fmt: skip
        kind = parts[-1].SegmentedPropertyTypeCodeSequence[0]
        way = highdicom.sr.CodedConcept.from_code(getattr(codes.SCT, side.capitalize()))
        kind.SegmentedPropertyTypeModifierCodeSequence = [way]
    numbered = np.searchsorted([0, *used], region.mask).astype(np.uint8)
    to_lps = LPS_TO_RAS @ scan.affine
    volume = highdicom.Volume(numbered.transpose(2, 1, 0), to_lps[:, [2, 1, 0, 3]], "PATIENT")
    made = highdicom.seg.Segmentation(
        [first], volume, "BINARY", parts, highdicom.UID(), 100, highdicom.UID(), 1,
        "dat-spect-kit", tool, "1", "0", content_creator_name=f"{region.facts.reader}^",
        content_label="STRIATUM", further_source_images=others,
        series_description="Regions drawn by a reader",
    )  # fmt: skip
    made.ContentDate, made.ContentTime = region.facts.when.strftime("%Y%m%d %H%M%S").split()
    made.TimezoneOffsetFromUTC = region.facts.when.strftime("%z")[:5]
    with replace_atomically(path) as part:
        made.save_as(part)
    return path


def load_segmentation(
    path: str | os.PathLike[str], exam: str | os.PathLike[str], out: str | os.PathLike[str]
) -> Region:
    """Read a DICOM segmentation of an exam, and keep it as a mask with its sidecar at `out`.

    Raises
    ------
    UsageError
        If the exam did not come as DICOM, or highdicom is not installed.
    ScanError
        If it is no segmentation, was drawn on other images or another grid, overlaps itself, or has
        segments of other names than :data:`~datkit.reading.regions.LABELS`.
    OSError
        If a file cannot be written.
    """
    highdicom = _highdicom()
    path, scan = Path(path), load_scan(exam)
    own = {text(source, "SOPInstanceUID") for source in _sources(Path(exam))}
    try:
        found = highdicom.seg.segread(path)
        names = {n: found.get_segment_description(n).segment_label for n in found.segment_numbers}
        volume = found.get_volume(combine_segments=True, rescale_fractional=False)
    except Exception as error:
        words = ("a DICOM segmentation without overlaps", one_line(error), KEEP)
        raise scan_error(path, "segmentation", *words) from error
    drawn_on = {text(one, "ReferencedSOPInstanceUID")
                for each in items_of(found, "ReferencedSeriesSequence")
                for one in items_of(each, "ReferencedInstanceSequence")}  # fmt: skip
    voxels = np.argwhere(volume.array)
    mm = np.c_[voxels, np.ones(len(voxels))] @ (LPS_TO_RAS @ volume.affine).T
    at = (mm @ np.linalg.inv(scan.affine).T)[:, :3]
    index = np.rint(at).astype(int)
    off = np.abs(at - index).max(initial=0) > ROUNDED
    outside = ((index < 0) | (index >= scan.shape)).any()
    same = np.allclose(volume.spacing[::-1], scan.spacing, rtol=1e-3)
    strange = sorted({*names.values()} - {*LABELS.values()})
    faults = {
        ("images of this exam", "a reference to others"): not drawn_on or not drawn_on <= own,
        ("the exam's voxels", "a finer, shifted or wider grid"): off or outside or not same,
        (f"segments named {', '.join(LABELS.values())}", f"{strange}"[:80]): strange,
    }
    problems = [Problem("segmentation", f"{path}", *said, KEEP) for said in faults if faults[said]]
    ScanError.raise_any(problems, where=path)
    mask, number_of = np.zeros(scan.shape, np.uint8), {name: n for n, name in LABELS.items()}
    values = volume.array[tuple(voxels.T)]
    mask[tuple(index.T)] = [number_of[names[int(value)]] for value in values]
    how = {"tool": text(found, "ManufacturerModelName"), "from": path.name}
    reader = text(found, "ContentCreatorName").rstrip("^")
    return save_region(mask, exam, out, reader=reader, how=how)


def _highdicom() -> Any:  # noqa: ANN401 - it has no types
    try:
        import highdicom
    except ImportError as error:
        raise UsageError(EXTRA) from error
    return highdicom


def _sources(exam: Path) -> list[Dataset]:
    if not (exam.is_dir() or is_dicom(exam)):
        expected = "Expected an exam that came as DICOM, to which a segmentation can refer"
        raise UsageError(f"{exam}: {expected}, found NIfTI. {KEEP}")
    headers = headers_of(exam)
    problems = [
        Problem("segmentation", str(path), name, "none", "Export the exam again.")
        for path, header in headers.items() for name in NEEDED if not text(header, name)
    ]  # fmt: skip
    ScanError.raise_any(problems, where=exam)
    return [*headers.values()]


def _placed(source: Dataset, scan: Scan) -> Dataset:
    """Return a header with its frames' places where highdicom looks for them.

    NM objects keep them with a detector, newer ones in groups of frames.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    to_lps, frames = LPS_TO_RAS @ scan.affine, int(number(source, "NumberOfFrames", 1.0))
    slices = np.argsort(slice_order(source, frames, []))  # of each frame
    if is_slice(source):
        own = (numbers(place, "ImagePositionPatient", 3) for place in places_of(source))
        at = np.linalg.inv(to_lps) @ [*next(one for one in own if one is not None), 1]
        slices = np.rint(at[2:3])
    plane, pixel, shared = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = [*map(float, (to_lps[:3, :2] / scan.spacing[:2]).T.ravel())]
    pixel.PixelSpacing, pixel.SliceThickness = [*map(float, scan.spacing[1::-1])], scan.spacing[2]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [pixel]
    source.SharedFunctionalGroupsSequence, source.PerFrameFunctionalGroupsSequence = [shared], []
    for place in slices:
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [*map(float, (to_lps @ [0, 0, place, 1])[:3])]
        group.PlanePositionSequence = [position]
        source.PerFrameFunctionalGroupsSequence.append(group)
    series = text(source, "SeriesInstanceUID")
    source.FrameOfReferenceUID = source.get("FrameOfReferenceUID") or generate_uid(
        entropy_srcs=[series]
    )
    source.NumberOfFrames = frames
    for name in EMPTY:
        setattr(source, name, source.get(name, ""))
    return source
