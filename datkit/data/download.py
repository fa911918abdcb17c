"""Fetching a data set: its terms first, then its files, from one mirror after the other.

requests downloads; mirrors, resuming and a bound on what a server sends are here. What has arrived
is kept beside the file's place in a hidden ``.NAME.part``, so that a cut line, an interruption or a
full disk loses nothing. It is trusted by nobody: the whole is hashed
before it is moved, and if a resumed file turns out wrong, it is fetched once more from its first
byte. A source that gives less than a trickle is given up for the next one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
from filelock import FileLock
from tqdm import tqdm

from datkit.data.manifest import Entry, File, Manifest, is_safe_address
from datkit.data.manifest_reader import load_manifest
from datkit.data.store import Check, Folder, check_file, where
from datkit.errors import ChecksumError, FetchError, UsageError
from datkit.files import hash_file, replace_atomically

__all__ = ["fetch", "part_of"]

Notify = Callable[[str], object]
TIMEOUT = 30  # seconds without a byte: longer than any pause of a busy host, shorter than patience
CHUNK = 2**13  # bytes: a cut loses at most so much; 1 kB would mean a thousand writes a MB
SLOWEST = 1000  # bytes a second over that time; the slowest mobile network has several thousand
LARGEST = 2**30  # bytes of a file whose size nobody publishes; the maps of the field have a few MB
_REASONS = (
    (requests.Timeout, f"no answer within {TIMEOUT} s"),
    (requests.exceptions.ChunkedEncodingError, "the connection closed before the end of the file"),
    (requests.exceptions.SSLError, "its certificate is not trusted"),
    (requests.exceptions.ProxyError, "the proxy named in the environment does not answer"),
    (requests.ConnectionError, "no connection"),
)


class _DiskError(FetchError):
    """The disk cannot take the file: another source would not help."""


def fetch(
    name: str,
    *,
    folder: Folder = None,
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
    notify = notify or partial(print, file=sys.stderr)
    entry = (manifest or load_manifest()).entry(name)
    if offline is None:
        offline = os.environ.get("DATKIT_OFFLINE", "0") not in ("", "0")
    if not entry.files:
        return _find_own_copy(entry, where(name, folder=folder, manifest=manifest), notify)
    checks = [(file, check_file(entry, file, folder)) for file in entry.files]
    wanted = [(file, check) for file, check in checks if check.state != "ok"]
    if wanted:
        sizes = "; ".join(f"{file.name}, {_megabytes(file)}" for file, _ in wanted)
        place = wanted[0][1].path.parent
        for line in (*entry.terms(), f"To download into {place}: {sizes}"):
            notify(line)
    for file, check in wanted:
        _fetch_file(file, check, offline, progress, notify)
    return [check.path for _, check in checks]


def part_of(target: Path) -> Path:
    """Return where what has arrived of a file is kept."""
    return target.with_name(f".{target.name}.part")


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


def _megabytes(file: File) -> str:
    return f"{file.size / 1e6:.1f} MB" if file.size else "size not published"


def _fetch_file(file: File, check: Check, offline: bool, progress: bool, notify: Notify) -> None:
    failures: list[FetchError] = []
    for source in _sources(file, offline):
        begun = _size(part_of(check.path)) if isinstance(source, str) else 0
        more = f", going on after the first {begun} bytes" if begun else ""
        notify(f"Fetching {file.name} ({_megabytes(file)}{more}) from {_name_of(source)}")
        try:
            return _place(source, file, check.path, progress)
        except FetchError as failure:
            failures.append(failure)
            if isinstance(failure, _DiskError):
                break
    kinds = [type(failure) for failure in failures]
    remedy = "check the disk" if _DiskError in kinds else "check the network"
    reasons = "; ".join(map(str, failures))
    if not failures:
        reasons, remedy = "the network is switched off", "leave out --offline and DATKIT_OFFLINE"
    raise (ChecksumError if ChecksumError in kinds else FetchError)(
        f"{file.name} could not be fetched ({reasons}): {remedy}, or set DATKIT_MIRROR "
        f"to a folder that holds the file, and run `datkit data fetch {check.name}` again."
    )


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


def _name_of(source: Path | str) -> str:
    """Name a source: mirrors may share a host, so the first step of the path is told too."""
    if isinstance(source, Path):
        return str(source.parent)
    parts = urlsplit(source)
    return "/".join([parts.netloc, *parts.path.split("/")[1:2]])


def _place(source: Path | str, file: File, target: Path, progress: bool) -> None:
    """Bring one file from one source into place.

    Raises
    ------
    FetchError
        With the reason in one sentence; what has arrived is kept for the next try.
    ChecksumError
        If it delivered other bytes than promised; they are deleted.
    """
    kept = ""
    try:
        if isinstance(source, Path):
            with replace_atomically(target) as part:
                shutil.copyfile(source, part)
                _check(part, file, source)
        else:
            _download(source, file, target, progress)
    except (OSError, ValueError) as error:  # ValueError: garbage in a header
        if size := _size(part_of(target)):
            kept = f" (its first {size} bytes are kept for the next try)"
        if isinstance(error, requests.RequestException | ValueError):
            raise FetchError(f"{_name_of(source)}: {_reason(error)}{kept}") from error
        local = not isinstance(source, Path) or error.filename != str(source)
        reason = f"{error.filename or target}: {error.strerror or error}{kept}"
        raise (_DiskError if local else FetchError)(reason) from error


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    known = (text for kind, text in _REASONS if isinstance(error, kind))
    return next(known, " ".join(str(error).split()))


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 for a link, which may lead to another's file, and all else."""
    is_own = path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1
    return path.stat().st_size if is_own else 0


def _check(part: Path, file: File, source: Path | str) -> None:
    algorithm, expected = file.digest
    if (found := hash_file(part, algorithm)) != expected:
        size = f"{file.size} bytes of " if file.size else ""
        raise ChecksumError(
            f"{_name_of(source)}: expected {size}{algorithm} {expected}, "
            f"found {_size(part)} bytes of {found}"
        )


def _download(url: str, file: File, target: Path, progress: bool) -> None:
    """Complete what has arrived, check the whole, move it; for one process at a time."""
    part = part_of(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(part.with_suffix(".lock")):
        algorithm, expected = file.digest
        if target.is_file() and hash_file(target, algorithm) == expected:
            return  # another process was faster while we waited for the lock
        if not _size(part):
            part.unlink(missing_ok=True)  # a link may have been planted there
        needed, free = (file.size or 0) - _size(part), shutil.disk_usage(part.parent).free
        if needed > free:
            raise _DiskError(
                f"{part.parent}: expected {needed / 1e6:.1f} MB of free disk, found "
                f"{free / 1e6:.1f} MB"
            )
        try:
            _complete(part, url, file, progress)
            part.replace(target)
        finally:
            if not _size(part):
                part.unlink(missing_ok=True)


def _complete(part: Path, url: str, file: File, progress: bool) -> None:
    """Get the rest and check the whole; a resumed file that is wrong is fetched once more."""
    is_resumed = _size(part) > 0
    try:
        if _size(part) != file.size:
            with part.open("ab") as stream:
                if not os.path.samestat(part.lstat(), os.fstat(stream.fileno())):
                    raise FileExistsError(f"expected no link at {part}, found one")
                _receive(url, stream, file, progress)
        _check(part, file, url)
    except ChecksumError:
        part.unlink()
        if not is_resumed:
            raise
        _complete(part, url, file, progress)


def _receive(url: str, stream: IO[bytes], file: File, progress: bool) -> None:
    """Request a file; give it up if too little comes, however often something does.

    The thread that waits for the server is not waited for: what it would write to is closed then.
    """
    came: list[int] = []
    with ThreadPool(1) as pool:
        result = pool.apply_async(_request, (url, stream, file, progress, came))
        while not result.ready():
            result.wait(TIMEOUT)
            if not result.ready() and sum(came) < TIMEOUT * SLOWEST:
                raise requests.RequestException(f"under {SLOWEST} bytes a second for {TIMEOUT} s")
            came.clear()
        result.get()


def _request(url: str, stream: IO[bytes], file: File, progress: bool, came: list[int]) -> None:
    """Append what a source sends, from where the stream ends; refuse what was not asked for."""
    start, limit = stream.tell(), file.size or LARGEST
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    hooks = {"response": _check_redirect}
    # disable=None: no bar where stderr is no terminal, so logs and notebooks stay clean
    bar: dict[str, Any] = {"unit": "B", "unit_scale": True, "disable": None if progress else True}
    with (
        requests.get(url, headers=headers, hooks=hooks, timeout=TIMEOUT, stream=True) as answer,
        tqdm.wrapattr(
            stream, "write", int(answer.headers.get("content-length", 0)), desc=file.name, **bar
        ) as target,
    ):
        span = answer.headers.get("content-range", "")
        is_other = answer.status_code == 206 and not span.startswith(f"bytes {start}-")
        if is_other or answer.status_code == 416:
            raise ChecksumError(
                f"{_name_of(url)}: sends {span!r} where all from byte {start} was asked"
            )
        answer.raise_for_status()
        if answer.status_code == 200:  # the server sends the whole: it does not know ranges
            stream.truncate(0)
            stream.seek(0)
        for chunk in answer.iter_content(CHUNK):
            if stream.tell() + len(chunk) > limit:
                raise ChecksumError(f"{_name_of(url)}: sends more than the {limit} bytes expected")
            target.write(chunk)
            came.append(len(chunk))


def _check_redirect(answer: requests.Response, **_: object) -> None:
    """Refuse an unsafe one; what else it sends is not read, whatever its length."""
    target = urljoin(answer.url, answer.headers.get("location", ""))
    if answer.is_redirect and not is_safe_address(target):
        raise FetchError(f"{urlsplit(answer.url).netloc}: redirects to the unsafe {target}")
    if answer.is_redirect:
        answer.close()
