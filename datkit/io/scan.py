"""One exam's file: read it with suspicion, write it reproducibly.

A hospital's files are not clean: gzip streams end early, headers claim voxels of a micrometre, a
NaN hides in a corner. Everything after this module may rely on a :class:`Scan` being sound.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError

from datkit.errors import ScanError, UsageError
from datkit.files import replace_atomically
from datkit.problems import Problem

__all__ = ["Scan", "is_safe_uid", "load_scan", "open_image", "save_scan"]

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
_DAMAGE = (HeaderDataError, OSError, EOFError, zlib.error, ValueError, OverflowError, MemoryError)
AGAIN = "Export the exam again."
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


def is_safe_uid(uid: object) -> bool:
    """Tell whether a file may be named by a uid.

    At most 100 ASCII letters, digits, ``_``, ``-`` and ``.``, neither ``.`` nor ``-`` in front.

    Examples
    --------
    >>> is_safe_uid("007"), is_safe_uid("../secret")
    (True, False)
    """
    return isinstance(uid, str) and _UID.fullmatch(uid) is not None


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
        problem = Problem("file-missing", str(path), "a NIfTI file", "none", "Check the path.")
        raise UsageError.of([problem], where=path)
    image = open_image(path)
    repairs = _check_header(image, path, repair)
    data, more = _mended(_read_voxels(image, path), path, repair)
    return sound_scan(data, image.affine, path, [*repairs, *more])


def scan_error(path: Path, code: str, expected: str, found: str, remedy: str = AGAIN) -> ScanError:
    """Make the error of a file with one problem."""
    return ScanError.of([Problem(code, str(path), expected, found, remedy)], where=path)


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
    problems = [*_shape_problems(data.shape, path), *_geometry_problems(affine, "affine", path)]
    if not problems and data.min() == data.max():
        found = f"the value {data.flat[0]:g} in every voxel"
        problems = [Problem("voxels-equal", str(path), "counts", found, AGAIN)]
    ScanError.raise_any(problems, where=path)
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


def one_line(error: Exception) -> str:
    """Return an error's message, or else its kind, in at most 200 characters on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


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
    problems = [*_shape_problems(image.shape, path)]
    if (kind := image.get_data_dtype()).kind not in "iuf":
        found = f"the voxel type {kind}"
        problems.append(Problem("voxel-type", str(path), "numbers", found, AGAIN))
    if (offset := cast(ArrayProxy, image.dataobj).offset) > MAX_OFFSET:
        expected = f"voxels from byte {MAX_OFFSET} at the latest"
        problems.append(Problem("voxels-far", str(path), expected, str(offset), AGAIN))
    problems += _geometry_problems(image.affine, "affine", path)
    pixdim = np.diag([*image.header["pixdim"][1:4], 1.0])
    corrupt = [] if problems else [*_geometry_problems(pixdim, "pixdim", path)]
    if problems or (corrupt and not repair):
        raise ScanError.of(problems or corrupt, where=path)
    return ["took the spacing from the affine, since pixdim is corrupt"] if corrupt else []


def _shape_problems(shape: tuple[int, ...], path: Path) -> Iterator[Problem]:
    expected = None
    if len(shape) not in (3, 4) or min(shape, default=0) < 1:
        expected = "three axes"
    elif np.prod(shape, dtype=float) > MAX_VOXELS:
        expected = f"at most {MAX_VOXELS} voxels"
    elif min(shape[:3]) < 8:
        expected = "a head of at least 8 voxels along each axis"
    if expected:
        yield Problem("shape-impossible", str(path), expected, f"the shape {shape}", AGAIN)


def _geometry_problems(affine: np.ndarray, name: str, path: Path) -> Iterator[Problem]:
    low, high = SPACING_LIMITS
    code, expected, found = "", "", ""
    spacing = nib.affines.voxel_sizes(affine)
    if not np.isfinite(affine).all():
        code, expected, found = "affine", f"a finite {name}", "NaN or infinity in it"
    elif (spacing < low).any() or (spacing > high).any():
        code, expected = "spacing-impossible", f"voxels of {low:g}–{high:g} mm in the {name}"
        found = " × ".join(f"{value:g}" for value in spacing) + " mm"
    # Columns of unit length and a small volume mean axes that nearly coincide.
    elif abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.5:
        code, expected = "axes-dependent", f"three independent axes in the {name}"
        found = "a sheared or flat one"
    if code:
        yield Problem(code, str(path), expected, found, AGAIN)


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
