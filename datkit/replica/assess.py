"""The rules of one finished run: how it ended, what it printed, what it touched."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from datkit.replica.folders import Replica
from datkit.replica.process import Ending
from datkit.rules import Found, RuleGroup

__all__ = ["LOG_LINES", "LOG_WIDTH", "RUN", "Finished"]

# The platform's limits: the challenge's code submission page (see datkit.inspect.runtime).
LOG_LINES, LOG_WIDTH = 300, 300
_SHORTEST_UID = 5  # a shorter one, such as "007", may stand in a log by chance
_QUIET = "Print counts only, and turn progress bars off."
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
# How the last line of a log tells that a limit ended the run.
_SIGNS = {code: row.pop("sign") for code, row in _TABLE["ended"].items() if "sign" in row}


class Finished(NamedTuple):
    """What the rules look at."""

    replica: Replica
    ending: Ending


RUN: RuleGroup[Finished] = RuleGroup("The run")


def _last_line(ending: Ending) -> str:
    return next((line.strip()[:200] for line in reversed(ending.log) if line.strip()), "no message")


def _ended(code: str, run: Finished) -> Iterator[Found]:
    """Yield how the run ended, if it ended as `code` says: by a limit, or by itself at one."""
    ending, last = run.ending, _last_line(run.ending)
    cause = next((name for name, sign in _SIGNS.items() if re.search(sign, last)), "exit-code")
    if ending.stopped == code:
        yield Found("main.py", f"a run that was stopped after {ending.seconds:.1f} s")
    elif ending.exit_code and cause == code:
        yield Found("main.py", f"{ending.exit_code} ({last})", "exit code 0")


for _code, _row in _TABLE["ended"].items():
    RUN.enter(partial(_ended, _code), _code, **_row)


@RUN.rule("replica", expected="a run that reports its end")
def did_not_report(run: Finished) -> Iterator[Found]:
    """The replica itself failed.

    Report this fault of datkit, with the log; another isolation may work.
    """
    if run.ending.stopped == "replica":
        yield Found("the replica", _last_line(run.ending))


@RUN.rule("process-left", expected="no process that outlives main.py", severity="warning")
def leaves_processes(run: Finished) -> Iterator[Found]:
    """Processes outlived `main.py`.

    Wait for workers and end them: the platform counts nothing that comes later.
    """
    if run.ending.left:
        yield Found("main.py", f"{run.ending.left} that outlived it, and were ended")


@RUN.rule("log-lines", expected=f"at most {LOG_LINES} lines", remedy=_QUIET)
def prints_many_lines(run: Finished) -> Iterator[Found]:
    """The log has more than 300 lines."""
    if len(run.ending.log) > LOG_LINES:
        yield Found("the log", f"{len(run.ending.log)}")


@RUN.rule("log-width", expected=f"lines of at most {LOG_WIDTH} characters", remedy=_QUIET)
def prints_long_lines(run: Finished) -> Iterator[Found]:
    """A line of the log has more than 300 characters."""
    wide = [row for row, line in enumerate(run.ending.log, start=1) if len(line) > LOG_WIDTH]
    if wide:
        yield Found("the log", f"{len(wide)} longer ones, this the first", line=wide[0])


@RUN.rule("log-uid", expected="no uid")
def prints_uids(run: Finished) -> Iterator[Found]:
    """The log names exams.

    Print nothing about single exams: the rules disqualify for it.
    """
    words = {word for line in run.ending.log for word in re.findall(r"[\w.-]+", line)}
    words |= {word.strip(".-").removesuffix(".nii.gz") for word in words}
    named = [uid for uid in run.replica.uids if len(uid) >= _SHORTEST_UID and uid in words]
    if named:
        yield Found("the log", f"{len(named)} uids, such as {named[0]!r}")


@RUN.rule("data-changed", expected="the files as they were")
def changes_data(run: Finished) -> Iterator[Found]:
    """The data are not what they were before the run.

    Write to the working directory: the platform's data cannot be written to.
    """
    if changed := run.replica.changed_data():
        yield Found("data/", f"{len(changed)} changed, such as {changed[0]!r}")


def _noted(code: str, run: Finished) -> Iterator[Found]:
    return (Found("main.py", what) for event, what in run.ending.events if event == code)


for _code, _row in _TABLE["noted"].items():
    RUN.enter(partial(_noted, _code), _code, **_row)


@RUN.rule("data-written", expected="no write below data/")
def writes_into_data(run: Finished) -> Iterator[Found]:
    """The run tried to write into `data/`.

    Copy what you change to the working directory.
    """
    # Other programs have no hooks; in a sandbox the kernel refuses, and they complain.
    refused = [line.strip()[:200] for line in run.ending.log if "Read-only file system" in line]
    yield from (Found("main.py", repr(line)) for line in refused[:1])
    yield from _noted("data-written", run)


@RUN.rule("no-hooks", expected="hooks that start first")
def ran_without_hooks(run: Finished) -> Iterator[Found]:
    """The replica's hooks did not start, so its findings are not whole.

    Report this fault of datkit, with the log.
    """
    if not run.ending.events and run.ending.stopped != "replica":
        yield Found("the replica", "none")
