"""Regions that readers drew: a mask on exactly its exam's grid, and beside it who, when and how.

``exam_anna.nii.gz`` holds 0 and the numbers of :data:`LABELS`; ``exam_anna.json`` says whose they
are. A mask belongs to one exam and one grid: the kit never resamples one, since half a voxel at a
striatum's edge already moves its binding ratio.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import nibabel as nib
import numpy as np
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from datkit.errors import ScanError, UsageError
from datkit.files import replace_atomically, write_json
from datkit.io.dicom_header import is_dicom
from datkit.io.nifti import open_nifti, read_voxels
from datkit.io.nifti_geometry import find_geometry
from datkit.io.scan import load_scan, one_line, sha256_scan
from datkit.problems import Problem, found_instead, repeated

__all__ = ["LABELS", "Facts", "Region", "load_region", "mask_header", "save_region"]

Name = Literal["striatum_left", "striatum_right", "caudate_left", "caudate_right",
               "putamen_left", "putamen_right"]  # fmt: skip
Number = Annotated[int, Field(ge=1, le=255)]  # 0 is no region, and a mask is uint8
#: What a number in a mask stands for.
LABELS: dict[int, str] = dict(enumerate(get_args(Name), start=1))
NEAR = 1e-3  # mm or mm a voxel: what float32 rounds in a head's coordinates is a tenth of it
MOST = 2**20  # bytes of a sidecar
# All of a NIfTI header that says where voxels lie; its texts, which may hold a name, are left.
GRID = ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
        "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")  # fmt: skip
DRAW = "Draw it on this exam: datkit readers draw EXAM."
WRITTEN = "Keep both files together, as they were written."


def _each_once(labels: dict[int, str]) -> dict[int, str]:
    if twice := repeated(labels.values()):
        raise ValueError(f"each name once, found {twice[0]}")
    return labels


class Facts(BaseModel):
    """Who drew a region, when and how, and on which exam: the sidecar of a mask.

    Attributes
    ----------
    format : "datkit-region/1"
        Of the sidecar.
    labels : dict of int to str
        What the mask's numbers stand for, by names of :data:`LABELS`.
    reader : str
        Who; a name for this purpose, such as ``"reader-2"``, does too.
    when : datetime
        With its time zone.
    how : dict
        ``tool``, and its settings.
    exam_sha256 : str
        Of the exam's file or files, see :func:`datkit.io.scan.sha256_scan`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal["datkit-region/1"] = "datkit-region/1"
    labels: Annotated[dict[Number, Name], Field(min_length=1), AfterValidator(_each_once)]
    reader: str = Field(min_length=1, max_length=64)
    when: AwareDatetime
    how: dict[str, str | float | int | bool] = Field(min_length=1, max_length=50)
    exam_sha256: str = Field(pattern="^[0-9a-f]{64}$")


@dataclass(frozen=True, eq=False)
class Region:
    """What one reader drew on one exam.

    Attributes
    ----------
    mask : numpy.ndarray, shape (i, j, k), uint8
        0, or a number of ``facts.labels``.
    affine : numpy.ndarray, shape (4, 4)
        The exam's: voxel indices to mm, RAS+.
    facts : Facts
        Who, when, how.
    """

    mask: np.ndarray
    affine: np.ndarray
    facts: Facts

    def part(self, name: str) -> np.ndarray:
        """Return where a label lies, bool; a striatum has its caudate and putamen in it too."""
        whole, _, side = name.partition("_")
        names = {name} | ({f"caudate_{side}", f"putamen_{side}"} if whole == "striatum" else set())
        return np.isin(self.mask, [n for n, said in self.facts.labels.items() if said in names])


def mask_header(exam: str | os.PathLike[str]) -> nib.Nifti1Header:
    """Return the header of a mask on an exam's grid: shape, affines and codes, and no text.

    That of a NIfTI exam is copied field by field; of DICOM, both affines are the scanner's.

    Raises
    ------
    UsageError, ScanError
        If the exam cannot be read; see :func:`datkit.io.scan.load_scan`.
    """
    scan, path = load_scan(exam), Path(exam)
    came: Any = {} if path.is_dir() or is_dicom(path) else open_nifti(path).header
    header = (nib.Nifti2Header if came and came["sizeof_hdr"] == 540 else nib.Nifti1Header)()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(scan.shape)
    header.set_qform(scan.affine, 1)
    header.set_sform(scan.affine, 1)
    header.set_xyzt_units("mm")
    for name in GRID if came else ():
        header[name] = came[name]
    return header


def to_nifti(voxels: np.ndarray, header: nib.Nifti1Header) -> bytes:
    """Return bytes of a NIfTI file with a mask's header, see :func:`mask_header`."""
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    return kind(voxels.astype(np.uint8), None, header).to_bytes()


def save_region(
    mask: np.ndarray,
    exam: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    reader: str,
    how: Mapping[str, Any],
    labels: Mapping[int, str] = LABELS,
    when: datetime | None = None,
) -> Region:
    """Write a mask as ``.nii.gz`` on its exam's grid, and its sidecar ``.json`` beside it.

    Parameters
    ----------
    mask : array, shape (i, j, k)
        0 and numbers of `labels`, along the axes of `datkit.Scan.data`.
    exam, path : path
        The exam; where to write, ending in ``.nii.gz``.
    reader, how, labels, when
        As in :class:`Facts`; labels that are not drawn are left out. The default time is now.

    Raises
    ------
    UsageError, ScanError
        If the exam cannot be read, or the mask is none of it: every reason at once.
    OSError
        If a file cannot be written.
    """
    path, header, mask = Path(path), mask_header(exam), np.asarray(mask)
    if path.resolve() == Path(exam).resolve():
        raise UsageError(f"Expected another place for the mask than its exam's, found {path}.")
    drawn = {number: name for number, name in labels.items() if number in mask} or labels
    said = {"labels": drawn, "reader": reader, "how": dict(how), "exam_sha256": sha256_scan(exam)}
    now, affine = datetime.now(UTC).replace(microsecond=0), load_scan(exam).affine
    facts, problems = _parse(said | {"when": when or now}, path)
    problems += _mask_problems(mask, header.get_data_shape(), labels, affine, path)
    ScanError.raise_any(problems, where=path)
    assert facts
    with replace_atomically(path) as part:
        part.write_bytes(gzip.compress(to_nifti(mask, header), mtime=0))
    write_json(sidecar_path(path), facts.model_dump(mode="json"))
    return Region(mask.astype(np.uint8), affine, facts)


def sidecar_path(path: Path) -> Path:
    """Return where who, when and how of a mask stand.

    Examples
    --------
    >>> sidecar_path(Path("exam_anna.nii.gz")).name
    'exam_anna.json'
    """
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def load_region(path: str | os.PathLike[str], exam: str | os.PathLike[str]) -> Region:
    """Read a mask with its sidecar, if both are of this exam.

    Raises
    ------
    UsageError
        If there is no such exam.
    ScanError
        If the exam cannot be read; or the mask is on another grid, of another exam, empty, not of
        whole numbers, or has labels that nobody named. Every reason is told at once.
    """
    path, scan, sha256 = Path(path), load_scan(exam), sha256_scan(exam)
    facts, problems = _read_sidecar(sidecar_path(path))
    if facts and facts.exam_sha256 != sha256:
        expected, found = (f"sha256 {one[:12]}…" for one in (sha256, facts.exam_sha256))
        remedy = "Name the exam that it was drawn on."
        problems.append(Problem("region-exam", str(path), f"an exam of {expected}", found, remedy))
    try:
        file = open_nifti(path)
        affine, _, faults = find_geometry(file.header, file.pixdim, None, str(path))
        problems += [problem for problem, _ in faults if problem.is_error]
        if not np.allclose(affine, scan.affine, rtol=0, atol=NEAR):
            found = f"another, up to {np.abs(affine - scan.affine).max():.3g} mm off"
            problems.append(Problem("region-grid", str(path), "the exam's affine", found, DRAW))
        # A stranger's header may claim more than memory holds.
        claimed = np.broadcast_to(0, np.abs(file.shape))
        mask = read_voxels(file, path) if file.shape == scan.shape else claimed
        problems += _mask_problems(mask, scan.shape, facts.labels if facts else {}, affine, path)
    except ScanError as error:
        problems += error.problems
    ScanError.raise_any(problems, where=path)
    assert facts
    return Region(mask.astype(np.uint8), scan.affine, facts)


def _parse(said: object, path: Path) -> tuple[Facts | None, list[Problem]]:
    try:
        return Facts.model_validate(said), []
    except ValidationError as error:
        return None, [
            Problem("region-facts", str(path),
                    f"a sound {'.'.join(map(str, one['loc'])) or 'file'}",
                    f"{one['input']!r:.80} ({one['msg']})", WRITTEN)
            for one in error.errors()
        ]  # fmt: skip


def _read_sidecar(path: Path) -> tuple[Facts | None, list[Problem]]:
    try:
        with path.open("rb") as stream:
            return _parse(json.loads(stream.read(MOST)), path)
    except (OSError, ValueError, RecursionError) as error:
        expected = "a sidecar: who drew the mask, when and how"
        return None, [Problem("region-facts", str(path), expected, one_line(error), WRITTEN)]


def _mask_problems(
    mask: np.ndarray, shape: tuple[int, ...], labels: Mapping[int, str], affine: np.ndarray,
    path: Path,
) -> Iterator[Problem]:  # fmt: skip
    """Yield what no mask with these labels holds; without labels they are not looked at."""
    where = str(path)
    if mask.shape != tuple(shape):
        yield Problem("region-grid", where, f"the exam's {shape} voxels", str(mask.shape), DRAW)
        return
    values = np.unique(mask)
    whole = values == np.floor(values)
    strange = [f"{one:g}" for one in values[whole] if labels and one not in {0, *labels}]
    yield from found_instead("region-value", where, "whole numbers", values[~whole].tolist(), DRAW)
    yield from found_instead("region-label", where, f"labels of {[*labels]}", strange, DRAW)
    if not values.any():
        yield Problem("region-empty", where, "a region", "0 in every voxel", DRAW)
    x = {name: nib.affines.apply_affine(affine, np.argwhere(mask == number).mean(0))[0]
         for number, name in labels.items() if number in values}  # fmt: skip
    crossed = [name for name in x if x[name] > x.get(name.replace("left", "right"), np.inf)]
    remedy = "Change the two names over, or draw it again."
    yield from found_instead("region-sides", where, "left on the patient's left", crossed, remedy)
