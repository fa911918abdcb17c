"""Zips for tests, sound or not: names may repeat, leave the folder or be links."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

__all__ = ["Member", "entry", "patched", "save_zip", "zip_of"]

Member = str | zipfile.ZipInfo


def entry(name: str, **changes) -> zipfile.ZipInfo:
    """Return a stored member with other attributes than a plain file's."""
    info = zipfile.ZipInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def zip_of(*members: tuple[Member, bytes | str]) -> bytes:
    """Return the bytes of a zip of (name or entry, content), in that order."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def patched(content: bytes, offset: int, value: bytes, most: int = -1) -> bytes:
    """Overwrite bytes of the entries in a zip's list of members, of the first `most` of them."""
    head, *entries = content.split(b"PK\1\2")
    offset -= 4  # the mark is cut off
    forged = [
        one[:offset] + value + one[offset + len(value) :] if most < 0 or number < most else one
        for number, one in enumerate(entries)
    ]
    return b"PK\1\2".join([head, *forged])


def save_zip(path: Path, members: dict[Member, bytes | str]) -> Path:
    """Write a zip of {name: content} and return its path."""
    path.write_bytes(zip_of(*members.items()))
    return path
