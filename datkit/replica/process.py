"""Run main.py of a replica, isolated and within its limits, and leave no process behind."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from datkit.replica.folders import Replica
from datkit.replica.sandbox import command_for

__all__ = ["LOG_BYTES", "Ending", "execute"]

LOG_BYTES = 2**21  # ours, twenty times what the platform keeps: such a run is stopped
_PAUSE, _NEWS = 0.1, 15.0  # seconds between two looks at the run, and between two lines about it
_MOST_EVENTS = 200  # the hooks note a hundred at most in each process
_SET_UP = 60.0  # seconds for making the sandbox and for ending what a run has started


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes
    ----------
    seconds : float
        Wall time of main.py.
    exit_code : int or None
        None if the run was stopped.
    stopped : str
        "", or the limit that it broke: "time-limit", "log-flood", "memory-limit",
        "process-limit"; "replica" if the replica itself failed.
    log : tuple of str
        What it printed, both streams.
    left : int
        Processes that outlived main.py, until they were ended.
    events : tuple of (str, str)
        What the hooks noted: "started", then each refusal, with what it was about.
    """

    seconds: float
    exit_code: int | None
    stopped: str
    log: tuple[str, ...]
    left: int = 0
    events: tuple[tuple[str, str], ...] = ()


def execute(replica: Replica, say: Callable[[str], None]) -> Ending:
    """Run main.py to its end, or stop it when its time is up, with all that it has started.

    What it wrote is then at ``replica.written``.

    Parameters
    ----------
    replica : Replica
    say : callable
        Called with a line of news now and then.
    """
    settings = replica.settings
    result = replica.folder / "report.json"
    with replica.log.open("wb") as log, result.open("wb") as report:
        process = subprocess.Popen(
            command_for(settings.level, replica.folder, settings.limits),
            cwd=replica.folder,
            stdin=subprocess.PIPE,
            stdout=report,
            stderr=log,
            start_new_session=True,
        )
        try:
            stopped = _wait(process, replica, say)
        finally:
            _end(process, replica)
    found: dict[str, Any] = {"stopped": "replica", "seconds": 0.0, "exit_code": None, "events": ""}
    with suppress(ValueError):  # where the launcher could not write a report, the replica failed
        found = json.loads(result.read_text(encoding="utf-8"))
    if predictions := found.pop("predictions", None):
        replica.written.write_bytes(base64.b64decode(predictions))
    if found["stopped"] == "told":
        found["stopped"] = stopped
    found["events"] = tuple(_read_events(found["events"]))
    with replica.log.open("rb") as stream:
        text = stream.read(LOG_BYTES).decode("utf-8", "replace")
    return Ending(log=tuple(map(_printable, text.splitlines())), **found)


def _wait(process: subprocess.Popen[bytes], replica: Replica, say: Callable[[str], None]) -> str:
    """Wait for the launcher, which keeps the limits itself; return why it must be told to stop."""
    started, told = time.monotonic(), 0.0
    while (seconds := time.monotonic() - started) < replica.settings.seconds + _SET_UP:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_PAUSE)
            return "replica"
        if replica.log.stat().st_size > LOG_BYTES:
            return "log-flood"
        if seconds - told >= _NEWS:
            told = seconds
            say(f"{seconds:.0f} s")
    return "time-limit"


def _end(process: subprocess.Popen[bytes], replica: Replica) -> None:
    """Close the line to the launcher, which then ends the run; if it does not, end it."""
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_SET_UP if process.poll() is None else 0)  # closes the line
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if replica.settings.level == "docker":  # a container outlives the program that started it
        remove = ["docker", "rm", "--force", replica.folder.name]
        subprocess.run(remove, capture_output=True, check=False)


def _read_events(text: str) -> Iterator[tuple[str, str]]:
    """Yield what the hooks noted; the run could write there too, so anything else is passed by."""
    for line in text.splitlines()[:_MOST_EVENTS]:
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            event = json.loads(line)
            yield _printable(str(event["event"])[:500]), _printable(str(event["what"])[:500])


def _printable(line: str) -> str:
    """Replace what a terminal would take for a command: the log is shown to a person."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)
