"""The record of a challenge: JSON lines that are only ever added, each bound to the one before.

A line's ``before`` is the sha256 of the line before it, so a line that is changed, taken out or put
in is found; the last line's own hash, the *head*, stands on the board. All that counts is here, and
the board can be made from it again at any time. A line is on the disk before it is acted on. A last
line without its end, of a machine that lost its power or of somebody who cut it, counts for
nothing, but is told: a line of the kind ``broken`` takes its place and holds what was left of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from filelock import FileLock

from datkit.errors import ChallengeError

__all__ = ["Entry", "Record"]

Entry = dict[str, Any]
FIRST = "0" * 64
LOG = logging.getLogger(__name__)


class Record:
    """A record on disk, and the lines of it that were read so far.

    Parameters
    ----------
    path : Path
        It need not exist yet.

    Attributes
    ----------
    lock : FileLock
        To be held from looking to adding, where one decides about the other.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, FileLock(f"{path}.lock")
        self._reading = RLock()  # whole lines can be read while others write: no lock of files
        self._entries: list[Entry] = []
        self._read = 0  # bytes

    @property
    def head(self) -> str:
        """The sha256 of the last line that was read."""
        return self._entries[-1]["hash"] if self._entries else FIRST

    @property
    def entries(self) -> list[Entry]:
        """Every line as a dictionary, with its number, counted from 0, and its own sha256, `hash`.

        Raises
        ------
        ChallengeError
            If a line does not follow the one before it.
        """
        with self._reading:
            self._refresh()
            return [*self._entries]

    def of(self, *kinds: str) -> Iterator[Entry]:
        """Yield the lines of some kinds.

        Raises
        ------
        ChallengeError
            As :attr:`entries`.
        """
        return (entry for entry in self.entries if entry["kind"] in kinds)

    def add(self, kind: str, **facts: object) -> Entry:
        """Add a line, and return it once the disk has it.

        Raises
        ------
        ChallengeError
            As :attr:`entries`.
        OSError
            If it cannot be written.
        """
        with self.lock, self._reading:
            self._refresh()
            if kind != "broken":
                self.mend()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            entry = {"kind": kind, "time": now, **facts, "before": self.head}
            line = json.dumps(entry, sort_keys=True, allow_nan=False) + "\n"
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                with os.fdopen(descriptor, "r+b") as stream:
                    stream.seek(self._read)
                    stream.truncate()
                    stream.write(line.encode())
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:  # as on a full disk: nothing was said, the rest can be read
                if kind != "broken":
                    os.truncate(self.path, self._read)
                raise OSError(error.errno, error.strerror, str(self.path)) from error
            self._refresh()
            return self._entries[-1]

    def mend(self) -> None:
        """Tell of a last line that has no end, and keep what is left of it in one that has."""
        with self.lock, self._reading:
            self._refresh()
            if left := self.path.read_bytes()[self._read :] if self.path.exists() else b"":
                LOG.warning("%s: the last line broke off: %r", self.path, left[:80])
                self.add("broken", text=left.decode(errors="backslashreplace"))

    def today(self, kind: str, team: str) -> list[Entry]:
        """Return a team's lines of a kind and of this calendar day, UTC."""
        day, own = datetime.now(UTC).date().isoformat(), self.of(kind)
        return [one for one in own if one["team"] == team and one["time"].startswith(day)]

    def _refresh(self) -> None:
        """Read the lines that were added since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            if stream.seek(0, os.SEEK_END) < self._read:
                self._check(b"")  # it was cut
            stream.seek(self._read)
            for line in stream:
                if line.endswith(b"\n"):
                    own = {"number": len(self._entries), "hash": hashlib.sha256(line).hexdigest()}
                    self._entries.append(self._check(line) | own)
                    self._read += len(line)

    def _check(self, line: bytes) -> Entry:
        try:
            entry = json.loads(line)
            if entry["before"] == self.head and isinstance(entry["kind"], str):
                return entry
        except (ValueError, KeyError, TypeError):
            pass
        raise ChallengeError(
            f"{self.path}: expected line {len(self._entries) + 1} to follow the line before it, "
            "found a line or one before it that was changed, taken out or put in. Restore the "
            "record from a copy; the head printed on an older board tells which is sound."
        )
