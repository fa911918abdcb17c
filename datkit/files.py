"""Files on this machine: where data lives, what a file's bytes are, and writing without halves.

What the kit stores says what it should be. A document is written by :func:`write_sealed`, with the
sha256 of all that it holds, the hashes of the files beside it among that; :func:`read_sealed` gives
it back as it was written, or raises.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["RESOURCES", "data_folder", "hash_file", "locked", "read_sealed", "replace_atomically",
           "sha256_file", "sweep_parts", "tell_kept", "write_json", "write_sealed"]  # fmt: skip

#: What ships with the package.
RESOURCES = Path(__file__).resolve().with_name("resources")
PART = ".part-"  # how the name begins of what is not whole yet
SEAL = "document_sha256"  # in a document: the sha256 of all else that it holds


def data_folder() -> Path:
    """Return the folder that holds fetched, simulated and prepared data.

    It is ``$DATKIT_DATA`` if that is set, else the user's cache folder. It is not created here.
    """
    if chosen := os.environ.get("DATKIT_DATA"):
        return Path(chosen).expanduser().resolve()
    # platformdirs says the same, but submissions carry this file, and the platform lacks it.
    home = Path.home()
    base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    return Path(base) / "datkit"


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    return hash_file(path, "sha256")


def hash_file(path: str | os.PathLike[str], name: str) -> str:
    """Return the hash of a file's bytes, such as its ``"sha256"`` or ``"md5"``, in hexadecimal.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, name).hexdigest()


@contextmanager
def replace_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place if the block succeeds.

    A reader sees the old file or the new one, never half of it. On any error, an interruption or a
    full disk included, the temporary file is deleted and `path` is left as it was. The temporary
    name keeps the suffixes, since libraries choose a format by them.

    Raises
    ------
    OSError
        If the folder cannot be written to, or `path` is a folder itself; it names a file.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file to write, found a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART, suffix="".join(path.suffixes))
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)  # mkstemp gives 0600; a result is meant to be read by others
        part.replace(path)
    except OSError as error:  # a write to a full disk names no file
        if error.errno and not error.filename:
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Write `value` as JSON with sorted keys, atomically: the same value gives the same bytes.

    Raises
    ------
    TypeError, ValueError
        If `value` holds what JSON cannot, NaN included.
    OSError
        If the file cannot be written.
    """
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with replace_atomically(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def write_sealed(path: str | os.PathLike[str], document: dict[str, Any]) -> None:
    """Write a document as :func:`write_json` does, with the sha256 of all that it holds: its seal.

    Raises
    ------
    TypeError, ValueError, OSError
        As :func:`write_json`.
    """
    write_json(path, document | {SEAL: _seal_of(document)})


def read_sealed(path: Path, *, needed: bool = True, most: int = -1) -> dict[str, Any]:
    """Read a document as it was written, without its seal.

    Parameters
    ----------
    path : path
    needed : bool
        Refuse a document without a seal too; else a person or an older version may have written it.
    most : int
        How many bytes to read: what is longer, ends amid a value.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no JSON object, or its content has another sha256 than its seal says.
    """
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(most))
        expected = document.pop(SEAL, None)
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no JSON object ({error})") from error
    if (needed or expected) and expected != (found := _seal_of(document)):
        raise ValueError(f"its {SEAL} is {expected}, and that of what it holds {found}")
    return document


def _seal_of(document: dict[str, Any]) -> str:
    plain = json.loads(json.dumps(document, allow_nan=False))  # its keys are texts, as when read
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let one process at a time write a file or folder; others wait, and find what it made.

    The lock lies in the data folder, and nothing beside `path`. Where none can be made, as on a
    disk that is read-only, nobody waits.
    """
    from filelock import FileLock  # submissions carry this file, and lock nothing

    name = hashlib.sha256(os.fsencode(Path(path).resolve())).hexdigest()[:16]
    lock = FileLock(data_folder() / "locks" / f"{name}.lock")
    with suppress(OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def tell_kept(path: Path, kept: int, total: int, what: str) -> None:
    """Say how much of what is stored can be used, where the rest is made anew."""
    said = f"{path}: {kept} of {total} {what} are as they were written, the others are made now."
    print(said, file=sys.stderr)


def sweep_parts(folder: Path) -> None:
    """Delete what killed processes left half-written in a folder; its lock must be held."""
    for part in [*folder.rglob(f"{PART}*")]:
        part.unlink(missing_ok=True)
