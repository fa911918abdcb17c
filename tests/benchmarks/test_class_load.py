"""The class that the load is made of: ten different submissions a team, of each kind some."""

from __future__ import annotations

import pytest

from benchmarks.class_load import EACH, KINDS, submission
from benchmarks.class_load.__main__ import kept, make_class, rows
from datkit.challenge import Classroom, mark_next, receive
from datkit.inspect.submission import check_submission


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    return make_class(folder, 2), Classroom.open(folder / "class")


def content(room: Classroom, kind: str, team: int = 0, number: int = 0) -> bytes:
    return submission(kind, team, number, room.uids(room.phase()), str(room.folder))


def test_no_two_submissions_are_the_same_and_they_stay_what_they_are(made):
    _, room = made
    drawn = [content(room, kind, t, n) for t in range(3) for n, kind in enumerate(KINDS)]
    assert len({*drawn}) == len(drawn) == 3 * EACH
    assert content(room, "table", 1, 2) == content(room, "table", 1, 2)


@pytest.mark.parametrize("kind", ["good", "hostile", "slow", "broken zip"])
def test_only_the_broken_zip_has_a_fault_that_can_be_read(made, tmp_path, kind):
    path = tmp_path / "code.zip"
    path.write_bytes(content(made[1], kind))
    errors = [one.code for one in check_submission(path) if one.is_error]
    assert bool(errors) == (kind == "broken zip")


def test_what_is_missing_counts(made, tmp_path):
    _, room = made
    for number, kind in enumerate(("table", "broken table")):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(content(room, kind, 0, number))
        receive(room, "team 00", path)
    mark_next(room)
    found = {one.name: (one.value, one.holds) for one in kept(room, [])}
    assert found["submissions in the record"] == (2, False)
    assert found["marked a second time, or never"] == (1, False)
    assert "team 00" in rows(room)
