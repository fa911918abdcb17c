"""Which modules a Python source imports, read from its syntax tree without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

__all__ = ["Import", "imports_in", "imports_of"]


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


def imports_of(source: str | bytes, filename: str = "<source>") -> list[Import]:
    """Return every import of a source, those inside functions included, in the order of lines.

    Also ``importlib.import_module("x")`` and ``__import__("x")`` with a literal name. Left out:
    what stands under ``if TYPE_CHECKING``, since it never runs.

    Raises
    ------
    SyntaxError, ValueError
        If the source is not Python.

    Examples
    --------
    >>> [i.module for i in imports_of("import numpy as np\\nfrom scipy import ndimage")]
    ['numpy', 'scipy']
    """
    return imports_in(ast.parse(source, filename))


def imports_in(tree: ast.Module) -> list[Import]:
    """Do what :func:`imports_of` does, for a source that is parsed already."""
    collector = _Collector()
    collector.visit(tree)
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
        never = "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.orelse if never else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_Try(self, node: ast.Try) -> None:
        before = self.optional
        self.optional = before or any(map(_catches_import_error, node.handlers))
        for child in node.body:
            self.visit(child)
        self.optional = before
        for child in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(child)

    def _add(
        self, module: str, node: ast.stmt | ast.expr, names: tuple[str, ...] = (), level: int = 0
    ) -> None:
        self.found.append(Import(module, names, level, node.lineno, self.optional, self.deferred))


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))
