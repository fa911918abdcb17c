"""Rows written one by one into an array on disk, so that an interrupted run goes on where it was.

Volumes go into ``volumes.part.npy``; then a line goes into ``rows.jsonl`` that says which exam the
row belongs to and what its bytes are. A row counts only if its line is whole and its bytes are
those: whatever an interruption, a full disk or a lost cable left half-written is prepared again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datkit.files import write_json
from datkit.prepare.exam import Prepared

__all__ = ["Journal", "is_complete"]

ARRAY, TABLE = "volumes.npy", "prepared.json"
PART, LINES = "volumes.part.npy", "rows.jsonl"


def is_complete(folder: Path, shape: tuple[int, ...]) -> bool:
    """Return whether a folder holds a finished result: the table is written last."""
    if not (folder / TABLE).is_file():
        return False
    try:
        return np.load(folder / ARRAY, mmap_mode="r").shape == shape
    except (OSError, ValueError):  # gone, or cut short
        return False


class Journal:
    """The rows of a cohort that are on disk.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
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
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.quality, self.failures = folder, {}, {}
        self._volumes = self._open(shape)
        whole = 0
        for uid, (line, end) in zip(uids, self._lines(), strict=False):
            if line["uid"] != uid or not self._keep(line):
                break
            whole = end
        self._stream = (folder / LINES).open("ab")
        self._stream.truncate(whole)

    @property
    def done(self) -> int:
        """How many exams, the first ones in order, need no work."""
        return len(self.quality) + len(self.failures)

    def add(self, uid: str, exam: Prepared | str) -> None:
        """Write one exam, the next in order: its row, or the reason that there is none."""
        line: dict[str, Any] = {"uid": uid}
        if isinstance(exam, str):
            line["failure"] = exam
        else:
            row = np.ascontiguousarray(exam.volume, np.float32)
            self._volumes[len(self.quality)] = row
            line |= {"quality": exam.quality, "sha256": _hash(row)}
        self._record(line)
        self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()

    def finish(self) -> None:
        """Give the files their names; the table is last and says that all is there."""
        self._volumes.flush()
        self.close()
        os.replace(self.folder / PART, self.folder / ARRAY)
        write_json(self.folder / TABLE, {"quality": self.quality, "failures": self.failures})
        (self.folder / LINES).unlink()

    def discard(self) -> None:
        """Delete what was written."""
        self.close()
        for name in (PART, LINES):
            (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files; a second time does nothing."""
        self._volumes = None
        self._stream.close()

    def _open(self, shape: tuple[int, ...]) -> np.ndarray:
        """Open the array; make it anew if it is not there, or not of this shape."""
        path = self.folder / PART
        try:
            volumes = np.load(path, mmap_mode="r+")
            if volumes.shape == shape and volumes.dtype == np.float32:
                return volumes
        except (OSError, ValueError):
            pass
        (self.folder / LINES).unlink(missing_ok=True)
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)

    def _lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the lines of an earlier run and where each ends, up to the first broken one."""
        path, end = self.folder / LINES, 0
        for text in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
            end += len(text)
            try:
                line = json.loads(text)
            except ValueError:
                return
            if not text.endswith(b"\n"):
                return
            yield line, end

    def _keep(self, line: dict[str, Any]) -> bool:
        """Take over an earlier line if its row's bytes are there."""
        if "sha256" in line and _hash(self._volumes[len(self.quality)]) != line["sha256"]:
            return False
        self._record(line)
        return True

    def _record(self, line: dict[str, Any]) -> None:
        kind = "failure" if "failure" in line else "quality"
        (self.failures if kind == "failure" else self.quality)[line["uid"]] = line[kind]


def _hash(row: np.ndarray) -> str:
    return hashlib.sha256(row.tobytes()).hexdigest()
