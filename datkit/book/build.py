"""Build the book: gate the executed notebooks, lay them beside the chapters, run jupyter-book.

Nothing is executed here, and every warning is an error::

    python -m datkit.book.build --notebooks build/notebooks --out build/book
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from datkit.book.api import all_names, imported_names, link_names, write_api
from datkit.book.gate import check_executed
from datkit.errors import DatkitError, NotebookError, UsageError
from datkit.inspect.page import findings_page
from datkit.problems import Problem

__all__ = ["build_book", "check_copies", "main", "stage_book"]

MARK = ".staged"  # lies in every staged folder: only what this module made is ever deleted
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def check_copies(sources: Path, executed: Path) -> list[Problem]:
    """Return what forbids publication: of each committed notebook, its executed copy.

    Parameters
    ----------
    sources, executed : Path
        The folder of the committed notebooks, and that of their executed copies.

    Raises
    ------
    NotebookError
        If a file is no notebook.
    """
    problems = []
    for source in sorted(sources.glob("*.ipynb")):
        if (copy := executed / source.name).is_file():
            problems += check_executed(copy, source)
        else:
            expected, remedy = f"an executed copy in {executed}", "Run it: make notebooks."
            problems.append(Problem("no-copy", source.name, expected, "none", remedy))
    return problems


def _dress(notebook: NotebookNode) -> NotebookNode:
    """Fold the solutions of a notebook for the book, and link the names that its prose mentions."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    names = {name: all_names()[full] for name, full in imported_names(code).items()}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = link_names(cell.source, all_names() | names)
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("hide-cell")
            prompts = {"code_prompt_show": "Show one solution", "code_prompt_hide": "Hide it"}
            cell.metadata.mystnb = prompts | cell.metadata.get("mystnb", {})
    return notebook


def stage_book(
    book: Path, sources: Path, executed: Path, out: Path, results: Path | None = None
) -> None:
    """Make `out` a fresh copy of the book's chapters with its executed notebooks and API pages.

    Tables of `results`, if that folder exists, lie in ``results/``, where chapters include them.

    Raises
    ------
    UsageError
        If `out` holds something that was not staged here.
    NotebookError
        If an executed copy is missing, stale, failed, or has a figure without words; all problems.
    """
    if problems := check_copies(sources, executed):
        raise NotebookError.of(problems, where=executed)
    if out.exists() and not (out / MARK).exists():
        raise UsageError(
            f"{out} exists and is no staged book: move it away, or name another --out."
        )
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(book, out)
    (out / MARK).touch()
    if (out / "chapters").is_dir():
        page = out / "chapters" / "finding_codes.md"
        page.write_text(findings_page(), encoding="utf-8")
    for chapter in out.rglob("*.md"):
        text = chapter.read_text(encoding="utf-8")
        chapter.write_text(link_names(text, all_names()), encoding="utf-8")
    if results is not None and results.is_dir():
        shutil.copytree(results, out / "results")
    write_api(out / "api")
    (out / "notebooks").mkdir(exist_ok=True)
    for source in sources.glob("*.ipynb"):
        notebook = _dress(nbformat.read(executed / source.name, as_version=4))
        nbformat.write(notebook, out / "notebooks" / source.name)


def build_book(staged: Path) -> int:
    """Build the staged book, print the path of its first page, and return the exit code."""
    strict = ["-W", "-n", "--all", "--keep-going"]
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(staged), *strict, "--quiet"]
    code = subprocess.run(command, check=False).returncode
    if code:
        print("The book is not built: mend the warnings above.", file=sys.stderr)
        return 1
    print(f"Book: {(staged / '_build' / 'html' / 'index.html').resolve()}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Build the book from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.build",
        description="Build the book from its chapters and the executed notebooks.",
        epilog="Exit codes: 0 built, 1 problems or warnings, 2 wrong use.",
    )
    for name, default, what in [
        ("--book", "book", "folder of the chapters"),
        ("--sources", "notebooks", "folder of the committed notebooks"),
        ("--notebooks", "build/notebooks", "folder of their executed copies"),
        ("--results", "benchmarks/results", "folder of the tables that chapters show"),
        ("--out", "build/book", "where to stage and build"),
    ]:
        parser.add_argument(name, type=Path, default=Path(default), help=f"{what} ({default})")
    options = parser.parse_args(arguments)
    try:
        stage_book(options.book, options.sources, options.notebooks, options.out, options.results)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return build_book(options.out)


if __name__ == "__main__":
    sys.exit(main())
