"""The rules of ``rules.toml``, each of which is one pattern or a few."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from datkit.book.notebook import COMMITTED, EXECUTED, Cell, Findings, Notebook
from datkit.rules import Found

__all__ = ["calls", "outputs"]

NEVER = "(?!)"  # a pattern that nothing matches
TEXTS = ("stream", "text/plain", "text/html")


def calls(notebook: Notebook) -> Iterator[tuple[Cell, str, ast.Call]]:
    """Yield each call of the code with its cell and the name of what is called, dots included."""
    for cell in notebook.code:
        for call in cell.nodes(ast.Call):
            yield cell, ast.unparse(call.func), call


def outputs(notebook: Notebook) -> Iterator[tuple[Cell, dict[str, Any], str]]:
    """Yield each output with its cell and what it says: its kinds, and what of it is text."""
    for cell in notebook.code:
        for output in cell.outputs:
            said = {"stream": output.get("text", "")} | output.get("data", {})
            texts = {kind: said[kind] if kind.endswith(TEXTS) else "" for kind in said}
            yield cell, output, "\n".join(f"{kind}: {text}" for kind, text in texts.items())


def _find(row: dict[str, Any], notebook: Notebook) -> Findings:
    """Yield what a notebook lacks that it must hold, then what it holds that it must not."""
    yield from _find_missing(row, notebook)
    for cell, name, _ in calls(notebook):
        if re.search(row.get("calls", NEVER), name):
            yield Found(cell.place, f"a call of {name}")
    for cell in notebook.code:
        for node in cell.nodes(ast.Constant):
            if re.search(row.get("strings", NEVER), str(node.value)):
                yield Found(cell.place, repr(node.value))
    for cell, _, text in outputs(notebook):
        if found := re.search(row.get("outputs", NEVER), text):
            yield Found(cell.place, repr(found[0]))


def _find_missing(row: dict[str, Any], notebook: Notebook) -> Findings:
    tagged = [(cell, tag) for tag in row.get("tags", []) for cell in notebook.tagged(tag)]
    for cell, tag in tagged:
        if not re.search(row.get("tagged", ""), cell.source):
            yield Found(cell.place, row["found"].format(tag=tag))
    for lack, pattern in row.get("anywhere", {}).items():
        if not any(re.search(pattern, cell.source) for cell, _ in tagged):
            yield Found(notebook.name, lack)


for _group, _name in ((COMMITTED, "committed"), (EXECUTED, "executed")):
    for _row in tomllib.loads(Path(__file__).with_name("rules.toml").read_text("utf-8"))[_name]:
        _told = {key: _row[key] for key in ("code", "expected", "title", "remedy")}
        _group.enter(partial(_find, _row), **_told)
