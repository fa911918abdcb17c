"""What stands between a submission and this machine: Docker, bubblewrap, or, if asked for, nothing.

=============  =====================================================================================
``docker``     the challenge's own image, where it is on this machine already: no difference is left
``bubblewrap`` namespaces of Linux: nothing is visible but Python, the code and the exams
``plain``      a process of the user's own: for code that one would run anyhow
=============  =====================================================================================

The first two hold code that means harm: no labels, no home, no other submission, no network, no
process that stays. Where neither works, code runs only if `plain` is asked for by its name. The
container's Linux kernel is this machine's: that is as far as it goes.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from datkit.errors import UsageError
from datkit.replica.seccomp import CALLS, TABLE

__all__ = ["IMAGE", "LEVELS", "Limits", "choose_level", "command_for", "control_groups"]

IMAGE: str = TABLE["image"]
LEVELS: dict[str, str] = TABLE["levels"]  # {name: what it keeps a submission from, in one line}
ENVIRONMENT: dict[str, str] = TABLE["environment"]  # but for PATH; {} is the root of what it sees
SANDBOXES = ("docker", "bubblewrap")  # strongest first
# What Python needs of its prefix: that may be a project's folder, with exams and labels in it.
PREFIX = ("bin", "lib", "lib64", "pyvenv.cfg", "share")
SPARE, SPARE_MEMORY = 8, 2**26  # processes and bytes of the sandbox itself
PLATFORM_MEMORY = 220 * 2**30  # bytes, as the challenge's code submission page says


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes
    ----------
    memory : int
        Bytes, for each process and for all together.
    processes : int
        Processes and threads at one time.
    disk : int
        Bytes in one file, and in each folder that the run can write to. In a sandbox such folders
        lie in memory.

    Examples
    --------
    >>> Limits().processes
    1024
    """

    memory: int = 0
    processes: int = 1024
    disk: int = 0

    def __post_init__(self) -> None:
        here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        object.__setattr__(self, "memory", self.memory or min(PLATFORM_MEMORY, here * 4 // 5))
        object.__setattr__(self, "disk", self.disk or min(2**32, self.memory // 8))


def choose_level(wanted: str | None = None) -> str:
    """Return the strongest sandbox that this machine offers, or `wanted` if it offers that.

    Raises
    ------
    UsageError
        If `wanted` is unknown, or not to be had here; if nothing is wanted and no sandbox works.

    Examples
    --------
    >>> choose_level("plain")
    'plain'
    """
    if wanted not in {None, *LEVELS}:
        raise UsageError(f"Expected an isolation of {', '.join(LEVELS)}, found {wanted!r}.")
    failures = {}
    for level in [wanted] if wanted else SANDBOXES:
        if not (failure := _failure_of(level)):
            return level
        failures[level] = failure
    why = "; ".join(f"{level}: {failure}" for level, failure in failures.items())
    raise UsageError(
        f"Expected {wanted or 'a sandbox'} on this machine, found none that works ({why}). "
        "Install bubblewrap (Debian: apt-get install bubblewrap), or Docker with the challenge's "
        "image. Code of your own also runs without: --isolation plain, isolation='plain'."
    )


def command_for(level: str, folder: Path, limits: Limits) -> list[str]:
    """Return the command that starts launcher.py of the replica in `folder`, isolated.

    Inside, the unpacked zip lies at /submission, the exams at /code_execution/data, and launcher
    and hooks at /hooks; a plain process finds all of them in `folder`.
    """
    code, hooks = folder / "code_execution", folder / "hooks"
    mounts = {"code": code, "hooks": hooks, "data": code / "data"}
    launcher = ["-I", "-S", "/hooks/launcher.py"]
    if level == "docker":
        gpus = ["--gpus", "all"] if shutil.which("nvidia-smi") else []
        docker = _fill("docker", name=folder.name, **asdict(limits), **mounts)
        return [*docker, *gpus, IMAGE, *launcher]
    if level == "bubblewrap":
        return [*_bubblewrap(mounts, limits.disk), sys.executable, *launcher]
    return [sys.executable, "-I", "-S", str(hooks / "launcher.py")]


@contextmanager
def control_groups(name: str, limits: Limits) -> Iterator[list[Path]]:
    """Make control groups for one run, where this user may make any, and remove them after it.

    They limit what the launcher cannot see or, on a busy machine, sees too late. One of version 2
    lies beside our own: a group that holds processes cannot divide what it has.
    """
    made: list[Path] = []
    values = {"memory": limits.memory + SPARE_MEMORY, "processes": limits.processes + SPARE}
    own_groups = Path("/proc/self/cgroup")
    for line in own_groups.read_text("utf-8").splitlines() if own_groups.exists() else []:
        _, kind, own = line.split(":", 2)
        beside = Path("/sys/fs/cgroup", kind, own[1:])
        place = (beside if kind else beside.parent) / name
        with suppress(OSError):
            if kind in ("memory", "pids", "") and (place.parent / "cgroup.procs").exists():
                place.mkdir()
                made.append(place)
                for file, value in TABLE["groups"].items():
                    if (place / file).exists():
                        (place / file).write_text(value.format_map(values))
    try:
        yield made
    finally:
        for place in made:
            with suppress(OSError):
                place.rmdir()


@cache
def _failure_of(level: str) -> str:
    """Return why an isolation does not work on this machine, tried once; empty if it does."""
    if level == "docker":
        return _error_of(_fill("inspect", image=IMAGE))  # never pulled
    if level == "bubblewrap" and not CALLS:
        return f"no list of system calls to refuse on {platform.machine()}"
    if level == "bubblewrap":
        anything = dict.fromkeys(("code", "hooks", "data"), Path("/usr"))
        return _error_of([*_bubblewrap(anything, 2**20), sys.executable, "-I", "-S", "-c", ""])
    return ""


def _error_of(command: list[str]) -> str:
    try:
        run = subprocess.run(command, capture_output=True, timeout=30, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = run.stderr.strip().rpartition("\n")[2] or f"exit code {run.returncode}"
    return said if run.returncode else ""


def _fill(name: str, /, **values: object) -> list[str]:
    """Return the words of one of the table's commands, with values put in."""
    return [word.format_map(values) for word in TABLE["commands"][name].split()]


def _bubblewrap(mounts: dict[str, Path], disk: int) -> list[str]:
    """Return the start of a command: new namespaces in which only `mounts` and Python are seen.

    The kernel counts processes by the user outside, and root's not at all: so root becomes a user
    of no other process first, inside a view of the same files, since that user may not look into
    root's folders.
    """
    system = [*_fill("system"), *_see(_python_folders())]
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    command = [*_fill("bubblewrap", disk=disk), *system, *_fill("inside", path=path, **mounts)]
    if os.geteuid() != 0:
        return command
    user = 2**20 + os.getpid()  # of no other process, so that the count is this run's own
    view = [*_fill("as_nobody"), *system, *_see(mounts.values())]
    return [*view, *_fill("set_user", user=user), *command]


def _python_folders() -> list[Path]:
    """Return where Python and its packages lie, a folder before what lies inside it."""
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    found = {Path(prefix, part) for prefix in prefixes for part in PREFIX}
    found |= {Path(sys.executable).parent, Path(sys.executable).resolve().parent}
    return sorted(filter(Path.exists, found | {place.resolve() for place in found}))


def _see(places: Iterable[Path]) -> Iterator[str]:
    """Yield the options that show places where they are, their parents open to every user."""
    for place in places:
        for parent in [*place.parents][-2::-1]:
            yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", str(place), str(place))
