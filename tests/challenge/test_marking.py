"""Submissions: taken once, within the limits, marked once whatever happens."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest
import yaml
from submissions import MAIN
from zips import zip_of

from datkit.challenge import Classroom, board_page, make_board, mark_next, marking, receive
from datkit.challenge.description import team_name
from datkit.challenge.marking import MOST_DEATHS, give_up, waiting
from datkit.errors import ChallengeError, UsageError
from datkit.replica.sandbox import _failure_of


def changed(room: Classroom, **parts: dict) -> Classroom:
    """The same challenge with other limits, runtime or teams."""
    path = room.folder / "challenge.yaml"
    description = yaml.safe_load(path.read_text())
    for part, values in parts.items():
        description[part] |= values
    path.write_text(yaml.safe_dump(description))
    return Classroom.amend(room.folder)


def mark_all(room: Classroom) -> list[dict]:
    return [*iter(lambda: mark_next(room), None)]


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.zip"
    path.write_bytes(zip_of(*MAIN.items()))
    return path


@pytest.fixture
def bubblewrap(needed):
    failure = _failure_of("bubblewrap")
    needed(not failure, f"bubblewrap does not work here: {failure}")


def test_a_table_is_kept_marked_and_counted(room, hand_in):
    entry = hand_in(room)
    assert waiting(room.record.entries) == [entry] and entry["phase"] == "learning"
    kept = room.folder / "kept" / entry["sha256"] / "submission.csv"
    assert kept.is_file()
    marked = mark_next(room)
    assert marked["of"] == entry["number"] and marked["problems"] == []
    assert [*marked["predictions"]] == [*room.labels["public"].index]
    assert waiting(room.record.entries) == [] and mark_next(room) is None


def test_the_same_file_is_one_submission(room, hand_in):
    first = hand_in(room)
    assert hand_in(room) == first and len(waiting(room.record.entries)) == 1
    mark_next(room)
    assert hand_in(room) == first and waiting(room.record.entries) == []
    assert hand_in(room, "beta")["team"] == "beta", "another team may have the same idea"
    room.close()
    assert hand_in(room)["phase"] == "final", "and it may be handed in again in another phase"


def test_a_table_with_faults_has_all_of_them_and_no_score(room, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("uid,p\nexam-9999,2\n")
    receive(room, "alpha", path)
    marked = mark_next(room)
    codes = {problem["code"] for problem in marked["problems"]}
    assert {"header", "out-of-range", "uid-unknown", "uid-missing"} <= codes
    assert marked["predictions"] == {} and marked["found"] == len(marked["problems"]) == 13


@pytest.mark.parametrize(
    ("text", "code"),
    [("2.5", "out-of-range"), ("4", "out-of-range"), ("-1", "out-of-range"),
     ("high", "not-a-number"), ("nan", "not-finite")],
)  # fmt: skip
def test_a_grade_is_a_whole_number(graded, table, text, code):
    path = table(graded, 1)
    path.write_text(path.read_text()[:-2] + f"{text}\n")
    receive(graded, "alpha", path)
    [problem] = mark_next(graded)["problems"]
    assert problem["code"] == code and problem["expected"] == "a grade from 0 to 3"


def test_a_table_of_grades_wants_the_task_s_own_header(graded, table):
    path = table(graded, 1)
    path.write_text(path.read_text().replace("benamer", "is_pathologic"))
    receive(graded, "alpha", path)
    [problem] = mark_next(graded)["problems"]
    assert problem["expected"] == "'uid,benamer'" and problem["line"] == 1


def test_a_zip_that_is_none_is_told_so_and_not_read_as_a_table(room, tmp_path):
    path = tmp_path / "Alpha.ZIP"
    path.write_text("uid,is_pathologic\n")
    receive(room, "alpha", path)
    assert [problem["code"] for problem in mark_next(room)["problems"]] == ["not-a-zip"]


def test_the_limits_are_kept_and_all_told_at_once(room, table, hand_in):
    room = changed(room, limits={"a_day": 2, "upload_mib": 1}, runtime={"takes": ["code"]})
    room = changed(room, teams={"names": ["beta", "alpha"]}, runtime={"takes": ["table"]})
    hand_in(room, seed=1)
    hand_in(room, seed=2)
    large = table(room, seed=3)
    large.write_bytes(b"PK" + b"0" * 2**21)
    with pytest.raises(ChallengeError) as caught:
        receive(room, "alpha", large)
    assert [problem.code for problem in caught.value.problems] == ["kind", "size", "a-day"]
    assert "expected a table as CSV, found a zip with main.py" in str(caught.value)
    with pytest.raises(ChallengeError, match="expected a team of this challenge, found 'gamma'"):
        hand_in(room, "gamma")
    assert hand_in(room, "beta")["team"] == "beta" and len(waiting(room.record.entries)) == 3


def test_a_day_is_one_of_the_calendar(room, hand_in, monkeypatch):
    room = changed(room, limits={"a_day": 1})
    hand_in(room, seed=1)

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr("datkit.challenge.record.datetime", Tomorrow)
    assert hand_in(room, seed=2)["team"] == "alpha"


def test_what_was_handed_in_before_does_not_count_in_the_final_test(room, hand_in):
    room = changed(room, limits={"a_day": 1})
    hand_in(room, seed=1)
    with pytest.raises(ChallengeError, match="at most 1 submissions a day"):
        hand_in(room, seed=2)
    room.close()
    assert hand_in(room, seed=2)["phase"] == "final"


def test_a_link_is_not_followed_and_a_table_is_small(room, tmp_path):
    (tmp_path / "alpha.csv").symlink_to(room.folder / "labels" / "private.csv")
    with pytest.raises(ChallengeError, match="expected a file, found a link"):
        receive(room, "alpha", tmp_path / "alpha.csv")
    (tmp_path / "long.csv").write_text("\n" * 2**20)
    with pytest.raises(ChallengeError, match=r"expected at most 0.5 MiB, found 1.0 MiB"):
        receive(room, "alpha", tmp_path / "long.csv")


def test_a_pipe_is_not_waited_for(room, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has no pipes among its files")
    os.mkfifo(tmp_path / "alpha.csv")
    with pytest.raises(ChallengeError, match="expected a file, found"):
        receive(room, "alpha", tmp_path / "alpha.csv")


def test_a_notebook_is_no_submission(room, tmp_path):
    (tmp_path / "mine.ipynb").write_text("{}")
    with pytest.raises(ChallengeError, match="found a notebook.*form of its own"):
        receive(room, "alpha", tmp_path / "mine.ipynb")


def test_in_the_final_test_one_counts_unless_it_failed(room, hand_in, tmp_path):
    room.close()
    (tmp_path / "bad.csv").write_text("uid,is_pathologic\n")
    receive(room, "alpha", tmp_path / "bad.csv")
    with pytest.raises(ChallengeError, match="expected at most 1 in this phase, found 1 made"):
        hand_in(room)
    mark_next(room)
    assert hand_in(room)["phase"] == "final"
    mark_next(room)
    with pytest.raises(ChallengeError, match="expected at most 1 in this phase"):
        hand_in(room, seed=2)


def test_after_the_end_nothing_is_taken(room, table):
    path = table(room)
    room.close()
    room.close()
    with pytest.raises(ChallengeError, match="expected an open phase, found none"):
        receive(room, "alpha", path)


@pytest.mark.parametrize("name", ["", " ", "a" * 41, "a\nb\x00", "left\u202eright", "\ud800"])
def test_a_team_has_a_name_that_can_be_seen(name):
    with pytest.raises(ChallengeError, match="team's name"):
        team_name(name)


def test_a_name_has_one_spelling(room, hand_in):
    hand_in(room, "ﬁne  team ")
    assert hand_in(room, "fine team")["number"] == waiting(room.record.entries)[0]["number"]
    assert team_name("تیم\u200cها") == "تیم\u200cها", "Persian joins letters so"


def test_where_a_file_lies_is_not_for_its_name_to_say(room, table):
    entry = receive(room, "alpha", table(room), "../../labels/public.csv\x1b[2J")
    assert {path.name for path in room.folder.rglob("*.csv") if path.parent.name == "kept"} == set()
    assert entry["file"] == "submission.csv" and "\x1b" not in entry["name"]
    assert (room.folder / "kept" / entry["sha256"]).parent == room.folder / "kept"


def test_code_is_not_run_where_it_could_read_the_labels(room, code, monkeypatch):
    monkeypatch.setattr("datkit.replica.sandbox._failure_of", lambda level: "not installed")
    receive(room, "alpha", code)
    [problem] = mark_next(room)["problems"]
    assert "Expected a sandbox on this machine, found none" in problem["found"]


def test_whatever_goes_wrong_the_next_one_is_marked(room, hand_in, code, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(marking, "run_submission", fail)
    monkeypatch.setattr(marking, "choose_level", lambda _: "docker")
    receive(room, "alpha", code)
    hand_in(room, "beta")
    first, second = mark_all(room)
    [problem] = first["problems"]  # what a fault of ours says is not for teams
    assert problem["found"] == "RuntimeError" and not first["predictions"]
    assert second["predictions"]


def test_code_is_run_in_the_sandbox(room, code, bubblewrap):
    receive(room, "alpha", code)
    marked = mark_next(room)
    assert marked["problems"] == []
    assert sorted(marked["predictions"]) == sorted(room.labels["public"].index)


GRADER = """
rows = open("data/submission_format.csv").read().split()
assert rows[0] == "uid,benamer", rows[0]
values = [f"{{row.split(',')[0]}},{{number % {most}}}" for number, row in enumerate(rows[1:])]
open("submission.csv", "w").write("\\n".join([rows[0], *values]) + "\\n")
"""


@pytest.mark.parametrize("most", [4, 5])
def test_code_that_grades_is_run_and_its_grades_are_checked(graded, tmp_path, bubblewrap, most):
    path = tmp_path / "grader.zip"
    path.write_bytes(zip_of(("main.py", GRADER.format(most=most))))
    receive(graded, "alpha", path)
    marked = mark_next(graded)
    wrong = [one["expected"] for one in marked["problems"] if one["code"] == "out-of-range"]
    if most == 4:
        assert {*marked["predictions"].values()} == {0, 1, 2, 3} and not wrong
        assert "alpha" in board_page(make_board(graded))
    else:
        assert not marked["predictions"] and {*wrong} == {"a grade from 0 to 3"}


SNOOP = """
import os, sys
from pathlib import Path
places = r"{folder}/labels/public.csv", r"{folder}/record.jsonl", "/proc/1/root{folder}"
found = [p for p in places if os.path.exists(p)]
found += [str(p) for p in Path("/").glob("*/**/labels/public.csv")][:1]
rows = Path("data/submission_format.csv").read_text().split()
assert not any(row.endswith(",1") for row in rows)
Path("submission.csv").write_text("\\n".join(
    ["uid,is_pathologic", *(row.split(",")[0] + (",1.0" if found else ",0.5") for row in rows[1:])]
) + "\\n")
"""


def test_hostile_code_finds_no_label(room, tmp_path, bubblewrap):
    path = tmp_path / "snoop.zip"
    path.write_bytes(zip_of(("main.py", SNOOP.format(folder=room.folder))))
    receive(room, "alpha", path)
    marked = mark_next(room)
    assert {*marked["predictions"].values()} <= {0.5}
    assert not any("1.0" in json.dumps(problem) for problem in marked["problems"])


def work(folder):
    slow = marking.check_predictions
    marking.check_predictions = lambda *a, **k: (time.sleep(0.02), slow(*a, **k))[1]
    mark_all(Classroom.open(folder))


def test_killed_at_any_moment_nothing_is_lost_or_counted_twice(room, hand_in):
    entries = [hand_in(room, team, seed=n) for n in range(5) for team in ("alpha", "beta")]
    for number in range(20):
        worker = get_context("fork").Process(target=work, args=(room.folder,))
        worker.start()
        time.sleep(0.01 + 0.004 * number)
        worker.kill()
        worker.join()
    mark_all(room)
    marked = [entry["of"] for entry in Classroom.open(room.folder).record.of("marked")]
    assert marked == [entry["number"] for entry in entries]


def test_an_isolation_that_is_not_there_is_told(room, code, monkeypatch):
    receive(room, "alpha", code)
    monkeypatch.setattr(
        marking, "choose_level", lambda _: (_ for _ in ()).throw(UsageError("Expected docker."))
    )
    assert "Expected docker" in mark_next(room, "docker")["problems"][0]["found"]


def test_times_are_of_one_zone(room, hand_in):
    told = datetime.fromisoformat(hand_in(room)["time"])
    assert told.tzinfo == UTC and abs(datetime.now(UTC) - told) < timedelta(seconds=60)


def test_a_phase_that_is_gone_and_a_file_that_was_changed_end_in_a_finding(room, hand_in):
    first, second = hand_in(room), hand_in(room, "beta", seed=1)
    kept = room.folder / "kept" / second["sha256"] / "submission.csv"
    kept.write_text(kept.read_text().replace("0.", "0.0"))
    path = room.folder / "challenge.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("name: learning", "name: training"))
    [problem] = mark_next(Classroom.amend(room.folder))["problems"]
    assert "Expected phase learning" in problem["found"]
    path.write_text(whole)
    marked = mark_next(Classroom.amend(room.folder))
    assert marked["of"] == second["number"] and not marked["predictions"]
    assert "the sha256 of its record" in marked["problems"][0]["found"] and first != second


def test_what_kills_the_process_that_marks_is_given_up(room, hand_in):
    first, second = hand_in(room), hand_in(room, "beta", seed=1)
    give_up(room, first["number"])
    give_up(room, first["number"])
    [marked] = room.record.of("marked")
    assert f"{MOST_DEATHS} times" in marked["problems"][0]["found"] and not marked["predictions"]
    assert mark_next(room)["of"] == second["number"] and mark_next(room) is None


def test_where_teams_have_tokens_no_other_one_is_taken(room, hand_in):
    hand_in(room, "anybody")
    room.issue_token("alpha")
    assert hand_in(room, "alpha")["team"] == "alpha"
    with pytest.raises(ChallengeError, match="a team of this challenge, found 'aplha'"):
        hand_in(room, "aplha")
