"""Files on this machine: where data lives, what a file's bytes are, and writing without halves."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["data_folder", "hash_file", "replace_atomically", "sha256_file", "write_json"]


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
        If the folder cannot be written to, or `path` is a folder itself.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file to write, found a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix="".join(path.suffixes))
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)  # mkstemp gives 0600; a result is meant to be read by others
        part.replace(path)
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
