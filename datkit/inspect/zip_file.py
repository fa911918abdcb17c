"""The zip itself: is it whole, safe to unpack, and is `main.py` where the platform looks for it?"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datkit.errors import SubmissionError, UsageError
from datkit.inspect.rules import finding
from datkit.io.archive import NO_LIST, UNREADABLE, find_faults, members_of
from datkit.problems import Problem

__all__ = ["UNREADABLE", "archive_problems", "members_of", "unpack"]


def archive_problems(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem of the archive as such; with any of them it is not safe to unpack.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no file {path}. Make one with 'datkit submit pack'.")
    faults = find_faults(path)
    problems = [finding(*fault) for fault in faults]
    if not NO_LIST.intersection(fault.code for fault in faults):
        with zipfile.ZipFile(path) as archive:
            problems += _find_main([info.filename for info in archive.infolist()])
    return problems


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a submission into `folder`, as the platform does, but only if that is safe.

    Raises
    ------
    UsageError
        If there is no such file.
    SubmissionError
        If the archive has problems; every one is listed, and nothing is unpacked.
    """
    if problems := archive_problems(path):
        raise SubmissionError.of(map(str, problems), where=path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)


def _find_main(names: list[str]) -> Iterator[Problem]:
    if "main.py" in names:
        return
    where, expected = "the archive", "a file main.py at its root"
    others = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    roots = [name for name in others if "/" not in name.rstrip("/")]
    found = ", ".join(map(repr, others[:3]))
    if any(name.startswith("main.py/") for name in names):
        yield finding("main-folder", where, expected, "a folder of that name")
    elif roots:
        yield finding("main-case", where, expected, f"only {found}")
    elif others:
        found = f"only {found}; the platform's own check lets it pass"
        yield finding("main-nested", where, expected, found)
    else:
        yield finding("main-missing", where, expected, "none")
