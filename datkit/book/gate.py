"""Two gates for notebooks: what is committed, and what is published.

The committed notebook is the solved lesson without outputs; tags on its cells say what each is for
(`objectives`, `exercise`, `check` …). The executed copy is what the book shows. Each gate lists
every problem at once, with notebook, cell and remedy::

    python -m datkit.book.gate notebooks/*.ipynb
    python -m datkit.book.gate --executed build/notebooks/*.ipynb
    python -m datkit.book.gate --rules
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from datkit.book.code_rules import CODE, defined_functions
from datkit.book.executed_rules import EXECUTED, ORIGIN
from datkit.book.notebook import Notebook, Problem, Rulebook, Shelf, read_notebook
from datkit.book.prose_rules import PROSE, SHELF
from datkit.errors import DatkitError, UsageError

__all__ = ["check_executed", "check_source", "check_sources", "main"]

StrPath = str | os.PathLike[str]


def _by_cell(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.cell or 0)


def check_source(path: StrPath, shelf: Shelf) -> list[Problem]:
    """Return what is wrong with a committed notebook, in the order of its cells.

    Parameters
    ----------
    path : path
        The notebook, without outputs.
    shelf : Shelf
        The words of the book's glossary and the keys of its bibliography.

    Raises
    ------
    UsageError, NotebookError
        If there is no such file, or it is no notebook.
    """
    notebook = read_notebook(path)
    return _by_cell(
        [*CODE.problems(notebook), *PROSE.problems(notebook), *SHELF.problems(notebook, shelf)]
    )


def _shared_functions(notebooks: Iterable[Notebook]) -> list[Problem]:
    """Return a problem for each function that a second notebook defines again."""
    home: dict[str, str] = {}
    return [
        Problem(
            notebook.name,
            cell.number,
            f"Function {node.name} is also defined in {home[node.name]}.",
            "Move it into datkit, with a test.",
        )
        for notebook in notebooks
        for cell, node in defined_functions(notebook)
        if home.setdefault(node.name, notebook.name) != notebook.name
    ]


def check_sources(paths: Iterable[StrPath], book: StrPath) -> list[Problem]:
    """Return what is wrong with committed notebooks, one by one and together.

    Parameters
    ----------
    paths : iterable of path
        The notebooks.
    book : path
        The book's folder, with ``glossary.md`` and ``references.bib``.

    Raises
    ------
    UsageError, NotebookError
        If a file does not exist, or is no notebook.
    """
    paths, shelf = list(paths), Shelf.read(book)
    problems = [problem for path in paths for problem in check_source(path, shelf)]
    return problems + _shared_functions(read_notebook(path) for path in paths)


def check_executed(path: StrPath, source: StrPath | None = None) -> list[Problem]:
    """Return what forbids the publication of an executed notebook.

    Parameters
    ----------
    path : path
        The executed copy.
    source : path, optional
        The committed notebook from which it must stem.

    Raises
    ------
    UsageError, NotebookError
        If a file does not exist, or is no notebook.
    """
    notebook = read_notebook(path)
    problems = EXECUTED.problems(notebook)
    if source is not None:
        problems += ORIGIN.problems(notebook, read_notebook(source))
    return _by_cell(problems)


def _print_rules() -> None:
    books: dict[str, list[Rulebook]] = {
        "The committed notebook": [CODE, PROSE, SHELF],
        "The executed copy": [EXECUTED, ORIGIN],
    }
    for title, rulebooks in books.items():
        print(title)
        print(*(f"  - {check.__doc__}" for book in rulebooks for check, _ in book), sep="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.gate",
        description="List all that is wrong with notebooks.",
        epilog="Exit codes: 0 nothing found, 1 problems found, 2 wrong use.",
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebook files")
    parser.add_argument("--executed", action="store_true", help="they are executed copies")
    parser.add_argument("--book", type=Path, default=Path("book"), help="the book's folder (book)")
    parser.add_argument("--json", action="store_true", help="print the problems as JSON")
    parser.add_argument("--rules", action="store_true", help="print the rules and exit")
    return parser


def _report(problems: list[Problem], count: int, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(problem) for problem in problems], indent=1, ensure_ascii=False))
        return
    for problem in problems:
        print(problem)
    print(f"Notebooks checked: {count}. Problems found: {len(problems)}.")


def main(arguments: list[str] | None = None) -> int:
    """Check notebooks from the command line and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.rules:
        _print_rules()
        return 0
    if not options.notebooks:
        parser.error("name at least one notebook")
    try:
        if options.executed:
            problems = [found for path in options.notebooks for found in check_executed(path)]
        else:
            problems = check_sources(options.notebooks, options.book)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    _report(problems, len(options.notebooks), options.json)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
