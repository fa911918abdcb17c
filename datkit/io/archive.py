"""Zip archives from strangers: what is wrong with one, and unpacking it only if nothing is.

A zip can name files outside the folder it is unpacked into, hold links, or grow ten thousandfold.
All of that is found before a byte is written. Nothing but zip is opened.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from datkit.errors import ArchiveError, UsageError

__all__ = [
    "NO_LIST",
    "UNREADABLE",
    "Fault",
    "changed_members",
    "find_faults",
    "members_of",
    "unpack",
]

# Far above any honest archive of this field, far below what fills a laptop's disk.
MAX_MEMBERS = 10_000
MAX_BYTES = 8 * 2**30
# Deflate packs zeros a thousandfold, code about fourfold, phantoms of few grey values fiftyfold.
MAX_RATIO = 200
# What ext4, NTFS and APFS allow between two slashes, and what macOS allows of a whole path.
MAX_PART, MAX_NAME = 255, 1024
# The list of members takes 46 bytes for each and its name; Python reads all of it into memory.
MAX_LIST_BYTES = MAX_MEMBERS * 512
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that every `unzip` can read
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)
# With one of these not even the list of members is to be read.
NO_LIST = frozenset({"not-a-zip", "too-many-members", "too-large", "bomb"})
# With one of these, no member is to be read; with any other fault the members can be judged too.
UNREADABLE = NO_LIST | {"encrypted", "method", "damaged"}


class Fault(NamedTuple):
    """One thing that is wrong: a short stable code, where, and what was expected and found."""

    code: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}."


def find_faults(path: str | os.PathLike[str]) -> list[Fault]:
    """Return every fault of a zip; with any of them it is not safe to unpack.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"Expected a zip archive at {path}, found no file; check the path.")
    try:
        if size := _list_bytes(path):
            limit = f"a list of members of at most {MAX_LIST_BYTES} bytes"
            return [Fault("too-many-members", "the archive", limit, f"{size} bytes")]
        with zipfile.ZipFile(path) as archive:
            return _faults_of(archive, path.stat().st_size)
    except (*_DAMAGE, struct.error) as error:
        found = f"a file that is no zip, or one that was cut short ({error})"
        return [Fault("not-a-zip", path.name, "a complete zip archive", found)]


def members_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, without its folders, sorted by name."""
    files = [info for info in archive.infolist() if not info.is_dir()]
    return sorted(files, key=lambda info: info.filename)


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a sound archive into a new folder, whole or not at all.

    Raises
    ------
    UsageError
        If there is no such file.
    ArchiveError
        If the archive has faults; every one is listed, and nothing is written.
    OSError
        If the folder cannot be written, or is there already and not empty.
    """
    folder = Path(folder)
    if faults := find_faults(path):
        raise ArchiveError.of(map(str, faults), where=path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(part)
        part.chmod(0o755)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def changed_members(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[str]:
    """Return the members whose unpacked file is gone or holds other bytes than the archive.

    Raises
    ------
    OSError, zipfile.BadZipFile
        If the archive cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        return [
            info.filename
            for info in members_of(archive)
            if not _is_same(archive, info, Path(folder) / info.filename)
        ]


def _is_same(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    with archive.open(info) as expected, path.open("rb") as found:
        while block := expected.read(2**20):
            if found.read(len(block)) != block:
                return False
    return True


def _list_bytes(path: Path) -> int:
    """Return the size that the archive gives its list of members, if that is too large to read."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 65_557))  # the end record and its longest comment
        tail = stream.read()
    end, wide = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")  # zipfile believes the wide record
    size = struct.unpack_from("<L", tail, end + 12)[0] if end >= 0 else 0
    wide_size = struct.unpack_from("<Q", tail, wide + 40)[0] if wide >= 0 else 0
    return max(size, wide_size) if max(size, wide_size) > MAX_LIST_BYTES else 0


def _faults_of(archive: zipfile.ZipFile, size: int) -> list[Fault]:
    infos = archive.infolist()
    if bombs := [*_find_bombs(infos, size)]:
        return bombs  # neither list nor read the members of a bomb
    return [
        *(fault for info in infos for fault in _check_member(info)),
        *_find_clashes(infos),
        *_find_damage(archive, infos),
    ]


def _find_bombs(infos: list[zipfile.ZipInfo], size: int) -> Iterator[Fault]:
    if len(infos) > MAX_MEMBERS:
        limit = f"at most {MAX_MEMBERS} members"
        yield Fault("too-many-members", "the archive", limit, f"{len(infos)}")
    total = sum(info.file_size for info in infos)
    packed = min(size, sum(info.compress_size for info in infos))  # members may share their bytes
    if total > MAX_BYTES:
        limit = f"at most {MAX_BYTES / 2**30:.0f} GiB when unpacked"
        yield Fault("too-large", "the archive", limit, f"{total / 2**30:.1f} GiB")
    if total > 2**20 and total > MAX_RATIO * packed:
        limit = f"at most {MAX_RATIO} times as many bytes unpacked as packed"
        yield Fault("bomb", "the archive", limit, f"{total / max(packed, 1):.0f} times")


def _check_member(info: zipfile.ZipInfo) -> Iterator[Fault]:
    name = info.orig_filename  # `filename` is already cleaned of what we look for
    where = f"member {name!r}"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if _is_unsafe(name):
        expected = "a plain relative path with forward slashes"
        found = "an absolute path, a drive, a backslash, a control character or '..'"
        yield Fault("unsafe-path", where, expected, found)
    longest = max(len(part.encode()) for part in name.split("/"))
    if longest > MAX_PART or len(name.encode()) > MAX_NAME:
        expected = f"at most {MAX_PART} bytes between slashes, {MAX_NAME} in all"
        yield Fault("name-too-long", f"member '{name[:40]}…'", expected, f"{len(name.encode())}")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield Fault("link", where, "a regular file", "a link or a device")
    if info.flag_bits & 1:
        yield Fault("encrypted", where, "an open member", "an encrypted one")
    if info.compress_type not in _METHODS:
        found = f"compression method {info.compress_type}"
        yield Fault("method", where, "a stored or deflated member", found)


def _is_unsafe(name: str) -> bool:
    parts = name.split("/")
    return (
        not name
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or name[1:2] == ":"
        or any(ord(letter) < 32 for letter in name)
    )


def _find_clashes(infos: list[zipfile.ZipInfo]) -> Iterator[Fault]:
    names = [info.filename for info in infos]
    for name, count in Counter(names).items():
        if count > 1:
            yield Fault("duplicate", f"member {name!r}", "it once", f"it {count} times")
    whole = _with_folders(names)
    for same in _groups(whole, str.casefold):
        yield Fault("case-clash", "the archive", "names that differ in letters", same)
    for same in _groups(whole, _compose):
        yield Fault("unicode-clash", "the archive", "names that look different", same)
    for name in sorted(_folders_of(names).intersection(names)):
        found = f"{name!r} as a file and as a folder"
        yield Fault("file-and-folder", "the archive", "one or the other", found)


def _groups(names: set[str], key: Callable[[str], str]) -> Iterator[str]:
    """Yield the names that a key makes one."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(key(name), set()).add(name)
    for same in groups.values():
        if len(same) > 1:
            yield " and ".join(map(ascii, sorted(same)))


def _compose(name: str) -> str:
    # macOS writes é as e and an accent, others as one letter: a file system may take them as one.
    return unicodedata.normalize("NFC", name)


def _with_folders(names: list[str]) -> set[str]:
    return {name.rstrip("/") for name in names} | _folders_of(names)


def _folders_of(names: list[str]) -> set[str]:
    return {str(parent) for name in names for parent in PurePosixPath(name).parents}


def _find_damage(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Fault]:
    for info in infos:
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            continue  # reported above, and not readable
        try:
            with archive.open(info) as stream:
                while stream.read(2**20):
                    pass
        except _DAMAGE as error:
            expected = "bytes that match their checksum"
            yield Fault("damaged", f"member {info.filename!r}", expected, str(error))
