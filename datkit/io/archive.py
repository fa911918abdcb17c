"""Zip archives from strangers: what is wrong with one, and unpacking it only if nothing is.

A zip can name files outside the folder it is unpacked into, hold links, or grow ten thousandfold.
All of that is found before a byte is written. Nothing but zip is opened.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path, PurePosixPath

from datkit.errors import ArchiveError, DatkitError, UsageError
from datkit.rules import Found, RuleGroup

__all__ = ["Archive", "changed_members", "unpack"]

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
# No name, an absolute one, a drive, a backslash, a part '..', a control character.
_UNSAFE = re.compile(r"^$|^/|^.:|\\|(^|/)\.\.(/|$)|[\0-\x1f]")
_SHRINK = "Leave out what prediction does not need."


class Archive(AbstractContextManager):
    """A zip that is opened and verified once: what is in it, and what is wrong with it.

    Attributes
    ----------
    path : Path
    infos : list of zipfile.ZipInfo
        What it lists, folders too; empty if it cannot be listed.
    problems : list of Problem
        With any of them it is not safe to unpack.
    is_listed, is_readable : bool
        Whether its list of members, and its members, may be read.

    Raises
    ------
    UsageError
        If there is no such file.
    """

    error: type[DatkitError] = ArchiveError
    zip: zipfile.ZipFile

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path, self.list_bytes = Path(path), 0
        self.infos: list[zipfile.ZipInfo] = []
        self.failure: Exception | None = None
        if not self.path.is_file():
            raise UsageError(f"Expected a zip archive, found no file {path}. Check the path.")
        try:
            self.list_bytes = _list_bytes(self.path)
            if self.list_bytes <= MAX_LIST_BYTES:
                self.zip = zipfile.ZipFile(self.path)
                self.infos = self.zip.infolist()
        except (*_DAMAGE, struct.error) as error:
            self.failure = error
        self.problems = [*LISTING.problems(self)]
        self.is_listed = self.is_readable = not self.problems
        if self.is_listed:
            self.problems += READING.problems(self)
            self.is_readable = not self.problems
            self.problems += NAMING.problems(self)

    def __exit__(self, *raised: object) -> None:
        if self.is_listed:
            self.zip.close()

    @property
    def members(self) -> list[str]:
        """The names of its files, without its folders, sorted."""
        return sorted({info.filename for info in self.infos if not info.is_dir()})

    def unpack(self, folder: str | os.PathLike[str]) -> None:
        """Unpack it into a new folder, whole or not at all.

        Raises
        ------
        ArchiveError
            If the archive has problems; every one is listed, and nothing is written.
        OSError
            If the folder cannot be written, or is there already and not empty.
        """
        if self.problems:
            raise self.error.of(self.problems, where=self.path)
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
            self.zip.extractall(part)
            Path(part).chmod(0o755)
            Path(part).replace(folder)


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a sound archive as :meth:`Archive.unpack` does, and raise what that raises."""
    with Archive(path) as archive:
        archive.unpack(folder)


def changed_members(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[str]:
    """Return the members whose unpacked file is gone or holds other bytes than the archive.

    Raises
    ------
    OSError, zipfile.BadZipFile
        If the archive cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        changed = (i for i in files if not _is_same(archive, i, Path(folder, i.filename)))
        return sorted(info.filename for info in changed)


def _is_same(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    with archive.open(info) as expected, path.open("rb") as found:
        while block := expected.read(2**20):
            if found.read(len(block)) != block:
                return False
    return True


def _list_bytes(path: Path) -> int:
    """Return the size that the archive gives its list of members."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 65_557))  # the end record and its longest comment
        tail = stream.read()
    end, wide = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")  # zipfile believes the wide record
    size = struct.unpack_from("<L", tail, end + 12)[0] if end >= 0 else 0
    wide_size = struct.unpack_from("<Q", tail, wide + 40)[0] if wide >= 0 else 0
    return max(size, wide_size)


# ---- With one of these, not even the list of members is to be read.
LISTING: RuleGroup[Archive] = RuleGroup("The archive")


@LISTING.rule("not-a-zip", expected="a complete zip archive")
def cannot_be_opened(archive: Archive) -> Iterator[Found]:
    """The file is no zip, or it was cut short.

    Copy or pack it again, and compare the sizes.
    """
    if archive.failure:
        found = f"a file that is no zip, or one that was cut short ({archive.failure})"
        yield Found(archive.path.name, found)


@LISTING.rule("too-many-members", expected=f"at most {MAX_MEMBERS} members", remedy=_SHRINK)
def lists_too_many(archive: Archive) -> Iterator[Found]:
    """The archive lists more members than is sane."""
    if archive.list_bytes > MAX_LIST_BYTES:
        yield Found("the archive", f"a list of {archive.list_bytes} bytes")
    elif len(archive.infos) > MAX_MEMBERS:
        yield Found("the archive", f"{len(archive.infos)}")


@LISTING.rule("too-large", expected="at most 8 GiB when unpacked", remedy=_SHRINK)
def unpacks_to_too_much(archive: Archive) -> Iterator[Found]:
    """Unpacked, the archive would take more than 8 GiB."""
    total = sum(info.file_size for info in archive.infos)
    if total > MAX_BYTES:
        yield Found("the archive", f"{total / 2**30:.1f} GiB")


@LISTING.rule("bomb", expected=f"at most {MAX_RATIO} times the packed bytes", remedy=_SHRINK)
def grows_too_much(archive: Archive) -> Iterator[Found]:
    """The archive grows more than 200-fold when unpacked."""
    total = sum(info.file_size for info in archive.infos)
    packed = sum(info.compress_size for info in archive.infos)
    packed = min(packed, archive.path.stat().st_size)  # members may share their bytes
    if total > 2**20 and total > MAX_RATIO * packed:
        yield Found("the archive", f"{total / max(packed, 1):.0f} times")


# ---- With one of these, no member is to be read.
READING: RuleGroup[Archive] = RuleGroup("The archive")


@READING.rule("encrypted", expected="an open member")
def is_encrypted(archive: Archive) -> Iterator[Found]:
    """A member is encrypted; the platform has no password.

    Pack without a password.
    """
    for info in archive.infos:
        if info.flag_bits & 1:
            yield Found(f"member {info.filename!r}", "an encrypted one")


@READING.rule("method", expected="a stored or deflated member")
def is_compressed_otherwise(archive: Archive) -> Iterator[Found]:
    """A member is compressed in a way that not every unzip can read.

    Pack again, stored or deflated.
    """
    for info in archive.infos:
        if info.compress_type not in _METHODS:
            yield Found(f"member {info.filename!r}", f"compression method {info.compress_type}")


@READING.rule("damaged", expected="bytes that match their checksum")
def is_damaged(archive: Archive) -> Iterator[Found]:
    """A member's bytes do not match its checksum.

    Pack it again.
    """
    for info in archive.infos:
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            continue  # another rule's
        try:
            with archive.zip.open(info) as stream:
                while stream.read(2**20):
                    pass
        except _DAMAGE as error:
            yield Found(f"member {info.filename!r}", str(error))


# ---- With one of these, members can be read, but not unpacked.
NAMING: RuleGroup[Archive] = RuleGroup("The archive")


@NAMING.rule("unsafe-path", expected="a plain relative path with forward slashes")
def leaves_the_folder(archive: Archive) -> Iterator[Found]:
    """A member's name is absolute, leaves the folder or holds a backslash.

    Pack again with ``datkit submit pack``, or zip the files themselves, not their folder.
    """
    for info in archive.infos:  # `filename` is already cleaned of what we look for
        if _UNSAFE.search(info.orig_filename):
            found = "an absolute path, a drive, a backslash, a control character or '..'"
            yield Found(f"member {info.orig_filename!r}", found)


@NAMING.rule(
    "name-too-long", expected=f"at most {MAX_PART} bytes between slashes, {MAX_NAME} in all"
)
def is_too_long(archive: Archive) -> Iterator[Found]:
    """A name is longer than a file system allows.

    Shorten it to at most 255 bytes between slashes and 1,024 in all.
    """
    for info in archive.infos:
        name = info.orig_filename.encode()
        if len(name) > MAX_NAME or any(len(part) > MAX_PART for part in name.split(b"/")):
            yield Found(f"member '{info.orig_filename[:40]}…'", f"{len(name)}")


@NAMING.rule("link", expected="a regular file")
def is_a_link(archive: Archive) -> Iterator[Found]:
    """A member is a link or a device.

    Pack a copy of what the link points to.
    """
    for info in archive.infos:
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Found(f"member {info.orig_filename!r}", "a link or a device")


@NAMING.rule("duplicate", expected="it once")
def stands_there_twice(archive: Archive) -> Iterator[Found]:
    """Two members have the same name.

    Keep the newer one; pack again.
    """
    for name, count in Counter(info.filename for info in archive.infos).items():
        if count > 1:
            yield Found(f"member {name!r}", f"it {count} times")


@NAMING.rule("case-clash", expected="names that differ in letters")
def differs_in_case(archive: Archive) -> Iterator[Found]:
    """Two names differ only in capitals.

    Rename one: where case does not count they are one file.
    """
    return _clashes(archive, str.casefold)


@NAMING.rule("unicode-clash", expected="names that look different")
def differs_in_composition(archive: Archive) -> Iterator[Found]:
    """Two names look the same and are written in other Unicode characters.

    Rename one, in plain ASCII.
    """
    # macOS writes é as e and an accent, others as one letter: a file system may take them as one.
    return _clashes(archive, lambda name: unicodedata.normalize("NFC", name))


@NAMING.rule("file-and-folder", expected="one or the other")
def is_both(archive: Archive) -> Iterator[Found]:
    """One name is a file and a folder.

    Rename one.
    """
    for name in sorted(_folders(archive).intersection(info.filename for info in archive.infos)):
        yield Found("the archive", f"{name!r} as a file and as a folder")


def _folders(archive: Archive) -> set[str]:
    return {str(up) for info in archive.infos for up in PurePosixPath(info.filename).parents}


def _clashes(archive: Archive, key: Callable[[str], str]) -> Iterator[Found]:
    """Yield the names, of folders too, that a key makes one."""
    names = _folders(archive) | {info.filename.rstrip("/") for info in archive.infos}
    for _, same in groupby(sorted(names, key=key), key):
        if len(clash := sorted(same)) > 1:
            yield Found("the archive", " and ".join(map(ascii, clash)))
