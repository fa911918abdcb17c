"""Check a submission before it is uploaded: every problem at once, without running any of it.

What stands in the archive is read, never run. That finds what is written out; it cannot find what
is put together at run time: a path from a command line, a module named by a variable, a table of
exams in a format of one's own, a probability that is wrong. For those,
:func:`datkit.replica.run_submission` is the next step.

A stranger's zip is read in a process of its own, of limited memory and time. Its answer is lines
of JSON: whatever ends it early, what it had found stays, and its end is one finding more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from datkit.errors import SubmissionError
from datkit.inspect import assets, logging, network, portability  # noqa: F401 (they enter rules)
from datkit.inspect.content import CONTENT, LIMITS, Member, damaged
from datkit.inspect.findings import capped
from datkit.inspect.imports import IMPORTS, MODULES
from datkit.inspect.names import MAIN, NAMES, is_mac_note
from datkit.inspect.source import CODE, UNREAD, Contents, Source, Unread
from datkit.io.archive import Archive, existing
from datkit.problems import Problem
from datkit.rules import finding

__all__ = ["Submission", "check_source", "check_submission", "find_problems"]

# Of a zip of a few MB: each 25 MB more give a second more.
SECONDS, MEMORY, BYTES_A_SECOND = 12, 1_800_000_000, 25_000_000
# By the clock, in processor times: other programs run as well. On Windows it is the one limit.
_PATIENCE = 2 if sys.platform == "win32" else 10
_CHILD = (
    "import json, sys; sys.path[:], *told = json.loads(sys.argv[1]);"
    "from datkit.inspect.submission import _answer; _answer(*told)"
)


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
            self.problems += MAIN.problems([*self.members, *(f"{one}/" for one in self.folders)])


def check_submission(submission: str | os.PathLike[str] | Submission) -> list[Problem]:
    """Return every problem that can be found in a submission's zip without running it.

    The archive (whole, safe to unpack, `main.py` at its root), then each member: Python that
    parses and imports only what the platform has, weights that can be read and are no pickles, and
    nothing that does not belong there: notebooks, exams, tables of exams. An empty list means that
    :func:`datkit.replica.run_submission` is the next step.

    A process of its own reads the zip, within 12 s and 1.8 GB; of many findings of one code, 100
    and the number of the others are returned.

    Parameters
    ----------
    submission : path or Submission
        The zip file, or one that is open already and stays so.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    path = submission.path if isinstance(submission, Submission) else existing(submission)
    problems, place = [], "the archive"
    for line in _read_apart(path):
        match json.loads(line):
            case str(name):
                place = f"member {name!r}"
            case dict(problem):
                problems.append(Problem(**problem))
            case None:
                return problems
    return [*problems, finding("unread", place, LIMITS, "what ended the check")]


def _read_apart(path: Path) -> list[bytes]:
    """Return the lines that a limited process of its own says of a zip, until it ends."""
    seconds = SECONDS + path.stat().st_size // BYTES_A_SECOND
    told = json.dumps([sys.path, str(path), seconds, MEMORY])
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", _CHILD, told],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each thread reserves memory
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_PATIENCE * seconds,
        ).stdout  # fmt: skip
    except subprocess.TimeoutExpired as late:
        answer = late.stdout or b""
    return answer.rpartition(b"\n")[0].splitlines()


def _answer(path: str, seconds: int, memory: int) -> None:
    """Print, in the child, each member's name before it is read, each problem, null at the end."""
    with suppress(ImportError):  # Windows has no limits but the clock's
        import resource

        for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
            with suppress(ValueError, OSError):  # macOS has none of memory
                resource.setrlimit(kind, (most, most))
    with Submission(path) as submission:
        for one in capped(find_problems(submission, _say)):
            _say(one.to_dict())
    _say(None)


def _say(one: object) -> None:
    print(json.dumps(one), flush=True)


def find_problems(
    submission: Submission, reads: Callable[[str], object] = str
) -> Iterator[Problem]:
    """Yield what :func:`check_submission` finds, read here, without limits and all of it.

    Parameters
    ----------
    submission : Submission
        The open zip.
    reads : callable
        Is told the name of each member before that is read.
    """
    yield from submission.problems
    if not submission.is_readable:
        return
    names = submission.members
    yield from [*NAMES.problems(names), *MODULES.problems(names)]
    sources = [name for name in names if name.endswith(".py") and not is_mac_note(name)]
    contents = Contents(names, {name: submission.read(name) for name in sources})
    for name in names:  # one at a time: weights may be large
        reads(name)
        try:
            content = contents.sources.get(name) or submission.read(name)
            yield from CONTENT.problems(Member(name, content))
            yield from check_source(name, contents) if name in contents.sources else ()
        except Exception as error:  # whatever a library makes of a stranger's file
            yield damaged(name, error)


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
    except (SyntaxError, ValueError) as error:
        yield from UNREAD.problems(Unread(name, error))
    else:
        yield from sorted(found, key=lambda problem: problem.line or 0)
