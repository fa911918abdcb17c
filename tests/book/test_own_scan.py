"""The chapter on scans of one's own is true: commands parse, and what it quotes is what is said."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from datkit.cli import parser

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTER = (REPOSITORY / "book" / "chapters" / "own_scan.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^datkit (.+)$", CHAPTER, re.MULTILINE)
QUOTES = re.findall(r"“(.+?)”", CHAPTER)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_the_kit_knows(command: str) -> None:
    assert parser().parse_args(shlex.split(command, comments=True)).run


def test_what_the_kit_is_said_to_say_stands_in_it() -> None:
    paths = [path for kind in ("*.py", "*.toml") for path in (REPOSITORY / "datkit").rglob(kind)]
    sources = [path.read_text(encoding="utf-8") for path in paths]
    # A sentence of several literals is one, and so is one that a table breaks by a backslash.
    joined = re.sub(r'"\s*\n?\s*f?"|\\\n', "", "\n".join(sources))
    assert len(QUOTES) > 15
    assert [quote for quote in QUOTES if quote not in joined] == []
