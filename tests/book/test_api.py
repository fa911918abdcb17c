"""Every public name has a docstring and a place in the API reference; prose names what exists."""

from __future__ import annotations

import ast
import inspect
import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import datkit
from datkit.book.api import all_names, constant_text, imported_names, link_names
from datkit.book.imports import import_problem, public_names
from datkit.book.notebook import LISTS

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = sorted(LISTS["rooms"])
NOT_OFFERED = {"book", "cli", "threads", "rules"}  # what only datkit itself, or its book, uses
PROSE = [
    *(REPOSITORY / "book").rglob("*.md"),
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def prose_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_every_room_has_a_page() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(datkit.__path__)}
    assert rooms - NOT_OFFERED == {room.split(".")[1] for room in ROOMS if "." in room}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_explained(room: str) -> None:
    module = import_module(room)
    assert inspect.getdoc(module)
    for name in public_names(room):
        value = getattr(module, name)
        own = value.__doc__ if callable(value) else constant_text(name, value)
        assert own, f"{room}.{name} has no docstring (a constant: no `#:` comment)"


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_stands_on_the_page_of_its_room(room: str, html: Path) -> None:
    page = html / "api" / f"{room}.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    anchors = {tag["id"] for tag in soup.find_all(id=True)}
    links = {link["href"].partition("#")[2] for link in soup.find_all("a", href=True)}
    for name in public_names(room):
        home = all_names()[f"{room}.{name}"]
        assert home in (anchors if home == f"{room}.{name}" else links), name


def test_names_in_prose_lead_to_the_reference(html: Path) -> None:
    page = next(html.glob("notebooks/01_*.html"))
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in soup.select("article a.reference[href*='api/']")]
    assert any(link.startswith("../api/datkit.view.html#datkit.view.") for link in links)


def test_only_whole_names_become_links() -> None:
    names = all_names() | imported_names("from datkit.view import plot_exam\nimport numpy")
    for text in ("```plot_exam```", "{py:obj}`plot_exam`", "`plot`", "plot_exam", "``plot_exam``"):
        assert link_names(text, names) == text
    assert link_names("`datkit.load_scan`", names) == (
        "{py:obj}`datkit.load_scan <datkit.io.load_scan>`"
    )


@pytest.mark.parametrize("path", [*PROSE, *NOTEBOOKS], ids=lambda path: path.name)
def test_every_name_of_datkit_in_prose_exists(path: Path) -> None:
    text = prose_of(path) if path in NOTEBOOKS else path.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w/.@])(datkit(?:\.[A-Za-z_]\w*)+)(?![\w/])", text):
        if not name.endswith((".py", ".zip")):
            assert pkgutil.resolve_name(name) is not None
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("datkit"):
                assert import_problem(node.module, [alias.name for alias in node.names]) is None
