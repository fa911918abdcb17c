"""An archive is verified when it is opened, and unpacked whole or not at all.

What is wrong with archives from strangers is tried in ``tests/hostile/test_archives.py``.
"""

from __future__ import annotations

import zipfile
from types import SimpleNamespace

import pytest
from zips import entry, patched, zip_of

from datkit.errors import ArchiveError, UsageError
from datkit.io.archive import LISTING, NAMING, READING, Archive, changed_members, unpack

HONEST = zip_of(("b/c.txt", b"b" * 100), ("empty/", b""), ("a.txt", b"a" * 100))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "in" / "archive.zip"
    path.parent.mkdir()
    path.write_bytes(HONEST)
    return path


def test_an_honest_archive_is_unpacked_whole(path, tmp_path):
    with Archive(path) as archive:
        assert archive.problems == [] and archive.is_listed and archive.is_readable
        assert archive.members == ["a.txt", "b/c.txt"]
        archive.unpack(tmp_path / "deep" / "out")
    assert archive.zip.fp is None, "it is closed"
    assert (tmp_path / "deep" / "out" / "b" / "c.txt").read_bytes() == b"b" * 100
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"], "no part is left"


def test_an_archive_that_was_written_as_a_stream_is_sound_too(path):
    with path.open("wb") as stream:
        pipe = SimpleNamespace(write=stream.write, flush=stream.flush)
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.txt", b"a" * 100)
            archive.mkdir("empty")
            with archive.open("b.txt", "w", force_zip64=True) as member:
                member.write(b"b" * 100)
    with Archive(path) as archive:
        assert archive.files["a.txt"].flag_bits & 8 and archive.problems == []


@pytest.mark.parametrize(
    ("content", "listed", "readable", "codes"),
    [
        (HONEST[:50], False, False, ["not-a-zip"]),
        (zip_of(("zeros", bytes(2**21))), False, False, ["bomb"]),
        (patched(HONEST, 16, b"\7"), True, False, ["damaged"] * 3),
        (zip_of(("../a", "")), True, True, ["unsafe-path"]),
        (zip_of(("a", ""), ("A", "")), True, True, ["case-clash"]),
        (zip_of((entry("a", compress_type=zipfile.ZIP_LZMA), "")), True, False, ["method"]),
    ],
    ids=["cut", "bomb", "damaged", "unsafe", "clash", "method"],  # bytes hold the time
)
def test_a_problem_says_what_may_still_be_read(path, tmp_path, content, listed, readable, codes):
    path.write_bytes(content)
    with Archive(path) as archive:
        assert (archive.is_listed, archive.is_readable) == (listed, readable)
    assert [problem.code for problem in archive.problems] == codes
    with pytest.raises(ArchiveError) as caught:
        archive.unpack(tmp_path / "out")
    assert [*caught.value.problems] == archive.problems and not (tmp_path / "out").exists()


def test_each_group_holds_what_its_name_says():
    listing = {"not-a-zip", "too-many-members", "too-large", "bomb", "name-too-long"}
    assert listing == LISTING.codes
    assert READING.codes == {"encrypted", "method", "damaged"}
    assert {"unsafe-path", "link", "duplicate"} < NAMING.codes


def test_a_folder_that_is_there_is_not_written_into(path, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(OSError, match="not empty|exist"):
        unpack(path, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match=r"found no file .*absent\.zip"):
        Archive(tmp_path / "absent.zip")


def test_changed_members_are_named(path, tmp_path):
    folder = tmp_path / "out"
    unpack(path, folder)
    (folder / "more.txt").write_text("nobody's")
    assert changed_members(path, folder) == []
    (folder / "b" / "c.txt").write_bytes(b"b" * 99 + b"c")
    assert changed_members(path, folder) == ["b/c.txt"]
    (folder / "a.txt").unlink()
    assert changed_members(path, folder) == ["a.txt", "b/c.txt"]
