"""What a scenario changes: how the data appear to a run, and exams that are damaged or odd.

One NaN voxel moved an entrant's probability from 0.08 to 0.67, and a corrupt pixdim asked for an
array of 62 GiB; the other kinds are what an export or a copy can do to a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from threading import Timer

import nibabel as nib
import numpy as np

from datkit.data.cohort import Cohort
from datkit.replica.folders import Replica

__all__ = ["KINDS", "NAN", "DamagedExams", "Mount", "late_mount", "unlistable_mount"]

Mount = Callable[[Replica], AbstractContextManager[object]]


@contextmanager
def unlistable_mount(replica: Replica) -> Iterator[None]:
    """Let every exam open by its name, but the folder of exams not be listed.

    So the challenge's mount behaved in its first seconds: a listing was empty, direct paths worked.
    Root may list any folder: as root this shows something in a sandbox only.
    """
    exams = replica.data / "niftis"
    exams.chmod(0o311)
    yield
    exams.chmod(0o555)


@contextmanager
def late_mount(replica: Replica, seconds: float) -> Iterator[None]:
    """Let the folder of data be empty at first, and whole after so many seconds."""
    waiting = replica.folder / "waiting"
    waiting.mkdir()
    _move_all(replica.data, waiting)
    arrival = Timer(seconds, _move_all, (waiting, replica.data))
    arrival.start()
    try:
        yield
    finally:
        arrival.cancel()
        arrival.join()
        _move_all(waiting, replica.data)  # nothing, if they are there


def _move_all(source: Path, target: Path) -> None:
    """Move all of a folder, the format file last: when that is there, all is there."""
    for folder in (source, target):
        folder.chmod(0o755)
    for path in sorted(source.iterdir()):
        mode = path.stat().st_mode
        path.chmod(mode | 0o200)  # a folder is moved only by who may write to it
        path.replace(target / path.name).chmod(mode)
    for folder in (source, target):
        folder.chmod(0o555)


def _put_nan(voxels: np.ndarray) -> np.ndarray:
    voxels[0, 0, 0] = float("nan")  # in a corner, where no head is
    return voxels


def _rewrite(
    path: Path, change: Callable[[np.ndarray], np.ndarray] = np.asarray, scale: float = 1
) -> None:
    """Write a volume again, with other voxels (i, j, k) or edges `scale` times as long."""
    image = nib.Nifti1Image.from_filename(path)
    voxels = change(np.asarray(image.dataobj, dtype=np.float32))
    affine = image.affine * [scale, scale, scale, 1]  # (4, 4)
    header = nib.Nifti1Header(endianness=">" if voxels.dtype.byteorder == ">" else "<")
    path.unlink()
    nib.save(nib.Nifti1Image(voxels, affine, header), path)


NAN = "a voxel that is not a number"
#: What is done to a file, by its name. Voxels of a few micrometres: resampled to 2 mm nothing is
#: left, and at their own size nothing fits in memory.
KINDS: dict[str, Callable[[Path], None]] = {
    NAN: partial(_rewrite, change=_put_nan),
    "a fourth axis": partial(_rewrite, change=lambda voxels: voxels[..., None].repeat(2, axis=3)),
    "voxels of a few micrometres": partial(_rewrite, scale=1e-3),
    "big-endian numbers": partial(_rewrite, change=lambda voxels: voxels.astype(">f4")),
    "zero in every voxel": partial(_rewrite, change=np.zeros_like),
    "a file that was cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a file without content": lambda path: os.truncate(path, 0),
    "no file": Path.unlink,
}


class DamagedExams:
    """A cohort's exams, with damaged copies of one of them.

    The uid of such a copy is a plain number, as any other's: a submission must not be able to tell
    them apart by name.

    Parameters
    ----------
    cohort : Cohort
    uid : str
        The sound exam that is damaged, one copy in each way.
    kinds : iterable of str
        Of :data:`KINDS`, by default all; any other one is a copy to which nothing is done.

    Attributes
    ----------
    damaged : dict
        {uid: kind}
    """

    def __init__(self, cohort: Cohort, uid: str, kinds: Iterable[str] = KINDS) -> None:
        taken = {*cohort.uids}
        free = (str(number) for number in range(700_001, 800_000) if str(number) not in taken)
        self.cohort, self.uid = cohort, uid
        self.damaged = dict(zip(free, kinds, strict=False))

    def save_volume(self, uid: str, path: Path) -> None:
        """Write an exam of the cohort, or a damaged copy, as NIfTI."""
        kind = self.damaged.get(uid)
        self.cohort.save_volume(self.uid if kind else uid, path)
        if kind in KINDS:
            KINDS[kind](path)
