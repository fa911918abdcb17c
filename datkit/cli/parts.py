"""What every command needs: exit codes, where words go, and the shape of a verb."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from datkit import NOT_CLINICAL

__all__ = [
    "FINDINGS",
    "FINE",
    "INTERRUPTED",
    "NOT_CLINICAL",
    "WRONG_USE",
    "add_verb",
    "complain",
    "note",
    "print_json",
]

FINE, FINDINGS, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def complain(message: object, code: int) -> int:
    """Say on standard error what is wrong, and return the exit code."""
    print(f"datkit: {message}", file=sys.stderr)
    return code


def note(message: str) -> None:
    """Say something beside the result."""
    print(message, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def add_verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str = ""
) -> argparse.ArgumentParser:
    """Add a command that calls `run` with its arguments; each has ``--json``."""
    verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    verb.epilog = f"Example: datkit {example}" if example else None
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.set_defaults(run=run)
    return verb
