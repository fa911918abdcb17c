"""A notebook as its rules see it: numbered, tagged cells, and what the book offers to it."""

from __future__ import annotations

import ast
import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datkit.errors import NotebookError, UsageError
from datkit.rules import Found, RuleGroup

__all__ = ["COMMITTED", "EXECUTED", "LISTS", "Cell", "Notebook", "References", "read_notebook"]

Findings = Iterator[Found]
_WORDS = tomllib.loads(Path(__file__).with_name("lists.toml").read_text(encoding="utf-8"))
LISTS = {name: frozenset(words) for name, words in _WORDS.items()}


@dataclass(frozen=True)
class Cell:
    """One cell; `number` counts from 1 over all cells, `place` is how a problem names it."""

    number: int
    place: str
    kind: str
    source: str
    metadata: dict[str, Any]
    outputs: list[dict[str, Any]]
    execution_count: int | None

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

    @property
    def alt(self) -> str:
        """The text of the cell's figure for those who cannot see it ('' without one)."""
        return self.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


@dataclass(frozen=True)
class References:
    """What the book offers to its notebooks: terms of its glossary, keys of its bibliography."""

    terms: frozenset[str] = frozenset()
    citations: frozenset[str] = frozenset()

    @classmethod
    def read(cls, book: str | os.PathLike[str]) -> References:
        """Read ``glossary.md`` and ``references.bib`` of a book folder; a missing file is empty."""
        glossary, bibliography = (
            path.read_text(encoding="utf-8") if path.is_file() else ""
            for path in (Path(book, "glossary.md"), Path(book, "references.bib"))
        )
        blocks = re.findall(r"\{glossary\}\n(.*?)^[:`]{3,}", glossary, re.M | re.S)
        terms = re.findall(r"^[^\s:].*$", "\n".join(blocks), re.M)  # definitions are indented
        keys = re.findall(r"^@\w+\s*\{\s*([^,\s]+)", bibliography, re.M)
        return cls(frozenset(map(str.strip, terms)), frozenset(keys))


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
    references : References
        What the book offers.
    defined : dict of str to str
        Where each function was first defined, in this notebook or one before it.
    origin : Notebook, optional
        The committed notebook of which this is the executed copy.
    """

    name: str
    cells: list[Cell]
    metadata: dict[str, Any]
    references: References = References()
    defined: dict[str, str] = field(default_factory=dict)
    origin: Notebook | None = None

    @cached_property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.kind == "code"]

    @cached_property
    def prose(self) -> list[Cell]:
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.kind == "markdown"]

    def tagged(self, tag: str) -> Iterator[Cell]:
        """Yield the cells that carry `tag`, from top to bottom."""
        return (cell for cell in self.cells if tag in cell.tags)


def read_notebook(path: str | os.PathLike[str]) -> Notebook:
    """Read a notebook file (format 4).

    Raises
    ------
    UsageError
        If there is no such file.
    NotebookError
        If the file is no notebook of format 4.
    """
    path = Path(path)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = [
            Cell(
                number,
                f"{path.name}, cell {number}",
                cell["cell_type"],
                "".join(cell["source"]),  # a string, or the list of its lines
                cell.get("metadata", {}),
                cell.get("outputs", []),
                cell.get("execution_count"),
            )
            for number, cell in enumerate(raw["cells"], start=1)
        ]
    except FileNotFoundError as error:
        raise UsageError(f"There is no notebook {path}: name one that exists.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookError(
            f"{path} cannot be read as a notebook ({type(error).__name__}: {error}). "
            "Expected JSON of notebook format 4: open it in JupyterLab and save it again."
        ) from error
    return Notebook(path.name, cells, raw.get("metadata", {}))


COMMITTED: RuleGroup[Notebook] = RuleGroup("The committed notebook", {})
EXECUTED: RuleGroup[Notebook] = RuleGroup("The executed copy", {})
