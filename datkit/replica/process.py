"""Run main.py of a replica, isolated and within its limits, and leave no process behind."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datkit.replica.folders import Replica
from datkit.replica.sandbox import command_for, control_groups
from datkit.replica.seccomp import TABLE

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
        "process-limit"; "interrupted" if it tried to end the launcher; "replica" if the replica
        itself failed.
    log : tuple of str
        What it printed, both streams; not yet as a terminal may show it.
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
    limited = control_groups(replica.folder.name, settings.limits)
    with result.open("wb") as report, limited as groups:
        process = subprocess.Popen(
            command_for(settings.level, replica.folder, settings.limits),
            cwd=replica.folder,
            stdin=subprocess.PIPE,
            stdout=report,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: _join(groups),
        )
        try:
            stopped, log = _follow(process, groups, settings.seconds + _SET_UP, say)
        finally:
            _end(process, replica)
        stopped = stopped or _limit_kept(groups)
    found: dict[str, Any] = {"stopped": "replica", "seconds": 0.0, "exit_code": None, "events": ""}
    with suppress(ValueError):  # where the launcher could not write a report, the replica failed
        found = json.loads(result.read_text(encoding="utf-8"))
    if predictions := found.pop("predictions", None):
        replica.written.write_bytes(base64.b64decode(predictions))
    if stopped:
        found |= {"stopped": stopped, "exit_code": None, "left": 0}  # none had time to end
    found["events"] = tuple(_read_events(found["events"]))
    return Ending(log=tuple(log.decode("utf-8", "replace").splitlines()), **found)


def _join(groups: list[Path]) -> None:
    """Put this process into control groups, and first in line where memory runs out."""
    joined = [(group / "cgroup.procs", "0") for group in groups]
    for file, text in [*joined, (Path("/proc/self/oom_score_adj"), "1000")]:
        with suppress(OSError):  # without them the launcher counts alone
            file.write_text(text)


def _limit_kept(groups: list[Path]) -> str:
    """Name the limit that the kernel had to keep in these groups, if it had to keep one."""
    for group in groups:
        for name, (limit, sign) in TABLE["signs"].items():
            file = group / name
            if file.exists() and re.search(sign, file.read_text(), re.MULTILINE):
                return str(limit)
    return ""


def _follow(
    process: subprocess.Popen[bytes], groups: list[Path], seconds: float, say: Callable[[str], None]
) -> tuple[str, bytes]:
    """Read what a run prints until its launcher ends, or must be told to stop; return why, and it.

    The launcher keeps the other limits itself. Where the kernel had to keep one, and ended but one
    process of the run, the others are not waited for.
    """
    assert process.stderr
    started, news, log = time.monotonic(), _NEWS, bytearray()
    while (now := time.monotonic() - started) < seconds:
        if now >= news:
            news += _NEWS
            say(f"{now:.0f} s")
        if select.select([process.stderr], [], [], _PAUSE)[0]:
            part = os.read(process.stderr.fileno(), 2**16)
            log += part[: LOG_BYTES - len(log)]
            if not part or len(log) == LOG_BYTES:
                return "log-flood" if part else "", bytes(log)
        elif kept := _limit_kept(groups):
            return kept, bytes(log)
    return "time-limit", bytes(log)


def _end(process: subprocess.Popen[bytes], replica: Replica) -> None:
    """Close the line to the launcher, which then ends the run; if it does not, end it."""
    for line in filter(None, (process.stdin, process.stderr)):
        line.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_SET_UP)
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
            yield str(event["event"])[:500], str(event["what"])[:500]
