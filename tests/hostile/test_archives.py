"""Archives that would write elsewhere, fill the disk or the memory: refused, nothing written."""

from __future__ import annotations

import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from zips import entry, patched, zip_of

from datkit.errors import ArchiveError, DatkitError
from datkit.io.archive import Archive, unpack

MEMORY = 64 * 2**20


HONEST = zip_of(("a.txt", b"a" * 100), ("folder/b.txt", b"b" * 100))


def of_kind(name: str, mode: int) -> zipfile.ZipInfo:
    """A member that is a link or a device."""
    return entry(name, external_attr=mode << 16)


def many(count: int) -> bytes:
    """A zip whose list names that many members, all of one empty file."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 7, 0) + b"file000"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    listing = b"".join(entry + b"%07d" % number for number in range(count))
    number = min(count, 65535)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number, number, len(listing), len(local), 0)
    return local + listing + end


def shared(count: int) -> bytes:
    """A zip of so many members which all unpack the same bytes, none of them packed much."""
    one = zip_of(("0000000", random.Random(0).randbytes(100_000)))
    start, end = one.index(b"PK\1\2"), one.index(b"PK\5\6")
    entry = bytearray(one[start:end])
    listing = b""
    for number in range(count):
        entry[46:53] = b"%07d" % number
        listing += entry
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(listing), start, 0)
    return one[:start] + listing + record


def widened(content: bytes, size: int) -> bytes:
    """A zip with the wide end record (zip64), which gives its list of members that size."""
    end = content.rindex(b"PK\5\6")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, size, 0)
    return content[:end] + wide + struct.pack("<4sLQL", b"PK\6\7", 0, end, 1) + content[end:]


UNSAFE = [
    "../up.txt",
    "folder/../../up.txt",
    "../../../../../../tmp/up.txt",
    "..",
    "a/..",
    "/absolute.txt",
    "//server/share.txt",
    "/etc/cron.d/job",
    "C:/windows.txt",
    "c:up.txt",
    "..\\up.txt",
    "a\\..\\..\\up.txt",
    "\\\\server\\share.txt",
    "line\nbreak.txt",
    "bell\a.txt",
    "tab\tname.txt",
]
KINDS = {
    "a link": stat.S_IFLNK | 0o777,
    "a device": stat.S_IFCHR | 0o644,
    "a disk": stat.S_IFBLK | 0o644,
    "a pipe": stat.S_IFIFO | 0o644,
    "a socket": stat.S_IFSOCK | 0o644,
}
# name: archive, code of the fault
CASES: dict[str, tuple[bytes, str]] = (
    {f"name {name!r}": (zip_of((name, b"x")), "unsafe-path") for name in UNSAFE}
    | {
        kind: (zip_of((of_kind("link", mode), "/etc/passwd")), "link")
        for kind, mode in KINDS.items()
    }
    | {
        "a link, then a file through it": (
            zip_of((of_kind("out", KINDS["a link"]), "/tmp"), ("out/file.txt", "x")),
            "link",
        ),
        "zeros packed a thousandfold": (zip_of(("zeros", bytes(40 * 2**20))), "bomb"),
        "10 GB by its own word": (
            patched(
                zip_of(*[(f"{n}", b"0" * 99) for n in range(3)]), 24, struct.pack("<L", 0xF0000000)
            ),
            "too-large",
        ),
        "4 GB in a hundred bytes": (
            patched(zip_of(("a", b"0" * 99)), 24, struct.pack("<L", 0xEFFFFFFF)),
            "bomb",
        ),
        "a thousand members of the same bytes": (shared(1000), "bomb"),
        "ten bytes by its own word, megabytes packed": (
            patched(zip_of(("a", bytes(range(256)) * 2**14)), 24, struct.pack("<L", 10)),
            "damaged",
        ),
        "a list of 5 GB by the wide record": (widened(HONEST, 5 * 2**30), "too-many-members"),
        "100,000 entries": (many(100_000), "too-many-members"),
        "11,000 entries": (many(11_000), "too-many-members"),
        "encrypted": (patched(HONEST, 8, struct.pack("<H", 1)), "encrypted"),
        "an unknown method": (patched(HONEST, 10, struct.pack("<H", 99)), "method"),
        "one name twice": (zip_of(("a", b"1"), ("a", b"2")), "duplicate"),
        "names that differ in case": (zip_of(("Data.txt", b"1"), ("data.TXT", b"2")), "case-clash"),
        "a file and a folder": (zip_of(("a", b"1"), ("a/b", b"2")), "file-and-folder"),
        "a wrong checksum": (patched(HONEST, 16, struct.pack("<L", 7)), "damaged"),
        "nothing": (b"", "not-a-zip"),
        "a web page": (b"<html>404</html>", "not-a-zip"),
        "a gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\3", "not-a-zip"),
        "an end without a beginning": (
            struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5, 5, 500, 10**6, 0),
            "not-a-zip",
        ),
    }
    | {
        f"cut at {tenth} tenths": (HONEST[: len(HONEST) * tenth // 10], "not-a-zip")
        for tenth in range(1, 10)
    }
)


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "in" / "archive.zip"
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_a_sentence_and_nothing_is_written(tmp_path, packed, case):
    content, code = CASES[case]
    path = packed(content)
    before = sorted(tmp_path.rglob("*"))
    tracemalloc.start()
    with pytest.raises(ArchiveError) as caught:
        unpack(path, tmp_path / "out" / "data")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code in {problem.code for problem in Archive(path).problems}
    assert str(path) in str(caught.value) and "expected" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert peak < MEMORY


@pytest.mark.parametrize("place", range(0, len(HONEST), 7))
def test_a_flipped_byte_writes_nothing_outside_or_nothing_at_all(tmp_path, packed, place):
    content = bytearray(HONEST)
    content[place] ^= 0xFF
    path = packed(bytes(content))
    try:
        unpack(path, tmp_path / "out" / "data")
    except DatkitError:
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    inside = {path.parent, path, tmp_path / "out"}
    others = [p for p in tmp_path.rglob("*") if p not in inside]
    assert all((tmp_path / "out" / "data") in (p, *p.parents) for p in others)
