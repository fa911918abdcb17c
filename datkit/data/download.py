"""Fetching a data set: its terms first, then its files, from one mirror after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datkit.data import Entry, File, Manifest, is_safe_address, load_manifest
from datkit.data.store import Check, check_file, where
from datkit.data.transfer import DiskError, name_of, part_of, place
from datkit.errors import ChecksumError, FetchError, UsageError

__all__ = ["fetch"]

Notify = Callable[[str], Any]


def fetch(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    offline: bool | None = None,
    notify: Notify | None = None,
    manifest: Manifest | None = None,
) -> list[Path]:
    """Download what is missing or damaged of a data set and return the paths of all its files.

    The terms of use and the bytes to download are told first. ``$DATKIT_MIRROR``, a folder or a
    base address that holds the files by name, is tried before the addresses in the manifest.
    Proxies are those of the usual variables, ``$HTTPS_PROXY``, ``$HTTP_PROXY`` and ``$NO_PROXY``.

    Parameters
    ----------
    name : str
        A data set of the manifest. A built-in one has no files: nothing is fetched. One that you
        must obtain yourself is looked for in its folder.
    folder : path, optional
        Where data sets are kept, one folder each; by default ``open`` in the kit's data folder.
    progress : bool
        Draw a progress bar on stderr, if that is a terminal.
    offline : bool, optional
        Refuse to use the network; a mirror folder still serves. By default ``$DATKIT_OFFLINE``.
    notify : callable, optional
        Called with a line of text at a time: the terms of use, sizes, hosts. By default they go to
        stderr; ``print`` will do in a notebook.
    manifest : Manifest, optional
        By default the one that comes with the kit.

    Raises
    ------
    UsageError
        If there is no such data set, or ``$DATKIT_MIRROR`` is neither a folder nor a safe address.
    FetchError
        If no source could deliver a file; the message has every source's reason. If the kit may
        not fetch the data set, and it is not in its folder: with the steps to obtain it.
    ChecksumError
        The same, where a source delivered other bytes than the manifest promises.

    Examples
    --------
    >>> fetch("simulated", notify=print)
    simulated is built in: nothing to download.
    []
    """
    notify = notify or _to_stderr
    entry = (manifest or load_manifest()).entry(name)
    if not entry.files:
        return _find_own_copy(entry, where(name, folder=folder, manifest=manifest), notify)
    checks = [check_file(entry, file, folder) for file in entry.files]
    wanted = [pair for pair in zip(entry.files, checks, strict=True) if pair[1].state != "ok"]
    if wanted:
        _announce(entry, [file for file, _ in wanted], wanted[0][1].path.parent, notify)
    for file, check in wanted:
        _fetch_file(file, check, _is_offline(offline), progress, notify)
    return [check.path for check in checks]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _is_offline(offline: bool | None) -> bool:
    return os.environ.get("DATKIT_OFFLINE", "0") not in ("", "0") if offline is None else offline


def _find_own_copy(entry: Entry, folder: Path, notify: Notify) -> list[Path]:
    """Look where a data set belongs that the kit does not fetch, or tell how to obtain it."""
    if entry.access == "built-in":
        notify(f"{entry.name} is built in: nothing to download.")
        return []
    for line in entry.terms():
        notify(line)
    if folder.is_dir() and any(folder.iterdir()):
        return [folder]
    steps = [step.replace("{folder}", str(folder)) for step in entry.steps]
    numbered = "".join(f"\n  {number}. {step}" for number, step in enumerate(steps, start=1))
    raise FetchError(
        f"{entry.name} is not fetched by the kit (access: {entry.access}) and {folder} holds "
        f"nothing yet. {entry.no_files} What to do:{numbered}"
    )


def _announce(entry: Entry, files: Sequence[File], folder: Path, notify: Notify) -> None:
    for line in entry.terms():
        notify(line)
    sizes = [f"{file.name}, {_megabytes(file)}" for file in files]
    notify(f"To download into {folder}: {'; '.join(sizes)}")


def _megabytes(file: File) -> str:
    return f"{file.size / 1e6:.1f} MB" if file.size else "size not published"


def _fetch_file(file: File, check: Check, offline: bool, progress: bool, notify: Notify) -> None:
    failures: list[FetchError] = []
    for source in _sources(file, offline):
        notify(f"Fetching {file.name} ({_size(file, check.path, source)}) from {name_of(source)}")
        try:
            place(source, file, check.path, progress)
            return
        except FetchError as failure:
            failures.append(failure)
            if isinstance(failure, DiskError):
                break
    wrong = any(isinstance(failure, ChecksumError) for failure in failures)
    reasons = "; ".join(str(failure) for failure in failures) or "the network is switched off"
    raise (ChecksumError if wrong else FetchError)(
        f"{file.name} could not be fetched ({reasons}): {_remedy(failures)}, or set DATKIT_MIRROR "
        f"to a folder that holds the file, and run `datkit data fetch {check.name}` again."
    )


def _remedy(failures: list[FetchError]) -> str:
    if not failures:
        return "leave out --offline and DATKIT_OFFLINE"
    full = any(isinstance(failure, DiskError) for failure in failures)
    return "check the disk" if full else "check the network"


def _size(file: File, target: Path, source: Path | str) -> str:
    part = part_of(target)
    begun = part.stat().st_size if part.is_file() and isinstance(source, str) else 0
    more = f", going on after the first {begun} bytes" if begun else ""
    return f"{_megabytes(file)}{more}"


def _sources(file: File, offline: bool) -> list[Path | str]:
    sources: list[Path | str] = list(file.urls)
    mirror = os.environ.get("DATKIT_MIRROR")
    if mirror and "://" not in mirror:
        sources.insert(0, Path(mirror).expanduser() / file.name)
    elif mirror and is_safe_address(mirror):
        sources.insert(0, f"{mirror.rstrip('/')}/{file.name}")
    elif mirror:
        raise UsageError(
            f"Expected a folder or an https:// address in DATKIT_MIRROR, found {mirror!r}; correct "
            "it or unset it."
        )
    return [source for source in sources if isinstance(source, Path) or not offline]
