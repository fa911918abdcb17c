"""Everything that is checked in one Python source of a submission, in the order of its lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from datkit.inspect.assets import find_missing_assets
from datkit.inspect.imports import imports_in
from datkit.inspect.logging import find_prints
from datkit.inspect.network import find_outward
from datkit.inspect.portability import find_habits
from datkit.inspect.rules import finding
from datkit.inspect.runtime import PYTHON, is_in_runtime
from datkit.inspect.source import Source, parse, reads_as_newer
from datkit.problems import Problem

__all__ = ["Surroundings", "check_source"]

# A library that was copied in keeps its licence beside it, lies beside its own `.dist-info`, or in
# a folder of one of these names. It may hold code that could download, print or import what is not
# there; whether that is called, only a run shows.
_VENDORS = frozenset({"vendor", "vendored", "_vendor", "third_party", "site-packages"})
_TESTS = re.compile(r"/tests?/|/conftest\.py$")
_LICENCES = ("LICENSE", "LICENCE", "COPYING")


@dataclass(frozen=True)
class Surroundings:
    """What one source must know of the others.

    Attributes
    ----------
    names : frozenset of str
        All members.
    bundled : frozenset of str
        Every name that could be imported from the archive, whatever is added to `sys.path`.
    vendored : frozenset of str
        Folders that hold a library of somebody else.
    asks_for_gpu : bool
        Whether any source asks if there is a graphics card.
    """

    names: frozenset[str]
    bundled: frozenset[str]
    vendored: frozenset[str]
    asks_for_gpu: bool

    @classmethod
    def of(cls, names: Iterable[str], sources: Iterable[bytes]) -> Surroundings:
        """Collect them from the members' names and the bytes of the sources."""
        names = frozenset(names)
        asks = any(b"is_available" in content for content in sources)
        return cls(names, _bundled(names), _vendored(names), asks)


def check_source(name: str, content: bytes, around: Surroundings) -> Iterator[Problem]:
    """Yield every problem of one source.

    Examples
    --------
    >>> around = Surroundings.of(["main.py"], [])
    >>> print(*check_source("main.py", b"import nilearn", around))
    member 'main.py', line 1: expected a package that the platform has, found import nilearn.
    Do without it, or put it into the zip: the platform installs nothing.
    """
    if _shadows(name):
        yield finding("shadowed-module", f"member {name!r}", "a name of its own", "a taken one")
    try:
        source = Source.of(name, parse(content, name))
        is_own = around.vendored.isdisjoint(_folders(name))
        found = [*_check_imports(source, around, is_own)]
        if is_own:
            found += find_missing_assets(source, around.names)
            found += find_outward(source, around.bundled)
            found += find_habits(source, around.asks_for_gpu)
            found += find_prints(source)
    except (RecursionError, MemoryError) as error:
        expected = "a source that can be read without running it"
        yield finding("unread-source", f"member {name!r}", expected, str(error) or "a deep one")
    except (SyntaxError, ValueError) as error:
        yield _describe_syntax(name, error)
    else:
        yield from sorted(found, key=lambda problem: int(problem.where.rpartition(" ")[2]))


def _shadows(name: str) -> bool:
    """Whether a member at the root is found in place of one of Python's or the platform's."""
    path = PurePosixPath(name)
    module = path.parts[0] if path.name == "__init__.py" else path.stem
    return len(path.parts) <= 1 + (path.name == "__init__.py") and is_in_runtime(module)


def _bundled(names: frozenset[str]) -> frozenset[str]:
    parts = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    return frozenset(parts | {PurePosixPath(name).stem.partition(".")[0] for name in names})


def _vendored(names: frozenset[str]) -> frozenset[str]:
    licensed = {
        str(PurePosixPath(name).parent)
        for name in names
        if PurePosixPath(name).name.startswith(_LICENCES)
    }
    named = {folder for name in names for folder in _folders(name)
             if PurePosixPath(folder).name in _VENDORS}  # fmt: skip
    installed = {str(PurePosixPath(folder).parent / PurePosixPath(folder).name.partition("-")[0])
                 for name in names for folder in _folders(name)
                 if folder.endswith(".dist-info")}  # fmt: skip
    return frozenset(licensed | named | installed) - {"."}


def _folders(name: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(name).parents]


def _check_imports(source: Source, around: Surroundings, is_own: bool) -> Iterator[Problem]:
    imports = imports_in(source.tree)
    if not is_own:
        imports = [] if _TESTS.search(source.name) else [i for i in imports if not i.deferred]
    tried = {one.module.partition(".")[0] for one in imports if one.optional}
    for one in imports:
        top = one.module.partition(".")[0]
        where = f"member {source.name!r}, line {one.line}"
        if not (one.level or top in tried or top in around.bundled or is_in_runtime(top)):
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
