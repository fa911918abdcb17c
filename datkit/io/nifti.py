"""One exam in a NIfTI file, or a pair of files, or a pair in the Analyze format before it.

What a file is, and whether it is packed, is told by its first bytes, not by its name. What can be
mended and what cannot stands where the fault is found; see :func:`datkit.io.scan.load_scan`.
"""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from datkit.errors import ScanError
from datkit.io.nifti_geometry import Fault, find_geometry
from datkit.io.scan import AGAIN, Scan, air_faults, one_line, scan_error, shape_problems, sound_scan
from datkit.problems import Problem

__all__ = ["NiftiFile", "header_path", "is_nifti", "load_nifti", "open_nifti",
           "read_voxels"]  # fmt: skip

# Converters put some kilobytes of DICOM header before the voxels. A packed file that claims more
# than this would be unpacked for minutes before its first voxel comes.
MOST_BEHIND = 2**26  # bytes behind the last voxel, before the checksum of a packed file
MAX_OFFSET = 2**26
HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 and Analyze have 348
# What nibabel raises on a damaged file; an infinite offset overflows (found by fuzzing).
_DAMAGE = (HeaderDataError, OSError, EOFError, zlib.error, ValueError, OverflowError, MemoryError)
_SUFFIX = re.compile(r"\.(nii|hdr|img)(?=(\.gz)?$)", re.IGNORECASE)
_PARTNER = {"hdr": "img", "img": "hdr", "HDR": "IMG", "IMG": "HDR", "nii": "img"}
_QUIET = logging.Logger("nibabel", logging.CRITICAL)  # what it mends is not what is read
REPAIR = "Export it again, or set them to 0 with --repair (in Python, repair=True)."


class NiftiFile(NamedTuple):
    """What a file says before its voxels.

    Attributes
    ----------
    header : nibabel.AnalyzeHeader
        Of NIfTI or Analyze, as nibabel mends it.
    pixdim : numpy.ndarray, shape (4,)
        The first values of that field before it was mended: handedness, and voxel size.
    shape : tuple of int
        Number of voxels along each axis, without axes of one beyond the third.
    voxels : Path
        The file that holds them.
    offset : int
        The byte from which on it does.
    """

    header: nib.AnalyzeHeader
    pixdim: np.ndarray
    shape: tuple[int, ...]
    voxels: Path
    offset: int


def is_nifti(path: Path) -> bool:
    """Tell a NIfTI file, or either file of a pair, by its name.

    Examples
    --------
    >>> is_nifti(Path("exam.NII.gz")), is_nifti(Path("exam.img")), is_nifti(Path("exam.dcm"))
    (True, True, False)
    """
    return _SUFFIX.search(path.name) is not None


def header_path(path: Path) -> Path:
    """Return the header's file of a pair, whichever is named; any other file is its own."""
    partner = _partner(path)
    return partner if partner.is_file() and ".img" in path.name.lower() else path


def files_of(path: Path) -> list[Path]:
    """Return the files that hold an exam: both of a pair, else the file itself."""
    head = header_path(path)
    pair = ".hdr" in head.name.lower() and _partner(head).is_file()
    return [head, _partner(head)] if pair else [head]


def _partner(path: Path) -> Path:
    """Return the file beside a header or voxels; the file itself if its name is that of neither."""
    name = _SUFFIX.sub(lambda found: "." + _PARTNER.get(found[1], found[1]), path.name)
    return path.with_name(name)


def load_nifti(path: Path, *, orientation: str | None = None, repair: bool = False) -> Scan:
    """Read a NIfTI volume and check it; parameters as for :func:`datkit.io.scan.load_scan`.

    Raises
    ------
    UsageError
        If there is no such orientation.
    ScanError
        If it is truncated or no NIfTI, does not tell left from right, has several frames,
        non-finite voxels, one value only, or a size that no exam has.
    """
    file = open_nifti(path)
    affine, known, faults = find_geometry(file.header, file.pixdim, orientation, str(path))
    repairs = _mend([*_header_faults(file, path), *faults], repair, path)
    data, faults = _one_frame(read_voxels(file, path), path)
    zero = file.header.get_slope_inter()[1] or 0.0
    faults += [(one, "kept values below 0") for one in air_faults(data, zero, path)]
    repairs += _mend(faults, repair, path)
    return sound_scan(Scan(data, affine, path, tuple(repairs), known))


def open_nifti(path: Path) -> NiftiFile:
    """Read the header of a file, or of a pair of which either is named, and no voxel yet.

    Raises
    ------
    ScanError
        If it is no NIfTI file, damaged, or half a pair.
    """
    head = header_path(path)
    try:
        with _unpacked(head) as stream:
            block = stream.read(HEADER_BYTES)
        file = _parse(block, head)
    except _DAMAGE as error:
        found, remedy = f"a damaged file ({one_line(error)})", "Copy or export it again."
        raise scan_error(path, "file-damaged", "a NIfTI volume", found, remedy) from error
    if file is None:
        found = "another file, or one damaged from its beginning" if block else "an empty file"
        remedy = "Copy, export or convert it again; of a pair, keep both files together."
        raise scan_error(path, "no-nifti", "a NIfTI volume (.nii, .nii.gz, .hdr)", found, remedy)
    if not file.voxels.is_file():
        remedy = "Keep both files of a pair together."
        raise scan_error(path, "pair-broken", f"{file.voxels.name} beside it", "none", remedy)
    return file


def _unpacked(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as stream:
        packed = stream.read(2)
    return gzip.open(path) if packed == b"\x1f\x8b" else path.open("rb")


def _parse(block: bytes, head: Path) -> NiftiFile | None:
    kind, partner = _kind(block, head), _partner(head)
    single = getattr(kind, "is_single", False)
    if kind is None or not (single or partner != head):
        return None
    header = kind(block[: kind.sizeof_hdr], check=False)
    pixdim = np.array(header["pixdim"][:4], float)
    header.check_fix(_QUIET)
    sides = tuple(header.get_data_shape())
    shape = *sides[:3], *(count for count in sides[3:] if count != 1)
    if (offset := header.get_data_offset()) < (kind.sizeof_hdr if single else 0):
        raise ValueError(f"voxels from byte {offset} on, within the header")
    return NiftiFile(header, pixdim, shape, head if single else partner, offset)


def _kind(block: bytes, head: Path) -> type[nib.AnalyzeHeader] | None:
    """Return what reads a header; Analyze has no magic word, so that its name must tell too."""
    if nib.Nifti1Header.may_contain_header(block):
        pair = block[344:347] == nib.Nifti1Header.pair_magic
        return nib.nifti1.Nifti1PairHeader if pair else nib.Nifti1Header
    if nib.Nifti2Header.may_contain_header(block):
        pair = block[4:7] == nib.Nifti2Header.pair_magic
        return nib.nifti2.Nifti2PairHeader if pair else nib.Nifti2Header
    analyze = nib.spm99analyze.Spm99AnalyzeHeader
    named = ".hdr" in head.name.lower()
    return analyze if named and analyze.may_contain_header(block) else None


def _mend(faults: list[Fault], repair: bool, path: Path) -> list[str]:
    """Refuse what may not be mended; return what was."""
    left = [problem for problem, mended in faults if problem.is_error and not (repair and mended)]
    ScanError.raise_any(left, where=path)
    return [mended for _, mended in faults]


def _header_faults(file: NiftiFile, path: Path) -> Iterator[Fault]:
    """Yield what no exam has, before a voxel is read."""
    for problem in shape_problems(file.shape, path):
        yield problem, ""
    if (kind := file.header.get_data_dtype()).kind not in "iuf":
        found = "colours" if kind.names else f"the voxel type {kind}"
        remedy = "Export the counts themselves, not a picture of them."
        yield Problem("voxel-type", str(path), "counts as plain numbers", found, remedy), ""
    slope, zero = file.header["scl_slope"], file.header.get("scl_inter", 0.0)
    used = slope < 0 or 0 < slope < np.inf  # others mean nothing: readers take them for no scale
    unscaled = "" if used else f"took a scl_slope of {slope:g} for none"
    if slope and not np.finfo(np.float32).tiny <= slope < np.inf:
        expected = "no scl_slope below 0" if slope < 0 else "a usual number in scl_slope"
        yield Problem("rescale", str(path), expected, f"{slope:g}", AGAIN), unscaled
    elif not np.isfinite(zero):
        yield Problem("rescale", str(path), "a number in scl_inter", f"{zero:g}", AGAIN), unscaled
    if file.offset > MAX_OFFSET:
        expected = f"voxels from byte {MAX_OFFSET} at the latest"
        yield Problem("voxels-far", str(path), expected, str(file.offset), AGAIN), ""


def read_voxels(file: NiftiFile, path: Path) -> np.ndarray:
    """Read the voxels, and compare the checksum that stands behind packed ones.

    nibabel stops at the last voxel, before the checksum: a flipped bit would go unseen. Such a bit
    may also make the voxels more.
    """
    dtype, count = file.header.get_data_dtype(), int(np.prod(file.shape))
    try:
        size = file.offset + count * dtype.itemsize
        with _unpacked(file.voxels) as stream:
            raw = stream.read(size)
            reads = MOST_BEHIND // 2**20 if isinstance(stream, gzip.GzipFile) else 0
            behind = sum(len(stream.read(2**20)) for _ in range(reads))
        if len(raw) < size or behind == MOST_BEHIND:
            raise EOFError(f"{len(raw) + behind} of {size} bytes")
        array = np.frombuffer(raw, dtype, count, file.offset).reshape(file.shape, order="F")
        slope, inter = file.header.get_slope_inter()
        scale = (np.float64(1 if slope is None else slope), np.float64(inter or 0))
        return np.require(nib.volumeutils.apply_read_scaling(array, *scale), np.float32, "W")
    except _DAMAGE as error:
        found = f"a file that ends early or is damaged ({one_line(error)})"
        remedy = "Copy or download it again."
        raise scan_error(path, "file-damaged", f"{file.shape} voxels", found, remedy) from error


def _one_frame(data: np.ndarray, path: Path) -> tuple[np.ndarray, list[Fault]]:
    """Return one frame of finite voxels, and what was wrong with it."""
    faults: list[Fault] = []
    if data.ndim == 4:
        frames = data.shape[3]
        data = data.mean(axis=3, dtype=np.float32)
        found, remedy = f"a 4-D file of {frames} frames", "Save one of them, or their mean."
        problem = Problem("frames", str(path), "a 3-D volume", found, remedy)
        faults.append((problem, f"averaged {frames} frames"))
    bad = ~np.isfinite(data)
    if count := int(bad.sum()):
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        found = f"{count} NaN or infinite, the first at {first}"
        severity = "warning" if np.isnan(data[bad]).all() and _is_frame(bad) else "error"
        problem = Problem("voxels-infinite", str(path), "finite voxels", found, REPAIR, severity)
        faults.append((problem, f"set {count} NaN or infinite voxels to 0"))
        data = np.where(bad, np.float32(0), data)
    return data, faults


def _is_frame(bad: np.ndarray) -> bool:
    """Tell voxels that frame the field: along some axis nothing but others lies outside of each."""
    outside = np.zeros_like(bad)
    for axis in range(3):
        outside |= np.logical_and.accumulate(bad, axis)
        outside |= np.flip(np.logical_and.accumulate(np.flip(bad, axis), axis), axis)
    return bool((bad == outside).all())
