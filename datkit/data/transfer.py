"""One file from one source: resumed where it was cut, bounded, hashed, moved into place at once.

What has arrived is kept beside the file's place in a hidden ``.NAME.part``, so that a cut line, an
interruption or a full disk loses nothing. It is trusted by nobody: the whole is hashed before it is
moved, and if a resumed file turns out wrong, it is fetched once more from its first byte.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from datkit.data import File, is_safe_address
from datkit.errors import ChecksumError, FetchError
from datkit.files import hash_file, replace_atomically

__all__ = ["DiskError", "name_of", "part_of", "place"]

TIMEOUT = 30  # seconds without a byte: longer than any pause of a busy host, shorter than patience
CHUNK = 2**13  # bytes: a cut loses at most so much; pooch's own 1 kB means a thousand writes a MB
LARGEST = 2**30  # bytes of a file whose size nobody publishes; the maps of the field have a few MB


class DiskError(FetchError):
    """This machine cannot take the file: another source would not help."""


def name_of(source: Path | str) -> str:
    """Name a source: mirrors may share a host, so the first step of the path is told too."""
    if isinstance(source, Path):
        return str(source.parent)
    parts = urlsplit(source)
    return "/".join([parts.netloc, *parts.path.split("/")[1:2]])


def part_of(target: Path) -> Path:
    """Return where what has arrived of a file is kept."""
    return target.with_name(f".{target.name}.part")


def place(source: Path | str, file: File, target: Path, progress: bool = False) -> None:
    """Bring one file from one source into place.

    Raises
    ------
    FetchError
        With the reason in one sentence; what has arrived is kept for the next try.
    ChecksumError
        If it delivered other bytes than promised; they are deleted.
    """
    import requests

    try:
        if isinstance(source, Path):
            _copy(source, file, target)
        else:
            _download(source, file, target, progress)
    except (requests.RequestException, ValueError) as error:  # ValueError: garbage in a header
        raise FetchError(f"{name_of(source)}: {_reason(error)}{_kept(target)}") from error
    except OSError as error:
        local = not isinstance(source, Path) or error.filename != str(source)
        reason = f"{error.filename or target}: {error.strerror or error}{_kept(target)}"
        raise (DiskError if local else FetchError)(reason) from error


def _copy(source: Path, file: File, target: Path) -> None:
    with replace_atomically(target) as part:
        shutil.copyfile(source, part)
        _check(part, file, source)


def _check(part: Path, file: File, source: Path | str) -> None:
    algorithm, expected = file.digest
    found = hash_file(part, algorithm)
    if found != expected:
        size = f"{file.size} bytes of " if file.size else ""
        raise ChecksumError(
            f"{name_of(source)}: expected {size}{algorithm} {expected}, "
            f"found {part.stat().st_size} bytes of {found}"
        )


def _download(url: str, file: File, target: Path, progress: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    with _locked(part) as stream:
        if _is_whole(target, file):  # another process was faster while we waited for the lock
            part.unlink(missing_ok=True)
            return
        _check_room(target.parent, (file.size or 0) - _length(stream))
        arrived = _Arrived(stream, part, file, url)
        try:
            arrived.fetch(progress)
            part.chmod(0o644)
            os.replace(part, target)
            arrived.forget()
        finally:
            if not _length(stream):
                arrived.forget()


def _length(stream: IO[bytes]) -> int:
    return stream.seek(0, os.SEEK_END)


def _is_whole(path: Path, file: File) -> bool:
    algorithm, expected = file.digest
    return path.is_file() and hash_file(path, algorithm) == expected


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open what has arrived, for one process at a time: two would write over each other."""
    stream = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    with stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        except ImportError:  # Windows: the hash still catches what two processes mix up
            pass
        yield stream


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskError(
            f"{folder}: expected {needed / 1e6:.1f} MB of free disk, found {free / 1e6:.1f} MB"
        )


class _Arrived:
    """What has arrived of a file, as the stream into which pooch writes the rest."""

    def __init__(self, stream: IO[bytes], part: Path, file: File, url: str) -> None:
        self.stream, self.part, self.file, self.url = stream, part, file, url
        self.record = part.with_name(f"{part.name}.json")
        self.limit = file.size or LARGEST

    def fetch(self, progress: bool) -> None:
        """Get the rest and check the whole; a resumed file that is wrong is fetched once more.

        Raises FetchError, ChecksumError among them, OSError, and what requests raises.
        """
        resumed = _length(self.stream) > 0
        try:
            if not (resumed and _is_whole(self.part, self.file)):
                self._request(progress)
            self.flush()
            _check(self.part, self.file, self.url)
        except _StartAgain:
            self._empty()
            self.fetch(progress)
        except ChecksumError:
            self._empty()
            if not resumed:
                raise
            self.fetch(progress)

    def write(self, chunk: bytes) -> int:
        """Append what arrived; a source that sends without end is cut off by a FetchError."""
        if self.stream.tell() + len(chunk) > self.limit:
            self._empty()
            raise FetchError(
                f"{name_of(self.url)}: sends more than the {self.limit} bytes expected"
            )
        return self.stream.write(chunk)

    def flush(self) -> None:
        """Hand all that arrived to the disk."""
        self.stream.flush()

    def forget(self) -> None:
        """Delete the file and the record of where it came from."""
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def _request(self, progress: bool) -> None:
        import pooch
        import requests
        from tqdm import tqdm

        start = _length(self.stream)
        headers = {"Accept-Encoding": "identity"} | self._range(start)
        # disable=None: no bar where stderr is no terminal, so logs and notebooks stay clean
        hidden, name = None if progress else True, self.file.name
        with tqdm(total=self.limit, unit="B", unit_scale=True, desc=name, disable=hidden) as bar:
            download = pooch.HTTPDownloader(
                progressbar=bar,
                chunk_size=CHUNK,
                timeout=TIMEOUT,
                headers=headers,
                hooks={"response": self._answered},
            )
            try:
                download(self.url, self, None)
            except requests.HTTPError as error:
                if start and error.response.status_code in (412, 416):  # no such rest
                    raise _StartAgain from error
                raise

    def _range(self, start: int) -> dict[str, str]:
        """Ask for the rest, on condition that the file is still the one that was begun.

        From another mirror there is no such condition: the hash of the whole decides.
        """
        if not start:
            return {}
        try:
            begun = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            begun = {}
        headers = {"Range": f"bytes={start}-"}
        if isinstance(begun, dict) and begun.get("url") == self.url and begun.get("validator"):
            headers["If-Range"] = str(begun["validator"])
        return headers

    def _answered(self, response: Any, **_: Any) -> None:
        """Judge an answer before its body is read: may it be followed, and where does it begin?"""
        _stay_safe(response)
        if response.status_code == 200:
            self._empty()  # the server sends the whole: it changed, or ranges are not supported
        elif response.status_code == 206:
            span = response.headers.get("content-range", "")
            if not span.startswith(f"bytes {_length(self.stream)}-"):
                raise self._other_part(span)
        if response.status_code in (200, 206):
            validator = _strong_validator(response.headers)
            content = {"url": self.url, "validator": validator}
            self.record.write_text(json.dumps(content), encoding="utf-8")

    def _other_part(self, span: str) -> Exception:
        if _length(self.stream):
            return _StartAgain()
        return FetchError(f"{name_of(self.url)}: sends {span!r} where the whole was asked for")

    def _empty(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()


class _StartAgain(Exception):
    """The source cannot give the rest of what was begun."""


def _strong_validator(headers: Any) -> str | None:
    """Return what proves that a file is the same to the byte; a weak ETag does not (RFC 9110)."""
    etag = headers.get("etag", "")
    return etag if etag.startswith('"') else headers.get("last-modified")


def _stay_safe(response: Any) -> None:
    """Refuse to follow a redirection from https to an address that anybody on the way can alter."""
    target = urljoin(response.url, response.headers.get("location", ""))
    if response.is_redirect and not is_safe_address(target):
        raise FetchError(f"{urlsplit(response.url).netloc}: redirects to the unsafe {target}")


def _kept(target: Path) -> str:
    part = part_of(target)
    size = part.stat().st_size if part.is_file() else 0
    return f" (its first {size} bytes are kept for the next try)" if size else ""


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
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy named in the environment does not answer"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())
