"""Exams that a pipeline must survive, made from a sound one: damaged, odd, or not there at all.

One NaN voxel moved an entrant's probability from 0.08 to 0.67, and a corrupt pixdim asked for an
array of 62 GiB; the other kinds are what an export or a copy can do to a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from datkit.data import Cohort

    Volume = Affine = np.ndarray  # (i, j, k) and (4, 4)

__all__ = ["KINDS", "NAN", "SpoiltExams"]


def _rewrite(path: Path, change: Callable[[Volume, Affine], tuple[Volume, Affine]]) -> None:
    import nibabel as nib
    import numpy as np

    image = nib.load(path)
    data, affine = change(np.asarray(image.dataobj, dtype=np.float32), image.affine)
    header = nib.Nifti1Header(endianness=">" if data.dtype.byteorder == ">" else "<")
    path.unlink()
    nib.save(nib.Nifti1Image(data, affine, header), path)


def _put_nan(data: Volume, affine: Affine) -> tuple[Volume, Affine]:
    data[0, 0, 0] = float("nan")  # in a corner, where no head is
    return data, affine


def _add_axis(data: Volume, affine: Affine) -> tuple[Volume, Affine]:
    return data[..., None].repeat(2, axis=3), affine


def _shrink_voxels(data: Volume, affine: Affine) -> tuple[Volume, Affine]:
    # Of micrometres: resampled to 2 mm nothing is left, at their own size nothing fits in memory.
    return data, affine * [1e-3, 1e-3, 1e-3, 1]


def _turn_bytes(data: Volume, affine: Affine) -> tuple[Volume, Affine]:
    return data.astype(">f4"), affine


def _empty_voxels(data: Volume, affine: Affine) -> tuple[Volume, Affine]:
    return data * 0, affine


def _cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _do_nothing(path: Path) -> None:
    """Leave a copy as it is."""


NAN = "a voxel that is not a number"
# What is done to the sound exam at a path. The uid of such an exam is a plain number, as any
# other's: a submission must not be able to tell them apart by name.
KINDS: dict[str, Callable[[Path], None]] = {
    NAN: lambda path: _rewrite(path, _put_nan),
    "a fourth axis": lambda path: _rewrite(path, _add_axis),
    "voxels of a few micrometres": lambda path: _rewrite(path, _shrink_voxels),
    "big-endian numbers": lambda path: _rewrite(path, _turn_bytes),
    "zero in every voxel": lambda path: _rewrite(path, _empty_voxels),
    "a file that was cut short": _cut_off,
    "a file without content": lambda path: os.truncate(path, 0),
    "no file": Path.unlink,
}


class SpoiltExams:
    """A cohort's exams, with spoilt copies of one of them.

    Parameters
    ----------
    cohort : Cohort
    uid : str
        The sound exam that is spoilt, one copy in each way.
    kinds : iterable of str
        Of :data:`KINDS`, by default all; any other one is a copy to which nothing is done.

    Attributes
    ----------
    spoilt : dict
        {uid: kind}
    """

    def __init__(self, cohort: Cohort, uid: str, kinds: Iterable[str] = KINDS) -> None:
        self.cohort, self.uid = cohort, uid
        free = (str(number) for number in range(700_001, 800_000))
        self.spoilt = dict(zip((n for n in free if n not in set(cohort.uids)), kinds, strict=False))

    def save_volume(self, uid: str, path: Path) -> None:
        """Write an exam of the cohort, or a spoilt copy, as NIfTI."""
        self.cohort.save_volume(self.uid if uid in self.spoilt else uid, path)
        if uid in self.spoilt:
            path.chmod(0o644)
            KINDS.get(self.spoilt[uid], _do_nothing)(path)
