"""The first process of a run: sets limits, starts main.py, watches it, ends all that it leaves.

This file is copied into a replica beside its `settings.json` and runs with the runtime's own
Python, isolated (`-I -S`). It uses the standard library only. In a sandbox it is process 1: when it
ends, the kernel ends the rest. Elsewhere it adopts orphans, so that it can end them itself.

Standard input is the line to datkit: when it closes, the run is over. main.py prints to standard
error. Standard output gets one line of JSON at the end: ``exit_code``, ``stopped``, ``seconds``,
``left`` (processes that main.py left behind), ``events`` (what the hooks noted), ``predictions``
(submission.csv in base64).
"""

from __future__ import annotations

import base64
import ctypes
import glob
import json
import os
import re
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

TICK = 0.05  # seconds between two looks at the run
PATIENCE = 2.0  # seconds for helpers to end once main.py has: a resource tracker needs a moment
SPARE = 64  # processes more, so that _excess sees a run reach its limit first
LARGE = 2**26  # bytes; a larger file is linked to, not copied: the sandbox's files lie in memory
MOST_BYTES = 2**21  # of submission.csv and of events: ten times what an honest run writes
FILES = 1024  # open at one time, by each process: what a shell gives, too
# Bytes of memory that an open file (half a pipe), a file in memory and a socket take, or can take:
# pipe(7), tmpfs(5), socket(7).
OPEN, INODE, SOCKET = 2**12, 2**10, 2**18
_SET_DUMPABLE, _SET_SECCOMP, _FILTER, _SET_CHILD_SUBREAPER = 4, 22, 2, 36  # prctl(2)

Settings = dict[str, Any]  # what Replica.write_settings writes


def main() -> None:
    """Run main.py as `settings.json` says and report."""
    settings = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))
    # Process 1 gets what it handles, and nothing else, from those of its namespace: a run must not
    # end this one so.
    struck: set[int] = set()
    signal.signal(signal.SIGINT, lambda number, _: struck.add(number))
    with suppress(OSError, AttributeError):  # where there is no prctl there is no /proc to hide
        prctl = ctypes.CDLL(None).prctl
        prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # keeps main.py out of this process's memory and files
        prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if settings["sandboxed"]:
        _copy_in("/submission", settings["code"])
    report = _supervise(settings)
    report |= _end_all(settings, report["stopped"])
    report["events"] = _read(settings["events"]).decode("utf-8", "replace")
    predictions = _read(os.path.join(settings["code"], "submission.csv"))
    report["predictions"] = base64.b64encode(predictions).decode()
    if struck:
        report |= {"stopped": "interrupted", "exit_code": None, "predictions": ""}
    print(json.dumps(report), flush=True)


def _copy_in(source: str, code: str) -> None:
    def copy(path: str, target: str) -> None:
        (os.symlink if os.path.getsize(path) > LARGE else shutil.copyfile)(path, target)

    for name in sorted(set(os.listdir(source)) - {"data"}):
        path, target = os.path.join(source, name), os.path.join(code, name)
        if os.path.isdir(path):
            shutil.copytree(path, target, copy_function=copy)
        else:
            copy(path, target)


def _supervise(settings: Settings) -> dict[str, Any]:
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=settings["code"],
        env={"PATH": os.environ.get("PATH", os.defpath), **settings["environment"]},
        stdin=subprocess.DEVNULL,
        stdout=2,
        stderr=2,
        start_new_session=True,
        preexec_fn=lambda: _set_limits(settings),
    )
    stopped, status = "", None
    while status is None and not stopped:
        told = select.select([0], [], [], TICK)[0]
        status = _reap().get(child.pid)
        late = time.monotonic() - started > settings["seconds"]
        stopped = "told" if told else "time-limit" if late else _excess(settings)
    child.returncode = status  # reaped here, not by subprocess
    seconds, stopped = time.monotonic() - started, stopped if status is None else ""
    return {"exit_code": status, "stopped": stopped, "seconds": seconds}


def _set_limits(settings: Settings) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: settings["memory"],
        resource.RLIMIT_FSIZE: settings["disk"],
        resource.RLIMIT_NOFILE: FILES,
    }
    if settings["sandboxed"]:  # elsewhere the count would hold all that the user runs
        wanted[resource.RLIMIT_NPROC] = settings["processes"] + SPARE
    for kind, limit in wanted.items():
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))
    if settings["filter"]:
        _take_calls(bytes.fromhex(settings["filter"]), settings["keyctl"])


def _take_calls(program: bytes, keyctl: int) -> None:
    """Leave the caller's session keyring, then refuse system calls to this process for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(keyctl, 1, None)  # KEYCTL_JOIN_SESSION_KEYRING, a new one; no matter if none is
    steps = ctypes.create_string_buffer(program)
    described = struct.pack("HP", len(program) // 8, ctypes.addressof(steps))  # struct sock_fprog
    if libc.prctl(_SET_SECCOMP, _FILTER, described, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def _excess(settings: Settings) -> str:
    """Name the limit that all processes of the run together break, if they do."""
    found = _descendants()
    if sum(threads for threads, _ in found.values()) >= settings["processes"]:
        return "process-limit"
    held = sum(held for _, held in found.values())
    if settings["sandboxed"]:
        held += _kernel_bytes([*settings["writable"], "/dev/shm"])
    # Pages that processes share count for each of them; only where that is too much, ask exactly.
    if held > settings["memory"] and held - sum(map(_shared, found)) > settings["memory"]:
        return "memory-limit"
    return ""


def _kernel_bytes(folders: list[str]) -> int:
    """Return what files in memory and, at most, sockets hold: no process's own bytes."""
    sockets = Path("/proc/net/sockstat").read_text()  # "sockets: used 3", "TCP: ... mem 1"
    pages = sum(map(int, re.findall(r"mem (\d+)", sockets)))
    held = int(sockets.split()[2]) * SOCKET + pages * resource.getpagesize()
    for status in map(os.statvfs, folders):
        held += (status.f_blocks - status.f_bfree) * status.f_frsize
        held += (status.f_files - status.f_ffree) * INODE
    return held


def _descendants() -> dict[int, tuple[int, int]]:
    """Return {process: (threads, bytes)} of all that this process has brought about."""
    parents, facts = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc/self") else []):
        fields = _fields(f"/proc/{name}/status")
        if fields.get("Threads", 0) > 1 and "VmRSS" not in fields:  # its first thread has ended
            for thread in glob.glob(f"/proc/{name}/task/*/status"):
                fields = _fields(thread) | fields
        if "VmRSS" in fields:
            parents[int(name)] = fields["PPid"]
            held = sum(fields.get(kind, 0) for kind in ("VmRSS", "VmPTE", "VmSwap")) * 1024
            facts[int(name)] = (fields["Threads"], held + fields["FDSize"] * OPEN)
    found, before = {os.getpid()}, 0
    while len(found) > before:
        before = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return {pid: facts[pid] for pid in found - {os.getpid()}}


def _shared(pid: int) -> int:
    """Return the part of a process's bytes that others count too; 0 if it cannot be read."""
    fields = _fields(f"/proc/{pid}/smaps_rollup")
    return (fields.get("Rss", 0) - fields.get("Pss", 0)) * 1024


def _fields(path: str) -> dict[str, int]:
    """Return the numbers in a table of proc(5), each by its name."""
    with suppress(OSError):
        text = Path(path).read_text("utf-8", "replace")
        return {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+)", text, re.M)}
    return {}


def _end_all(settings: Settings, stopped: str) -> dict[str, Any]:
    """End what main.py has left; count it, if it had a moment in which to end by itself.

    The limits hold in that moment, too.
    """
    deadline, patient, excess = time.monotonic() + PATIENCE, not stopped, ""
    while (left := _descendants()) and patient and not excess and time.monotonic() < deadline:
        _reap()
        time.sleep(TICK)
        excess = _excess(settings)
    while alive := _descendants():
        for pid in [-1] if os.getpid() == 1 else alive:  # -1: all of a namespace but process 1
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(TICK)
    found = {"stopped": excess, "exit_code": None} if excess else {}
    return found | {"left": len(left) if patient else 0}


def _reap() -> dict[int, int]:
    """Return {process: exit code} of all that have ended."""
    ended = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended


def _read(path: str) -> bytes:
    """Return a regular file's bytes; none of what is absent, too large, or a link elsewhere."""
    with suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES:
            return Path(path).read_bytes()
    return b""


if __name__ == "__main__":
    main()
