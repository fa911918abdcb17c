"""Build the book: gate the executed notebooks, lay them beside the chapters, run jupyter-book.

Nothing is executed here, and every warning is an error::

    python -m datkit.book.build --notebooks build/notebooks --out build/book
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from datkit.book.address import ADDRESS, Address
from datkit.book.api import all_names, imported_names, link_names, write_api
from datkit.book.gate import check_executed
from datkit.book.run import KEY
from datkit.book.student import SOLUTIONS, Pages, write_student_notebooks
from datkit.book.workshop.pages import FOLDER, PLANS_PAGE, write_workshop
from datkit.errors import DatkitError, NotebookError, UsageError
from datkit.inspect.page import findings_page
from datkit.problems import Problem

__all__ = ["build_book", "check_copies", "main", "stage_book"]

SHORT_FIGURE = 3  # lines; longer ones say how a figure is drawn, not what it shows
MARK = ".staged"  # lies in every staged folder: only what this module made is ever deleted
STUDENT = "static/student"  # in the staged book; _static/student in the built one
DOWNLOADS = """\
<p class="dat-downloads">Work on it yourself, in JupyterLab or VS Code:
<a href="../_{folder}/{name}" download>student notebook</a>,
<a href="../_{folder}/{solutions}/{name}" download>the same with solutions</a>.</p>
"""
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


def _is_machinery(cell: NotebookNode) -> bool:
    """Return whether a cell's code sets up, draws, glues or checks: the page folds it."""
    if cell.cell_type != "code" or "solution" in cell.metadata.get("tags", []):
        return False
    body = ast.parse(cell.source).body
    imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
    glued = sum(ast.unparse(node).startswith("glue(") for node in body)
    drawn = "mystnb" in cell.metadata and len(cell.source.splitlines()) > SHORT_FIGURE
    tagged = bool({*cell.metadata.get("tags", [])} & {"parameters", "check"})
    return imports or drawn or tagged or 2 * glued >= len(body)


def _dress(notebook: NotebookNode, name: str) -> NotebookNode:
    """Fold solutions and machinery, link the names in the prose, and offer the student version."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    names = {name: all_names()[full] for name, full in imported_names(code).items()}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = link_names(cell.source, all_names() | names)
        if _is_machinery(cell):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("hide-cell")
            prompts = {"code_prompt_show": "Show one solution", "code_prompt_hide": "Hide it"}
            cell.metadata.mystnb = prompts | cell.metadata.get("mystnb", {})
    links = DOWNLOADS.format(folder=STUDENT, name=name, solutions=SOLUTIONS)
    notebook.cells.insert(1, new_markdown_cell(links, id="downloads"))
    return notebook


def _write_chapters(out: Path, pages: Pages, executed: Path) -> None:
    """Write the chapters that are made: of findings, and of the workshop's plans."""
    chapters = out / "chapters"
    if chapters.is_dir():
        (chapters / "finding_codes.md").write_text(findings_page(), encoding="utf-8")
    if (chapters / "workshop.md").is_file():
        write_workshop(pages, executed, out / FOLDER, chapters / PLANS_PAGE)


def stage_book(
    book: Path,
    sources: Path,
    executed: Path,
    out: Path,
    results: Path | None = None,
    reading: Path | None = None,
    atlas: Path | None = None,
    network: Path | None = None,
    *,
    address: Address = ADDRESS,
) -> None:
    """Make `out` a fresh copy of the book's chapters with its executed notebooks and API pages.

    Tables of `results` and `network` and pages and pictures of `atlas`, if these folders exist, lie
    in ``results/``, ``network/`` and ``atlas/``, where chapters include them; the exams of
    `reading` and `network` lie beside the scripts that show them.

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
    config = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    completed = yaml.safe_dump(address.complete(config), sort_keys=False)
    (out / "_config.yml").write_text(completed, encoding="utf-8")
    pages = Pages(book, sources, results or out / "results", address)
    _write_chapters(out, pages, executed)
    for chapter in out.rglob("*.md"):
        text = chapter.read_text(encoding="utf-8")
        chapter.write_text(link_names(text, all_names()), encoding="utf-8")
    for name, made in (("results", results), ("atlas", atlas), ("network", network)):
        if made is not None and made.is_dir():
            shutil.copytree(made, out / name)
    for name, made in (("reading", reading), ("network", network)):
        if made is not None and made.is_dir():
            other = shutil.ignore_patterns(KEY, "*.md")
            shutil.copytree(made, out / "static" / name, ignore=other, dirs_exist_ok=True)
    write_student_notebooks(pages, executed, out / STUDENT)
    write_api(out / "api")
    (out / "notebooks").mkdir(exist_ok=True)
    for source in sources.glob("*.ipynb"):
        notebook = _dress(nbformat.read(executed / source.name, as_version=4), source.name)
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
        ("--reading", "build/reading", "folder of the reading trainer's exams"),
        ("--atlas", "build/atlas", "folder of what python -m datkit.book.atlas made"),
        ("--network", "build/network", "folder of the network in the page"),
        ("--out", "build/book", "where to stage and build"),
    ]:
        parser.add_argument(name, type=Path, default=Path(default), help=f"{what} ({default})")
    options = parser.parse_args(arguments)
    try:
        parts = options.book, options.sources, options.notebooks, options.out
        stage_book(*parts, options.results, options.reading, options.atlas, options.network)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return build_book(options.out)


if __name__ == "__main__":
    sys.exit(main())
