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
from typing import Any

import numpy as np

from datkit.errors import ScanError, UsageError
from datkit.io.scan import MAX_VOXELS, Scan, sound_scan

__all__ = ["describe_dicom", "is_dicom", "load_dicom"]

# Axial slices of a patient who lies on the back, head first: columns run to the patient's left,
# rows to the back, slices to the head. DICOM millimetres point to left, back and head (LPS).
HEAD_FIRST_SUPINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Tell a DICOM file by its magic word; pydicom is not needed.

    Examples
    --------
    >>> is_dicom(__file__)
    False
    """
    try:
        with open(path, "rb") as stream:
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


def load_dicom(path: str | os.PathLike[str], *, repair: bool = False) -> Scan:
    """Read a reconstructed multi-frame NM object and check it.

    Parameters
    ----------
    path : path
        One ``.dcm`` file that holds all slices.
    repair : bool
        Accepted for likeness with :func:`datkit.io.scan.load_scan`; nothing in DICOM is mended.

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
    problems = [*_kind_problems(header), *_frame_problems(header)]
    if not problems:
        affine = _affine(header, problems)
    if problems:
        raise ScanError.of([f"{problem}." for problem in problems], where=path)
    frames = _frames(_read(path, pixels=True), path)  # (slices, rows, columns)
    data = np.ascontiguousarray(frames.transpose(2, 1, 0), dtype=np.float32)
    slope, intercept = (_number(header, f"Rescale{k}", d) for k, d in _RESCALE)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise ScanError(f"{path}: expected a finite rescale slope, found {slope}; export it again.")
    return sound_scan(data * np.float32(slope) + np.float32(intercept), affine, path, ())


_RESCALE = (("Slope", 1.0), ("Intercept", 0.0))


def _read(path: Path, pixels: bool) -> Any:
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
        raise ScanError(
            f"{path}: expected a DICOM file, found a damaged or other one ({_one_line(error)}); "
            "export it again."
        ) from error
    raise ScanError(f"{path}: expected an open file, found a deflated one; export it uncompressed.")


def _is_deflated(path: Path) -> bool:
    """Tell a file packed as a whole: pydicom unpacks all of it at once, a thousandfold if it likes.

    Elements of the file's meta information, which is never packed, tell it.
    """
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian


def _kind_problems(header: Any) -> Iterator[str]:
    modality = _text(header, "Modality")
    kinds = [str(kind).upper() for kind in header.get("ImageType", []) or []]
    if modality != "NM":
        yield f"expected modality NM, found {modality or 'none'!r}; choose the SPECT series"
    elif "RECON TOMO" not in kinds and "RECON GATED TOMO" not in kinds:
        found = "\\".join(kinds) or "no image type"
        yield f"expected a reconstructed volume (RECON TOMO), found {found}; reconstruct it first"
    for name, what in (("NumberOfEnergyWindows", "energy window"), ("NumberOfTimeSlots", "gate")):
        if (count := _number(header, name, 1.0)) > 1:
            yield f"expected one {what}, found {count:g}; export each alone"
    if (samples := _number(header, "SamplesPerPixel", 1.0)) != 1:
        yield f"expected grey values, found {samples:g} samples a pixel; export counts, no picture"


def _frame_problems(header: Any) -> Iterator[str]:
    names = ("Columns", "Rows", "NumberOfFrames")
    sizes = [_number(header, name, np.nan) for name in names]
    for name, size in zip(names, sizes, strict=True):
        if not size >= 1:
            yield f"expected {name}, found {size:g}; export it again"
    if all(size >= 1 for size in sizes) and np.prod(sizes) > MAX_VOXELS:
        found = " × ".join(f"{size:g}" for size in sizes)
        yield f"expected at most {MAX_VOXELS} voxels, found {found}; export it again"
    slices = _number(header, "NumberOfSlices", sizes[2])
    if slices != sizes[2]:
        yield f"expected {slices:g} slices, found {sizes[2]:g} frames; export the volume again"


def _affine(header: Any, problems: list[str]) -> np.ndarray:
    """Return voxel indices (column, row, slice) to millimetres, RAS+; note what is missing."""
    detector = (header.get("DetectorInformationSequence") or [header])[0]
    in_plane = _numbers(header, "PixelSpacing", 2)
    step = _number(header, "SpacingBetweenSlices", _number(header, "SliceThickness", np.nan))
    if in_plane is None or not np.isfinite(step) or step == 0:
        problems.append("expected PixelSpacing and SpacingBetweenSlices, found none; export again")
        return np.eye(4)
    turn = _first(detector, header, "ImageOrientationPatient", 6)
    if turn is None and _text(header, "PatientPosition") == "HFS":
        turn = np.array(HEAD_FIRST_SUPINE)
    if turn is None or not _is_orthonormal(turn):
        problems.append(
            "expected ImageOrientationPatient or PatientPosition HFS, found neither, so left and "
            "right are not known; export it again"
        )
        return np.eye(4)
    columns, rows = turn[:3], turn[3:]
    axes = np.stack([columns * in_plane[1], rows * in_plane[0], np.cross(columns, rows) * step], 1)
    affine = np.eye(4)
    affine[:3, :3] = axes
    origin = _first(detector, header, "ImagePositionPatient", 3)
    affine[:3, 3] = _centred(axes, header) if origin is None else origin
    return LPS_TO_RAS @ affine


def _is_orthonormal(turn: np.ndarray) -> bool:
    pair = turn.reshape(2, 3)
    return bool(np.allclose(pair @ pair.T, np.eye(2), atol=1e-3))


def _centred(axes: np.ndarray, header: Any) -> np.ndarray:
    """Put 0 mm into the middle where no position is given."""
    shape = [_number(header, name, 1.0) for name in ("Columns", "Rows", "NumberOfFrames")]
    return -axes @ ((np.array(shape) - 1) / 2)


def _frames(header: Any, path: Path) -> np.ndarray:
    """Return the slices, shape (slices, rows, columns)."""
    try:
        pixels = np.asarray(header.pixel_array)
    except Exception as error:
        raise ScanError(
            f"{path}: expected {_text(header, 'NumberOfFrames')} frames of pixels, found a file "
            f"that lacks some or is packed in another way ({_one_line(error)}); export it again, "
            "uncompressed."
        ) from error
    return pixels if pixels.ndim == 3 else pixels[None]


def _tracer(header: Any) -> str:
    for item in header.get("RadiopharmaceuticalInformationSequence") or []:
        if name := _text(item, "Radiopharmaceutical"):
            return name
        for code in item.get("RadiopharmaceuticalCodeSequence") or []:
            return _text(code, "CodeMeaning")
    return ""


def _first(item: Any, other: Any, name: str, count: int) -> np.ndarray | None:
    found = _numbers(item, name, count)
    return _numbers(other, name, count) if found is None else found


def _numbers(item: Any, name: str, count: int) -> np.ndarray | None:
    try:
        values = np.array([float(value) for value in item.get(name)], dtype=float)
    except Exception:
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def _number(item: Any, name: str, default: float) -> float:
    try:
        value = item.get(name)
        return default if value in (None, "") else float(value)
    except Exception:
        return float("nan")


def _text(item: Any, name: str) -> str:
    try:
        value = item.get(name)
    except Exception:
        return ""
    return "" if value is None else " ".join(str(value).split())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
