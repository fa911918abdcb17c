"""Judge a run: how it ended, what it printed, what it touched, what it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datkit.inspect.rules import finding
from datkit.problems import Problem
from datkit.replica.folders import Replica
from datkit.replica.process import LOG_BYTES, Ending

__all__ = ["LOG_LINES", "LOG_WIDTH", "judge_run"]

# The platform's limits: the challenge's code submission page (see datkit.inspect.runtime).
LOG_LINES, LOG_WIDTH = 300, 300
_SHORTEST_UID = 5  # a shorter one, such as "007", may stand in a log by chance

_STOPS = {
    "time-limit": ("main.py", "an end within the limit"),
    "log-flood": ("the log", f"at most {LOG_BYTES / 2**20:.0f} MiB"),
    "memory-limit": ("main.py", "less memory"),
    "process-limit": ("main.py", "fewer processes"),
    "disk-limit": ("main.py", "less on disk"),
}
# How the last line of a log tells that a limit ended the run.
_SIGNS = {
    "memory-limit": re.compile(r"MemoryError|bad_alloc|[Cc]an(no|')t allocate memory"),
    "process-limit": re.compile(r"Resource temporarily unavailable|can't start new thread"),
    "disk-limit": re.compile(r"No space left on device|File too large"),
}
_REFUSALS = {
    "data-written": "no write below data/",
    "written-outside": "writes in the working directory or tempfile.gettempdir()",
    "read-outside": "reads of its own files and of data/ only",
    "network": "no use of the network",
}


def judge_run(replica: Replica, ending: Ending) -> list[Problem]:
    """Return every problem of a finished run, save those of the predictions that it wrote."""
    return [
        *_judge_end(ending),
        *_judge_log(ending.log, replica.uids),
        *_judge_data(replica.changed_data(), ending.log),
        *_judge_events(ending),
    ]


def _judge_end(ending: Ending) -> Iterator[Problem]:
    last = next((line.strip()[:200] for line in reversed(ending.log) if line.strip()), "no message")
    if ending.stopped in _STOPS:
        where, expected = _STOPS[ending.stopped]
        found = f"a run that was stopped after {ending.seconds:.1f} s"
        yield finding(ending.stopped, where, expected, found)
    elif ending.stopped:
        yield finding("replica", "the replica", "a run that reports its end", last)
    elif ending.exit_code:
        code = next((code for code, sign in _SIGNS.items() if sign.search(last)), "exit-code")
        yield finding(code, "main.py", "exit code 0", f"{ending.exit_code} ({last})")
    if ending.left:
        found = f"{ending.left} that outlived it, and were ended"
        yield finding("process-left", "main.py", "no process that outlives main.py", found)


def _judge_log(log: tuple[str, ...], uids: tuple[str, ...]) -> Iterator[Problem]:
    where = "the log"
    if len(log) > LOG_LINES:
        yield finding("log-lines", where, f"at most {LOG_LINES} lines", f"{len(log)}")
    wide = [number for number, line in enumerate(log, start=1) if len(line) > LOG_WIDTH]
    if wide:
        expected = f"lines of at most {LOG_WIDTH} characters"
        found = f"{len(wide)} longer ones, the first in line {wide[0]}"
        yield finding("log-width", where, expected, found)
    words = {word for line in log for word in re.findall(r"[\w.-]+", line)}
    words |= {word.strip(".-").removesuffix(".nii.gz") for word in words}
    if named := [uid for uid in uids if len(uid) >= _SHORTEST_UID and uid in words]:
        found = f"{len(named)} uids, such as {named[0]!r}"
        yield finding("log-uid", where, "no uid", found)


def _judge_data(changed: list[str], log: tuple[str, ...]) -> Iterator[Problem]:
    # Other programs are seen by no guard; in a sandbox the kernel refuses, and they complain.
    if refused := next((line for line in log if "Read-only file system" in line), None):
        expected = _REFUSALS["data-written"]
        yield finding("data-written", "main.py", expected, repr(refused.strip()[:200]))
    if changed:
        found = f"{len(changed)} changed, such as {changed[0]!r}"
        yield finding("data-changed", "data/", "the files as they were", found)


def _judge_events(ending: Ending) -> Iterator[Problem]:
    if not ending.events and ending.stopped != "replica":
        yield finding("no-guards", "the replica", "guards that start first", "none")
    for event in ending.events:
        if event["event"] in _REFUSALS:
            yield finding(event["event"], "main.py", _REFUSALS[event["event"]], event["what"])
