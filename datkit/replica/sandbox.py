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
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datkit.errors import UsageError

__all__ = ["IMAGE", "LEVELS", "Limits", "choose_level", "command_for", "describe_level"]

LEVELS = ("docker", "bubblewrap", "plain")
# https://github.com/drivendataorg/competition-sfmn-parkinsons-runtime, justfile (commit 6d292ea)
IMAGE = "competitionsfmnparkinsonsprodacr.azurecr.io/competition-sfmn-parkinsons-runtime:gpu-latest"
PLATFORM_MEMORY = 220 * 2**30  # bytes, as the challenge's code submission page says
_UID, _CODE = "1000", "/code_execution"  # as on the platform
_WRITABLE = ("/dev/shm", "/tmp", "/events", _CODE)
_WORDS = {
    "docker": "Docker: the challenge's image, no network, limits on memory, processes and disk",
    "bubblewrap": "bubblewrap: own namespaces, no network, limits on memory, processes and disk",
    "plain": "NO SANDBOX: a plain process that can read your files; run only code that you trust",
}
# What Python needs of a system besides its own prefix; what is absent is left out.
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives")

Mounts = dict[Path, str]  # what is shown read-only, and where


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
    if wanted is None:
        return next(level for level in LEVELS if _is_offered(level))
    if wanted not in LEVELS:
        raise UsageError(f"Expected an isolation of {', '.join(LEVELS)}, found {wanted!r}.")
    if not _is_offered(wanted):
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
    """Return the command that starts launcher.py of the replica in `folder`, isolated.

    Inside, the unpacked zip lies at /submission, the exams at /code_execution/data, and launcher
    and hooks at /hooks; a plain process finds all of them in `folder`.
    """
    code = folder / "code_execution"
    mounts = {code: "/submission", folder / "hooks": "/hooks", code / "data": _CODE + "/data"}
    launcher = ["-I", "-S", "/hooks/launcher.py"]
    if level == "docker":
        return [*_docker(mounts, limits, folder.name), *launcher]
    if level == "bubblewrap":
        return [*_bubblewrap(mounts, limits.disk), sys.executable, *launcher]
    return [sys.executable, "-I", "-S", str(folder / "hooks" / "launcher.py")]


@cache
def _is_offered(level: str) -> bool:
    """Whether an isolation works on this machine, tried once; Docker's image is never pulled."""
    if level == "docker":
        return bool(shutil.which("docker")) and _succeeds(["docker", "image", "inspect", IMAGE])
    if level == "bubblewrap":
        program = [sys.executable, "-I", "-S", "-c", ""]
        return bool(shutil.which("bwrap")) and _succeeds([*_bubblewrap({}, 2**20), *program])
    return True


def _succeeds(command: list[str]) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, timeout=30, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


# ---------------------------------------------------------------- Docker


def _docker(mounts: Mounts, limits: Limits, name: str) -> list[str]:
    memory, size = str(limits.memory), f"exec,size={limits.disk},mode=1777"
    bind = "type=bind,source={},target={},readonly"
    return [
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", name),
        *("--network", "none", "--user", f"{_UID}:{_UID}", "--cap-drop", "ALL", "--read-only"),
        *("--security-opt", "no-new-privileges", "--pids-limit", str(limits.processes)),
        *("--memory", memory, "--memory-swap", memory, "--workdir", _CODE),
        *(("--gpus", "all") if shutil.which("nvidia-smi") else ()),
        *(part for place in _WRITABLE for part in ("--tmpfs", f"{place}:{size}")),
        *(part for mount in mounts.items() for part in ("--mount", bind.format(*mount))),
        *("--entrypoint", "python", IMAGE),
    ]


# ---------------------------------------------------------------- bubblewrap


def _bubblewrap(mounts: Mounts, disk: int) -> list[str]:
    """Return the start of a command: new namespaces in which only `mounts` and Python are seen.

    A user namespace of its own maps the user to uid 1000. The kernel counts processes by the user
    outside, and root's not at all: so root becomes a user of no other process first, inside a view
    of the same files, since that user may not look into root's folders.
    """
    writable = ("--perms", "1777", "--size", str(disk), "--tmpfs")
    return [
        *(_as_nobody(mounts) if os.geteuid() == 0 else ()),
        *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--new-session"),
        *("--die-with-parent", "--as-pid-1", "--uid", _UID, "--gid", _UID, "--hostname", "replica"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for place in _WRITABLE for part in (*writable, place)),
        *_system(),  # after the empty /tmp: Python may lie below it
        *(part for source, place in mounts.items() for part in ("--ro-bind", str(source), place)),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _CODE),
        *("--clearenv", "--setenv", "PATH", f"{Path(sys.executable).parent}:{os.defpath}", "--"),
    ]


def _as_nobody(mounts: Mounts) -> list[str]:
    user = str(2**20 + os.getpid())  # of no other process, so that the count is this run's own
    return [
        *("bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--die-with-parent"),
        *("--dev-bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"),
        *("--perms", "1777", "--tmpfs", "/tmp"),
        *_system(),
        *(part for source in mounts for part in _see(source)),
        *("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"),
    ]


@cache
def _system() -> tuple[str, ...]:
    """Return the options that show the system's libraries and Python, and nothing else."""
    options: list[str] = []
    for place in map(Path, _SYSTEM):
        if place.is_symlink():
            options += ["--symlink", str(place.readlink()), str(place)]
        elif place.exists():
            options += _see(place)
    for place in _python_folders():
        options += _see(place)
    return tuple(options)


def _python_folders() -> list[Path]:
    """Return where Python and its packages lie, less what lies inside another one of them."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)}
    found |= {Path(sys.executable).parent, Path(sys.executable).resolve().parent}
    found |= {place.resolve() for place in found}
    found -= {usr := Path("/usr")}
    return sorted(place for place in found if not {*found, usr} & {*place.parents})


def _see(place: Path) -> list[str]:
    """Return the options that show a place where it is, its parents open to every user."""
    parents = [str(parent) for parent in place.parents][-2::-1]
    folders = [part for parent in parents for part in ("--perms", "0755", "--dir", parent)]
    return [*folders, "--ro-bind", str(place), str(place)]
