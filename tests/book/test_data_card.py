"""The data card states what the code does: each constant on it is compared with its module."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import datkit.simulate

CARD = Path(__file__).parents[2] / "book" / "chapters" / "data_card.md"
ROW = re.compile(r"^\| `(\w+)\.([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
# The card names a module by its last name, which is its own within the simulator.
MODULES = {
    one.name.rpartition(".")[2]: one.name
    for one in walk_packages(datkit.simulate.__path__, "datkit.simulate.")
}
ROWS = ROW.findall(CARD.read_text(encoding="utf-8"))


def test_the_card_holds_the_constants():
    assert len(ROWS) > 30
    assert len({row[:2] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}.{row[1]}")
def test_a_constant_is_what_the_card_says_and_has_a_source(row):
    module, name, value, source = row
    constant = getattr(import_module(MODULES[module]), name)
    assert constant == ast.literal_eval(value)
    assert len(source) > 5
