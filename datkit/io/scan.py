"""One exam's file: read it with suspicion, write it reproducibly.

A hospital's files are not clean: gzip streams end early, headers claim voxels of a micrometre, a
NaN hides in a corner. Everything after this module may rely on a :class:`Scan` being sound.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from datkit.errors import ScanError, UsageError
from datkit.files import replace_atomically, sha256_file
from datkit.problems import Problem

__all__ = ["Scan", "is_safe_uid", "load_scan", "save_scan"]

# The challenge's spacings run from 1.37 to 4.42 mm (its problem page, and counts by entrants). The
# bounds leave room for phantoms and coarse PET, and stop a corrupt pixdim, which once asked an
# entrant's resampling for 62 GiB.
SPACING_LIMITS = (0.5, 12.0)
# 512³: eight times the challenge's largest matrix of 256³, half a gigabyte as float32.
MAX_VOXELS = 512**3
FAR = 1e6  # mm, a kilometre: beyond it steps of float32, as NIfTI has it, pass 0.06 mm
ROUNDING = 0.02  # share; a size that is written with two digits, such as 2.5 for 2.46, is within
AGAIN = "Export the exam again."
_KIND = re.compile(r"(\.(nii|hdr|img)(\.gz)?|\.dcm)$", re.IGNORECASE)
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
        What :func:`load_scan` mended; without ``repair=True`` no more than NaN around the field.
    orientation : {"known", "stated", "unknown", "contradictory"}
        Whether left and right are those of the file, or of the `orientation` that
        :func:`load_scan` was given. A file that does not know is read with ``repair=True`` alone.
    """

    data: np.ndarray
    affine: np.ndarray
    path: Path | None = None
    repairs: tuple[str, ...] = ()
    orientation: str = "known"

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


def load_scan(
    path: str | os.PathLike[str], *, orientation: str | None = None, repair: bool = False
) -> Scan:
    """Read one exam, whatever kind of file holds it, and check it.

    Parameters
    ----------
    path : path
        A NIfTI file of any byte order, orientation and number type (:mod:`datkit.io.nifti`), a
        DICOM file, or a folder of DICOM files that are one exam (:mod:`datkit.io.dicom`).
    orientation : str, optional
        Where the axes i, j and k of the voxels point to, for a file that does not say so or says
        it wrong: three letters, such as ``"RAS"`` (to the right, to the front, up) or ``"LPS"``.
        What the file says of it is then not looked at; its voxel size is.
    repair : bool
        Mend what can be mended instead of raising: NaN and infinite voxels become 0 (NaN that only
        frame the field do so anyway: nothing was seen there), the frames of a 4-D file are
        averaged, a corrupt pixdim gives way to a sound affine, and a file that does not tell left
        from right is read as RAS, which :attr:`Scan.orientation` remembers. What was mended is
        listed in :attr:`Scan.repairs`. For inference, where every exam needs an answer.

    Raises
    ------
    UsageError
        If there is no such file, or no such orientation.
    ScanError
        If it is truncated or no exam, has several frames, non-finite voxels, one value only, or
        a size that no exam has, or contradicts itself in where voxels lie. The message names the
        file and the remedy.
    """
    path = Path(path)
    if not (path.is_file() or path.is_dir()):
        expected = "a NIfTI or DICOM file"
        found = "a pipe, socket or device" if path.exists() else "none"
        problem = Problem("file-missing", str(path), expected, found, "Check the path.")
        raise UsageError.of([problem], where=path)
    from datkit.io.dicom import is_dicom, load_dicom
    from datkit.io.nifti import load_nifti

    load = load_dicom if path.is_dir() or is_dicom(path) else load_nifti
    return load(path, orientation=orientation, repair=repair)


def scan_name(path: Path) -> str:
    """Return a file's name without what tells its kind.

    Examples
    --------
    >>> scan_name(Path("exams/007.nii.gz")), scan_name(Path("1.2.840.dcm"))
    ('007', '1.2.840')
    """
    return _KIND.sub("", path.name)


def sha256_scan(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of an exam's file; of several files, that of their hashes.

    Raises
    ------
    OSError
        If one cannot be read.
    """
    from datkit.io import dicom_files, nifti
    from datkit.io.dicom import is_dicom

    path = Path(path)
    kind = dicom_files if path.is_dir() or is_dicom(path) else nifti
    hashes = [sha256_file(file) for file in kind.files_of(path)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def scan_error(path: Path, code: str, expected: str, found: str, remedy: str = AGAIN) -> ScanError:
    """Make the error of a file with one problem."""
    return ScanError.of([Problem(code, str(path), expected, found, remedy)], where=path)


def sound_scan(scan: Scan) -> Scan:
    """Return a scan, whatever file it came from, if it can be that of an exam.

    Parameters
    ----------
    scan : Scan
        Its path is named in what is raised.

    Raises
    ------
    ScanError
        If shape, spacing or axes are those of no exam, or all voxels are equal, or one infinite.
    """
    data, path = scan.data, scan.path
    problems = [*shape_problems(data.shape, path), *geometry_problems(scan.affine, "affine", path)]
    if not problems and not 0 < (span := float(data.max()) - float(data.min())) < np.inf:
        found = "infinite ones" if span else f"the value {data.flat[0]:g} in every voxel"
        problems = [Problem("voxels-equal", str(path), "counts", found, AGAIN)]
    ScanError.raise_any(problems, where=path)
    return scan


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


def stated_affine(orientation: str, spacing: npt.ArrayLike) -> np.ndarray:
    """Return the affine of voxels whose axes point where someone says that they do.

    Parameters
    ----------
    orientation : str
        Where i, j and k point to: one of R and L, one of A and P, one of S and I, in any order.
    spacing : array, shape (3,)
        Voxel size along i, j and k, mm.

    Raises
    ------
    UsageError
        If there is no such orientation.

    Examples
    --------
    >>> stated_affine("PSL", [2, 3, 4])[:3, :3].tolist()
    [[0.0, 0.0, -4.0], [-2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
    """
    letters = tuple(orientation.upper())
    if [sum(map(letters.count, pair)) for pair in ("LR", "PA", "IS")] != [1, 1, 1]:
        expected = "Expected an orientation of three letters, R or L, A or P, S or I"
        remedy = "say where i, j and k point to: RAS is to the right, front and top"
        raise UsageError(f"{expected}, found {orientation!r}; {remedy}.")
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    for index, (axis, sign) in enumerate(nib.orientations.axcodes2ornt(letters).astype(int)):
        affine[axis, index] = np.asarray(spacing)[index] * sign
    return affine


def shape_problems(shape: tuple[int, ...], path: object) -> Iterator[Problem]:
    """Yield what no exam's shape is."""
    expected = None
    if len(shape) not in (3, 4) or min(shape, default=0) < 1:
        expected = "three axes"
    elif np.prod(shape, dtype=float) > MAX_VOXELS:
        expected = f"at most {MAX_VOXELS} voxels"
    elif min(shape[:3]) < 8:
        expected = "a head of at least 8 voxels along each axis"
    if expected:
        yield Problem("shape-impossible", str(path), expected, f"the shape {shape}", AGAIN)


def geometry_problems(
    affine: np.ndarray, name: str, path: object, remedy: str = AGAIN
) -> Iterator[Problem]:
    """Yield what no exam's affine is; `name` is the field that it comes from."""
    low, high = SPACING_LIMITS
    code, expected, found = "", "", ""
    spacing = nib.affines.voxel_sizes(affine)
    if not np.isfinite(affine).all():
        code, expected, found = "affine", f"a finite {name}", "NaN or infinity in it"
    elif (far := np.abs(affine[:3, 3]).max()) > FAR:
        code, expected, found = "affine", f"an offset below {FAR:g} mm in the {name}", f"{far:g} mm"
    elif (spacing < low).any() or (spacing > high).any():
        code, expected = "spacing-impossible", f"voxels of {low:g}–{high:g} mm in the {name}"
        found = shown_size(spacing)
    # Columns of unit length and a small volume mean axes that nearly coincide.
    elif abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.5:
        code, expected = "axes-dependent", f"three independent axes in the {name}"
        found = "a sheared or flat one"
    if code:
        yield Problem(code, str(path), expected, found, remedy)


def air_faults(data: np.ndarray, zero: float, path: object) -> Iterator[Problem]:
    """Yield an intercept below 0 that most voxels, which lie in air, do not exceed by half of it.

    Where negative voxels are real, as of filtered back-projection, air stays about 0.
    """
    if zero < 0 and np.median(data) < zero / 2:
        expected = "counts, of which air has about 0"
        found = f"{(data < 0).mean():.0%} of the voxels below 0, by a rescale intercept of {zero:g}"
        yield Problem("rescale", str(path), expected, found, "Export it without that intercept.")


def shown_size(spacing: np.ndarray) -> str:
    """Write a voxel size."""
    return " × ".join(f"{value:g}" for value in spacing) + " mm"
