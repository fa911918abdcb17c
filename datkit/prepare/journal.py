"""Exams written one by one into an array on disk, so that an interrupted run goes on where it was.

A volume goes into ``volumes.npy``; then the exam's own record, ``records/<number>.json``, says what
its bytes are. When all are there, ``prepared.json`` takes the place of the records. An exam counts
only if its record is as it was written and its row has the bytes that the record names: whatever an
interruption, a full disk or a failing one left behind is prepared again, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from datkit.files import read_sealed, replace_atomically, write_sealed
from datkit.prepare.exam import Prepared

__all__ = ["Journal"]

ARRAY, TABLE, RECORDS = "volumes.npy", "prepared.json", "records"


class Journal:
    """The exams of a cohort that are on disk. Opening hashes each of them, and writes nothing.

    Parameters
    ----------
    folder : Path
        Its name belongs to these exams and this code alone; it need not be there.
    uids : list of str
        The exams, in order. Rows follow each other in that order; an exam that failed has none.
    shape : tuple of int
        Of one volume.

    Attributes
    ----------
    volumes : numpy.memmap, shape (n, *shape), float32
        Read-only. Rows of exams that are not on disk hold anything.
    quality, failures : dict
        Exams on disk, and exams that failed with their reasons.
    """

    def __init__(self, folder: Path, uids: list[str], shape: tuple[int, ...]) -> None:
        self.folder, self.uids, self._shape = folder, uids, (len(uids), *shape)
        self.volumes = _open_array(folder / ARRAY, self._shape)
        self._table: dict[str, dict[str, Any]] = {"quality": {}, "failures": {}, "sha256": {}}
        self.quality, self.failures, hashes = self._table.values()
        for path in (folder / TABLE, *(folder / RECORDS).glob("*.json")):
            with suppress(OSError, ValueError):  # absent, or not as it was written
                # Of these exams, and not put here by hand:
                if (record := read_sealed(path)).pop("key", "") == folder.name:
                    self._enter(record)
        for uid, known in [*hashes.items()]:
            if _hash(self.volumes[self._row(uid)]) != known:
                del self.quality[uid], hashes[uid]

    @property
    def missing(self) -> list[str]:
        """The exams that are still to be prepared."""
        known = self.quality | self.failures
        return [uid for uid in self.uids if uid not in known]

    def reserve(self) -> None:
        """Take the room for all volumes, unless they have it: a full disk is told before any work.

        Raises
        ------
        OSError
            If the disk has too little; what was reserved is given back.
        """
        if self.volumes.shape != self._shape:
            with replace_atomically(self.folder / ARRAY) as part:
                np.lib.format.open_memmap(part, "w+", np.float32, self._shape)
                with suppress(AttributeError), part.open("r+b") as stream:  # macOS, Windows: none
                    os.posix_fallocate(stream.fileno(), 0, part.stat().st_size)
            self.volumes = _open_array(self.folder / ARRAY, self._shape)

    def add(self, uid: str, exam: Prepared | str) -> None:
        """Write one exam, the first that is missing: its row, or the reason that there is none."""
        record: dict[str, dict[str, Any]] = {"failures": {uid: exam}}
        if not isinstance(exam, str):
            row = np.asarray(exam.volume, np.float32)
            with (self.folder / ARRAY).open("r+b") as stream:  # writing a map on a full disk kills
                stream.seek(self.volumes.offset + self._row(uid) * row.nbytes)
                stream.write(row.tobytes())
            record = {"quality": {uid: exam.quality}, "sha256": {uid: _hash(row)}}
        path = self.folder / RECORDS / f"{self.uids.index(uid)}.json"
        write_sealed(path, record | {"key": self.folder.name})
        self._enter(record)

    def finish(self) -> None:
        """Write what is known of all exams, in place of their records."""
        write_sealed(self.folder / TABLE, self._table | {"key": self.folder.name})
        shutil.rmtree(self.folder / RECORDS)

    def _enter(self, record: dict[str, dict[str, Any]]) -> None:
        for name, known in record.items():
            self._table[name] |= known

    def _row(self, uid: str) -> int:
        return sum(one not in self.failures for one in self.uids[: self.uids.index(uid)])


def _open_array(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Open the array; an empty one if it is not there, or not of this shape."""
    with suppress(Exception):  # a damaged header raises what numpy names nowhere
        volumes = np.load(path, mmap_mode="r")
        if (volumes.shape, volumes.dtype) == (shape, np.float32) and volumes.flags.c_contiguous:
            return volumes
    return np.empty((shape[0], 0), np.float32).view(np.memmap)


def _hash(row: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(row).data).hexdigest()
