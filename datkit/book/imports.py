"""What a notebook may import: standard library, declared dependencies, datkit's public names."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from datkit.book.notebook import LISTS

__all__ = ["import_problem", "public_names"]

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"  # an older installation knows less


@cache
def _allowed() -> frozenset[str]:
    """Return the top-level modules of the standard library and of every declared dependency."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(line for lines in extras for line in lines)]
    wanted = {canonicalize_name(Requirement(line).name) for line in declared}
    modules = {
        module
        for module, providers in importlib.metadata.packages_distributions().items()
        if wanted & set(map(canonicalize_name, providers))
    }
    return frozenset(modules | sys.stdlib_module_names | {"datkit"})


def public_names(room: str) -> list[str]:
    """Return what a room of datkit offers, sorted; a room's names load only when they are used.

    Examples
    --------
    >>> public_names("datkit.io")
    ['Scan', 'load_scan', 'save_scan']
    """
    return sorted(import_module(room).__all__)


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
    'urllib.request, which uses the network'
    """
    top = module.split(".")[0]
    if top in LISTS["programs"]:
        return f"{module}, which starts other programs"
    if top in LISTS["network"]:
        return f"{module}, which uses the network"
    if top not in _allowed():
        return f"{module}, which pyproject.toml does not declare"
    if top != "datkit":
        return None
    if module not in (rooms := LISTS["rooms"]):
        return f"{module}, which no page of the API reference shows"
    hidden = [n for n in names if n not in public_names(module) and f"{module}.{n}" not in rooms]
    return f"{', '.join(hidden)}, which {module} does not list in its __all__" if hidden else None
