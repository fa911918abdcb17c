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
import re
import sys
from collections.abc import Iterable
from pathlib import Path

# Each module enters its rules when it is imported.
from datkit.book import code_rules, executed_rules, prose_rules  # noqa: F401
from datkit.book.notebook import COMMITTED, EXECUTED, Notebook, read_notebook
from datkit.errors import DatkitError, UsageError
from datkit.problems import Problem
from datkit.rules import RuleGroup

__all__ = ["check_executed", "check_sources", "glossary_terms", "main"]

StrPath = str | os.PathLike[str]


def _by_cell(rules: RuleGroup[Notebook], notebook: Notebook) -> list[Problem]:
    """Return what breaks the rules, from the top of a notebook to its bottom."""
    order = {cell.place: cell.number for cell in notebook.cells}
    return sorted(rules.problems(notebook), key=lambda problem: order.get(problem.where, 0))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def glossary_terms(book: StrPath) -> frozenset[str]:
    """Return the terms of the glossary of the book in a folder; none where it has no glossary."""
    glossary = _text(Path(book, "glossary.md"))
    blocks = re.findall(r"\{glossary\}\n(.*?)^[:`]{3,}", glossary, re.M | re.S)
    terms = re.findall(r"^[^\s:].*$", "\n".join(blocks), re.M)  # definitions are indented
    return frozenset(map(str.strip, terms))


def check_sources(paths: Iterable[StrPath], book: StrPath) -> list[Problem]:
    """Return what is wrong with committed notebooks, one by one and together.

    Parameters
    ----------
    paths : iterable of path
        The notebooks, without outputs.
    book : path
        The book's folder, with ``glossary.md`` and ``references.bib``.

    Raises
    ------
    UsageError, NotebookError
        If a file does not exist, or is no notebook.
    """
    citations = re.findall(r"^@\w+\s*\{\s*([^,\s]+)", _text(Path(book, "references.bib")), re.M)
    around = {
        "terms": glossary_terms(book),
        "citations": frozenset(citations),
        "defined": {},
    }
    notebooks = [read_notebook(path, **around) for path in paths]
    return [problem for notebook in notebooks for problem in _by_cell(COMMITTED, notebook)]


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
    origin = None if source is None else read_notebook(source)
    return _by_cell(EXECUTED, read_notebook(path, origin=origin))


def main(arguments: list[str] | None = None) -> int:
    """Check notebooks from the command line and return the exit code."""
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
    options = parser.parse_args(arguments)
    if options.rules:
        for group in (COMMITTED, EXECUTED):
            print(group.section)
            print(
                *(f"  {code}: expected {expected}" for code, expected, _ in group.checks), sep="\n"
            )
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
    if options.json:
        print(json.dumps([p.to_dict() for p in problems], indent=1, ensure_ascii=False))
    else:
        count = f"Notebooks checked: {len(options.notebooks)}. Problems found: {len(problems)}."
        print(*problems, count, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
