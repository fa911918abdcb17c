"""A notebook as a workshop uses it: sections with their words, exercises, cells and seconds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from datkit.book.execution import TIMES
from datkit.book.student import Markdown, Pages, executed_or_master, glued, student_notebook

__all__ = ["OPENING", "Lesson", "Section", "read_lessons"]

OPENING = "opening"  # all before the first heading
HEADING = re.compile(r"^## (.+)$", re.M)
MINUTES = re.compile(r"\*\*Reading\*\* (\d+) minutes\. \*\*Exercises\*\* (\d+) minutes\.")
TITLE = re.compile(r"^:::\{\w+\} *(.*)$", re.M)  # of a directive


def tags(cell: NotebookNode) -> list[str]:
    """Return what a cell is for."""
    return cell.metadata.get("tags", [])


def title_of(exercise: NotebookNode) -> str:
    """Return the name of an exercise."""
    return TITLE.search(exercise.source)[1]  # type: ignore[index]


@dataclass
class Section:
    """A part of a notebook under one heading: its words without exercises, and its cells."""

    words: int = 0
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def exercises(self) -> list[str]:
        """The names of its exercises."""
        return [title_of(cell) for cell in self.cells if "exercise" in tags(cell)]


@dataclass
class Lesson:
    """A notebook.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    notebook : NotebookNode
        The master, executed if it was.
    markdown : Markdown
        Makes plain what its text refers to.
    numbers : dict of str to int
        By the id of a code cell: what stands in its brackets in a student's notebook that was run
        from top to bottom.
    seconds : dict of str to float
        By the id of a code cell: how long it ran, if it was measured.
    """

    name: str
    notebook: NotebookNode
    markdown: Markdown
    numbers: dict[str, int]
    seconds: dict[str, float]

    @cached_property
    def title(self) -> str:
        """The notebook's first heading."""
        return self.notebook.cells[0].source.splitlines()[0].removeprefix("# ")

    @cached_property
    def minutes(self) -> tuple[int, int]:
        """What its overview states, for reading and for exercises."""
        [overview] = [cell.source for cell in self.notebook.cells if "overview" in tags(cell)]
        reading, exercises = MINUTES.search(overview).groups()  # type: ignore[union-attr]
        return int(reading), int(exercises)

    @cached_property
    def sections(self) -> dict[str, Section]:
        """Its sections by heading; a cell of text that goes on after a heading counts there."""
        found = {OPENING: Section()}
        here = found[OPENING]
        for cell in self.notebook.cells:
            is_text = cell.cell_type == "markdown"
            first, *others = HEADING.split(cell.source) if is_text else [""]
            here.words += 0 if {"exercise", "hint"} & {*tags(cell)} else len(first.split())
            for heading, text in zip(others[::2], others[1::2], strict=True):
                here = found[heading] = Section(len(text.split()))
            here.cells.append(cell)
        return found

    def need(self, sections: list[str], exercises: list[str]) -> float:
        """Return the minutes that the notebook states for a part of it.

        Reading is shared out by words, the time of the exercises alike to each.
        """
        reading, solving = self.minutes
        words = {name: section.words for name, section in self.sections.items()}
        count = sum(len(section.exercises) for section in self.sections.values())
        share = sum(words[name] for name in sections) / sum(words.values())
        return reading * share + solving * len(exercises) / count

    def code(self, until: str) -> list[str]:
        """Return the ids of the code cells down to the end of a section: all of them must run."""
        ids = []
        for name, section in self.sections.items():
            ids += [cell.id for cell in section.cells if cell.id in self.numbers]
            if name == until:
                break
        return ids


def _numbers(student: NotebookNode) -> dict[str, int]:
    code = (cell.id for cell in student.cells if cell.cell_type == "code")
    return {cell_id: number for number, cell_id in enumerate(code, start=1)}


def read_lessons(pages: Pages, executed: Path) -> Iterator[Lesson]:
    """Yield every notebook of the book, in the order of its files' names.

    Parameters
    ----------
    pages : Pages
        The folders of the masters and of what they refer to.
    executed : Path
        The folder of their executed copies, with ``work/``, where the seconds of the cells lie.
    """
    for source in sorted(pages.notebooks.glob("*.ipynb")):
        times = executed / "work" / f"{source.stem}{TIMES}"
        seconds = json.loads(times.read_text(encoding="utf-8")) if times.is_file() else {}
        notebook = executed_or_master(source, executed)
        student = student_notebook(nbformat.read(source, as_version=4), source.name, pages)
        markdown = Markdown(pages, glued(notebook))
        yield Lesson(source.stem, notebook, markdown, _numbers(student), seconds)
