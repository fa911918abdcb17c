"""A Codabench bundle, a zip or a folder: unpacked within bounds, read, never run."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datkit.io.archive import Archive
from datkit.problems import Problem

__all__ = ["Bundle", "Competition", "as_moment", "head"]

MAX_TEXT = 2**20  # bytes of a file that are looked at, and one that tells of more
MAX_DATE = 100  # characters: pandas reads a million digits for half a minute
Place = tuple[str, dict[str, Any]]  # where a mapping stands, such as "phases[1]", and the mapping


class Bundle(ExitStack):
    """A bundle that lies unpacked until the block ends.

    Attributes
    ----------
    root : Path
        The folder.
    problems : list of Problem
        What the rules for archives find in the zip, and in the zips of programs opened so far.

    Raises
    ------
    UsageError
        If there is neither a file nor a folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.problems: list[Problem] = []
        self.parts: dict[Path, Path] = {}
        self.root = Path(path).resolve()
        self.root = self.root if self.root.is_dir() else self._unzip(self.root)

    def find(self, value: object) -> Path | None:
        """Return what a path in the settings stands for, if it is in the bundle."""
        with suppress(OSError, ValueError):
            path = Path(self.root, str(value)).resolve()
            if path.exists() and self.root in path.parents:
                return path
        return None

    def open_part(self, path: Path) -> Path:
        """Return the folder of a program: itself, or what its zip holds."""
        if path not in self.parts:
            lead = f"{path.relative_to(self.root).as_posix()}: "
            self.parts[path] = path if path.is_dir() else self._unzip(path, lead)
        return self.parts[path]

    def _unzip(self, path: Path, lead: str = "") -> Path:
        with Archive(path) as archive:
            self.problems += [replace(one, where=lead + one.where) for one in archive.problems]
            folder = Path(self.enter_context(tempfile.TemporaryDirectory())).resolve()
            if archive.is_readable:
                with suppress(OSError):  # a name that is a file and a folder, which was found
                    archive.zip.extractall(folder)  # keeps to the folder, and makes no links
        return folder


@dataclass(frozen=True)
class Competition:
    """What a `competition.yaml` holds, in the bundle that holds it."""

    data: dict[str, Any]
    bundle: Bundle

    def places(self, *keys: str, start: Place | None = None) -> list[Place]:
        """Return the mappings under some keys, one below the other, from the top or a place."""
        found = [start or ("", self.data)]
        for key in keys:
            found = [inner for outer in found for inner in _under(*outer, key)]
        return found

    def paths(self, *keys: str) -> Iterator[tuple[str, str]]:
        """Yield place and text of the paths under some keys, of all but what has a `key`."""
        for part in ("tasks", "phases", "solutions"):
            for where, one in self.places(part):
                for key in keys if "key" not in one else ():
                    if isinstance(one.get(key), str):
                        yield f"{where}.{key}", one[key]


def head(path: Path | None) -> bytes | None:
    """Return the first bytes of a file, None if there is none."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as stream:
        return stream.read(MAX_TEXT + 1)


def as_moment(value: object) -> dt.datetime | None:
    """Return the time that a phase's start or end is read as, None if it cannot be read.

    A time zone is dropped, as Codabench drops it.

    Examples
    --------
    >>> as_moment("2026-03-01T13:00:00+02:00")
    datetime.datetime(2026, 3, 1, 13, 0)
    >>> as_moment(dt.date(2026, 3, 1))
    datetime.datetime(2026, 3, 1, 0, 0)
    """
    import pandas as pd

    with suppress(ValueError, OverflowError):
        number = len(str(value)) < MAX_DATE and {*"0123456789"} & {*str(value)}  # pandas knows now
        if number and isinstance(value, str | dt.date) and not pd.isna(read := pd.Timestamp(value)):
            return read.to_pydatetime(warn=False).replace(tzinfo=None)
    return None


def _under(where: str, holder: dict[str, Any], key: str) -> list[Place]:
    value, lead = holder.get(key), f"{where}.{key}".lstrip(".")
    pairs = [(f"[{at}]", one) for at, one in enumerate(value if isinstance(value, list) else ())]
    pairs += [(f".{at}", one) for at, one in value.items()] if isinstance(value, dict) else []
    return [(lead + at, one) for at, one in pairs if isinstance(one, dict)]
