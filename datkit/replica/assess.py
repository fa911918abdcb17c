"""The rules of one finished run: how it ended, what it printed, what it touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from datkit.replica.folders import Replica
from datkit.replica.process import LOG_BYTES, Ending
from datkit.rules import Found, RuleGroup

__all__ = ["LOG_LINES", "LOG_WIDTH", "RUN", "Finished"]

# The platform's limits: the challenge's code submission page (see datkit.inspect.runtime).
LOG_LINES, LOG_WIDTH = 300, 300
_SHORTEST_UID = 5  # a shorter one, such as "007", may stand in a log by chance
_QUIET = "Print counts only, and turn progress bars off."
# How the last line of a log tells that a limit ended the run.
_SIGNS = {
    "memory-limit": re.compile(r"MemoryError|bad_alloc|[Cc]an(no|')t allocate memory"),
    "process-limit": re.compile(r"Resource temporarily unavailable|can't start new thread"),
    "disk-limit": re.compile(r"No space left on device|File too large"),
}


class Finished(NamedTuple):
    """What the rules look at."""

    replica: Replica
    ending: Ending


RUN: RuleGroup[Finished] = RuleGroup("The run")


def _last_line(ending: Ending) -> str:
    return next((line.strip()[:200] for line in reversed(ending.log) if line.strip()), "no message")


def _ended(run: Finished, code: str, where: str = "main.py") -> Iterator[Found]:
    """Yield how the run ended, if it ended as `code` says: by a limit, or by itself at one."""
    ending, last = run.ending, _last_line(run.ending)
    cause = next((name for name, sign in _SIGNS.items() if sign.search(last)), "exit-code")
    if ending.stopped == code:
        yield Found(where, f"a run that was stopped after {ending.seconds:.1f} s")
    elif ending.exit_code and cause == code:
        yield Found(where, f"{ending.exit_code} ({last})", "exit code 0")


@RUN.rule("time-limit", expected="an end within the limit")
def is_late(run: Finished) -> Iterator[Found]:
    """The run was stopped at its time limit.

    Time one exam on its own; load models once; leave out slow steps.
    """
    return _ended(run, "time-limit")


@RUN.rule("log-flood", expected=f"at most {LOG_BYTES / 2**20:.0f} MiB")
def floods_the_log(run: Finished) -> Iterator[Found]:
    """The log grew past what any platform keeps.

    Find the loop that prints.
    """
    return _ended(run, "log-flood", "the log")


@RUN.rule("memory-limit", expected="less memory")
def takes_much_memory(run: Finished) -> Iterator[Found]:
    """The run used too much memory.

    Read one exam at a time; refuse a header that asks for a huge array.
    """
    return _ended(run, "memory-limit")


@RUN.rule("process-limit", expected="fewer processes")
def starts_many_processes(run: Finished) -> Iterator[Found]:
    """The run started too many processes or threads.

    Start a fixed number of workers, once.
    """
    return _ended(run, "process-limit")


@RUN.rule("disk-limit", expected="less on disk")
def fills_the_disk(run: Finished) -> Iterator[Found]:
    """A folder that the run may write to is full.

    Delete what each exam leaves behind.
    """
    return _ended(run, "disk-limit")


@RUN.rule("exit-code")
def fails(run: Finished) -> Iterator[Found]:
    """`main.py` ended with an error.

    Read the end of the log.
    """
    return _ended(run, "exit-code")


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


def _noted(run: Finished, code: str) -> Iterator[Found]:
    return (Found("main.py", what) for event, what in run.ending.events if event == code)


@RUN.rule("data-written", expected="no write below data/")
def writes_into_data(run: Finished) -> Iterator[Found]:
    """The run tried to write into `data/`.

    Copy what you change to the working directory.
    """
    # Other programs have no hooks; in a sandbox the kernel refuses, and they complain.
    refused = [line.strip()[:200] for line in run.ending.log if "Read-only file system" in line]
    yield from (Found("main.py", repr(line)) for line in refused[:1])
    yield from _noted(run, "data-written")


@RUN.rule("written-outside", expected="writes in the working directory or tempfile.gettempdir()")
def writes_outside(run: Finished) -> Iterator[Found]:
    """The run tried to write outside its folder.

    Use a relative path or the module `tempfile`.
    """
    return _noted(run, "written-outside")


@RUN.rule("read-outside", expected="reads of its own files and of data/ only")
def reads_outside(run: Finished) -> Iterator[Found]:
    """The run reads a file that the platform does not have.

    Find assets beside `main.py` (`Path(__file__).parent`), exams below `data/`.
    """
    return _noted(run, "read-outside")


@RUN.rule("network", expected="no use of the network")
def uses_the_network(run: Finished) -> Iterator[Found]:
    """The run tried to reach the network.

    Put all that is needed into the zip: the platform has no network.
    """
    return _noted(run, "network")


@RUN.rule("no-hooks", expected="hooks that start first")
def ran_without_hooks(run: Finished) -> Iterator[Found]:
    """The replica's hooks did not start, so its findings are not whole.

    Report this fault of datkit, with the log.
    """
    if not run.ending.events and run.ending.stopped != "replica":
        yield Found("the replica", "none")
