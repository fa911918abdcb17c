"""What stands between a submission and this machine: Docker, bubblewrap, or next to nothing.

=============  =====================================================================================
``docker``     the challenge's own image, where it is on this machine already: no difference is left
``bubblewrap`` namespaces of Linux: nothing is visible but Python, the code and the exams
``plain``      a process of the user's own: for code that one would run anyhow
=============  =====================================================================================

The first two hold code that means harm: no labels, no home, no other submission, no network, no
process that stays. The container's Linux kernel is this machine's: that is as far as it goes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datkit.errors import UsageError

__all__ = ["IMAGE", "LEVELS", "Limits", "choose_level", "command_for", "describe_level"]

LEVELS = ("docker", "bubblewrap", "plain")
# https://github.com/drivendataorg/competition-sfmn-parkinsons-runtime, justfile (commit 6d292ea)
IMAGE = "competitionsfmnparkinsonsprodacr.azurecr.io/competition-sfmn-parkinsons-runtime:gpu-latest"
PLATFORM_MEMORY = 220 * 2**30  # bytes, as the challenge's code submission page says
_UID = "1000"  # as on the platform
_WORDS = {
    "docker": "Docker: the challenge's image, no network, limits on memory, processes and disk",
    "bubblewrap": "bubblewrap: own namespaces, no network, limits on memory, processes and disk",
    "plain": "NO SANDBOX: a plain process that can read your files; run only code that you trust",
}
# What Python needs of a system besides its own prefix; what is absent is left out.
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives")


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
    """Return the strongest isolation that this machine offers, or `wanted` if it offers that.

    Raises
    ------
    UsageError
        If `wanted` is unknown, or not to be had here.

    Examples
    --------
    >>> choose_level("plain")
    'plain'
    """
    offered = {"docker": _has_docker, "bubblewrap": _has_bubblewrap, "plain": lambda: True}
    if wanted is None:
        return next(level for level in LEVELS if offered[level]())
    if wanted not in offered:
        raise UsageError(f"Expected an isolation of {', '.join(LEVELS)}, found {wanted!r}.")
    if not offered[wanted]():
        raise UsageError(
            f"Expected {wanted} on this machine, found none that works. Install it (Debian: "
            "apt-get install bubblewrap; Docker needs the challenge's image), or leave the choice "
            "to datkit."
        )
    return wanted


def describe_level(level: str) -> str:
    """Return what a level keeps a submission from, in one line for the report."""
    return _WORDS[level]


def command_for(level: str, folder: Path, limits: Limits) -> list[str]:
    """Return the command that starts launch.py of the replica in `folder`, isolated.

    Inside, the unpacked zip lies at /submission, the exams at /code_execution/data, and the guards
    at /guard; a plain process finds all of them in `folder`.
    """
    if level == "docker":
        return _docker(folder, limits)
    if level == "bubblewrap":
        return _bubblewrap(folder, limits)
    return [sys.executable, "-I", "-S", str(folder / "guard" / "launch.py")]


@cache
def _has_docker() -> bool:
    return bool(shutil.which("docker")) and _succeeds(["docker", "image", "inspect", IMAGE])


@cache
def _has_bubblewrap() -> bool:
    program = [sys.executable, "-I", "-S", "-c", ""]
    return bool(shutil.which("bwrap")) and _succeeds([*_namespaces({}, 2**20), *program])


def _succeeds(command: list[str]) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, timeout=30, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


# ---------------------------------------------------------------- Docker


def _docker(folder: Path, limits: Limits) -> list[str]:
    size = f"size={limits.disk},mode=1777"
    writable = ("/code_execution", "/tmp", "/events", "/dev/shm")
    mounts = {**_mounts(folder), str(folder / "code_execution" / "data"): "/code_execution/data"}
    return [
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", folder.name),
        *("--network", "none", "--user", f"{_UID}:{_UID}", "--cap-drop", "ALL", "--read-only"),
        *("--security-opt", "no-new-privileges", "--pids-limit", str(limits.processes)),
        *("--memory", str(limits.memory), "--memory-swap", str(limits.memory)),
        *(("--gpus", "all") if shutil.which("nvidia-smi") else ()),
        *(part for place in writable for part in ("--tmpfs", f"{place}:exec,{size}")),
        *(part for mount in mounts.items() for part in ("--mount", _mount(*mount))),
        *("--workdir", "/code_execution", "--entrypoint", "python", IMAGE),
        *("-I", "-S", "/guard/launch.py"),
    ]


def _mount(source: str, target: str) -> str:
    return f"type=bind,source={source},target={target},readonly"


def _mounts(folder: Path) -> dict[str, str]:
    return {str(folder / "code_execution"): "/submission", str(folder / "guard"): "/guard"}


# ---------------------------------------------------------------- bubblewrap


def _bubblewrap(folder: Path, limits: Limits) -> list[str]:
    data = {str(folder / "code_execution" / "data"): "/code_execution/data"}
    command = _namespaces({**_mounts(folder), **data}, limits.disk)
    return [*command, sys.executable, "-I", "-S", "/guard/launch.py"]


def _namespaces(mounts: dict[str, str], disk: int) -> list[str]:
    """Return the start of a command: new namespaces in which only `mounts` and Python are seen.

    A user namespace of its own maps the user to uid 1000. The kernel counts processes by the user
    outside, and root's not at all: so root becomes a user of no other process first, inside a view
    of the same files, since that user may not look into root's folders.
    """
    size = ("--perms", "1777", "--size", str(disk), "--tmpfs")
    return [
        *(_as_nobody(mounts) if os.geteuid() == 0 else ()),
        *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--new-session"),
        *("--die-with-parent", "--as-pid-1", "--uid", _UID, "--gid", _UID, "--hostname", "replica"),
        *_system(),
        *("--proc", "/proc", "--dev", "/dev", *size, "/dev/shm", *size, "/tmp", *size, "/events"),
        *(*size, "/code_execution"),
        *(part for mount in mounts.items() for part in ("--ro-bind", *mount)),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/code_execution"),
        *("--clearenv", "--setenv", "PATH", f"{Path(sys.executable).parent}:{os.defpath}", "--"),
    ]


def _as_nobody(mounts: Iterable[str]) -> list[str]:
    user = str(2**20 + os.getpid())  # of no other process, so that the count is this run's own
    return [
        *("bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--die-with-parent"),
        *(*_system(), "--dev-bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"),
        *("--perms", "1777", "--tmpfs", "/tmp"),
        *(part for source in mounts for part in _see(source)),
        *("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"),
    ]


@cache
def _system() -> tuple[str, ...]:
    """Return the options that show the system's libraries and Python, and nothing else."""
    options: list[str] = []
    for name in _SYSTEM:
        if os.path.islink(name):
            options += ["--symlink", os.readlink(name), name]
        elif os.path.exists(name):
            options += _see(name)
    for place in _python_folders():
        options += _see(place)
    return tuple(options)


def _python_folders() -> list[str]:
    """Return where Python and its packages lie, less what lies inside another one of them."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(sys.executable)}
    found |= {os.path.realpath(place) for place in found}
    found |= {os.path.dirname(os.path.realpath(sys.executable))}
    covered = {place for place in found for other in {*found, "/usr"} if _is_below(place, other)}
    return sorted(found - covered - {"/usr"})


def _is_below(place: str, other: str) -> bool:
    return place.startswith(other.rstrip("/") + "/")


def _see(place: str) -> list[str]:
    """Return the options that show a place where it is, its parents open to every user."""
    parents = [str(parent) for parent in Path(place).parents][-2::-1]
    folders = [part for parent in parents for part in ("--perms", "0755", "--dir", parent)]
    return [*folders, "--ro-bind", place, place]
