"""A notebook between two others is one file and one line: nothing else changes, nothing breaks."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from datkit.book.build import build_book, stage_book
from datkit.book.gate import check_sources
from datkit.book.run import run_notebooks

REPOSITORY = Path(__file__).resolve().parents[2]
NUMBERED = re.compile(r"\bnotebooks? 0?\d\b|\b0\d(?:, 0\d)* and 0\d\b", re.IGNORECASE)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def add_notebook(source: Path, path: Path) -> None:
    """Write a notebook like another, with its own title and its own labels of exercises."""
    text = source.read_text(encoding="utf-8")
    raw = json.loads(text.replace(":label: ", f":label: {path.stem}-"))
    raw["cells"][0]["source"] = "# What stands between"
    path.write_text(json.dumps(raw), encoding="utf-8")


def test_a_notebook_between_two_others(toy_book: Path, tmp_path: Path) -> None:
    for name in ("book", "notebooks", "run"):
        shutil.copytree(toy_book / name, tmp_path / name)
    book, notebooks = tmp_path / "book", tmp_path / "notebooks"
    toc, first = book / "_toc.yml", notebooks / "01_toy.ipynb"
    run_notebooks([first], tmp_path / "run", if_changed=True)  # with the data that this test sees
    add_notebook(first, notebooks / "02_last.ipynb")
    chapters = "chapters: [{file: notebooks/01_toy}, {file: notebooks/02_last}, {file: glossary}]\n"
    toc.write_text("format: jb-book\nroot: index\n" + chapters)
    before = files_of(tmp_path)

    scratch = notebooks / "01b_between.ipynb"
    add_notebook(first, scratch)
    between = "{file: notebooks/01b_between}, {file: notebooks/02_last}"
    toc.write_text(toc.read_text().replace("{file: notebooks/02_last}", between))

    changed = {path for path, content in files_of(tmp_path).items() if before.get(path) != content}
    assert changed == {scratch, toc}
    sources = sorted(notebooks.glob("[0-9]*.ipynb"))
    assert [source.stem for source in sources] == ["01_toy", "01b_between", "02_last"]
    assert check_sources(sources, book) == []
    lines: list[str] = []
    run_notebooks(sources, tmp_path / "run", if_changed=True, report=lines.append)
    assert [line for line in lines if "01_toy" in line] == ["01_toy.ipynb: unchanged"]
    stage_book(book, notebooks, tmp_path / "run", tmp_path / "out")
    assert build_book(tmp_path / "out") == 0
    html = (tmp_path / "out" / "_build" / "html" / "notebooks" / "01_toy.html").read_text()
    assert "01b_between.html" in html, "the next page"


def test_no_text_of_the_kit_names_a_notebook_by_its_number() -> None:
    """Names of files and links keep their numbers; a sentence or a rule that counts would break."""
    patterns = ("book/**/*.md", "datkit/**/*.py", "notebooks/*.ipynb", "README.md", "Makefile")
    kit = [path for pattern in patterns for path in REPOSITORY.glob(pattern)]
    numbered = [
        f"{path.name}: {found[0]}"
        for path in kit
        for found in NUMBERED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert numbered == []
