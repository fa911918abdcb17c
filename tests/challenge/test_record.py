"""The record: what is said stays said, and whoever changes it is found out."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from datkit.challenge import Record
from datkit.errors import ChallengeError


@pytest.fixture
def path(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    for number in range(4):
        record.add("said", number_said=number)
    return record.path


def test_what_was_added_is_read_back_in_order(path):
    record = Record(path)
    assert [entry["number_said"] for entry in record.of("said")] == [0, 1, 2, 3]
    assert [entry["number"] for entry in record.entries] == [0, 1, 2, 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_sees_what_another_adds(path):
    one, other = Record(path), Record(path)
    assert len(one.entries) == 4
    other.add("said", number_said=9)
    assert one.entries[-1]["number_said"] == 9 and one.head == other.head


def _change(lines):
    entry = json.loads(lines[1]) | {"number_said": 7}
    lines[1] = json.dumps(entry, sort_keys=True)


def _drop(lines):
    del lines[1]


def _swap(lines):
    lines[1], lines[2] = lines[2], lines[1]


def _put_in(lines):
    lines.insert(2, lines[1])


def _spoil(lines):
    lines[2] = "no JSON"


@pytest.mark.parametrize("meddle", [_change, _drop, _swap, _put_in, _spoil])
def test_who_meddles_is_found_out(path, meddle):
    lines = path.read_text().splitlines()
    meddle(lines)
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(ChallengeError, match=r"expected line \d to follow the line before it"):
        Record(path).add("said", number_said=4)


def test_half_a_line_was_never_said(path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "said", "numb')
    record = Record(path)
    assert len(record.entries) == 4
    record.add("said", number_said=4)
    assert [entry["number_said"] for entry in Record(path).of("said")] == [0, 1, 2, 3, 4]
    assert path.read_bytes().startswith(whole)


def test_a_full_disk_leaves_no_half_line(path):
    """Not one that keeps the record from being read until there is room again."""
    limits = pytest.importorskip("resource", reason="Windows has no limit on a file's size")
    whole, kept = path.read_bytes(), limits.getrlimit(limits.RLIMIT_FSIZE)
    try:
        limits.setrlimit(limits.RLIMIT_FSIZE, (len(whole) + 50, kept[1]))
        with pytest.raises(OSError, match="record.jsonl"):
            Record(path).add("said", number_said=4)
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, kept)
    assert path.read_bytes() == whole
    Record(path).add("said", number_said=4)
    assert [entry["number_said"] for entry in Record(path).entries] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("left", [1, 20])
def test_a_last_line_that_broke_off_is_told_and_kept(path, caplog, left):
    whole = path.read_bytes()
    path.write_bytes(whole[:-left])
    Record(path).mend()
    [broken] = Record(path).of("broken")
    last = whole.splitlines(keepends=True)[-1][:-left].decode()
    assert broken["text"] == last and "the last line broke off" in caplog.text
    assert len([*Record(path).of("said")]) == 3


def test_many_at_once_lose_nothing(path):
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda n: Record(path).add("said", number_said=n), range(100, 140))]
    said = [entry["number_said"] for entry in Record(path).entries]
    assert sorted(said[4:]) == [*range(100, 140)]


def test_processes_at_once_lose_nothing(path):
    script = (
        "import sys, pathlib; from datkit.challenge.record import Record\n"
        "record = Record(pathlib.Path(sys.argv[1]))\n"
        "for n in range(10): record.add('said', number_said=n)"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(2)]
    assert [one.wait() for one in running] == [0, 0]
    assert len(Record(path).entries) == 24
