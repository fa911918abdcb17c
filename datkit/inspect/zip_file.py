"""What opens a submission for one question alone; :mod:`datkit.inspect.submission` is the way."""

from __future__ import annotations

import os

from datkit.inspect.submission import Submission
from datkit.problems import Problem

__all__ = ["Submission", "archive_problems", "unpack"]


def archive_problems(path: str | os.PathLike[str]) -> list[Problem]:
    """Return the problems of a :class:`Submission` that is opened for this alone."""
    with Submission(path) as submission:
        return submission.problems


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a :class:`Submission` that is opened for this alone."""
    with Submission(path) as submission:
        submission.unpack(folder)
