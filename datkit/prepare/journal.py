"""Exams written one by one into an array on disk, so that an interrupted run goes on where it was.

A volume goes into ``volumes.part.npy``; then the exam's own record, ``records/<number>.json``, says
what its bytes are. An exam counts only if its record is there and its bytes are those: whatever an
interruption, a full disk or a lost cable left half-written is prepared again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from datkit.files import write_json
from datkit.prepare.exam import Prepared

__all__ = ["Journal", "is_complete"]

ARRAY, TABLE = "volumes.npy", "prepared.json"
PART, RECORDS = "volumes.part.npy", "records"


def is_complete(folder: Path, shape: tuple[int, ...]) -> bool:
    """Return whether a folder holds a finished result: the table is written last."""
    with suppress(OSError, ValueError):  # gone, or cut short
        return (folder / TABLE).is_file() and np.load(folder / ARRAY, "r").shape == shape
    return False


class Journal:
    """The exams of a cohort that are on disk.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Its name belongs to these exams and this code alone.
    uids : list of str
        The exams, in order. Rows follow each other in that order; an exam that failed has none.
    shape : tuple of int
        Of the whole array: exams, then the volume's.

    Attributes
    ----------
    quality, failures : dict
        Exams on disk, and exams that failed with their reasons.
    """

    def __init__(self, folder: Path, uids: list[str], shape: tuple[int, ...]) -> None:
        self.folder = folder
        self.quality: dict[str, dict[str, float | str]] = {}
        self.failures: dict[str, str] = {}
        self._volumes = _open_array(folder, shape)
        for uid in uids:
            record = _read(self._record_path)
            row = self._volumes[len(self.quality)]
            if record.get("uid") != uid or record.get("sha256", "") not in ("", _hash(row)):
                break
            self._enter(record)

    @property
    def done(self) -> int:
        """How many exams, the first ones in order, need no work."""
        return len(self.quality) + len(self.failures)

    @property
    def _record_path(self) -> Path:
        return self.folder / RECORDS / f"{self.done}.json"

    def add(self, uid: str, exam: Prepared | str) -> None:
        """Write one exam, the next in order: its row, or the reason that there is none."""
        record: dict[str, Any] = {"uid": uid}
        if isinstance(exam, str):
            record["failure"] = exam
        else:
            row = self._volumes[len(self.quality)]
            row[:] = exam.volume
            record |= {"quality": exam.quality, "sha256": _hash(row)}
        write_json(self._record_path, record)
        self._enter(record)

    def _enter(self, record: dict[str, Any]) -> None:
        if "failure" in record:
            self.failures[record["uid"]] = record["failure"]
        else:
            self.quality[record["uid"]] = record["quality"]

    def finish(self) -> None:
        """Give the array its name; the table is last and says that all is there."""
        del self._volumes  # which writes what is not written yet
        (self.folder / PART).replace(self.folder / ARRAY)
        write_json(self.folder / TABLE, {"quality": self.quality, "failures": self.failures})
        shutil.rmtree(self.folder / RECORDS)


def _open_array(folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Open the array; start anew if it is not there, or not of this shape."""
    with suppress(OSError, ValueError):
        volumes = np.load(folder / PART, mmap_mode="r+")
        if volumes.shape == shape:
            return volumes
    shutil.rmtree(folder, ignore_errors=True)
    (folder / RECORDS).mkdir(parents=True)
    return np.lib.format.open_memmap(folder / PART, "w+", np.float32, shape)


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return {}


def _hash(row: np.ndarray) -> str:
    return hashlib.sha256(row.tobytes()).hexdigest()
