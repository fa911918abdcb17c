"""The hooks inside a replica: what a submission must not touch is refused, and noted.

Writing to the data or outside the run's folders, reading what the platform does not have, use of
the network, and packages that the platform lacks.

This file is copied into a replica as `sitecustomize.py`, beside its `settings.json`. Python imports
a module of that name at the start of every process, workers included, before `main.py`. It uses the
standard library only.

The hooks find mistakes and give them a name. They are no prison: code that means harm can get
round a hook in its own process. What holds it is the sandbox: see `datkit.replica.sandbox`.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Hook", "VisibleFinder", "install"]

_DEVICES = ("/dev/null", "/dev/full", "/dev/tty", "/dev/stdout", "/dev/stderr", "/dev/shm/")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "", "None")
# Which arguments of an audit event are paths that change, each with that of its folder's
# descriptor: https://docs.python.org/3/library/audit_events.html
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.link": ((0, 2), (1, 3)),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}
# Of these, the ones that follow a link to what it points to.
_FOLLOW = ("os.chmod", "os.chown", "os.truncate", "os.utime")
# What every system has and a library may read; a process's own view of others is the kernel's job.
_SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sbin", "/sys", "/usr")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Hook:
    """An audit hook: refuses, and notes, writes outside `writable` and use of the network.

    Parameters
    ----------
    data : str
        The folder that must not change, though it lies inside a writable one.
    writable : list of str
        Folders whose content may change.
    readable : list of str
        Folders besides these that may be read.
    events : int
        An open file descriptor; each refusal is written there once, as a line of JSON.
    """

    def __init__(self, data: str, writable: list[str], readable: list[str], events: int) -> None:
        self.data, self.writable, self.events = data, tuple(writable), events
        self.readable = (*writable, *readable)
        self.noted: set[tuple[str, str]] = set()

    def note(self, event: str, what: str) -> None:
        """Write one line about an event, unless the same one is there already."""
        if (event, what) not in self.noted and len(self.noted) < 100:
            self.noted.add((event, what))
            os.write(self.events, (json.dumps({"event": event, "what": what}) + "\n").encode())

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse what an audit event is about to do, or let it pass.

        Raises
        ------
        OSError
            The one that the platform would give.
        """
        if event == "open":
            path, mode, flags = args
            if set(mode) & set("wax+") if isinstance(mode, str) else flags & _WRITE_FLAGS:
                self._check_write(path, None, follow=True)
            else:
                self._check_read(path)
        elif event in ("os.listdir", "os.scandir", "os.chdir"):
            self._check_read(args[0])
        elif event in _CHANGES:
            for path, folder in _CHANGES[event]:
                descriptor = None if folder is None else args[folder]
                self._check_write(args[path], descriptor, event in _FOLLOW)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            # Others are local: a name in the file system, or the kernel's own sockets.
            if isinstance(args[1], tuple) and isinstance(args[1][0], str):
                self._check_host(args[1][0])
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            self._check_host(args[0])

    def _check_write(self, path: object, folder: int | None, follow: bool) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # an open descriptor: it was checked when it was opened
        name = os.fsdecode(path)
        if name.startswith(_DEVICES):
            return
        try:
            place = _resolve(name, folder, follow)
        except OSError:
            return  # a descriptor that this system does not name: the hashes of data decide
        if _is_inside(place, self.data):
            self.note("data-written", place)
        elif not any(_is_inside(place, root) for root in self.writable):
            self.note("written-outside", place)
        else:
            return
        raise PermissionError(errno.EACCES, "the platform does not let a submission write", name)

    def _check_read(self, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # an open descriptor, or the working directory
        name = os.fsdecode(path)
        place = os.path.abspath(name)
        # Python asks for the folders above a file too, when it resolves a path.
        if any(_is_inside(place, root) or _is_inside(root, place) for root in self.readable):
            return
        self.note("read-outside", place)
        raise FileNotFoundError(errno.ENOENT, "the platform has no such file", name)

    def _check_host(self, host: object) -> None:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        if name not in _LOOPBACK and name != os.uname().nodename:
            self.note("network", name)
            raise OSError(errno.ENETUNREACH, f"the platform has no network to reach {name}")


class VisibleFinder(PathFinder):
    """Finds modules as Python does, except those that the platform and the zip lack."""

    code = ""
    hidden: frozenset[str] = frozenset()

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec, or None as if a hidden module were not installed."""
        if path is None and name in cls.hidden:
            path = [entry for entry in sys.path if _is_inside(os.path.realpath(entry), cls.code)]
        return super().find_spec(name, path, target)


def install(settings: dict[str, Any]) -> None:
    """Put all hooks in place, in this process, for good.

    Parameters
    ----------
    settings : dict
        ``code``: a resolved folder; ``writable``: a list of them; ``hidden``: names of modules;
        ``events``: the file that refusals are written to.
    """
    events = os.open(settings["events"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    VisibleFinder.code, VisibleFinder.hidden = settings["code"], frozenset(settings["hidden"])
    sys.path[:] = [entry for entry in sys.path if _is_installed(entry)]
    python = [*sys.path, sys.prefix, sys.base_prefix, os.path.dirname(os.path.abspath(__file__))]
    readable = ["/submission", *_SYSTEM, *python, *map(os.path.realpath, python)]
    hook = Hook(settings["code"] + "/data", settings["writable"], readable, events)
    # Finders that an editable install or a shim has added go, as the platform has none.
    own = [f for f in sys.meta_path if f.__module__.startswith("_frozen_importlib")]
    sys.meta_path[:] = [VisibleFinder if finder is PathFinder else finder for finder in own]
    sys.addaudithook(hook)
    hook.note("started", "hooks")


def _is_installed(entry: str) -> bool:
    """Whether an entry of sys.path is Python's own or site-packages, and no checkout."""
    own = os.path.dirname(os.__file__)
    folders = ("site-packages", "dist-packages", "lib-dynload")
    return entry == own or os.path.basename(entry) in folders or entry.endswith(".zip")


def _resolve(name: str, folder: int | None, follow: bool) -> str:
    if folder is not None and folder >= 0 and not os.path.isabs(name):
        name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    if follow:
        return os.path.realpath(name)
    parent, last = os.path.split(os.path.abspath(name))
    return os.path.join(os.path.realpath(parent), last)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


if __name__ == "sitecustomize":
    try:
        install(json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8")))
    except BaseException as error:  # Python would go on without the hooks
        print(f"The hooks could not start: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
