"""The only code of the kit that uses the network: open data, fetched once, hashed at every load.

A file is downloaded beside its place under another name, hashed, and moved into place only if its
bytes are those that the manifest promises. On a failed or interrupted download nothing is left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from datkit.errors import ChecksumError, FetchError, UsageError
from datkit.files import data_folder, replace_atomically, sha256_file
from datkit.manifest import Entry, File, Manifest, is_safe_address, load_manifest

__all__ = ["Check", "fetch", "load_path", "verify"]

TIMEOUT = 30  # seconds without a byte: longer than any pause of a busy host, shorter than patience
CHUNK = 2**16  # bytes; pooch's own 1 kB costs a thousand writes per megabyte


@dataclass(frozen=True)
class Check:
    """The state of one file on this machine.

    Attributes
    ----------
    name, file : str
        The data set and its file.
    path : Path
        Where the file lies, or belongs.
    state : str
        ``"ok"``, ``"missing"`` or ``"damaged"``.
    expected, found : str
        sha256 in the manifest and of the bytes on disk; `found` is None if they cannot be read.
    """

    name: str
    file: str
    path: Path
    state: str
    expected: str
    found: str | None

    def to_dict(self) -> dict[str, str | None]:
        """Return the record as plain data, ready for JSON."""
        return asdict(self) | {"path": str(self.path)}


def fetch(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    offline: bool = False,
    notify: Callable[[str], Any] | None = None,
    manifest: Manifest | None = None,
) -> list[Path]:
    """Download what is missing or damaged of a data set and return the paths of all its files.

    ``$DATKIT_MIRROR``, a folder or a base address that holds the files by name, is tried before the
    addresses in the manifest.

    Parameters
    ----------
    name : str
        A data set of the manifest. A built-in one has no files: nothing is fetched.
    folder : path, optional
        Where data sets are kept, one folder each; by default ``open`` in the kit's data folder.
    progress : bool
        Draw a progress bar on stderr, if that is a terminal.
    offline : bool
        Refuse to use the network; a mirror folder still serves.
    notify : callable, optional
        Called with a line of text at a time: the terms of use, sizes, hosts. ``print`` will do.
    manifest : Manifest, optional
        By default the one that comes with the kit.

    Raises
    ------
    UsageError
        If there is no such data set, or ``$DATKIT_MIRROR`` is neither a folder nor a safe address.
    FetchError
        If no source could deliver a file; the message has every source's reason.
    ChecksumError
        The same, where a source delivered other bytes than the manifest promises.

    Examples
    --------
    >>> fetch("simulated", notify=print)
    simulated is built in: nothing to download.
    []
    """
    notify = notify or (lambda line: None)
    entry = (manifest or load_manifest()).entry(name)
    if not entry.files:
        notify(f"{name} is built in: nothing to download.")
    checks = [_check(entry, file, folder) for file in entry.files]
    if any(check.state != "ok" for check in checks):
        for line in entry.terms():
            notify(line)
    for file, check in zip(entry.files, checks, strict=True):
        if check.state != "ok":
            _fetch_file(file, check, offline, progress, notify)
    return [check.path for check in checks]


def load_path(
    name: str,
    file: str | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    manifest: Manifest | None = None,
) -> Path:
    """Return the path of a fetched file after hashing it, at this and at every call.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    file : str, optional
        One of its files; may be left out if it has only one.
    folder, manifest
        As for :func:`fetch`.

    Raises
    ------
    UsageError
        If there is no such data set or file.
    FetchError
        If the file has not been fetched yet.
    ChecksumError
        If its bytes are not the ones promised. The file stays where it is for inspection;
        ``datkit data fetch NAME`` replaces it.

    Examples
    --------
    >>> load_path("fpcit-hc174", folder="no_such_folder")
    Traceback (most recent call last):
    datkit.errors.FetchError: Expected no_such_folder..., found no file; run `datkit ...`.
    """
    entry = (manifest or load_manifest()).entry(name)
    check = _check(entry, _choose_file(entry, file), folder)
    if check.state == "missing":
        raise FetchError(f"Expected {check.path}, found no file; run `datkit data fetch {name}`.")
    if check.state == "damaged":
        raise ChecksumError(
            f"{check.path}: expected sha256 {check.expected}, found {check.found or 'no access'}; "
            f"run `datkit data fetch {name}` to replace the file."
        )
    return check.path


def verify(
    name: str | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    manifest: Manifest | None = None,
) -> list[Check]:
    """Hash the files of a data set, or of all of them, and tell the state of each.

    Raises
    ------
    UsageError
        If there is no such data set.

    Examples
    --------
    >>> verify("simulated")
    []
    >>> [check.state for check in verify("fpcit-hc174", folder="no_such_folder")]
    ['missing']
    """
    manifest = manifest or load_manifest()
    entries = manifest.datasets if name is None else (manifest.entry(name),)
    return [_check(entry, file, folder) for entry in entries for file in entry.files]


def _check(entry: Entry, file: File, folder: str | os.PathLike[str] | None) -> Check:
    root = Path(folder) if folder is not None else data_folder() / "open"
    path = root / entry.name / file.name
    state, found = "missing", None
    if path.exists():
        try:
            found = sha256_file(path)
        except OSError:  # a folder, or no permission: there, but not to be trusted
            found = None
        state = "ok" if found == file.sha256 else "damaged"
    return Check(entry.name, file.name, path, state, file.sha256, found)


def _choose_file(entry: Entry, name: str | None) -> File:
    if name is None and len(entry.files) == 1:
        return entry.files[0]
    for file in entry.files:
        if file.name == name:
            return file
    names = ", ".join(file.name for file in entry.files) or "none, since it is built in"
    raise UsageError(f"Expected one of the files of {entry.name} ({names}), found {name!r}.")


def _fetch_file(
    file: File, check: Check, offline: bool, progress: bool, notify: Callable[[str], Any]
) -> None:
    failures: list[FetchError] = []
    for source in _sources(file, offline):
        notify(f"Fetching {file.name} ({file.size / 1e6:.1f} MB) from {_name(source)}")
        try:
            _place(source, file, check.path, progress)
            return
        except FetchError as failure:
            failures.append(failure)
    wrong = any(isinstance(failure, ChecksumError) for failure in failures)
    reasons = "; ".join(str(failure) for failure in failures) or "the network is switched off"
    raise (ChecksumError if wrong else FetchError)(
        f"{file.name} could not be fetched ({reasons}): check the network, or set DATKIT_MIRROR to "
        f"a folder that holds the file, and run `datkit data fetch {check.name}` again."
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


def _name(source: Path | str) -> str:
    """Name a source: mirrors may share a host, so the first step of the path is told too."""
    if isinstance(source, Path):
        return str(source.parent)
    parts = urlsplit(source)
    return "/".join([parts.netloc, *parts.path.split("/")[1:2]])


def _place(source: Path | str, file: File, target: Path, progress: bool) -> None:
    """Bring one file from one source into place, or raise a FetchError that says why not."""
    import requests

    try:
        with replace_atomically(target) as part:
            _copy(source, file, part, progress)
            found = sha256_file(part)
            if found != file.sha256:
                raise ChecksumError(
                    f"{_name(source)}: expected {file.size} bytes of sha256 {file.sha256}, "
                    f"found {part.stat().st_size} bytes of {found}"
                )
    except (requests.RequestException, ValueError) as error:  # ValueError: garbage in a header
        raise FetchError(f"{_name(source)}: {_reason(error)}") from error
    except OSError as error:
        raise FetchError(f"{error.filename or target}: {error.strerror or error}") from error


def _copy(source: Path | str, file: File, part: Path, progress: bool) -> None:
    if isinstance(source, Path):
        shutil.copyfile(source, part)
        return
    import pooch
    from tqdm import tqdm

    # disable=None: no bar where stderr is no terminal, so logs and notebooks stay clean
    hidden = None if progress else True
    with tqdm(total=file.size, unit="B", unit_scale=True, desc=file.name, disable=hidden) as bar:
        download = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT, hooks={"response": _stay_safe}
        )
        download(source, part, None)


def _stay_safe(response: Any, **_: Any) -> None:
    """Refuse to follow a redirection from https to an address that anybody on the way can alter."""
    target = urljoin(response.url, response.headers.get("location", ""))
    if response.is_redirect and not is_safe_address(target):
        raise FetchError(f"{urlsplit(response.url).netloc}: redirects to the unsafe {target}")


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection closed before the end of the file"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())
