"""Damage is drawn by its number, reaches what lies behind checksums, and never ends a check."""

from __future__ import annotations

import io
import zipfile
from random import Random

import pytest
from zips import zip_of

from benchmarks.mutations import KINDS, mutated
from benchmarks.mutations.__main__ import BYTES, bases, check
from datkit.inspect.submission import Submission, find_problems

WHOLE = zip_of(("main.py", "import csv\n"), ("a.json", "[1]"), ("b/c.npy", bytes(99)))


@pytest.fixture(scope="module")
def whole():
    return bases()


def test_a_number_makes_one_mutation(whole):
    assert len(whole) > 120
    one, again = (mutated(WHOLE, Random(5)) for _ in range(2))
    assert one == again != WHOLE


def test_each_kind_changes_something():
    assert all(any(kind(WHOLE, Random(n)) != WHOLE for n in range(9)) for kind in KINDS)


def test_packed_again_the_checksums_are_right():
    for kind in KINDS[4:]:
        with zipfile.ZipFile(io.BytesIO(kind(WHOLE, Random(1)))) as archive:
            assert archive.testzip() is None


@pytest.mark.parametrize("number", range(2000, 2040))
def test_no_mutation_is_too_much_for_the_rules(number, whole, tmp_path):
    random, path = Random(number), tmp_path / "mutated.zip"
    path.write_bytes(mutated(random.choice(whole), random))
    with Submission(path) as submission:
        assert all(one.code and one.remedy for one in find_problems(submission))


def test_a_check_is_measured(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(WHOLE)
    one = check(path)
    assert one.held and one.status == 1 and one.codes == ["weights"]
    assert 0 < one.cpu < 10 and 10_000_000 < one.bytes < BYTES
