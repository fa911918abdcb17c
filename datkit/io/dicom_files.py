"""DICOM files among others, as archives and discs hold them: which are exams, which are not."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.errors import ScanError
from datkit.io.dicom_geometry import Fault
from datkit.io.dicom_header import is_dicom, items_of, number, read_header, shown, text
from datkit.io.scan import scan_error
from datkit.problems import list_some

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "DicomExam",
    "facts_of",
    "files_below",
    "files_of",
    "find_exams",
    "is_slice",
    "only_exam",
    "other_kind",
    "slices_beside",
]

TOMOGRAPHY = ("NM", "ST", "PT")  # ST is what SPECT was called before NM (retired)
RECONSTRUCTED = ("RECON TOMO", "RECON GATED TOMO")
RAW, PLANAR = ("TOMO", "GATED TOMO"), ("STATIC", "WHOLE BODY", "DYNAMIC", "GATED")
DIRECTORY, CAPTURE = "1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class DicomExam:
    """An exam among other files.

    Attributes
    ----------
    path : Path
        Its file, or the first of its series.
    facts : dict of str to str
        As :func:`datkit.io.dicom.describe_dicom`; empty if the file is damaged.
    code : str
        A name made of the exam's own unique identifier, which tells nobody who it is.
    private : tuple of str
        Words that must not stand in a name of the exam: the person's name and date of birth.
    """

    path: Path
    facts: dict[str, str]
    code: str = ""
    private: tuple[str, ...] = ()


def find_exams(files: Iterable[Path]) -> tuple[list[DicomExam], Counter[str]]:
    """Sort DICOM files: exams, and how many of each kind are none.

    Files of one slice each that lie in one folder and name one series are one exam. A file that
    cannot be read counts as one too: what is wrong with it is told when it is loaded.

    Raises
    ------
    UsageError
        If pydicom is not installed.
    """
    exams: dict[object, DicomExam] = {}
    others: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for path in files:
        try:
            header = read_header(path)
        except ScanError:
            exams[path] = DicomExam(path, {})
            continue
        if other := other_kind(header):
            others[other[0]] += 1
        elif not is_slice(header):
            exams[path] = _exam(path, header, "SOPInstanceUID", codes)
        elif (series := _series(path, header)) not in exams:
            exams[series] = _exam(path, header, "SeriesInstanceUID", codes)
    return list(exams.values()), others


def _exam(path: Path, header: Dataset, identifier: str, codes: Counter[str]) -> DicomExam:
    code = hashlib.sha256(text(header, identifier).encode()).hexdigest()[:10]
    codes[code] += 1  # copies of an exam lie in several places
    code = f"exam-{code}" + (f"-{codes[code]}" if codes[code] > 1 else "")
    return DicomExam(path, facts_of(header), code, _private(header))


def files_below(folder: Path) -> Iterator[Path]:
    """List all files in a fixed order, hidden ones left out; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())  # a pipe would be waited for


def only_exam(folder: Path) -> Path:
    """Return the one exam that a folder holds.

    Raises
    ------
    ScanError
        If it holds none, or several.
    """
    exams, others = find_exams(filter(is_dicom, files_below(folder)))
    if len(exams) == 1:
        return exams[0].path
    names = [str(exam.path.relative_to(folder)) for exam in exams]
    names = names or [f"{count} {kind}" for kind, count in others.items()] or ["no DICOM file"]
    remedy = "Name the files of exams one by one, or give the folder to 'datkit prepare'."
    raise scan_error(folder, "exams-several", "one exam in a folder", list_some(names), remedy)


def files_of(path: Path) -> list[Path]:
    """Return the files that hold an exam, of a folder or a series all of them."""
    try:
        file = only_exam(path) if path.is_dir() else path
        header = read_header(file)
    except ScanError:
        return [path]
    return [*slices_beside(file, header)] if is_slice(header) else [file]


def slices_beside(path: Path, header: Dataset) -> dict[Path, Dataset]:
    """Return the slices of a file's series that lie in its folder, and their headers."""
    found = {}
    for file in sorted(filter(is_dicom, filter(Path.is_file, path.parent.iterdir()))):
        try:
            other = read_header(file)
        except ScanError:  # leaves a gap
            continue
        same = _series(file, other) == _series(path, header)
        if same and is_slice(other) and not other_kind(other):
            found[file] = other
    return found


def _series(path: Path, header: Dataset) -> tuple[Path, str]:
    return path.parent, text(header, "SeriesInstanceUID")


def is_slice(header: Dataset) -> bool:
    """Tell an object of one slice from one whose frames are the slices."""
    return number(header, "NumberOfFrames", 1.0) == 1


def other_kind(header: Dataset) -> tuple[str, Fault] | None:
    """Tell what a file is that is no reconstructed volume: the name of its kind, and the fault."""
    kinds = text(header, "ImageType").upper().replace("_", " ").split("\\")
    third, found = "".join(kinds[2:3]), "\\".join(kinds) or "no image type"
    sop = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    modality, samples = text(header, "Modality") or "absent", shown(header, "SamplesPerPixel")
    volume, grey = "a reconstructed volume (RECON TOMO)", "one grey value a pixel"
    recon, choose = "Reconstruct it first.", "Choose the reconstructed SPECT series."
    missing = third not in RECONSTRUCTED and not _is_tomography(header)
    cases = [
        (sop == DIRECTORY, "DICOMDIR", "directory", volume, "a disc's directory", choose),
        (sop.startswith(CAPTURE), "screen captures", "picture", volume, "a picture", choose),
        (
            modality not in TOMOGRAPHY,
            f"{modality} images",
            "modality",
            "modality NM",
            repr(modality),
            choose,
        ),
        (samples not in ("1", "absent"), "screen captures", "picture", grey, samples, choose),
        ("TRANSMISSION" in kinds, "transmission maps", "transmission", "emission", found, choose),
        (third in RAW, "raw projections", "not-reconstructed", volume, found, recon),
        (third in PLANAR, "planar images", "not-reconstructed", volume, found, choose),
        (missing, "other images", "not-reconstructed", volume, found, recon),
    ]
    for is_so, kind, code, expected, said, remedy in cases:
        if is_so:
            return kind, (code, (expected, said, remedy))
    return None


def _is_tomography(header: Dataset) -> bool:
    """Tell a volume whose image type was wiped: by its slices, or a slice by its place."""
    if "AngularViewVector" in header:
        return False
    return "ImagePositionPatient" in header if is_slice(header) else "SliceVector" in header


def facts_of(header: Dataset) -> dict[str, str]:
    """Return what :func:`datkit.io.dicom.describe_dicom` tells."""
    maker, model = text(header, "Manufacturer"), text(header, "ManufacturerModelName")
    return {
        "subject": text(header, "PatientID"),
        "tracer": _tracer(header),
        "camera": f"{maker} {model}".strip(),
        "series": text(header, "SeriesDescription"),
        "image_type": text(header, "ImageType"),
        "modality": text(header, "Modality"),
    }


def _tracer(header: Dataset) -> str:
    for item in items_of(header, "RadiopharmaceuticalInformationSequence"):
        if name := text(item, "Radiopharmaceutical"):
            return name
        for code in items_of(item, "RadiopharmaceuticalCodeSequence"):
            return text(code, "CodeMeaning")
    return ""


def _private(header: Dataset) -> tuple[str, ...]:
    name, born = text(header, "PatientName"), text(header, "PatientBirthDate")
    words = [] if name == text(header, "PatientID") else re.findall(r"[^\W\d_]{3,}", name.lower())
    return (*words, *([born, born[6:] + born[4:6] + born[:4]] if len(born) == 8 else []))
