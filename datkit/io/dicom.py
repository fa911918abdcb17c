"""A reconstructed SPECT exam as a console or an archive exports it: DICOM.

Needs pydicom, the extra ``dicom``. One NM object holds all slices as its frames, or a folder holds
a series of files of one slice each. What is not a reconstructed volume, such as raw projections, is
refused with the reason.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from datkit.errors import ScanError
from datkit.io.dicom_files import describe_dicom, headers_of, is_slice
from datkit.io.dicom_geometry import CONVERT, Fault, frames_affine, slice_order, stack_affine
from datkit.io.dicom_header import is_dicom, items_of, number, read_header, shown, text
from datkit.io.scan import AGAIN, MAX_VOXELS, Scan, air_faults, one_line, scan_error, sound_scan
from datkit.problems import Problem

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["describe_dicom", "is_dicom", "load_dicom"]

ONE_OF = {"EnergyWindow": "energy window", "TimeSlot": "gate", "RRInterval": "interval of beats"}
SIZES = ("Columns", "Rows", "NumberOfFrames")
JPEG_SYNTAX = "1.2.840.10008.1.2.4."  # of every kind
JPEG = "Install what unpacks it, pip install 'dat-spect-kit[jpeg]', or export it uncompressed."


def load_dicom(
    path: str | os.PathLike[str],
    *,
    orientation: str | None = None,
    repair: bool = False,  # noqa: ARG001  nothing in DICOM is mended
) -> Scan:
    """Read a reconstructed NM object, or a series of one-slice files, and check it.

    Values are those to which a rescale slope or a real-world value mapping takes the stored ones.

    Parameters
    ----------
    path : path
        The file that holds all slices; one file of a series, whose others lie beside it; or a
        folder that holds one exam.
    orientation : str, optional
        Where columns, rows and slices run to, such as ``"LPS"``, instead of what the file says. The
        slices of a series lie where their positions say.
    repair : bool
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
    headers = headers_of(path)
    header = next(iter(headers.values()))
    faults = [fault for one in headers.values() for fault in _several(one)]
    faults += _frame_faults(header, len(headers))
    order, affine, known = np.arange(len(headers)), np.eye(4), "known"
    if not faults:
        order, affine = _place([*headers.values()], orientation, faults)
    if orientation and not faults:
        doubts: list[Fault] = []
        _, own = _place([*headers.values()], None, doubts)
        same = nib.aff2axcodes(own) == nib.aff2axcodes(affine)
        known = "stated" if doubts or same else "contradictory"
    scales = [_scale(one, faults) for one in headers.values()]
    if len(zeros := {*np.array(scales)[:, 1]}) > 1:
        found = ", ".join(f"{zero:g}" for zero in sorted(zeros))
        faults.append(("rescale", ("one rescale intercept in all slices", found[:80], AGAIN)))
    problems = [Problem(code, str(path), *words) for code, words in dict.fromkeys(faults)]
    ScanError.raise_any(problems, where=path)
    parts = [_slices(file, *scale) for file, scale in zip(headers, scales, strict=True)]
    slices = np.concatenate(parts)[order]
    data = np.ascontiguousarray(slices.transpose(2, 1, 0))  # from (slices, rows, columns)
    ScanError.raise_any(air_faults(data, scales[0][1], path), where=path)
    return sound_scan(Scan(data, affine, path, orientation=known))


def _place(
    headers: Sequence[Dataset], told: str | None, faults: list[Fault]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of the slices and the affine; add what is wrong."""
    if is_slice(headers[0]):
        return stack_affine(headers, told, faults)
    order = slice_order(headers[0], int(number(headers[0], "NumberOfFrames")), faults)
    return order, frames_affine(headers[0], told, faults)


def _several(header: Dataset) -> Iterator[Fault]:
    """Tell frames of several windows or gates, by their number or by a vector of one a frame."""
    for name, what in ONE_OF.items():
        vector = {*text(header, f"{name}Vector").split("\\")}
        count = max(number(header, f"NumberOf{name}s", 1.0), len(vector))
        if count != 1:
            yield "frames-several", (f"one {what}", f"{count:g}", "Export each alone.")


def _frame_faults(header: Dataset, files: int) -> Iterator[Fault]:
    sizes = [number(header, name) for name in SIZES]
    slices = number(header, "NumberOfSlices", sizes[2])
    if is_slice(header):
        sizes[2] = slices = files
        if files < 2:
            expected = "NumberOfFrames above 1, or the other slices of the series beside it"
            yield "frames-missing", (expected, "one slice", CONVERT)
    if own := items_of(header, "PerFrameFunctionalGroupsSequence"):
        found = f"{len(own)} groups, of a frame each"
        yield "frame-groups", ("one scale and one place for all frames", found, CONVERT)
    for name, size in zip(SIZES, sizes, strict=True):
        if not size >= 1:
            yield "size-missing", (name, shown(header, name), AGAIN)
    if np.prod(sizes) > MAX_VOXELS:
        found = " × ".join(f"{size:g}" for size in sizes)
        yield "shape-impossible", (f"at most {MAX_VOXELS} voxels", found, AGAIN)
    if sizes[2] >= 1 and slices != sizes[2]:
        expected = f"{shown(header, 'NumberOfSlices')} slices"
        yield "frames-missing", (expected, f"{sizes[2]:g} frames", AGAIN)


def _scale(header: Dataset, faults: list[Fault]) -> np.ndarray:
    """Return slope and intercept of the stored values (PS3.3 C.11.1.1, C.7.6.16.2.11)."""
    names = ("RealWorldValueSlope", "RealWorldValueIntercept")
    maps = items_of(header, "RealWorldValueMappingSequence")
    scale = [number(header, "RescaleSlope", 1.0), number(header, "RescaleIntercept", 0.0)]
    scales = np.array([scale] + [[number(one, name) for name in names] for one in maps])
    if maps and scale == [1, 0]:  # a map, too, is one of stored values
        scales = scales[1:]
    found = " and ".join(f"{slope:g} × stored {zero:+g}" for slope, zero in scales)
    if not np.isfinite(scales).all() or scales[:, 0].min() < np.finfo(np.float32).tiny:
        found = found.replace("+nan", "+ absent").replace("nan", "absent")
        faults.append(("rescale", ("a finite rescale slope above 0", found, AGAIN)))
    elif "ModalityLUTSequence" in header:
        faults.append(("rescale", ("a slope and an intercept", "a ModalityLUTSequence", AGAIN)))
    elif not np.allclose(zeros := scales[:, 1] / scales[:, 0], zeros[0], rtol=1e-3, atol=1e-3):
        remedy = "Export it without a value mapping."
        faults.append(("rescale", ("one stored value for no counts", found, remedy)))
    return scales[0]


def _slices(path: Path, slope: float, intercept: float) -> np.ndarray:
    """Return the values of a file, shape (slices, rows, columns), float32."""
    header = read_header(path, pixels=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*sufficient to contain")  # more than are named
            pixels = np.asarray(header.pixel_array, dtype=np.float32)
    except Exception as error:
        expected = f"{shown(header, 'NumberOfFrames')} frames of pixels"
        found = f"a file that lacks some or is packed in another way ({one_line(error)})"
        packed = str(header.file_meta.TransferSyntaxUID).startswith(JPEG_SYNTAX)
        remedy = JPEG if packed else "Export it again, uncompressed."
        raise scan_error(path, "frames-missing", expected, found, remedy) from error
    slices = pixels.reshape(-1, *pixels.shape[-2:])
    return slices * np.float32(slope) + np.float32(intercept)
