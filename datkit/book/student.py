"""Student notebooks: the masters with blanks instead of solutions, in Markdown that any tool shows.

A student notebook opens in JupyterLab, VS Code and Colab. Its stubs are code cells, its hints and
answers are folded, roles and directives are plain Markdown with links to the published book, and
the numbers in its text are those of the executed copy. Its twin in ``solutions/`` holds a solution
in place of each stub and is otherwise the same, so the execution of the master is its execution,
and that of the student notebook up to a blank; each blank is tried there too
(:mod:`datkit.book.execution`)::

    python -m datkit.book.student --out lab --keep
"""

from __future__ import annotations

import argparse
import ast
import base64
import posixpath
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from pybtex.database import Entry, parse_file
from sphinx.util.nodes import _make_id as anchor

from datkit.book.address import ADDRESS, Address
from datkit.book.gate import glossary_terms
from datkit.book.notebook import split_stub
from datkit.errors import DatkitError, NotebookError, UsageError
from datkit.files import replace_atomically

__all__ = ["Markdown", "Pages", "executed_or_master", "glued", "main", "student_notebook",
           "write_student_notebooks"]  # fmt: skip

SOLUTIONS = "solutions"  # the folder of the solved twins
BLANK = "…"  # in place of a number that no run has computed yet
RECORD = "application/papermill.record/text/plain"  # the kind of output that holds a glued value
DIRECTIVE = re.compile(
    r"^(?P<fence>:{3,}|`{3,})\{(?P<name>[\w-]+)\} *(?P<title>[^\n]*)\n"
    r"(?P<options>(?::[\w-]+:[^\n]*\n)*)(?P<body>.*?)^(?P=fence)\s*?$",
    re.M | re.S,
)
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
TARGET = re.compile(r"(?P<text>.+?)\s*<(?P<target>.+)>", re.S)  # of a role: text <target>
SET_UP = """\
# Run this cell first. It does nothing where the kit is installed; where it is not, {what}
from importlib.metadata import PackageNotFoundError, version

try:
    version("dat-spect-kit")
except PackageNotFoundError:
    {do}"""
INSTALL = (
    """\
as in Colab, it
# installs it, which takes some minutes and a network.""",
    """\
%pip install --quiet "dat-spect-kit[provenance] @ git+{repository}\"""",
)
REFUSE = (
    """\
it says so.""",
    """\
raise ModuleNotFoundError(
        "The kit is not installed here: in its folder, run pip install '.[provenance]', then this "
        "cell again."
    ) from None""",
)
INTRODUCTION = """

*{kind} of {page}. Run it from top to bottom, cell by cell, with
Shift + Enter. {how} For education and research, not for diagnosis.*"""
STUDENT = (
    "Student notebook",
    "Where a blank `...` stands, it is your turn; the cell below it checks your answer. Solutions "
    "are in a notebook of the same name in the folder `solutions`.",
)
SOLVED = ("Student notebook with solutions", "Each exercise holds one solution of several.")
WITHOUT_RUN = f" Where the text says {BLANK}, a number is missing: `make notebooks` computes it."
# A check shows its first line until one opens it: in JupyterLab, and in Colab.
CHECK = "# @title Check your answer: run this cell\n"
KEPT_TAGS = ("parameters", "stub", "solution", "check")
HIDDEN = {"jupyter": {"source_hidden": True}, "cellView": "form"}


@dataclass(frozen=True)
class Pages:
    """Folders of what roles and figures refer to: chapters, masters, tables and their pictures."""

    book: Path
    notebooks: Path
    results: Path
    address: Address = ADDRESS

    @cached_property
    def _terms(self) -> dict[str, str]:
        return {term.lower(): term for term in sorted(glossary_terms(self.book))}

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return parse_file(str(self.book / "references.bib")).entries

    def term(self, text: str, target: str) -> str:
        """Return a link to a word in the glossary."""
        term = self._terms.get(target.lower(), target)
        return self.address.link(text, f"glossary.html#{anchor('term-' + term)}")

    def doc(self, text: str, target: str) -> str:
        """Return a link to a page, named by its own title unless the role gives another text."""
        page = posixpath.normpath(posixpath.join("/notebooks", target)).lstrip("/")
        if text == target:
            chapter, notebook = self.book / f"{page}.md", self.notebooks.parent / f"{page}.ipynb"
            source = chapter if chapter.is_file() else notebook
            first = source.read_text(encoding="utf-8") if source.is_file() else ""
            title = re.search(r"^\W*# (.*?)(?:\\n\",?)?$", first, re.M)
            text = title[1] if title else page
        return self.address.link(text, f"{page}.html")

    def cite(self, text: str, _: str) -> str:
        """Return works by author and year, each with a link to itself, in brackets."""
        return f"({self.name_works(text, _)})"

    def name_works(self, text: str, _: str) -> str:
        """Return the same without brackets, as a part of the sentence."""
        return "; ".join(self._work(key.strip()) for key in text.split(","))

    def _work(self, key: str) -> str:
        entry = self._entries[key]
        people = entry.persons.get("author") or entry.persons.get("editor", [])
        names = [" ".join(map(str, p.rich_prelast_names + p.rich_last_names)) for p in people]
        many = len(names) > 2 or names[-1] == "others"
        known = f"{names[0]} et al." if many else " and ".join(names)
        fields = entry.fields
        text = f"{known}, {fields.get('year', 'n.d.')}"
        link = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url")
        if link is None:
            return self.address.link(text, "references.html")
        return f"[{text}]({quote(link, safe=':/?&=#%')})"  # no bracket may end it


ROLES = {"cite": Pages.cite, "cite:t": Pages.name_works, "doc": Pages.doc, "term": Pages.term}


@dataclass
class Markdown:
    """Makes plain Markdown of a notebook's text, with the values that its run has glued."""

    pages: Pages
    glued: dict[str, str]

    def convert(self, cell: NotebookNode) -> None:
        """Convert a cell in place; pictures go along as its attachments."""

        def directive(found: re.Match[str]) -> str:
            kind = found["name"].replace("-", "_")
            options = dict(re.findall(r":([\w-]+): *(.*)", found["options"]))
            draw = getattr(self, f"_{kind}", None)
            return draw(cell, found["title"], options, found["body"]) if draw else found[0]

        cell.source = ROLE.sub(self._role, DIRECTIVE.sub(directive, cell.source)).strip()

    def _role(self, found: re.Match[str]) -> str:
        name, text = found["name"], found["text"]
        if name == "glue:text":
            return self._number(text)
        parts = TARGET.fullmatch(text)
        texts = (parts["text"], parts["target"]) if parts else (text, text)
        show = ROLES.get(name)
        return show(self.pages, *texts) if show else found[0]

    def _number(self, text: str) -> str:
        name, _, form = text.partition(":")
        if (value := self.glued.get(name)) is None:
            return BLANK
        return format(float(value), form) if form else value.strip("'\"")

    def _admonition(self, _: NotebookNode, title: str, options: dict[str, str], body: str) -> str:
        if "dropdown" in options.get("class", ""):
            summary = f"<summary><b>{title}</b></summary>"
            return f"<details>\n{summary}\n\n{body.strip()}\n\n</details>"
        return "\n".join(f"> {line}".rstrip() for line in [f"**{title}**", "", *body.splitlines()])

    def _warning(self, cell: NotebookNode, _: str, options: dict[str, str], body: str) -> str:
        return self._admonition(cell, "Warning", options, body)

    def _exercise(self, _: NotebookNode, title: str, __: dict[str, str], body: str) -> str:
        return f"### Exercise: {title}\n\n{split_stub(body)[0]}"

    def _figure(self, cell: NotebookNode, path: str, options: dict[str, str], body: str) -> str:
        picture = self.pages.results / Path(path).name
        content = base64.b64encode(picture.read_bytes()).decode("ascii")
        cell.setdefault("attachments", {})[picture.name] = {"image/png": content}
        return f"![{options['alt']}](attachment:{picture.name})\n\n{body.strip()}"


def glued(notebook: NotebookNode) -> dict[str, str]:
    """Return what an executed notebook has glued, by name."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return {
        output.metadata.scrapbook.name: output.data[RECORD]
        for output in outputs
        if RECORD in output.get("data", {})
    }


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(body := getattr(node, name, None), list):
                yield body


def _is_glue(line: ast.stmt) -> bool:
    """Whether a statement only hands a value to the text, which has it already."""
    if isinstance(line, ast.ImportFrom):
        return line.module == "myst_nb"
    return isinstance(line, ast.Expr) and ast.unparse(line).startswith("glue(")


def without_glue(source: str) -> str:
    r"""Return a cell's code without the lines that hand its values to the text.

    Examples
    --------
    >>> without_glue('n = 3\nif n:\n    glue("n", n)\n')
    'n = 3\nif n:\n    pass'
    """
    lines: list[str | None] = [*source.splitlines()]
    for body in _bodies(ast.parse(source)):
        for line in filter(_is_glue, body):
            start, end = line.lineno - 1, line.end_lineno or line.lineno
            is_all = line is body[0] and line.col_offset and all(map(_is_glue, body))
            lines[start:end] = [None] * (end - start)
            lines[start] = " " * line.col_offset + "pass" if is_all else None
    return "\n".join(line for line in lines if line is not None).strip()


def _code(cell: NotebookNode, stub: str) -> NotebookNode:
    """Return a code cell as a student gets it, `stub` in place of a solution."""
    [tag] = cell.metadata.get("tags", []) or [""]
    source, shown = without_glue(cell.source), {}
    if tag == "solution" and stub:
        source, tag = stub, "stub"
    if tag == "check":
        source, shown = CHECK + source, HIDDEN
    tags = {"tags": [tag]} if tag in KEPT_TAGS else {}
    return new_code_cell(source, id=cell.id, metadata=tags | shown)


def set_up(address: Address) -> str:
    """Return the first cell's code: it installs the kit where that is missing and can be had."""
    what, do = INSTALL if address.is_public else REFUSE
    return SET_UP.format(what=what, do=do.format(repository=address.repository))


def student_notebook(
    master: NotebookNode, name: str, pages: Pages, *, solved: bool = False
) -> NotebookNode:
    """Return the student notebook of a master, or its twin with a solution in each blank.

    Parameters
    ----------
    master : NotebookNode
        Executed, so that its numbers are known; where it is not, the text leaves them out.
    name : str
        Its file's name.
    pages : Pages
        What roles and figures refer to.
    solved : bool
        Keep the solutions.
    """
    markdown, cells, stub = Markdown(pages, glued(master)), [], ""
    for cell in master.cells:
        if cell.cell_type == "code":
            cells.append(_code(cell, "" if solved else stub))
            continue
        if "exercise" in cell.metadata.get("tags", []):
            _, stub = split_stub(cell.source)
        markdown.convert(cell)
        cell.metadata = {}
        cells.append(cell)
    kind, how = SOLVED if solved else STUDENT
    how += "" if markdown.glued else WITHOUT_RUN
    page = pages.address.link("this page of the book", f"notebooks/{Path(name).stem}.html")
    cells[0].source += INTRODUCTION.format(kind=kind, how=how, page=page)
    cells.insert(1, new_code_cell(set_up(pages.address), id="set-up"))
    kept = {key: master.metadata[key] for key in ("kernelspec", "language_info")}
    return new_notebook(cells=[cell for cell in cells if cell.source], metadata=kept)


def _raw(notebook: NotebookNode) -> list[str]:
    """Return the roles and directives that a notebook still holds."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return [found[0] for text in prose for found in re.finditer(r"[:`]{3}\{.*|\{[\w:-]+\}`", text)]


def executed_or_master(source: Path, executed: Path) -> NotebookNode:
    """Return the executed copy of a master, or the master where there is none of its cells."""
    master, copy = nbformat.read(source, as_version=4), executed / source.name
    run = nbformat.read(copy, as_version=4) if copy.is_file() else master
    run.cells = [cell for cell in run.cells if cell.id in {cell.id for cell in master.cells}]
    alike = [cell.source for cell in run.cells] == [cell.source for cell in master.cells]
    return run if alike else master


def write_student_notebooks(
    pages: Pages, executed: Path, out: Path, *, keep: bool = False
) -> list[str]:
    """Write a student notebook a master, its solutions apart; return the names of those kept.

    Parameters
    ----------
    pages : Pages
        The folders of the masters and of what they refer to.
    executed : Path
        The folder of their executed copies, whose numbers the text takes.
    out : Path
        Takes the student notebooks, and ``solutions/``.
    keep : bool
        Leave a notebook that is there as it is: a student works in it.

    Raises
    ------
    NotebookError
        If a notebook holds a role or a directive that cannot be made plain.
    """
    kept = []
    for source in sorted(pages.notebooks.glob("*.ipynb")):
        for solved, target in ((False, out / source.name), (True, out / SOLUTIONS / source.name)):
            if keep and target.is_file():
                kept.append(str(target.relative_to(out)))
                continue
            master = executed_or_master(source, executed)
            made = student_notebook(master, source.name, pages, solved=solved)
            if raw := _raw(made):
                raise NotebookError(
                    f"{source}: expected roles and directives that datkit.book.student can make "
                    f"plain, found {', '.join(raw)}. Use another, or teach it there."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            with replace_atomically(target) as part:
                nbformat.write(made, part)
    return kept


def main(arguments: list[str] | None = None, address: Address = ADDRESS) -> int:
    """Write the student notebooks from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.student",
        description="Write the student notebooks, with their solutions in a folder apart.",
        epilog="Exit codes: 0 written, 1 a notebook cannot be converted, 2 wrong use.",
    )
    for name, default, what in [
        ("--sources", "notebooks", "folder of the masters"),
        ("--notebooks", "build/notebooks", "folder of their executed copies"),
        ("--book", "book", "folder of the chapters"),
        ("--results", "benchmarks/results", "folder of the pictures that pages show"),
        ("--out", "build/student", "folder of the student notebooks"),
    ]:
        parser.add_argument(name, type=Path, default=Path(default), help=f"{what} ({default})")
    parser.add_argument("--keep", action="store_true", help="leave notebooks that are there")
    given = parser.parse_args(arguments)
    try:
        pages = Pages(given.book, given.sources, given.results, address)
        kept = write_student_notebooks(pages, given.notebooks, given.out, keep=given.keep)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    print(f"Student notebooks: {given.out.resolve()}")
    if kept:
        print(f"Kept as they are, since you may have worked in them: {len(kept)} notebooks.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
