"""The zip itself: opened and verified once, and with `main.py` where the platform looks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from datkit.errors import SubmissionError
from datkit.io.archive import Archive
from datkit.problems import Problem
from datkit.rules import Found, RuleGroup

__all__ = ["Submission", "archive_problems", "unpack"]


class Submission(Archive):
    """A submission's zip, opened and verified once for all that a command does with it.

    Its `problems` are those of the archive and of where `main.py` lies. With any of them it is not
    to be unpacked: :meth:`unpack` raises a :class:`SubmissionError` that lists every one.

    Parameters
    ----------
    path : path

    Raises
    ------
    UsageError
        If there is no such file.
    """

    error = SubmissionError

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        if self.is_listed:
            self.problems += MAIN.problems([info.filename for info in self.infos])


MAIN: RuleGroup[list[str]] = RuleGroup("Where `main.py` lies")
_EXPECTED = "a file main.py at its root"
_REPACK = "Pack again with ``datkit submit pack``, or zip the files themselves, not their folder."


@MAIN.rule("main-folder", expected=_EXPECTED)
def is_a_folder(names: list[str]) -> Iterator[Found]:
    """`main.py` is the name of a folder.

    Put the code into a file of that name.
    """
    if _is_taken(names) and "main.py" not in names:
        yield Found("the archive", "a folder of that name")


@MAIN.rule("main-case", expected=_EXPECTED)
def is_in_capitals(names: list[str]) -> Iterator[Found]:
    """`main.py` is spelt with capitals.

    Rename it to `main.py`: the platform's file system tells them apart.
    """
    others = _misplaced(names)
    if any(map(_is_at_root, others)):
        yield Found("the archive", f"only {', '.join(map(repr, others[:3]))}")


@MAIN.rule("main-nested", expected=_EXPECTED, remedy=_REPACK)
def is_in_a_folder(names: list[str]) -> Iterator[Found]:
    """`main.py` lies in a folder of the archive, not at its root."""
    others = _misplaced(names)
    if others and not any(map(_is_at_root, others)):
        found = f"only {', '.join(map(repr, others[:3]))}; the platform's own check lets it pass"
        yield Found("the archive", found)


@MAIN.rule("main-missing", expected=_EXPECTED, remedy=_REPACK)
def is_missing(names: list[str]) -> Iterator[Found]:
    """There is no `main.py` in the archive."""
    if not (_is_taken(names) or _misplaced(names)):
        yield Found("the archive", "none")


def _is_taken(names: list[str]) -> bool:
    """Whether main.py is the name of a file or of a folder at the root."""
    return any(name.partition("/")[0] == "main.py" for name in names)


def _misplaced(names: list[str]) -> list[str]:
    """Return what is called main.py in capitals or in a folder, if nothing is at the root."""
    named = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    return [] if _is_taken(names) else named


def _is_at_root(name: str) -> bool:
    return "/" not in name.rstrip("/")


def archive_problems(path: str | os.PathLike[str]) -> list[Problem]:
    """Return the problems of a :class:`Submission` that is opened for this alone."""
    with Submission(path) as submission:
        return submission.problems


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a :class:`Submission` that is opened for this alone."""
    with Submission(path) as submission:
        submission.unpack(folder)
