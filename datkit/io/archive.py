"""Zip archives from strangers: what is wrong with one, and unpacking it only if nothing is.

A zip can name files outside the folder it is unpacked into, hold links, or grow ten thousandfold.
All of that is found before a byte is written. Nothing but zip is opened.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
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
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import IO, cast

from datkit.errors import ArchiveError, DatkitError, UsageError
from datkit.files import sha256_file
from datkit.rules import Found, RuleGroup

__all__ = ["Archive", "changed_members", "existing", "unpack"]

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
# No name, an absolute one, a drive, a backslash, a part '..', a control character.
_UNSAFE = re.compile(r"^$|^/|^.:|\\|(^|/)\.\.(/|$)|[\0-\x1f]")
_ENDS = re.compile(r"(?<=[^./ ])[. ]+(?=/|$)")  # which Windows leaves out
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
        self.path, self.list_bytes = existing(path), 0
        self.infos: list[zipfile.ZipInfo] = []
        self.failure: Exception | None = None
        try:
            self.list_bytes = _list_bytes(self.path)
            if self.list_bytes <= MAX_LIST_BYTES:
                self.zip = zipfile.ZipFile(self.path)
                self.infos = self.zip.infolist()
        except Exception as error:  # whatever zipfile makes of damage
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

    @cached_property
    def files(self) -> dict[str, zipfile.ZipInfo]:
        """What it lists but its folders, by the name of the unpacked file, sorted."""
        files = {_plain(info.filename): info for info in self.infos if not info.is_dir()}
        return dict(sorted(files.items()))

    @property
    def members(self) -> list[str]:
        """The names of its files, without its folders, sorted."""
        return [*self.files]

    @cached_property
    def folders(self) -> set[str]:
        """The names of its folders, those that only its files' names tell too."""
        found: set[str] = set()
        for info in self.infos:
            name = _plain(f"{info.filename}x")  # a folder's ends with a slash
            while (name := posixpath.dirname(name)) and name not in found:
                found.add(name)
        return found

    def read(self, name: str) -> bytes:
        """Return the bytes of one of its members."""
        return self.zip.read(self.files[name])

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
    with archive.open(info) as expected:
        digest = hashlib.file_digest(expected, "sha256")  # type: ignore[arg-type]  # it can readinto
        return digest.hexdigest() == sha256_file(path)


def existing(path: str | os.PathLike[str]) -> Path:
    """Return the path of an archive that is there.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise UsageError(f"Expected a zip archive, found no file {path}. Check the path.")
    return Path(path)


def _plain(name: str) -> str:
    """Return a name as it is unpacked: without backslashes, doubled slashes and ``./``."""
    return posixpath.normpath(name.replace("\\", "/"))


def _list_bytes(path: Path) -> int:
    """Return the size that the archive gives its list of members."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 65_557))  # the end record and its longest comment
        tail = stream.read()
    records = ((b"PK\5\6", "<L", 12), (b"PK\6\6", "<Q", 40))  # zipfile believes the wide one
    places = ((tail.rfind(mark), form, offset) for mark, form, offset in records)
    sizes = [
        struct.unpack_from(form, tail, at + offset)[0] for at, form, offset in places if at >= 0
    ]
    return max(sizes, default=0)


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
    slashes = sum(info.filename.count("/") for info in archive.infos)
    if max(len(archive.infos), slashes / 10) > MAX_MEMBERS:
        yield Found("the archive", f"{len(archive.infos)}, and {slashes} slashes in their names")


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
    size = archive.path.stat().st_size  # members may share their bytes
    packed = min(size, sum(info.compress_size for info in archive.infos))
    if total > 2**20 and total > MAX_RATIO * packed:
        yield Found("the archive", f"{total / max(packed, 1):.0f} times")


@LISTING.rule("name-too-long", expected="at most 255 bytes between slashes, 1024 in all")
def is_too_long(archive: Archive) -> Iterator[Found]:
    """A name is longer than a file system allows.

    Shorten it to at most 255 bytes between slashes and 1,024 in all.
    """
    for info in archive.infos:
        name = info.orig_filename.encode()
        if len(name) > MAX_NAME or any(len(part) > MAX_PART for part in name.split(b"/")):
            yield Found(f"member '{info.orig_filename[:40]}…'", f"{len(name)}")


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
    opened = (i for i in archive.infos if not i.flag_bits & 1 and i.compress_type in _METHODS)
    for info in opened:  # the others are another rule's
        if found := _damage(archive, info):
            yield Found(f"member {info.filename!r}", found)


def _damage(archive: Archive, info: zipfile.ZipInfo) -> str:
    try:
        with archive.zip.open(info) as stream:
            size = sum(map(len, iter(lambda: stream.read(2**20), b"")))
    except Exception as error:  # whatever zipfile makes of damage
        return str(error) or "an early end"
    return "" if size == info.file_size else f"{size} bytes of {info.file_size}"


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
    """Two members have the same name; ``./a`` and ``a`` are the same.

    Keep the newer one; pack again.
    """
    names = (_plain(info.filename) for info in archive.infos if not info.is_dir())
    for name, count in Counter(names).items():
        if count > 1:
            yield Found(f"member {name!r}", f"it {count} times")


@NAMING.rule("case-clash", expected="names that differ in letters")
def differs_in_case(archive: Archive) -> Iterator[Found]:
    """Two names differ only in capitals, or in dots and spaces at their end.

    Rename one: where case does not count they are one file.
    """
    return _clashes(archive, _folded, _composed)


@NAMING.rule("unicode-clash", expected="names that look different")
def differs_in_composition(archive: Archive) -> Iterator[Found]:
    """Two names look the same and are written in other Unicode characters.

    Rename one, in plain ASCII.
    """
    # macOS writes é as e and an accent, others as one letter: a file system may take them as one.
    return _clashes(archive, _composed)


@NAMING.rule("file-and-folder", expected="one or the other")
def is_both(archive: Archive) -> Iterator[Found]:
    """One name is a file and a folder.

    Rename one.
    """
    for name in sorted(archive.folders & archive.files.keys()):
        yield Found("the archive", f"{name!r} as a file and as a folder")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _ENDS.sub("", _composed(_composed(name).casefold()))


def _clashes(
    archive: Archive, key: Callable[[str], str], finer: Callable[[str], str] = str
) -> Iterator[Found]:
    """Yield the names, of folders too, that a key makes one and a finer key does not."""
    names = sorted(archive.folders | archive.files.keys(), key=key)
    for _, same in groupby(names, key):
        clash = {finer(name): name for name in same}
        if len(clash) > 1:
            yield Found("the archive", " and ".join(map(ascii, sorted(clash.values()))))


@NAMING.rule("stray-bytes", expected="members one after the other, then their list")
def has_stray_bytes(archive: Archive) -> Iterator[Found]:
    """Bytes belong to no member or to two, or are listed otherwise: others unpack other files.

    Pack it again.
    """
    infos = sorted(archive.infos, key=lambda info: info.header_offset)
    starts = [*(info.header_offset for info in infos), archive.zip.start_dir]
    ends = [0, *(_end(archive, info) for info in infos)] if archive.is_readable else []
    # Up to 24 bytes may repeat a member's sizes after it; a hidden one takes 30 at least.
    apart = any(not 0 <= start - end <= 24 for start, end in zip(starts, ends, strict=False))
    if apart or any(info.is_dir() and info.file_size for info in infos):
        yield Found("the archive", "other bytes between them, shared ones, or another size")


def _end(archive: Archive, info: zipfile.ZipInfo) -> int:
    """Return where a member ends by what stands before it; -1 if that is not what the list says."""
    stream = cast("IO[bytes]", archive.zip.fp)
    stream.seek(info.header_offset + 6)
    flags, method, size, *texts = struct.unpack("<HH8xL4xHH", stream.read(24))
    same = method == info.compress_type and not (flags ^ info.flag_bits) & 9  # encrypted, a stream
    behind = 12 * (flags >> 3 & 1)  # a stream's size stands behind it, in so many bytes at least
    told = info.compress_size if behind or size == 2**32 - 1 else size
    # Nobody unpacks the bytes of a folder, so that they belong to no member.
    end = info.header_offset + 30 + sum(texts) + told * (not info.is_dir()) + behind
    return end if same else -1


@NAMING.rule("second-name", expected="one name")
def has_a_second_name(archive: Archive) -> Iterator[Found]:
    """A member has a second name, by which other programs unpack it.

    Rename it in plain ASCII, and pack again.
    """
    for info in archive.infos:
        name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        # As Info-ZIP's field 0x7075 begins, "Unicode path": its version, what name it replaces.
        if struct.pack("<BL", 1, zlib.crc32(name)) in info.extra:
            yield Found(f"member {info.filename!r}", "another beside it")
