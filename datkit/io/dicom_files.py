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
from datkit.io.dicom_geometry import Fault, places_of
from datkit.io.dicom_header import is_dicom, items_of, number, read_header, shown, text
from datkit.io.scan import scan_error
from datkit.problems import list_some

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["DicomExam", "describe_dicom", "files_below", "files_of", "find_exams", "headers_of"]

TOMOGRAPHY = ("NM", "ST")  # ST is what SPECT was called before NM (retired)
RECONSTRUCTED = ("RECON TOMO", "RECON GATED TOMO")
RAW, PLANAR = ("TOMO", "GATED TOMO"), ("STATIC", "WHOLE BODY", "DYNAMIC", "GATED")
PROJECTED = re.compile(r"LOCALI[SZ]ER|SCOUT|\b(M|MIN|MAX)[ -]?IP\b|PROJECTION")
# Slices of one exam agree in all of these.
SERIES = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate")
FACTS = {"subject": "PatientID", "series": "SeriesDescription"}
FACTS |= {"image_type": "ImageType", "modality": "Modality"}
DIRECTORY, CAPTURE = "1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class DicomExam:
    """An exam among other files.

    Attributes
    ----------
    path : Path
        Its file, or the first of its series.
    facts : dict of str to str
        What :func:`describe_dicom` tells; empty if the file is damaged.
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

    Files of one slice each that lie in one folder and name one series of one patient are one exam.
    A file that cannot be read counts as one too: what is wrong with it is told when it is loaded.

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
        if other := _other_kind(header):
            others[other[0]] += 1
        elif (key := _series(path, header) if is_slice(header) else path) not in exams:
            exams[key] = _exam(path, header, codes)
    return list(exams.values()), others


def _exam(path: Path, header: Dataset, codes: Counter[str]) -> DicomExam:
    identifier = "SeriesInstanceUID" if is_slice(header) else "SOPInstanceUID"
    code = hashlib.sha256(text(header, identifier).encode()).hexdigest()[:10]
    codes[code] += 1  # copies of an exam lie in several places
    code = f"exam-{code}" + (f"-{codes[code]}" if codes[code] > 1 else "")
    return DicomExam(path, _facts(header), code, _private(header))


def files_below(folder: Path) -> Iterator[Path]:
    """List all files in a fixed order, hidden ones left out; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())  # a pipe would be waited for


def headers_of(path: Path) -> dict[Path, Dataset]:
    """Return the files of one exam and their headers.

    Parameters
    ----------
    path : Path
        A file that holds all slices; one slice, whose series lies beside it; or a folder that holds
        one exam.

    Raises
    ------
    UsageError
        If there is no such file, or pydicom is not installed.
    ScanError
        If it is no exam, the folder holds none or several, or two files claim to be one slice.
    """
    file = _only_exam(path) if path.is_dir() else path
    header = read_header(file)
    if other := _other_kind(header):
        code, words = other[1]
        raise scan_error(path, code, *words)
    if not is_slice(header):
        return {file: header}
    found: dict[object, tuple[Path, Dataset]] = {}
    for place in sorted(filter(is_dicom, filter(Path.is_file, file.parent.iterdir()))):
        try:
            beside = read_header(place)
        except ScanError:  # leaves a gap
            continue
        same = _series(place, beside) == _series(file, header)
        if same and is_slice(beside) and not _other_kind(beside):
            places = (text(one, "ImagePositionPatient") for one in places_of(beside))
            copy = (text(beside, "SOPInstanceUID") or place, *places)
            first, _ = found.setdefault(copy, (place, beside))
            if first != place and _pixels(first) != _pixels(place):
                two = f"another in {place.name} than in {first.name}"
                raise scan_error(path, "slices-mixed", "one image a slice", two, "Keep one.")
    return dict(found.values())


def files_of(path: Path) -> list[Path]:
    """Return the files that hold an exam, of a folder or a series all of them."""
    try:
        return [*headers_of(path)]
    except ScanError:
        return [path]


def _only_exam(folder: Path) -> Path:
    exams, others = find_exams(filter(is_dicom, files_below(folder)))
    if len(exams) == 1:
        return exams[0].path
    names = [str(exam.path.relative_to(folder)) for exam in exams]
    names = names or [f"{count} {kind}" for kind, count in others.items()] or ["no DICOM file"]
    remedy = "Name the files of exams one by one, or give the folder to 'datkit prepare'."
    raise scan_error(folder, "exams-several", "one exam in a folder", list_some(names), remedy)


def _series(path: Path, header: Dataset) -> tuple[Path, tuple[str, ...]]:
    return path.parent, tuple(text(header, name) for name in SERIES)


def _pixels(path: Path) -> list[object]:
    header = read_header(path, pixels=True)
    scale = [text(header, name) for name in ("RescaleSlope", "RescaleIntercept")]
    return [*scale, header.get("PixelData"), header.get("FloatPixelData")]


def is_slice(header: Dataset) -> bool:
    """Tell an object of one slice from one whose frames are the slices."""
    return number(header, "NumberOfFrames", 1.0) == 1


def _other_kind(header: Dataset) -> tuple[str, Fault] | None:
    """Tell what a file is that is no reconstructed volume: the name of its kind, and the fault."""
    kinds = text(header, "ImageType").upper().replace("_", " ").split("\\")
    third, said = "".join(kinds[2:3]), "\\".join(kinds) or "no image type"
    sop = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    modality, samples = shown(header, "Modality"), shown(header, "SamplesPerPixel")
    foreign, coloured = modality not in TOMOGRAPHY, samples not in ("1", "absent")
    palette = text(header, "PhotometricInterpretation").startswith("PALETTE")
    transmitted = "TRANSMISSION" in kinds
    missing = third not in RECONSTRUCTED and not _is_tomography(header)
    recon, code = "a reconstructed volume (RECON TOMO)", "not-reconstructed"
    choose, screens = "Choose the reconstructed SPECT series.", "screen captures"
    again = "Export it again with its ImageType, or convert it with dcm2niix."
    cases = [
        (sop == DIRECTORY, "DICOMDIR", "directory", recon, "a disc's directory", choose),
        (sop.startswith(CAPTURE), screens, "picture", recon, "a picture", choose),
        (foreign, f"{modality} images", "modality", "modality NM", repr(modality), choose),
        (coloured, screens, "picture", "one grey value a pixel", samples, choose),
        (palette, screens, "picture", "grey values", "a palette of colours", choose),
        (transmitted, "transmission maps", "transmission", "an emission volume", said, choose),
        (PROJECTED.search(said), "projections and localizers", code, recon, said, choose),
        (third in RAW, "raw projections", code, recon, said, "Reconstruct it first."),
        (third in PLANAR, "planar images", code, recon, said, choose),
        (missing, "other images", code, recon, said, again),
    ]
    found = [(case[0], (case[1], (case[2], case[3], case[4]))) for is_so, *case in cases if is_so]
    return found[0] if found else None


def _is_tomography(header: Dataset) -> bool:
    """Tell a volume whose image type was wiped: by its slices, or a slice by its place."""
    if "AngularViewVector" in header:
        return False
    if is_slice(header):
        return any("ImagePositionPatient" in place for place in places_of(header))
    return "SliceVector" in header


def describe_dicom(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return what a file says of itself: subject, tracer, camera, series and image type.

    Nothing else that could identify a person is told.

    Raises
    ------
    UsageError
        If there is no such file, or pydicom is not installed.
    ScanError
        If it is no DICOM file.
    """
    return _facts(read_header(Path(path)))


def _facts(header: Dataset) -> dict[str, str]:
    camera = f"{text(header, 'Manufacturer')} {text(header, 'ManufacturerModelName')}".strip()
    facts = {name: text(header, element) for name, element in FACTS.items()}
    return facts | {"camera": camera, "tracer": _tracer(header)}


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
