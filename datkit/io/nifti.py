"""One exam in a NIfTI file."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError

from datkit.errors import ScanError
from datkit.io.scan import (
    AGAIN,
    Scan,
    geometry_problems,
    one_line,
    scan_error,
    shape_problems,
    sound_scan,
)
from datkit.problems import Problem

__all__ = ["load_nifti", "open_image"]

# Converters put some kilobytes of DICOM header before the voxels. A packed file that claims more
# than this would be unpacked for minutes before its first voxel comes.
MAX_OFFSET = 2**26
# What nibabel raises on a damaged file; an infinite offset overflows (found by fuzzing).
_DAMAGE = (HeaderDataError, OSError, EOFError, zlib.error, ValueError, OverflowError, MemoryError)


def load_nifti(path: Path, *, orientation: str | None = None, repair: bool = False) -> Scan:  # noqa: ARG001
    """Read a NIfTI volume and check it; parameters as for :func:`datkit.io.scan.load_scan`.

    Raises
    ------
    ScanError
        If it is truncated or no NIfTI, has several frames, non-finite voxels, one value only, or
        a size that no exam has. The message names the file and the remedy.
    """
    image = open_image(path)
    repairs = _check_header(image, path, repair)
    data, more = _mended(_read_voxels(image, path), path, repair)
    return sound_scan(data, image.affine, path, [*repairs, *more])


class _NoExtensions(nib.nifti1.Nifti1Extensions):
    """Extensions left unread: nibabel takes as many bytes as they claim, and no scan needs them."""

    @classmethod
    def from_fileobj(cls, *_: object) -> _NoExtensions:
        return cls()


class _Header1(nib.Nifti1Header):
    exts_klass = _NoExtensions


class _Header2(nib.Nifti2Header):
    exts_klass = _NoExtensions


class _Image1(nib.Nifti1Image):
    header_class = _Header1


class _Image2(nib.Nifti2Image):
    header_class = _Header2


def open_image(path: Path) -> nib.Nifti1Image:
    """Read the header of a NIfTI file and no voxel yet.

    Raises
    ------
    ScanError
        If it is no NIfTI file or damaged.
    """
    try:
        for kind in (_Image1, _Image2):
            if kind.path_maybe_image(path)[0]:
                return kind.from_filename(path)
    except _DAMAGE as error:
        found, remedy = f"a damaged file ({one_line(error)})", "Copy or export it again."
        raise scan_error(path, "file-damaged", "a NIfTI volume", found, remedy) from error
    found = "another file, or one that is damaged from its beginning"
    remedy = "Copy, export or convert it again."
    raise scan_error(path, "no-nifti", "a NIfTI volume (.nii or .nii.gz)", found, remedy)


def _check_header(image: nib.Nifti1Image, path: Path, repair: bool) -> list[str]:
    """Refuse what no exam has, before a voxel is read; return what was mended."""
    problems = [*shape_problems(image.shape, path)]
    if (kind := image.get_data_dtype()).kind not in "iuf":
        found = f"the voxel type {kind}"
        problems.append(Problem("voxel-type", str(path), "numbers", found, AGAIN))
    if (offset := cast(ArrayProxy, image.dataobj).offset) > MAX_OFFSET:
        expected = f"voxels from byte {MAX_OFFSET} at the latest"
        problems.append(Problem("voxels-far", str(path), expected, str(offset), AGAIN))
    problems += geometry_problems(image.affine, "affine", path)
    pixdim = np.diag([*image.header["pixdim"][1:4], 1.0])
    corrupt = [] if problems else [*geometry_problems(pixdim, "pixdim", path)]
    if problems or (corrupt and not repair):
        raise ScanError.of(problems or corrupt, where=path)
    return ["took the spacing from the affine, since pixdim is corrupt"] if corrupt else []


def _read_voxels(image: nib.Nifti1Image, path: Path) -> np.ndarray:
    stored = cast(ArrayProxy, image.dataobj)  # on disk yet
    try:
        data = _unpack(stored, path) if path.suffix == ".gz" else stored
        return np.require(data, np.float32, "W")
    except _DAMAGE as error:
        found = f"a file that ends early or is damaged ({one_line(error)})"
        remedy = "Copy or download it again."
        raise scan_error(path, "file-damaged", f"{image.shape} voxels", found, remedy) from error


def _unpack(stored: ArrayProxy, path: Path) -> np.ndarray:
    """Unpack the voxels of a .nii.gz, and compare the checksum that stands behind them.

    nibabel stops at the last voxel, before the checksum: a flipped bit would go unseen.
    """
    count = int(np.prod(stored.shape))
    size = stored.offset + count * stored.dtype.itemsize
    with gzip.open(path) as stream:
        raw = stream.read(size)
        stream.read(1)  # the checksum, if the last voxel is the end
    if len(raw) < size:
        raise EOFError(f"{len(raw)} of {size} bytes")
    array = np.frombuffer(raw, stored.dtype, count, stored.offset).reshape(stored.shape, order="F")
    slope, inter = np.asanyarray(stored.slope), np.asanyarray(stored.inter)
    return nib.volumeutils.apply_read_scaling(array, slope, inter)


def _mended(data: np.ndarray, path: Path, repair: bool) -> tuple[np.ndarray, list[str]]:
    """Return one frame of finite voxels, and what was mended; refuse it where nothing may be."""
    problems: list[Problem] = []
    repairs: list[str] = []
    if data.ndim == 4:
        frames = data.shape[3]
        data = data.mean(axis=3, dtype=np.float32)
        if frames > 1:
            found, remedy = f"a 4-D file of {frames} frames", "Save one of them, or their mean."
            problems.append(Problem("frames", str(path), "a 3-D volume", found, remedy))
            repairs.append(f"averaged {frames} frames")
    bad = ~np.isfinite(data)
    if count := int(bad.sum()):
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        found = f"{count} NaN or infinite, the first at {first}"
        remedy = "Export the exam again, or load it with repair=True to set them to 0."
        problems.append(Problem("voxels-infinite", str(path), "finite voxels", found, remedy))
        repairs.append(f"set {count} NaN or infinite voxels to 0")
        data = np.where(bad, np.float32(0), data)
    if problems and not repair:
        raise ScanError.of(problems, where=path)
    return data, repairs
