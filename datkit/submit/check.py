"""Check a submission before it is uploaded: every problem at once, without running any of it.

What stands in the archive is read, never run. That finds what is written out; it cannot find what
is put together at run time: a path from a command line, a module named by a variable, a table of
exams in a format of one's own, a probability that is wrong. For those,
:func:`datkit.submit.run_submission` is the next step.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from datkit.submit.archive import UNREADABLE, archive_problems, members_of
from datkit.submit.codes import finding
from datkit.submit.content import check_bytes, check_names
from datkit.submit.habits import find_habits
from datkit.submit.imports import imports_in
from datkit.submit.outward import find_outward
from datkit.submit.predictions import check_predictions
from datkit.submit.prints import find_prints
from datkit.submit.problem import Problem
from datkit.submit.runtime import PYTHON, is_in_runtime
from datkit.submit.source import Source, parse, reads_as_newer

__all__ = ["check_predictions", "check_submission"]

# A library that was copied in keeps its licence beside it, or lies in a folder of one of these
# names. It may hold code that could download or print; whether that is called, only a run shows.
_VENDORS = frozenset({"vendor", "vendored", "_vendor", "third_party", "site-packages"})
_LICENCES = ("LICENSE", "LICENCE", "COPYING")


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
    problems = archive_problems(path)
    if any(problem.code in UNREADABLE for problem in problems):
        return problems
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in members_of(archive)}
    problems += check_names([*contents])
    bundled, vendored = _bundled(contents), _vendored(contents)
    sources = {name: content for name, content in contents.items() if name.endswith(".py")}
    asks_for_gpu = any(b"is_available" in content for content in sources.values())
    for name, content in contents.items():
        problems += check_bytes(name, content)
        if name in sources:
            is_own = vendored.isdisjoint(_folders(name))
            problems += _check_python(name, content, bundled, asks_for_gpu, is_own)
    return problems


def _check_python(
    name: str, content: bytes, bundled: set[str], asks_for_gpu: bool, is_own: bool
) -> Iterator[Problem]:
    if _shadows(name):
        yield finding("shadowed-module", f"member {name!r}", "a name of its own", "a taken one")
    try:
        source = Source.of(name, parse(content, name))
        found = [*_check_imports(source, bundled)]
        if is_own:
            found += find_outward(source, bundled)
            found += find_habits(source, asks_for_gpu)
            found += find_prints(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        yield _describe_syntax(name, error)
    else:
        yield from sorted(found, key=lambda problem: int(problem.where.rpartition(" ")[2]))


def _shadows(name: str) -> bool:
    """Whether a member at the root is found in place of one of Python's or the platform's."""
    path = PurePosixPath(name)
    module = path.parts[0] if path.name == "__init__.py" else path.stem
    return len(path.parts) <= 1 + (path.name == "__init__.py") and is_in_runtime(module)


def _bundled(names: Iterable[str]) -> set[str]:
    """Every name that a submission could import from itself, whatever it adds to `sys.path`."""
    parts = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    return parts | {PurePosixPath(name).stem.partition(".")[0] for name in names}


def _vendored(names: Iterable[str]) -> set[str]:
    """Every folder that holds a library of somebody else."""
    licensed = {
        str(PurePosixPath(name).parent)
        for name in names
        if PurePosixPath(name).name.startswith(_LICENCES)
    }
    named = {folder for name in names for folder in _folders(name)
             if PurePosixPath(folder).name in _VENDORS}  # fmt: skip
    return (licensed | named) - {"."}


def _folders(name: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(name).parents]


def _check_imports(source: Source, bundled: set[str]) -> Iterator[Problem]:
    for one in imports_in(source.tree):
        top = one.module.partition(".")[0]
        where = f"member {source.name!r}, line {one.line}"
        if not (one.level or one.optional or top in bundled or is_in_runtime(top)):
            expected = "a package that the platform has"
            yield finding("absent-package", where, expected, f"import {one.module}")
        if one.level and source.name == "main.py" and not one.optional:
            found = f"from {'.' * one.level}{one.module} import {', '.join(one.names)}"
            yield finding("relative-import", where, "an import without leading dots", found)


def _describe_syntax(name: str, error: Exception) -> Problem:
    line = getattr(error, "lineno", None)
    where = f"member {name!r}, line {line}" if line else f"member {name!r}"
    code = "syntax-unchecked" if reads_as_newer(error) else "syntax"
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = f"{getattr(error, 'msg', error)} (as Python {here} reads it)"
    return finding(code, where, f"Python {PYTHON}", found)
