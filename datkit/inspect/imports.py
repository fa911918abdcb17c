"""Which modules a source imports, and whether the platform or the archive has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeGuard

from datkit.inspect.runtime import is_in_runtime
from datkit.inspect.source import Source, below
from datkit.rules import Found, RuleGroup

__all__ = ["IMPORTS", "MODULES", "Import", "imports_of"]

_IMPORTERS = ("import_module", "__import__")
_CAUGHT = re.compile("ImportError|ModuleNotFoundError|Exception")
_TESTS = re.compile(r"/tests?/|/conftest\.py$")


@dataclass(frozen=True)
class Import:
    """One import: ``from module import names``, or ``import module`` where `names` is empty.

    `level` counts the leading dots of a relative import; `line` counts from 1; `optional` tells
    that the code goes on without the module (``try: import x`` … ``except ImportError``);
    `deferred` that it stands in a function, and runs only when that is called.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0
    line: int = 1
    optional: bool = False
    deferred: bool = False

    @property
    def top(self) -> str:
        """The package that it belongs to."""
        return self.module.partition(".")[0]


def imports_of(source: str | bytes | ast.Module) -> list[Import]:
    r"""Return every import of a source, those inside functions included, in the order of lines.

    Also ``importlib.import_module("x")`` and ``__import__("x")`` with a literal name. Left out:
    what stands under ``if TYPE_CHECKING``, since it never runs.

    Raises
    ------
    SyntaxError, ValueError
        If the source is not Python.

    Examples
    --------
    >>> [i.module for i in imports_of("import numpy as np\nfrom scipy import ndimage")]
    ['numpy', 'scipy']
    """
    tree = source if isinstance(source, ast.Module) else ast.parse(source)
    return _imports([*below([tree])])


def _imports(nodes: list[ast.AST]) -> list[Import]:
    never = _lines(one.body for one in nodes if _never_runs(one))
    tried = _lines(one.body for one in nodes if _is_try(one))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    later = _lines([one] for one in nodes if isinstance(one, functions))
    found = [
        Import(*imported, node.lineno, node.lineno in tried, node.lineno in later)
        for node in nodes
        for imported in _imported(node)
        if isinstance(node, ast.stmt | ast.expr) and node.lineno not in never
    ]
    return sorted(found, key=lambda found: found.line)


def _lines(blocks: Iterable[Sequence[ast.stmt]]) -> set[int]:
    ends = ((block[0].lineno, block[-1].end_lineno or 0) for block in blocks)
    return {line for first, last in ends for line in range(first, last + 1)}


def _imported(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...], int]]:
    match node:
        case ast.Import(names=names):
            yield from ((alias.name, (), 0) for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield module or "", tuple(alias.name for alias in names), level
        case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]):
            if getattr(called, "attr", getattr(called, "id", "")) in _IMPORTERS:
                yield name.lstrip("."), (), len(name) - len(name.lstrip("."))


def _never_runs(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _is_try(node: ast.AST) -> TypeGuard[ast.Try]:
    """Whether the code goes on if an import in it fails."""
    handlers = node.handlers if isinstance(node, ast.Try) else []
    caught = (ast.unparse(one.type) if one.type else "Exception" for one in handlers)
    return any(_CAUGHT.search(one) for one in caught)


# ---- A library that was copied in is looked at too.
IMPORTS: RuleGroup[Source] = RuleGroup("The code")


@IMPORTS.rule("absent-package", expected="a package that the platform has")
def absent_package(source: Source) -> Iterator[Found]:
    """A package is imported that the platform does not have.

    Do without it, or put it into the zip: the platform installs nothing.
    """
    imports = _imports(source.nodes)
    if not source.is_own:
        imports = [i for i in imports if not (i.deferred or _TESTS.search(source.name))]
    there = source.contents.bundled | {one.top for one in imports if one.optional}
    for one in imports:
        if not (one.level or one.top in there or is_in_runtime(one.top)):
            yield Found(f"member {source.name!r}", f"import {one.module}", line=one.line)


@IMPORTS.rule("relative-import", expected="an import without leading dots")
def relative_import(source: Source) -> Iterator[Found]:
    """`main.py` imports with a leading dot.

    Write ``import helpers`` or ``from helpers import …``: `main.py` is in no package.
    """
    for one in _imports(source.nodes) if source.name == "main.py" else []:
        if one.level and not one.optional:
            found = f"from {'.' * one.level}{one.module} import {', '.join(one.names)}"
            yield Found("member 'main.py'", found, line=one.line)


# ---- The names of all members.
MODULES: RuleGroup[list[str]] = RuleGroup("The code")


@MODULES.rule("shadowed-module", expected="a name of its own", severity="warning")
def shadowed_module(names: list[str]) -> Iterator[Found]:
    """A module at the root has the name of one of Python's or the platform's.

    Rename it: every import of that name finds yours, those in libraries too.
    """
    for name in names:
        module = PurePosixPath(name.removesuffix("/__init__.py"))
        is_python = name.endswith(".py") and len(module.parts) == 1
        if is_python and is_in_runtime(module.stem):
            yield Found(f"member {name!r}", "a taken one")
