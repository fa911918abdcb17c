"""A notebook as the gate sees it: numbered, tagged cells, and rules that say what breaks them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datkit.errors import NotebookError, UsageError

__all__ = ["FIGURE_TYPES", "Cell", "Notebook", "Problem", "Rulebook", "Shelf", "read_notebook"]

# Outputs that are pictures: each needs a text for those who cannot see it.
FIGURE_TYPES = (
    "application/vnd.plotly.v1+json",
    "application/vnd.datkit.niivue+json",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
)


@dataclass(frozen=True)
class Cell:
    """One cell; `number` counts from 1 over all cells of the notebook."""

    number: int
    kind: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[dict[str, Any], ...] = ()
    execution_count: int | None = None

    @property
    def tags(self) -> list[str]:
        return self.metadata.get("tags", [])

    @property
    def alt(self) -> str:
        """The text of the cell's figure for those who cannot see it ('' without one)."""
        return self.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


@dataclass(frozen=True)
class Notebook:
    """A notebook's file name, cells and metadata."""

    name: str
    cells: tuple[Cell, ...]
    metadata: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def code(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @cached_property
    def prose(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == "markdown")

    def tagged(self, tag: str) -> Iterator[Cell]:
        """Yield the cells that carry `tag`, from top to bottom."""
        return (cell for cell in self.cells if tag in cell.tags)


def _cell(number: int, raw: dict[str, Any]) -> Cell:
    return Cell(
        number,
        raw["cell_type"],
        "".join(raw["source"]),  # a string, or the list of its lines
        raw.get("metadata", {}),
        tuple(raw.get("outputs", ())),
        raw.get("execution_count"),
    )


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
        cells = tuple(_cell(number, cell) for number, cell in enumerate(raw["cells"], start=1))
    except FileNotFoundError as error:
        raise UsageError(f"There is no notebook {path}: name one that exists.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotebookError(
            f"{path} cannot be read as a notebook ({type(error).__name__}: {error}). "
            "Expected JSON of notebook format 4: open it in JupyterLab and save it again."
        ) from error
    return Notebook(path.name, cells, raw.get("metadata", {}))


@dataclass(frozen=True)
class Shelf:
    """What the book offers to its notebooks: terms of its glossary, keys of its bibliography."""

    terms: frozenset[str] = frozenset()
    citations: frozenset[str] = frozenset()

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of which the terms consist."""
        return frozenset(re.findall(r"[A-Za-z]+", " ".join(self.terms)))

    @classmethod
    def read(cls, book: str | os.PathLike[str]) -> Shelf:
        """Read ``glossary.md`` and ``references.bib`` of a book folder; a missing file is empty."""
        glossary, references = (
            path.read_text(encoding="utf-8") if path.is_file() else ""
            for path in (Path(book, "glossary.md"), Path(book, "references.bib"))
        )
        blocks = re.findall(r"\{glossary\}\n(.*?)^[:`]{3,}", glossary, re.M | re.S)
        terms = re.findall(r"^[^\s:].*$", "\n".join(blocks), re.M)  # definitions are indented
        keys = re.findall(r"^@\w+\s*\{\s*([^,\s]+)", references, re.M)
        return cls(frozenset(map(str.strip, terms)), frozenset(keys))


@dataclass(frozen=True)
class Problem:
    """One broken rule: where (no cell: the whole notebook), what was found, and the remedy."""

    notebook: str
    cell: int | None
    found: str
    remedy: str

    def __str__(self) -> str:
        place = self.notebook if self.cell is None else f"{self.notebook}, cell {self.cell}"
        return f"{place}: {self.found} {self.remedy}"


# A check takes a notebook (and what else its rulebook gives) and yields what breaks the rule:
# the cell's number, or None for the whole notebook, and a sentence.
Check = Callable[..., Iterable[tuple[int | None, str]]]


class Rulebook(list[tuple[Check, str]]):
    """Checks with their remedies. A check's docstring states the rule."""

    def rule(self, remedy: str) -> Callable[[Check], Check]:
        """Return a decorator that enters a check, with what to do when it finds something."""

        def enter(check: Check) -> Check:
            self.append((check, remedy))
            return check

        return enter

    def problems(self, notebook: Notebook, *more: Any) -> list[Problem]:
        """Return all that breaks the rules, rule by rule."""
        return [
            Problem(notebook.name, cell, found, remedy)
            for check, remedy in self
            for cell, found in check(notebook, *more)
        ]
