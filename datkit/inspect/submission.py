"""Check a submission before it is uploaded: every problem at once, without running any of it.

What stands in the archive is read, never run. That finds what is written out; it cannot find what
is put together at run time: a path from a command line, a module named by a variable, a table of
exams in a format of one's own, a probability that is wrong. For those,
:func:`datkit.submit.run_submission` is the next step.
"""

from __future__ import annotations

import os

from datkit.inspect.content import check_bytes, check_names, is_mac_note
from datkit.inspect.python import Surroundings, check_source
from datkit.inspect.zip_file import Submission
from datkit.problems import Problem

__all__ = ["check_submission"]


def check_submission(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem that can be found in a submission's zip without running it.

    The archive (whole, safe to unpack, `main.py` at its root), then each member: Python that
    parses and imports only what the platform has, weights that can be read and are no pickles, and
    nothing that does not belong there: notebooks, exams, tables of exams. An empty list means that
    :func:`datkit.submit.run_submission` is the next step.

    Parameters
    ----------
    path : path
        The zip file.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    with path if isinstance(path, Submission) else Submission(path) as submission:
        problems = [*submission.problems]
        if not submission.is_readable:
            return problems
        names, read = submission.members, submission.zip.read
        problems += check_names(names)
        sources = {name: read(name) for name in names if _is_python(name)}
        around = Surroundings.of(names, sources.values())
        for name in names:  # one at a time: weights may be large
            content = sources[name] if name in sources else read(name)
            problems += check_bytes(name, content)
            if name in sources:
                problems += check_source(name, content, around)
    return problems


def _is_python(name: str) -> bool:
    return name.endswith(".py") and not is_mac_note(name)
