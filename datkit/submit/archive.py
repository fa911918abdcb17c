"""The zip itself: is it whole, safe to unpack, and is `main.py` where the platform looks for it?"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datkit.errors import SubmissionError, UsageError
from datkit.submit.problem import Problem

__all__ = ["UNREADABLE", "archive_problems", "members_of", "unpack"]

# Far above any honest submission (the largest of the challenge's winners hold some 50 networks of
# 30 MB), far below what fills a laptop's disk.
MAX_MEMBERS = 10_000
MAX_BYTES = 8 * 2**30
# Deflate packs zeros a thousandfold, code about fourfold, weights hardly at all.
MAX_RATIO = 200
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that every `unzip` can read
# With one of these, no member is to be read; with any other problem the members can be judged too.
UNREADABLE = frozenset(
    {"not-a-zip", "too-many-members", "too-large", "bomb", "encrypted", "method", "damaged"}
)
_REPACK = "Pack again with 'datkit submit pack', or zip the files themselves, not their folder."


def archive_problems(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem of the archive as such; with any of them it is not safe to unpack.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no file {path}. Make one with 'datkit submit pack'.")
    try:
        with zipfile.ZipFile(path) as archive:
            return _problems_of(archive)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
        found = f"a file that is no zip, or one that was cut short ({error})"
        remedy = "Copy or pack it again, and compare the sizes."
        return [Problem("not-a-zip", path.name, "a complete zip archive", found, remedy)]


def members_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, without its folders, sorted by name."""
    files = [info for info in archive.infolist() if not info.is_dir()]
    return sorted(files, key=lambda info: info.filename)


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a submission into `folder`, as the platform does, but only if that is safe.

    Raises
    ------
    UsageError
        If there is no such file.
    SubmissionError
        If the archive has problems; every one is listed, and nothing is unpacked.
    """
    if problems := archive_problems(path):
        raise SubmissionError.of(map(str, problems), where=path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)


def _problems_of(archive: zipfile.ZipFile) -> list[Problem]:
    infos = archive.infolist()
    if bombs := [*_find_bombs(infos)]:
        return bombs  # neither list nor read the members of a bomb
    return [
        *(problem for info in infos for problem in _check_member(info)),
        *_find_clashes(infos),
        *_find_main([info.filename for info in infos]),
        *_find_damage(archive, infos),
    ]


def _find_bombs(infos: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    remedy = "Leave out what prediction does not need."
    if len(infos) > MAX_MEMBERS:
        limit = f"at most {MAX_MEMBERS} members"
        yield Problem("too-many-members", "the archive", limit, f"{len(infos)}", remedy)
    total, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if total > MAX_BYTES:
        limit = f"at most {MAX_BYTES / 2**30:.0f} GiB when unpacked"
        yield Problem("too-large", "the archive", limit, f"{total / 2**30:.1f} GiB", remedy)
    if total > 2**20 and total > MAX_RATIO * packed:
        limit = f"at most {MAX_RATIO} times as many bytes unpacked as packed"
        yield Problem("bomb", "the archive", limit, f"{total / max(packed, 1):.0f} times", remedy)


def _check_member(info: zipfile.ZipInfo) -> Iterator[Problem]:
    name = info.orig_filename  # `filename` is already cleaned of what we look for
    where = f"member {name!r}"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if _is_unsafe(name):
        expected = "a plain relative path with forward slashes"
        found = "an absolute path, a drive, a backslash, a control character or '..'"
        yield Problem("unsafe-path", where, expected, found, _REPACK)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        remedy = "Pack a copy of what it points to."
        yield Problem("link", where, "a regular file", "a link or a device", remedy)
    if info.flag_bits & 1:
        yield Problem("encrypted", where, "an open member", "an encrypted one", _REPACK)
    if info.compress_type not in _METHODS:
        found = f"compression method {info.compress_type}"
        yield Problem("method", where, "a stored or deflated member", found, _REPACK)


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


def _find_clashes(infos: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    names = [info.filename for info in infos]
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem("duplicate", f"member {name!r}", "it once", f"it {count} times", _REPACK)
    folded: dict[str, set[str]] = {}
    for name in _with_folders(names):
        folded.setdefault(name.casefold(), set()).add(name)
    for same in folded.values():
        if len(same) > 1:
            expected, found = "names that differ in letters", " and ".join(map(repr, sorted(same)))
            remedy = "Rename one: where case does not count they are one file."
            yield Problem("case-clash", "the archive", expected, found, remedy)
    for name in sorted(_folders_of(names).intersection(names)):
        found = f"{name!r} as a file and as a folder"
        yield Problem("file-and-folder", "the archive", "one or the other", found, "Rename one.")


def _with_folders(names: list[str]) -> set[str]:
    return {name.rstrip("/") for name in names} | _folders_of(names)


def _folders_of(names: list[str]) -> set[str]:
    return {str(parent) for name in names for parent in PurePosixPath(name).parents}


def _find_main(names: list[str]) -> Iterator[Problem]:
    if "main.py" in names:
        return
    where, expected = "the archive", "main.py at its root"
    others = [name for name in names if PurePosixPath(name).name.lower() == "main.py"]
    if others:
        code = "main-nested"
        found = f"only {', '.join(map(repr, others[:3]))}; the platform's own check lets it pass"
    else:
        code, found = "main-missing", "none"
    yield Problem(code, where, expected, found, _REPACK)


def _find_damage(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    for info in infos:
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            continue  # reported above, and not readable
        try:
            with archive.open(info) as stream:
                while stream.read(2**20):
                    pass
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
            where, remedy = f"member {info.filename!r}", "Pack the archive again."
            yield Problem("damaged", where, "bytes that match their checksum", str(error), remedy)
