"""One exam's file: read it with suspicion, write it reproducibly.

A hospital's files are not clean: gzip streams end early, headers claim voxels of a micrometre, a
NaN hides in a corner. Everything after this module may rely on a :class:`Scan` being sound.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from datkit.errors import ScanError, UsageError
from datkit.files import replace_atomically

__all__ = [
    "MAX_VOXELS",
    "Scan",
    "check_uid",
    "load_scan",
    "open_image",
    "save_scan",
    "sound_scan",
]

# The challenge's spacings run from 1.37 to 4.42 mm (its problem page, and counts by entrants). The
# bounds leave room for phantoms and coarse PET, and stop a corrupt pixdim, which once asked an
# entrant's resampling for 62 GiB.
SPACING_LIMITS = (0.5, 12.0)
# 512³: eight times the challenge's largest matrix of 256³, half a gigabyte as float32.
MAX_VOXELS = 512**3
# Converters put some kilobytes of DICOM header before the voxels. A packed file that claims more
# than this would be unpacked for minutes before its first voxel comes.
MAX_OFFSET = 2**26
# What nibabel raises on a damaged file; an infinite offset overflows (found by fuzzing).
_DAMAGE = (
    *(HeaderDataError, OSError, EOFError, zlib.error),
    *(ValueError, OverflowError, MemoryError),
)
_UID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Scan:
    """One reconstructed volume and where it lies in space.

    Attributes
    ----------
    data : numpy.ndarray, shape (i, j, k), float32
        Counts or any linear scale of them, native byte order, all finite.
    affine : numpy.ndarray, shape (4, 4), float64
        Voxel indices to scanner millimetres, RAS+ (x to the right, y to the front, z up).
    path : Path or None
        The file that it came from.
    repairs : tuple of str
        What :func:`load_scan` mended; empty unless ``repair=True``.
    """

    data: np.ndarray
    affine: np.ndarray
    path: Path | None = None
    repairs: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each array axis."""
        return self.data.shape

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size along each array axis, shape (3,), mm."""
        return nib.affines.voxel_sizes(self.affine)


def check_uid(uid: str) -> str:
    """Return `uid` if it is safe to build a file name from.

    Raises
    ------
    ScanError
        If it is empty, longer than 100 characters, or holds anything but ASCII letters, digits,
        ``_``, ``-`` and ``.``, or begins with ``.`` or ``-``.

    Examples
    --------
    >>> check_uid("007")
    '007'
    >>> check_uid("../secret")
    Traceback (most recent call last):
    datkit.errors.ScanError: Expected a uid of letters, digits, '_', '-' and '.', found ...
    """
    if not (isinstance(uid, str) and _UID.fullmatch(uid)):
        raise ScanError(
            f"Expected a uid of letters, digits, '_', '-' and '.', found {uid!r}; "
            "rename the exam in the tables and on disk."
        )
    return uid


def load_scan(path: str | os.PathLike[str], *, repair: bool = False) -> Scan:
    """Read a NIfTI volume and check it.

    Parameters
    ----------
    path : path
        A ``.nii`` or ``.nii.gz`` file of any byte order, orientation and number type.
    repair : bool
        Mend what can be mended instead of raising: NaN and infinite voxels become 0, the frames of
        a 4-D file are averaged, a corrupt pixdim gives way to a sound affine. What was mended is
        listed in :attr:`Scan.repairs`. For inference, where every exam needs an answer.

    Raises
    ------
    UsageError
        If there is no such file.
    ScanError
        If it is truncated or no NIfTI, has several frames, non-finite voxels, one value only, or
        a size that no exam has. The message names the file and the remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"Expected a NIfTI file at {path}, found none; check the path.")
    repairs: list[str] = []
    image = open_image(path)
    _check_header(image, path, repairs if repair else None)
    data = _read_voxels(image, path)
    data = _single_frame(data, path, repairs if repair else None)
    data = _finite_voxels(data, path, repairs if repair else None)
    return sound_scan(data, image.affine, path, repairs)


def sound_scan(data: np.ndarray, affine: np.ndarray, path: Path, repairs: Iterable[str]) -> Scan:
    """Make a scan of voxels and affine, whatever file they came from, if an exam can have them.

    Parameters
    ----------
    data : array, shape (i, j, k), float32
        All finite.
    affine : array, shape (4, 4)
        Voxel indices to millimetres, RAS+.
    path : Path
        Named in what is raised.
    repairs : iterable of str
        What was mended on the way.

    Raises
    ------
    ScanError
        If shape, spacing or axes are those of no exam, or all voxels are equal.
    """
    problems = [*_shape_problems(data.shape), *_geometry_problems(affine, "affine")]
    if problems:
        raise ScanError.of([f"{p}; export the exam again." for p in problems], where=path)
    if data.min() == data.max():
        raise ScanError(
            f"{path}: expected counts, found the value {data.flat[0]:g} in every voxel; "
            "export the exam again."
        )
    return Scan(data, np.asarray(affine, dtype=np.float64), path, tuple(repairs))


def save_scan(
    data: np.ndarray, affine: np.ndarray, path: str | os.PathLike[str], *, dtype: str | None = None
) -> Path:
    """Write a volume as ``.nii.gz``: the same voxels give the same bytes, or no file at all.

    Parameters
    ----------
    data : array, shape (i, j, k)
        Voxels. With an integer `dtype` they are rounded and clipped to its range.
    affine : array, shape (4, 4)
        Voxel indices to millimetres, RAS+.
    path : path
        Where to write; replaced atomically.
    dtype : str, optional
        Number type on disk, such as ``"uint16"`` (the challenge's); default the array's own.

    Raises
    ------
    OSError
        If the file cannot be written; an older file stays as it was.
    """
    path = Path(path)
    target = np.dtype(dtype or data.dtype)
    if target.kind in "iu" and data.dtype != target:
        limits = np.iinfo(target)
        data = np.clip(np.rint(data), limits.min, limits.max)
    image = nib.Nifti1Image(np.asarray(data, dtype=target), affine)
    image.header.set_xyzt_units("mm")
    # No time and no name in the gzip header, so that a volume's hash is its content's hash.
    with (
        replace_atomically(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as stream,
    ):
        stream.write(image.to_bytes())
    return path


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class _NoExtensions(nib.nifti1.Nifti1Extensions):
    """Extensions left unread: nibabel takes as many bytes as they claim, and no scan needs them."""

    @classmethod
    def from_fileobj(cls, fileobj: object, size: int, byteswap: bool) -> _NoExtensions:
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
        raise ScanError(
            f"{path}: expected a NIfTI volume, found a damaged file ({_one_line(error)}); copy or "
            "export it again."
        ) from error
    raise ScanError(
        f"{path}: expected a NIfTI volume (.nii or .nii.gz), found another file, or one that is "
        "damaged from its beginning; copy, export or convert it again."
    )


def _check_header(image: nib.Nifti1Image, path: Path, repairs: list[str] | None) -> None:
    shape, affine = image.shape, image.affine
    problems = _shape_problems(shape)
    if image.get_data_dtype().kind not in "iuf":
        problems.append(f"expected numbers, found the voxel type {image.get_data_dtype()}")
    if (offset := image.dataobj.offset) > MAX_OFFSET:
        problems.append(f"expected voxels from byte {MAX_OFFSET} at the latest, found {offset}")
    problems += _geometry_problems(affine, "affine")
    if not problems:
        header = _geometry_problems(np.diag([*image.header["pixdim"][1:4], 1.0]), "pixdim")
        if header and repairs is not None:
            repairs.append("took the spacing from the affine, since pixdim is corrupt")
        else:
            problems += header
    if problems:
        raise ScanError.of([f"{p}; export the exam again." for p in problems], where=path)


def _shape_problems(shape: tuple[int, ...]) -> list[str]:
    if len(shape) not in (3, 4) or min(shape, default=0) < 1:
        return [f"expected three axes, found the shape {shape}"]
    if np.prod(shape, dtype=float) > MAX_VOXELS:
        return [f"expected at most {MAX_VOXELS} voxels, found the shape {shape}"]
    if min(shape[:3]) < 8:
        return [f"expected a head of at least 8 voxels along each axis, found {shape}"]
    return []


def _geometry_problems(affine: np.ndarray, name: str) -> list[str]:
    low, high = SPACING_LIMITS
    if not np.isfinite(affine).all():
        return [f"expected a finite {name}, found NaN or infinity in it"]
    spacing = nib.affines.voxel_sizes(affine)
    if (spacing < low).any() or (spacing > high).any():
        found = " × ".join(f"{value:g}" for value in spacing)
        return [f"expected voxels of {low:g}–{high:g} mm in the {name}, found {found} mm"]
    # Columns of unit length and a small volume mean axes that nearly coincide.
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.5:
        return [f"expected three independent axes in the {name}, found a sheared or flat one"]
    return []


def _read_voxels(image: nib.Nifti1Image, path: Path) -> np.ndarray:
    try:
        stored = _unpack(image.dataobj, path) if path.suffix == ".gz" else image.dataobj
        return np.require(stored, np.float32, "W")
    except _DAMAGE as error:
        raise ScanError(
            f"{path}: expected {image.shape} voxels, found a file that ends early or is damaged "
            f"({_one_line(error)}); copy or download it again."
        ) from error


def _unpack(stored: nib.arrayproxy.ArrayProxy, path: Path) -> np.ndarray:
    """Unpack the voxels of a .nii.gz in one go, and compare the checksum that stands behind them.

    nibabel stops at the last voxel, before the checksum: a flipped bit would go unseen.
    """
    count = int(np.prod(stored.shape))
    size = stored.offset + count * stored.dtype.itemsize
    with path.open("rb") as stream:
        packed = stream.read(size + size // 1000 + 2**20)  # more than what cannot be packed takes
    unzip = zlib.decompressobj(wbits=31)
    raw = unzip.decompress(packed, size)
    if unzip.eof and len(raw) < size:  # several members, one after the other: as a stream
        with gzip.open(path) as stream:
            raw = stream.read(size + 1)
    unzip.decompress(unzip.unconsumed_tail, 1)  # the checksum, if the last voxel is the end
    if len(raw) < size:
        raise EOFError(f"{len(raw)} of {size} bytes")
    array = np.frombuffer(raw, stored.dtype, count, stored.offset).reshape(stored.shape, order="F")
    slope, inter = np.asanyarray(stored.slope), np.asanyarray(stored.inter)
    return nib.volumeutils.apply_read_scaling(array, slope, inter)


def _single_frame(data: np.ndarray, path: Path, repairs: list[str] | None) -> np.ndarray:
    if data.ndim == 3:
        return data  # in the file's order: turning it round takes longer than all the rest
    frames = data.shape[3]
    if frames > 1 and repairs is None:
        raise ScanError(
            f"{path}: expected a 3-D volume, found a 4-D file of {frames} frames; "
            "save one frame or their mean as a 3-D file."
        )
    if frames > 1:
        repairs.append(f"averaged {frames} frames")
    return data.mean(axis=3, dtype=np.float32)


def _finite_voxels(data: np.ndarray, path: Path, repairs: list[str] | None) -> np.ndarray:
    bad = ~np.isfinite(data)
    if not bad.any():
        return data
    if repairs is None:
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ScanError(
            f"{path}: expected finite voxels, found {bad.sum()} NaN or infinite, the first at "
            f"{first}; export the exam again, or load it with repair=True to set them to 0."
        )
    repairs.append(f"set {bad.sum()} NaN or infinite voxels to 0")
    return np.where(bad, np.float32(0), data)
