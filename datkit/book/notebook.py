"""A notebook as its rules see it: numbered, tagged cells, and what the book offers to it."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import nbformat

from datkit.errors import NotebookError, UsageError
from datkit.rules import Found, RuleGroup

__all__ = ["COMMITTED", "EXECUTED", "LISTS", "Cell", "Notebook", "read_notebook", "split_stub"]

Node = TypeVar("Node", bound=ast.AST)
STUB = re.compile(r"```python\n(.*?)\n```\n?", re.S)

Findings = Iterator[Found]
_WORDS = tomllib.loads(Path(__file__).with_name("lists.toml").read_text(encoding="utf-8"))
LISTS = {name: frozenset(words) for name, words in _WORDS.items()}


def split_stub(exercise: str) -> tuple[str, str]:
    r"""Return an exercise's text without the code to fill in, and that code.

    Examples
    --------
    >>> split_stub("Name it.\n\n```python\nname = ...\n```\n")
    ('Name it.', 'name = ...')
    """
    return STUB.sub("", exercise).strip(), "\n\n".join(STUB.findall(exercise)).strip()


@dataclass(frozen=True)
class Cell:
    """One cell; `number` counts from 1 over all cells, `place` is how a problem names it."""

    number: int
    place: str
    cell_type: str
    source: str
    metadata: dict[str, Any]
    outputs: list[dict[str, Any]] = field(default_factory=list)
    execution_count: int | None = None
    id: str = ""
    attachments: dict[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        """What the cell is for: `objectives`, `exercise`, `check` and others."""
        return self.metadata.get("tags", [])

    @cached_property
    def syntax(self) -> list[ast.AST]:
        """The nodes of the cell's syntax tree; none where it is no Python."""
        try:
            return list(ast.walk(ast.parse(self.source)))
        except SyntaxError:
            return []

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return the nodes of one kind in the cell's syntax tree."""
        return [node for node in self.syntax if isinstance(node, kind)]

    @property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The cell's imports."""
        return [*self.nodes(ast.Import), *self.nodes(ast.ImportFrom)]

    @property
    def alt(self) -> str:
        """The text of the cell's figure for those who cannot see it ('' without one)."""
        return self.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


@dataclass(frozen=True)
class Notebook:
    """A notebook's file name, cells and metadata, and what stands around it.

    Attributes
    ----------
    name : str
        The file's name.
    cells : list of Cell
        From top to bottom.
    metadata : dict
        Of the whole notebook.
    terms, citations : frozenset of str
        What the book offers: terms of its glossary, keys of its bibliography.
    defined : dict of str to str
        Where each function was first defined, in this notebook or one before it.
    origin : Notebook, optional
        The committed notebook of which this is the executed copy.
    """

    name: str
    cells: list[Cell]
    metadata: dict[str, Any]
    terms: frozenset[str] = frozenset()
    citations: frozenset[str] = frozenset()
    defined: dict[str, str] = field(default_factory=dict)
    origin: Notebook | None = None

    @cached_property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def prose(self) -> list[Cell]:
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    def tagged(self, tag: str) -> Iterator[Cell]:
        """Yield the cells that carry `tag`, from top to bottom."""
        return (cell for cell in self.cells if tag in cell.tags)


def read_notebook(path: str | os.PathLike[str], **around: Any) -> Notebook:  # noqa: ANN401 fields
    """Read a notebook file (format 4).

    Parameters
    ----------
    path : path
        The file.
    **around
        What stands around the notebook: fields of :class:`Notebook`.

    Raises
    ------
    UsageError
        If there is no such file.
    NotebookError
        If the file is no notebook of format 4.
    """
    path = Path(path)
    try:
        raw = nbformat.read(path, as_version=4)
        nbformat.validate(raw)
    except FileNotFoundError as error:
        raise UsageError(f"There is no notebook {path}: name one that exists.") from error
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise NotebookError(
            f"{path} cannot be read as a notebook ({type(error).__name__}: {error}). "
            "Expected JSON of notebook format 4: open it in JupyterLab and save it again."
        ) from error
    cells = [
        Cell(number, f"{path.name}, cell {number}", **cell)
        for number, cell in enumerate(raw.cells, start=1)
    ]
    return Notebook(path.name, cells, raw.metadata, **around)


COMMITTED: RuleGroup[Notebook] = RuleGroup("The committed notebook", {})
EXECUTED: RuleGroup[Notebook] = RuleGroup("The executed copy", {})
