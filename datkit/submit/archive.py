"""The zip itself: is it whole, safe to unpack, and is `main.py` where the platform looks for it?"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datkit.archive import NO_LIST, UNREADABLE, Fault, find_faults, members_of
from datkit.errors import SubmissionError, UsageError
from datkit.submit.problem import Problem

__all__ = ["UNREADABLE", "archive_problems", "members_of", "unpack"]

_REPACK = "Pack again with 'datkit submit pack', or zip the files themselves, not their folder."
_SHRINK = "Leave out what prediction does not need."
_REMEDIES = {
    "not-a-zip": "Copy or pack it again, and compare the sizes.",
    "too-many-members": _SHRINK,
    "too-large": _SHRINK,
    "bomb": _SHRINK,
    "link": "Pack a copy of what it points to.",
    "case-clash": "Rename one: where case does not count they are one file.",
    "file-and-folder": "Rename one.",
    "damaged": "Pack the archive again.",
}


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
    problems = [_problem(fault) for fault in faults]
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


def _problem(fault: Fault) -> Problem:
    return Problem(*fault, _REMEDIES.get(fault.code, _REPACK))


def _find_main(names: list[str]) -> Iterator[Problem]:
    if "main.py" in names:
        return
    where, expected = "the archive", "main.py at its root"
    others = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    if others:
        code = "main-nested"
        found = f"only {', '.join(map(repr, others[:3]))}; the platform's own check lets it pass"
    else:
        code, found = "main-missing", "none"
    yield Problem(code, where, expected, found, _REPACK)
