"""Student notebooks: plain Markdown, blanks for solutions, else the code of the masters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from datkit.book.address import Address
from datkit.book.student import BLANK, Pages, main, write_student_notebooks
from datkit.errors import NotebookError

REPOSITORY = Path(__file__).resolve().parents[2]
MASTERS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
ADDRESS = Address("https://github.com/someone/some-kit", is_public=True)
BOOK = ADDRESS.book
NAMES = [path.name for path in MASTERS]
RAW = re.compile(r":::|\{[\w:-]+\}`|^`{3,}\{", re.M)  # a directive or a role


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student notebooks of the masters, from what `make book` executed, if it did."""
    out = tmp_path_factory.mktemp("student")
    folders = (REPOSITORY / name for name in ("book", "notebooks", "benchmarks/results"))
    write_student_notebooks(Pages(*folders, ADDRESS), REPOSITORY / "build" / "notebooks", out)
    return out


@pytest.fixture(scope="module")
def toy(toy_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of the book of two pages, whose notebook has been executed."""
    out = tmp_path_factory.mktemp("toy")
    pages = Pages(toy_book / "book", toy_book / "notebooks", toy_book, ADDRESS)
    write_student_notebooks(pages, toy_book / "run", out)
    return out


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: nbformat.NotebookNode) -> list[str]:
    """Its code as Python reads it, comments dropped, line by line; no set-up and no glue."""
    cells = [c.source for c in notebook.cells if c.cell_type == "code" and c.id != "set-up"]
    lines = "\n".join(ast.unparse(ast.parse(cell)) for cell in cells).splitlines()
    glue = ("glue(", "from myst_nb import glue", "pass")
    return [line for line in lines if line.strip() and not line.strip().startswith(glue)]


def prose(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("name", NAMES)
def test_with_its_solutions_a_student_notebook_is_the_code_of_its_master(made, name):
    """So the execution of the master, in `make book`, is that of the solved notebook."""
    master = code(read(REPOSITORY / "notebooks" / name))
    assert code(read(made / "solutions" / name)) == master
    assert len(master) > 30


@pytest.mark.parametrize("name", NAMES)
def test_a_student_notebook_differs_from_its_solutions_in_the_stubs_alone(made, name):
    student, solved = read(made / name), read(made / "solutions" / name)
    assert [cell.id for cell in student.cells] == [cell.id for cell in solved.cells]
    pairs = zip(student.cells[1:], solved.cells[1:], strict=True)  # the first says which it is
    differing = [(a, b) for a, b in pairs if a.source != b.source]
    assert [b.metadata.tags for _, b in differing] == [["solution"]] * len(differing)
    assert len(differing) == len(tagged(student, "stub")) == len(tagged(student, "check")) >= 2
    assert all("..." in stub.source for stub, _ in differing)


@pytest.mark.parametrize("name", NAMES)
def test_a_student_notebook_is_plain_markdown_with_links_and_no_answers(made, name):
    for folder in (made, made / "solutions"):
        notebook = read(folder / name)
        text = prose(notebook)
        assert not RAW.search(text), RAW.search(text)
        assert text.count("<details>") == text.count("</details>") >= 3
        assert f"({BOOK}/glossary.html#" in text and f"({BOOK}/notebooks/" in text
        assert not any("wrong" in cell.metadata or "right" in cell.metadata
                       for cell in notebook.cells)  # fmt: skip
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in cells)
        assert cells[0].id == "set-up" and "myst_nb" not in "".join(c.source for c in cells)


def test_two_builds_are_identical(made, tmp_path):
    arguments = ["--out", str(tmp_path), "--notebooks", str(REPOSITORY / "build" / "notebooks")]
    arguments += ["--sources", str(REPOSITORY / "notebooks"), "--book", str(REPOSITORY / "book")]
    assert main([*arguments, "--results", str(REPOSITORY / "benchmarks" / "results")], ADDRESS) == 0
    for path in sorted(made.rglob("*.ipynb")):
        assert (tmp_path / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_numbers_come_from_the_run_and_words_from_the_book(toy):
    text = prose(read(toy / "01_toy.ipynb"))
    assert re.search(r"the left striatum holds \d\.\d\d and the right one \d\.\d\d\.", text)
    assert f"have read [A book of two pages]({BOOK}/index.html)." in text
    assert BLANK not in text and "> **Predict**\n>\n> Suppose" in text
    assert "<details>\n<summary><b>Hint</b></summary>\n\nTwo sides: add" in text


def test_without_a_run_a_number_is_left_out_and_the_reader_told(toy_book, tmp_path):
    pages = Pages(toy_book / "book", toy_book / "notebooks", toy_book, ADDRESS)
    write_student_notebooks(pages, tmp_path / "none", tmp_path)
    text = prose(read(tmp_path / "01_toy.ipynb"))
    assert f"the left striatum holds {BLANK} and" in text
    assert f"Where the text says {BLANK}, a number is missing" in text


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    notebook = read(path)
    client = NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return notebook


def test_a_blank_stub_stops_at_its_check_and_the_solutions_run_through(toy, tmp_path):
    solved = run(toy / "solutions" / "01_toy.ipynb", tmp_path)
    assert [check.outputs[0].text for check in tagged(solved, "check")] == ["Right.\n"] * 2
    with pytest.raises(CellExecutionError) as stopped:
        run(toy / "01_toy.ipynb", tmp_path)
    assert "# @title Check your answer" in str(stopped.value)


def test_a_student_keeps_what_they_wrote(toy_book, toy, tmp_path, capsys):
    (tmp_path / "01_toy.ipynb").write_text("mine")
    arguments = ["--sources", str(toy_book / "notebooks"), "--book", str(toy_book / "book")]
    arguments += ["--notebooks", str(toy_book / "run"), "--out", str(tmp_path)]
    assert main([*arguments, "--keep"], ADDRESS) == 0
    assert "Kept as they are, since you may have worked in them: 1" in capsys.readouterr().out
    assert (tmp_path / "01_toy.ipynb").read_text() == "mine"
    assert (tmp_path / "solutions" / "01_toy.ipynb").is_file()
    assert main(arguments, ADDRESS) == 0
    assert (tmp_path / "01_toy.ipynb").read_bytes() == (toy / "01_toy.ipynb").read_bytes()


def test_what_cannot_be_made_plain_is_refused_by_name(tmp_path):
    cells = [new_markdown_cell("# Title\n\nSee {numref}`fig-1`.\n\n:::{tip}\nYes.\n:::")]
    notebook = new_notebook(cells=[*cells, new_code_cell("1")])
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook.metadata |= {"language_info": {"name": "python"}}
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "bad.ipynb")
    pages = Pages(tmp_path, tmp_path / "notebooks", tmp_path)
    with pytest.raises(NotebookError, match=r"found \{numref\}`, :::\{tip\}"):
        write_student_notebooks(pages, tmp_path, tmp_path / "out")


def test_links_to_the_glossary_meet_its_anchors(toy_html, made):
    """The anchors are Sphinx's own: of the book of two pages here, of the real one by make book."""
    glossary = (toy_html / "glossary.html").read_text(encoding="utf-8")
    assert 'id="term-DaT"' in glossary
    links = re.findall(
        rf"\({re.escape(BOOK)}/glossary\.html#([^)]+)\)", prose(read(made / NAMES[0]))
    )
    assert "term-DaT" in links


def test_a_page_of_the_book_offers_its_student_notebook(toy_html):
    page = (toy_html / "notebooks" / "01_toy.html").read_text(encoding="utf-8")
    for name in ("student/01_toy.ipynb", "student/solutions/01_toy.ipynb"):
        assert f'href="../_static/{name}" download' in page
        assert (toy_html / "_static" / name).is_file()
