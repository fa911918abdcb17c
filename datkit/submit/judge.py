"""Judge a run: how it ended, what it printed, what it touched, what it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datkit.submit.problem import Problem
from datkit.submit.process import LOG_BYTES, Ending
from datkit.submit.replica import Replica

__all__ = ["LOG_LINES", "LOG_WIDTH", "judge_run"]

# The platform's limits: the challenge's code submission page (see datkit.submit.runtime).
LOG_LINES, LOG_WIDTH = 300, 300
_SHORTEST_UID = 5  # a shorter one, such as "007", may stand in a log by chance

_REFUSALS = {
    "data-written": ("no write below data/", "Copy what you change to the working directory."),
    "written-outside": (
        "writes in the working directory or tempfile.gettempdir()",
        "Use a relative path or the module tempfile.",
    ),
    "network": ("no use of the network", "Put all that is needed into the zip."),
}


def judge_run(replica: Replica, ending: Ending) -> list[Problem]:
    """Return every problem of a finished run, save those of the predictions that it wrote."""
    return [
        *_judge_end(ending),
        *_judge_log(ending.log, replica.uids),
        *_judge_data(replica.changed_data()),
        *_judge_events(replica.events()),
    ]


def _judge_end(ending: Ending) -> Iterator[Problem]:
    if ending.stopped == "time-limit":
        found = f"a run that was stopped after {ending.seconds:.0f} s"
        remedy = "Time one exam on its own; load models once; leave out slow steps."
        yield Problem("time-limit", "main.py", "an end within the limit", found, remedy)
    elif ending.stopped == "log-flood":
        found = f"more than {LOG_BYTES / 2**20:.0f} MiB"
        yield Problem("log-flood", "the log", "a few lines", found, "Find the loop that prints.")
    elif ending.exit_code:
        last = next((line for line in reversed(ending.log) if line.strip()), "no message")
        found = f"{ending.exit_code} ({last.strip()[:200]})"
        yield Problem("exit-code", "main.py", "exit code 0", found, "Read the end of the log.")


def _judge_log(log: tuple[str, ...], uids: tuple[str, ...]) -> Iterator[Problem]:
    where, remedy = "the log", "Print counts only, and turn progress bars off."
    if len(log) > LOG_LINES:
        yield Problem("log-lines", where, f"at most {LOG_LINES} lines", f"{len(log)}", remedy)
    wide = [number for number, line in enumerate(log, start=1) if len(line) > LOG_WIDTH]
    if wide:
        expected = f"lines of at most {LOG_WIDTH} characters"
        found = f"{len(wide)} longer ones, the first in line {wide[0]}"
        yield Problem("log-width", where, expected, found, remedy)
    words = {word for line in log for word in re.findall(r"[\w.-]+", line)}
    words |= {word.strip(".-").removesuffix(".nii.gz") for word in words}
    if named := [uid for uid in uids if len(uid) >= _SHORTEST_UID and uid in words]:
        found = f"{len(named)} uids, such as {named[0]!r}"
        remedy = "Print nothing about single exams: the rules disqualify for it."
        yield Problem("log-uid", where, "no uid", found, remedy)


def _judge_data(changed: list[str]) -> Iterator[Problem]:
    if changed:
        found = f"{len(changed)} changed, such as {changed[0]!r}"
        remedy = "Write to the working directory: the platform's data cannot be written to."
        yield Problem("data-changed", "data/", "the files as they were", found, remedy)


def _judge_events(events: list[dict[str, str]]) -> Iterator[Problem]:
    if not events:
        remedy = "Its findings are not whole: report this fault of datkit, with the log."
        yield Problem("no-guards", "the replica", "guards that start first", "none", remedy)
    for event in events:
        if event["event"] in _REFUSALS:
            expected, remedy = _REFUSALS[event["event"]]
            yield Problem(event["event"], "main.py", expected, event["what"], remedy)
