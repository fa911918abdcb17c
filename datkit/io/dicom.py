"""A reconstructed SPECT exam as the camera's console exports it: one multi-frame DICOM NM object.

Needs pydicom, the extra ``dicom``. Geometry comes from the NM modules of DICOM PS3.3 C.8.4: pixel
spacing, spacing between slices (signed: some consoles count slices from the head down), and the
position and orientation of the first slice, which NM objects keep in the detector's sequence.
What is not a reconstructed volume, such as raw projections, is refused with the reason. Series of
one file for each slice, and enhanced objects, are for dcm2niix.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from datkit.errors import ScanError, UsageError
from datkit.io.scan import AGAIN, MAX_VOXELS, Scan, one_line, scan_error, sound_scan
from datkit.problems import Problem

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["describe_dicom", "is_dicom", "load_dicom"]

# Axial slices of a patient who lies on the back, head first: columns run to the patient's left,
# rows to the back, slices to the head. DICOM millimetres point to left, back and head (LPS).
HEAD_FIRST_SUPINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SIZES = ("Columns", "Rows", "NumberOfFrames")
Words = tuple[str, str, str]  # what was expected, what was found, what to do
Fault = tuple[str, Words]  # the code of a problem of the file, and its words
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Tell a DICOM file by its magic word; pydicom is not needed.

    Examples
    --------
    >>> is_dicom(__file__)
    False
    """
    try:
        with Path(path).open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def describe_dicom(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return what a file says of itself: subject, tracer, camera, series and image type.

    Nothing else that could identify a person is read.

    Raises
    ------
    UsageError
        If there is no such file, or pydicom is not installed.
    ScanError
        If it is no DICOM file.
    """
    header = _read(Path(path), pixels=False)
    maker, model = _text(header, "Manufacturer"), _text(header, "ManufacturerModelName")
    return {
        "subject": _text(header, "PatientID"),
        "tracer": _tracer(header),
        "camera": f"{maker} {model}".strip(),
        "series": _text(header, "SeriesDescription"),
        "image_type": "\\".join(map(str, header.get("ImageType", []) or [])),
        "modality": _text(header, "Modality"),
    }


def load_dicom(
    path: str | os.PathLike[str],
    *,
    orientation: str | None = None,  # noqa: ARG001  as load_scan
    repair: bool = False,  # noqa: ARG001
) -> Scan:
    """Read a reconstructed multi-frame NM object and check it.

    Parameters
    ----------
    path : path
        One ``.dcm`` file that holds all slices.
    orientation, repair
        Accepted for likeness with :func:`datkit.io.scan.load_scan`.

    Raises
    ------
    UsageError
        If there is no such file, or pydicom is not installed.
    ScanError
        If it is no DICOM, no reconstructed volume, lacks frames or geometry, is compressed in a way
        that pydicom cannot read, or has a size that no exam has.
    """
    path = Path(path)
    header = _read(path, pixels=False)
    faults = [*_kind_faults(header), *_frame_faults(header)]
    affine = np.eye(4) if faults else _affine(header, faults)
    slope = _number(header, "RescaleSlope", 1.0)
    intercept = _number(header, "RescaleIntercept", 0.0)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        faults.append(("rescale", ("a finite rescale slope", f"{slope:g}", AGAIN)))
    problems = [Problem(code, str(path), *words) for code, words in faults]
    ScanError.raise_any(problems, where=path)
    frames = _frames(_read(path, pixels=True), path)  # (slices, rows, columns)
    data = np.ascontiguousarray(frames.transpose(2, 1, 0), dtype=np.float32)
    return sound_scan(data * np.float32(slope) + np.float32(intercept), affine, path, ())


def _read(path: Path, pixels: bool) -> Dataset:
    try:
        import pydicom
    except ImportError as error:
        raise UsageError(
            f"{path}: reading DICOM needs pydicom; install the extra, pip install "
            "'dat-spect-kit[dicom]', or convert the exam with dcm2niix."
        ) from error
    if not path.is_file():
        raise UsageError(f"Expected a DICOM file at {path}, found none; check the path.")
    try:
        if not _is_deflated(path):
            header = pydicom.dcmread(path, stop_before_pixels=not pixels)
            header.get("Modality")  # values are decoded when they are asked for
            return header
    except Exception as error:
        found = f"a damaged or other one ({one_line(error)})"
        raise scan_error(path, "file-damaged", "a DICOM file", found) from error
    remedy = "Export it uncompressed."
    raise scan_error(path, "file-deflated", "an open file", "a deflated one", remedy)


def _is_deflated(path: Path) -> bool:
    """Tell a file packed as a whole: pydicom unpacks all of it at once, a thousandfold if it likes.

    Elements of the file's meta information, which is never packed, tell it.
    """
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian


def _kind_faults(header: Dataset) -> Iterator[Fault]:
    modality = _text(header, "Modality")
    kinds = [str(kind).upper() for kind in header.get("ImageType", []) or []]
    if modality != "NM":
        yield "modality", ("modality NM", repr(modality or "none"), "Choose the SPECT series.")
    elif not {"RECON TOMO", "RECON GATED TOMO"} & {*kinds}:
        expected, found = "a reconstructed volume (RECON TOMO)", "\\".join(kinds) or "no image type"
        yield "not-reconstructed", (expected, found, "Reconstruct it first.")
    for name, what, remedy in (
        ("NumberOfEnergyWindows", "one energy window", "Export each alone."),
        ("NumberOfTimeSlots", "one gate", "Export each alone."),
        ("SamplesPerPixel", "one grey value a pixel", "Export counts, no picture."),
    ):
        if (count := _number(header, name, 1.0)) != 1:
            yield name, (what, f"{count:g}", remedy)


def _frame_faults(header: Dataset) -> Iterator[Fault]:
    sizes = [_number(header, name, np.nan) for name in SIZES]
    for name, size in zip(SIZES, sizes, strict=True):
        if not size >= 1:
            yield "size-missing", (name, f"{size:g}", AGAIN)
    if np.prod(sizes) > MAX_VOXELS:
        found = " × ".join(f"{size:g}" for size in sizes)
        yield "shape-impossible", (f"at most {MAX_VOXELS} voxels", found, AGAIN)
    slices = _number(header, "NumberOfSlices", sizes[2])
    if slices != sizes[2]:
        yield "frames-missing", (f"{slices:g} slices", f"{sizes[2]:g} frames", AGAIN)


def _affine(header: Dataset, faults: list[Fault]) -> np.ndarray:
    """Return voxel indices (column, row, slice) to millimetres, RAS+; note what is missing."""
    detector = (header.get("DetectorInformationSequence") or [header])[0]
    in_plane = _numbers("PixelSpacing", 2, header)
    step = _number(header, "SpacingBetweenSlices", _number(header, "SliceThickness", np.nan))
    if in_plane is None or not np.isfinite(step) or step == 0:
        expected = "PixelSpacing and SpacingBetweenSlices"
        faults.append(("spacing-missing", (expected, "none", AGAIN)))
        return np.eye(4)
    turn = _numbers("ImageOrientationPatient", 6, detector, header)
    if turn is None and _text(header, "PatientPosition") == "HFS":
        turn = np.array(HEAD_FIRST_SUPINE)
    columns, rows = np.zeros((2, 3)) if turn is None else turn.reshape(2, 3)
    if not np.allclose([columns @ columns, rows @ rows, columns @ rows], [1, 1, 0], atol=1e-3):
        expected = "ImageOrientationPatient or PatientPosition HFS"
        found = "neither, so left and right are not known"
        faults.append(("orientation-missing", (expected, found, AGAIN)))
        return np.eye(4)
    axes = np.stack([columns * in_plane[1], rows * in_plane[0], np.cross(columns, rows) * step], 1)
    origin = _numbers("ImagePositionPatient", 3, detector, header)
    if origin is None:  # 0 mm in the middle
        origin = -axes @ ((np.array([_number(header, name, 1.0) for name in SIZES]) - 1) / 2)
    return LPS_TO_RAS @ nib.affines.from_matvec(axes, origin)


def _frames(header: Dataset, path: Path) -> np.ndarray:
    """Return the slices, shape (slices, rows, columns)."""
    try:
        pixels = np.asarray(header.pixel_array)
    except Exception as error:
        expected = f"{_text(header, 'NumberOfFrames')} frames of pixels"
        found = f"a file that lacks some or is packed in another way ({one_line(error)})"
        remedy = "Export it again, uncompressed."
        raise scan_error(path, "frames-missing", expected, found, remedy) from error
    return pixels if pixels.ndim == 3 else pixels[None]


def _tracer(header: Dataset) -> str:
    for item in header.get("RadiopharmaceuticalInformationSequence") or []:
        if name := _text(item, "Radiopharmaceutical"):
            return name
        for code in item.get("RadiopharmaceuticalCodeSequence") or []:
            return _text(code, "CodeMeaning")
    return ""


# Values are decoded when they are asked for: a damaged one raises whatever pydicom makes of it.


def _numbers(name: str, count: int, *items: Dataset) -> np.ndarray | None:
    """Return the finite values of the first item that has so many."""
    for item in items:
        try:
            values = np.array([float(value) for value in item.get(name)], dtype=float)
        except Exception:
            continue
        if values.shape == (count,) and np.isfinite(values).all():
            return values
    return None


def _number(item: Dataset, name: str, default: float) -> float:
    try:
        value = item.get(name)
        return default if value in (None, "") else float(value)
    except Exception:
        return float("nan")


def _text(item: Dataset, name: str) -> str:
    try:
        value = item.get(name)
    except Exception:
        return ""
    return "" if value is None else " ".join(str(value).split())
