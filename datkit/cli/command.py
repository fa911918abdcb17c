"""What every command is: a function of its arguments, whose docstring is its help."""

from __future__ import annotations

import json
import re
import shutil
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from operator import methodcaller
from pathlib import Path
from typing import Any, TextIO, TypeVar

from datkit.errors import DatkitError, UsageError, as_datkit_error
from datkit.problems import Problem, shown

FINE, FINDINGS, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

Argument = Callable[[ArgumentParser], object]
T = TypeVar("T")
# How a progress bar begins a line again, or goes up to another: no more may move the cursor.
_MOVES = re.compile(r"^(\r|(?:\x1b\[A)+\Z|)")


@dataclass(frozen=True)
class Result:
    """What a command found: lines for a person, the same as data for ``--json``, an exit code."""

    lines: Iterable[str]
    data: object
    code: int = FINE


Run = Callable[[Namespace], Result]


def arg(*names: str, **settings: Any) -> Argument:  # noqa: ANN401 - whatever argparse takes
    """Declare an argument as :meth:`argparse.ArgumentParser.add_argument` takes it."""
    return methodcaller("add_argument", *names, **settings)


def _processes(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise UsageError(f"Expected 1 process or more in --jobs, found {text!r}.")
    return int(text)


def place(text: str) -> Path:
    """Read the name of a file or folder: what arguments of the type `Path` are made by.

    Raises
    ------
    UsageError
        If it is empty, which would be the present folder.
    """
    if not text:
        raise UsageError("Expected the name of a file or folder, found an empty one; name it.")
    return Path(text)


def page(text: str) -> Path:
    """Read the name of a page to write: a type of arguments.

    Raises
    ------
    UsageError
        If it is the name of a folder, or of another kind of file.
    """
    path = place(text)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        expected = "Expected the name of a file that ends in .html for the page"
        raise UsageError(f"{expected}, found {text!r}; a browser prints the page as PDF.")
    return path


def page_or_folder(text: str) -> Path:
    """Read where to write pages; a new name such as ``a.pdf`` is not taken for a folder's.

    Raises
    ------
    UsageError
        As :func:`page`.
    """
    path = place(text)
    return path if path.is_dir() or not path.suffix[1:].isalpha() else page(text)


_CODE = {"metavar": "FILE.py", "help": "of a class of your own that the model is; it is run"}
CODE = arg("--code", type=Path, action="append", default=[], **_CODE)
SCHEDULER = arg("--scheduler", metavar="ADDRESS", help="of a Dask cluster to work instead")
JOBS = arg("--jobs", type=_processes, metavar="N", help="processes; default: one a core")
_JSON = arg("--json", action="store_true", help="print the result as JSON")


@dataclass(frozen=True)
class Group:
    """Commands that belong together.

    Attributes
    ----------
    text : str
        What the group is for: a sentence, and after an empty line what else its help teaches.
    commands : dict
        The arguments of each function.
    """

    text: str
    commands: dict[Run, tuple[Argument, ...]] = field(default_factory=dict)

    def command(self, *arguments: Argument) -> Callable[[Run], Run]:
        """Make a function a command of its name; its docstring is the help."""

        def register(run: Run) -> Run:
            self.commands[run] = (*arguments, _JSON)
            return run

        return register

    def add_to(self, words: _SubParsersAction[ArgumentParser]) -> None:
        """Let a parser understand the commands."""
        for run, arguments in self.commands.items():
            parser = add_word(words, run.__name__.rstrip("_"), run.__doc__ or "")
            parser.set_defaults(run=run)
            for add in arguments:
                add(parser)


def add_word(words: _SubParsersAction[ArgumentParser], name: str, text: str) -> ArgumentParser:
    """Let a parser understand one more word; `text` is its help, as in :class:`Group`."""
    about, _, rest = cleandoc(text).partition("\n\n")
    shown: dict[str, Any] = {"help": about.rstrip("."), "description": about, "epilog": rest}
    parser = words.add_parser(name, **shown, formatter_class=RawDescriptionHelpFormatter)
    parser.register("type", Path, place)
    for read in (page, page_or_folder):  # so that an argument names its type
        parser.register("type", read.__name__, read)
    return parser


class Shown:
    """A stream to a terminal that writes what :func:`datkit.problems.shown` makes of a text.

    All that a command says goes through one, whoever says it: results, errors, argparse, warnings,
    logs, tracebacks and progress bars, whose own movements of the cursor stay.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; return how many characters of the stream that were."""
        _, moves, rest = _MOVES.split(text, 1)
        return self.stream.write(moves + shown(rest, "\n"))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the stream's own
        return getattr(self.stream, name)


def located(error: object, where: object) -> str:
    """Return a message that names a place, in its own words if it does so already."""
    return str(error) if shown(where) in str(error) else f"{shown(where)}: {error}"


def complain(error: object, where: object = "") -> int:
    """Say on standard error what is wrong, and return the exit code."""
    note(f"datkit: {located(error, where)}")
    return WRONG_USE if isinstance(error, UsageError) else FINDINGS


def tell_all(reasons: Mapping[Any, object]) -> int:
    """Complain of several places, each with its reason, and return the exit code."""
    return max((complain(why, where) for where, why in reasons.items()), default=FINE)


def each_scan(scans: list[Path], work: Callable[[Path], T]) -> tuple[dict[str, T], list[str], int]:
    """Do something with each scan; one bad file never stops the others, it is complained of."""
    results: dict[str, T] = {}
    failures: dict[Path, DatkitError] = {}
    for path in scans:
        try:
            results[str(path)] = work(path)
        except Exception as error:
            failures[path] = as_datkit_error(error, path)
    return results, [located(*one) for one in failures.items()], tell_all(failures)


def findings(path: Path, problems: list[Problem], *more: str) -> Result:
    """Return what was found in a file, errors first, and what to add for a person."""
    from datkit.inspect.findings import findings_table

    table = findings_table(problems, shutil.get_terminal_size((100, 24)).columns)
    code = FINDINGS if any(problem.is_error for problem in problems) else FINE
    lines = [*f"{shown(path)}: {table}".split("\n"), *more]
    return Result(lines, [problem.to_dict() for problem in problems], code)


def note(message: str) -> None:
    """Say something beside the result."""
    print(message, file=sys.stderr)


def to_json(value: object) -> str:
    """Write a result as JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False)
