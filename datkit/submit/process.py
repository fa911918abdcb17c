"""Run main.py of a replica in a process of its own, within its limits, and leave none behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from datkit.submit.replica import Replica

__all__ = ["LOG_BYTES", "Ending", "execute"]

LOG_BYTES = 2**21  # ours, twenty times what the platform keeps: such a run is stopped
_PAUSE, _NEWS = 0.5, 15.0  # seconds between two looks at the run, and between two lines about it


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes
    ----------
    seconds : float
        Wall time.
    exit_code : int or None
        None if the run was stopped.
    stopped : str
        "", or the limit that it broke: "time-limit" or "log-flood".
    log : tuple of str
        What it printed, both streams.
    isolation : str
        What kept it from the network.
    """

    seconds: float
    exit_code: int | None
    stopped: str
    log: tuple[str, ...]
    isolation: str


def execute(replica: Replica, limit: float, smoke: bool, say: Callable[[str], None]) -> Ending:
    """Run main.py to its end, or stop it after `limit` seconds, with all that it has started.

    Parameters
    ----------
    replica : Replica
    limit : float
        Seconds.
    smoke : bool
        Whether to set IS_SMOKE_TEST.
    say : callable
        Called with a line of news now and then.
    """
    prefix, isolation = _without_network()
    started = time.monotonic()
    with replica.log.open("wb") as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, "main.py"],
            cwd=replica.code,
            env=replica.environment(smoke),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            stopped = _wait(process, replica, started, limit, say)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # workers may outlive main.py
            process.wait()
    seconds, code = time.monotonic() - started, None if stopped else process.returncode
    return Ending(seconds, code, stopped, _read_log(replica), isolation)


def _wait(
    process: subprocess.Popen[bytes],
    replica: Replica,
    started: float,
    limit: float,
    say: Callable[[str], None],
) -> str:
    told = 0.0
    while (seconds := time.monotonic() - started) < limit:
        try:
            process.wait(timeout=min(_PAUSE, limit - seconds))
            return ""
        except subprocess.TimeoutExpired:
            if replica.log.stat().st_size > LOG_BYTES:
                return "log-flood"
        if seconds - told >= _NEWS:
            told = seconds
            say(f"{seconds:.0f} s")
    return "time-limit"


def _read_log(replica: Replica) -> tuple[str, ...]:
    with replica.log.open("rb") as stream:
        return tuple(stream.read(LOG_BYTES).decode("utf-8", "replace").splitlines())


@cache
def _without_network() -> tuple[list[str], str]:
    """Return the command that takes the network away, if this machine allows it, and its name."""
    unshare = shutil.which("unshare")
    for options in ("-n", "-rn") if unshare else ():
        probe = subprocess.run([unshare, options, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            return [unshare, options, "--"], "no network: namespace and audit hook"
    return [], "no network: audit hook only"
