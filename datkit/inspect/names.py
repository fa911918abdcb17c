"""What the members' names tell: where main.py lies, and what does not belong there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from datkit.inspect.source import any_of
from datkit.rules import Found, RuleGroup

__all__ = ["MAIN", "MAX_VOLUMES", "NAMES", "is_mac_note"]

# One volume may be a template; a folder of them is a data set, which no submission may carry.
MAX_VOLUMES = 5
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_VOLUMES = any_of(_TABLE["volumes"])

# ---- The list of all members, folders too.
MAIN: RuleGroup[list[str]] = RuleGroup("Where `main.py` lies")


def _find_main(code: str, names: list[str]) -> Iterator[Found]:
    """Yield what is wrong with where main.py lies, if that is what `code` says."""
    others = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    found = f"only {', '.join(map(repr, others[:3]))}"
    if "main.py" in names:
        return
    if any(name.startswith("main.py/") for name in names):
        wrong, found = "main-folder", "a folder of that name"
    elif not others:
        wrong, found = "main-missing", "none"
    elif any("/" not in name.rstrip("/") for name in others):
        wrong = "main-case"
    else:
        wrong, found = "main-nested", f"{found}; the platform's own check lets it pass"
    if wrong == code:
        yield Found("the archive", found)


for _code, _row in _TABLE["main"].items():
    MAIN.enter(partial(_find_main, _code), _code, **_row)


@MAIN.rule("taken-name", expected="no file data and no folder submission.csv")
def takes_a_name(names: list[str]) -> Iterator[Found]:
    """`data` is a file or `submission.csv` a folder: what the platform needs cannot be made.

    Rename it.
    """
    if {"data", "submission.csv/"} & {*map(str.lower, names)}:
        yield Found("the archive", "one")


# ---- The files alone.
NAMES: RuleGroup[list[str]] = RuleGroup("What does not belong there")


@NAMES.rule("volumes", expected=f"no exams, and at most {MAX_VOLUMES} volumes")
def volumes(names: list[str]) -> Iterator[Found]:
    """The archive holds exams, or more volumes than templates explain.

    Leave exams out: the rules forbid to share them. A template may stay.
    """
    there = _of(_VOLUMES, names)
    exams = [name for name in there if name.lower().endswith(".dcm") or "niftis/" in name]
    if exams or len(there) > MAX_VOLUMES:
        yield Found("the archive", f"{len(there)}, such as {(exams or there)[0]!r}")


def is_mac_note(name: str) -> bool:
    """Whether a member is what macOS notes about another file: ``._main.py`` is no Python.

    Examples
    --------
    >>> is_mac_note("__MACOSX/._main.py"), is_mac_note("main.py")
    (True, False)
    """
    return PurePosixPath(name).name.startswith("._")


def _of(kind: re.Pattern[str], names: list[str]) -> list[str]:
    """Return the names that are of a kind as a whole, after a /, or by a part."""
    return [name for name in names if any(map(kind.match, [f"/{name}", *name.lower().split("/")]))]


def _find_kind(kind: re.Pattern[str], names: list[str]) -> Iterator[Found]:
    """Yield one finding for all names of a kind."""
    if there := _of(kind, names):
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        yield Found(f"member {there[0]!r}", f"it{more}")


for _code, _row in _TABLE["names"].items():
    NAMES.enter(partial(_find_kind, any_of(_row.pop("names"))), _code, **_row)
