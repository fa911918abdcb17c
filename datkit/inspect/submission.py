"""Check a submission before it is uploaded: every problem at once, without running any of it.

What stands in the archive is read, never run. That finds what is written out; it cannot find what
is put together at run time: a path from a command line, a module named by a variable, a table of
exams in a format of one's own, a probability that is wrong. For those,
:func:`datkit.replica.run_submission` is the next step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from datkit.errors import SubmissionError
from datkit.inspect import assets, logging, network, portability  # noqa: F401 (they enter rules)
from datkit.inspect.content import CONTENT, Member
from datkit.inspect.imports import IMPORTS, MODULES
from datkit.inspect.names import MAIN, NAMES, is_mac_note
from datkit.inspect.source import CODE, UNREAD, Contents, Source, Unread
from datkit.io.archive import Archive
from datkit.problems import Problem

__all__ = ["Submission", "check_source", "check_submission"]


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


def check_submission(submission: str | os.PathLike[str] | Submission) -> list[Problem]:
    """Return every problem that can be found in a submission's zip without running it.

    The archive (whole, safe to unpack, `main.py` at its root), then each member: Python that
    parses and imports only what the platform has, weights that can be read and are no pickles, and
    nothing that does not belong there: notebooks, exams, tables of exams. An empty list means that
    :func:`datkit.replica.run_submission` is the next step.

    Parameters
    ----------
    submission : path or Submission
        The zip file, or one that is open already and stays so.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    if not isinstance(submission, Submission):
        with Submission(submission) as opened:
            return check_submission(opened)
    if not submission.is_readable:
        return [*submission.problems]
    names, read = submission.members, submission.zip.read
    problems = [*submission.problems, *NAMES.problems(names), *MODULES.problems(names)]
    sources = {name: read(name) for name in names if name.endswith(".py") and not is_mac_note(name)}
    contents = Contents(names, sources)
    for name in names:  # one at a time: weights may be large
        problems += CONTENT.problems(Member(name, sources.get(name) or read(name)))
        if name in sources:
            problems += check_source(name, contents)
    return problems


def check_source(name: str, contents: Contents) -> Iterator[Problem]:
    """Yield every problem of one source, in the order of its lines.

    Examples
    --------
    >>> print(*check_source("main.py", Contents(["main.py"], {"main.py": b"import nilearn"})))
    member 'main.py', line 1: expected a package that the platform has, found import nilearn.
    Do without it, or put it into the zip: the platform installs nothing.
    """
    try:
        source = Source(name, contents.sources[name], contents)
        found = [*IMPORTS.problems(source), *(CODE.problems(source) if source.is_own else [])]
    except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
        yield from UNREAD.problems(Unread(name, error))
    else:
        yield from sorted(found, key=lambda problem: problem.line or 0)
