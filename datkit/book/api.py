"""The API reference of the book: a page for each room of datkit, made from its docstrings.

:func:`write_api` writes the pages while the book is staged; Sphinx, with this module among its
extensions, fills them in. :func:`link_names` makes links of the names that prose mentions.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from inspect import isclass
from pathlib import Path
from pydoc import locate
from typing import TYPE_CHECKING

from datkit.book.imports import public_names
from datkit.book.notebook import LISTS

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["all_names", "constant_text", "imported_names", "link_names", "setup", "write_api"]

PAGE = """\
# {room}

```{{eval-rst}}
.. automodule:: {room}

.. autosummary::
   :nosignatures:

   {summary}

{entries}
```
"""


# What scikit-learn adds to every estimator.
NOT_OURS = ", ".join(
    f"set_{method}_request" for method in ("fit", "predict", "predict_proba", "score", "transform")
)


@cache
def all_names() -> dict[str, str]:
    """Return where each public name of datkit, and each room, is documented: its full name there.

    A name can be said in three ways: as one room offers it, as another does, or as the module in
    which it is written.

    Examples
    --------
    >>> {all_names()[f"datkit.{name}"] for name in ("load_scan", "io.scan.load_scan")}
    {'datkit.io.load_scan'}
    """
    names = {room: room for room in LISTS["rooms"]}
    for room in sorted(LISTS["rooms"], reverse=True):  # `datkit`, which offers what others do, last
        for name in public_names(room):
            value = getattr(import_module(room), name)
            written = f"{getattr(value, '__module__', '')}.{name}"
            names[f"{room}.{name}"] = names.setdefault(written, f"{room}.{name}")
    return names


def imported_names(code: str) -> dict[str, str]:
    """Return what a notebook's code imports of datkit: the full name of each name.

    Examples
    --------
    >>> imported_names("from datkit.view import plot_exam")
    {'plot_exam': 'datkit.view.plot_exam'}
    """
    return {
        alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("datkit")
        for alias in node.names
    }


def link_names(text: str, names: Mapping[str, str]) -> str:
    """Make a link to the API reference of each name that stands alone between marks of code.

    Parameters
    ----------
    text : str
        Markdown.
    names : mapping of str to str
        Names as they may stand there, and what they are in full.

    Examples
    --------
    >>> link_names("Use `plot_exam` or `plot`.", {"plot_exam": "datkit.view.plot_exam"})
    'Use {py:obj}`plot_exam <datkit.view.plot_exam>` or `plot`.'
    """

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f"{{py:obj}}`{name} <{names[name]}>`" if name in names else found[0]

    return re.sub(r"(?<![`}])`([\w.]+)`(?!`)", link, text)


def constant_text(name: str, value: object) -> str:
    """Return the ``#:`` comment that stands where a constant is defined ('' without one)."""
    from sphinx.pycode import ModuleAnalyzer

    for module in [*sys.modules]:
        if module.startswith("datkit") and vars(sys.modules[module]).get(name) is value:
            comments = ModuleAnalyzer.for_module(module).find_attr_docs()
            if lines := comments.get(("", name)):
                return " ".join(lines).strip()
    return ""


def _entry(name: str, value: object) -> str:
    """Return the directive that documents one public name."""
    if isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return f".. auto{kind}:: {name}\n   :members:\n   :exclude-members: {NOT_OURS}"
    if callable(value):
        return f".. autofunction:: {name}"
    kind, text = type(value).__name__, constant_text(name, value)
    return f".. py:data:: {name}\n   :type: {kind}\n\n   {text}"


def write_api(folder: Path) -> None:
    """Write the page of every room into a folder: ``datkit.view.md`` is that of ``datkit.view``."""
    folder.mkdir(exist_ok=True)
    for room in LISTS["rooms"]:
        module, summary, entries = import_module(room), [], []
        for name in public_names(room):
            home, value = all_names()[f"{room}.{name}"], getattr(module, name)
            if callable(value):
                summary.append(home.removeprefix(f"{room}."))
            if home == f"{room}.{name}":
                entries.append(_entry(name, value))
            elif not callable(value):
                entries.append(f":py:obj:`{home}` is offered here too.")
        page = PAGE.format(room=room, summary="\n   ".join(summary), entries="\n\n".join(entries))
        (folder / f"{room}.md").write_text(page, encoding="utf-8")


def _adapt(
    _app: Sphinx, what: str, _name: str, _item: object, _options: object, lines: list[str]
) -> None:
    """Adapt a docstring: the lines of a module's list stay apart, types are words, not links."""
    in_table = False
    for number, line in enumerate(lines):
        in_table ^= line.startswith("==")
        if what == "module" and re.match(r"``\S+``  ", line) and not in_table:
            lines[number] = f"| {line}"
        lines[number] = re.sub(r"^( +):type: ", r"\1Type: ", lines[number])


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Show as plain code what has no page: other libraries' names, and datkit's own workings."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    home, python = all_names().get(target, target), env.get_domain("py")
    page = python.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, content)
    is_misspelt = target.startswith("datkit") and locate(target) is None
    return page or (None if is_misspelt else content)


def _list_references(
    _app: Sphinx, _page: str, _template: str, context: dict, _tree: object
) -> None:
    """Make entries of the bibliography items of its list, which may hold nothing else."""
    body = context.get("body", "")
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension with Sphinx."""
    for extension in ("autodoc", "autosummary", "napoleon"):
        app.setup_extension(f"sphinx.ext.{extension}")
    app.connect("autodoc-process-docstring", _adapt)
    app.connect("missing-reference", _resolve)
    app.connect("html-page-context", _list_references)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
