"""What a notebook may import: standard library, declared dependencies, datkit's public names."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["import_problem"]

DISTRIBUTION = "dat-spect-kit"
# Part of the standard library or declared for datkit's own use, yet not for a notebook's.
PROGRAMS = {"subprocess", "pty", "multiprocessing"}
NETWORK = {"requests", "urllib", "http", "socket", "ftplib", "ssl", "pooch", "webbrowser"}


def _normal(name: str) -> str:
    """Return a distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _allowed() -> frozenset[str]:
    """Return the top-level modules of the standard library and of every declared dependency."""
    declared = importlib.metadata.requires(DISTRIBUTION) or []
    wanted = {_normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in declared}
    modules = {
        module
        for module, providers in importlib.metadata.packages_distributions().items()
        if wanted & set(map(_normal, providers))
    }
    return frozenset(modules | sys.stdlib_module_names | {"datkit"})


def _literal(tree: ast.Module, name: str) -> ast.expr | None:
    """Return the expression that a module assigns to `name` at its top level."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None


@cache
def _public(module: str) -> frozenset[str]:
    """Return a module's ``__all__``, read without importing it (importing torch takes seconds)."""
    tree = ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8"))
    listed = _literal(tree, "__all__")
    names: set[str] = set()
    for item in getattr(listed, "elts", ()):
        # `[*TABLE]` lists the keys of a dictionary: lazy facades keep their names in one.
        unpacked = _literal(tree, item.value.id) if isinstance(item, ast.Starred) else None
        names |= {key.value for key in getattr(unpacked, "keys", [item])}
    return frozenset(names)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def import_problem(module: str, names: list[str]) -> str | None:
    """Return what is wrong with ``from module import names``, or None.

    Parameters
    ----------
    module : str
        The dotted name; "." for a relative import.
    names : list of str
        The imported names; none for ``import module``.

    Examples
    --------
    >>> import_problem("numpy", ["array"])
    >>> import_problem("datkit.files", ["sha256_file"])
    >>> import_problem("urllib.request", ["urlopen"])
    'Import of urllib.request, which uses the network.'
    """
    top = module.split(".")[0]
    if top in PROGRAMS | NETWORK:
        what = "starts other programs" if top in PROGRAMS else "uses the network"
        return f"Import of {module}, which {what}."
    if top not in _allowed():
        return f"Import of {module}, which pyproject.toml does not declare."
    if top != "datkit":
        return None
    if not _exists(module):
        return f"Import of {module}, which does not exist."
    if any(part.startswith("_") for part in [*module.split("."), *names]):
        return f"Import of a private name from {module}."
    hidden = [n for n in names if n not in _public(module) and not _exists(f"{module}.{n}")]
    return f"{module} does not list {', '.join(hidden)} in its __all__." if hidden else None
