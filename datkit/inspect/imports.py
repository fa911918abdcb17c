"""Which modules a source imports, and whether the platform or the archive has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from datkit.inspect.runtime import is_in_runtime
from datkit.inspect.source import Source
from datkit.rules import Found, RuleGroup

__all__ = ["IMPORTS", "MODULES", "Import", "imports_of"]

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
    collector = _Collector()
    collector.visit(source if isinstance(source, ast.Module) else ast.parse(source))
    return sorted(collector.found, key=lambda found: found.line)


class _Collector(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[Import] = []
        self.optional = self.deferred = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        self._add(node.module or "", node, names, node.level)

    def visit_Call(self, node: ast.Call) -> None:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        literal = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else 0
        if called in ("import_module", "__import__") and isinstance(literal, str):
            level = len(literal) - len(literal.lstrip("."))
            self._add(literal.lstrip("."), node, level=level)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self.deferred = self.deferred, True
        self.generic_visit(node)
        self.deferred = before

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
        else:
            for child in node.orelse:
                self.visit(child)

    def visit_Try(self, node: ast.Try) -> None:
        before = self.optional
        self.optional = before or any(map(_catches_import_error, node.handlers))
        for child in node.body:
            self.visit(child)
        self.optional = before
        for later in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(later)

    def _add(
        self, module: str, node: ast.stmt | ast.expr, names: tuple[str, ...] = (), level: int = 0
    ) -> None:
        self.found.append(Import(module, names, level, node.lineno, self.optional, self.deferred))


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))


# ---- A library that was copied in is looked at too.
IMPORTS: RuleGroup[Source] = RuleGroup("The code")


@IMPORTS.rule("absent-package", expected="a package that the platform has")
def absent_package(source: Source) -> Iterator[Found]:
    """A package is imported that the platform does not have.

    Do without it, or put it into the zip: the platform installs nothing.
    """
    imports = imports_of(source.tree)
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
    for one in imports_of(source.tree) if source.name == "main.py" else []:
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
