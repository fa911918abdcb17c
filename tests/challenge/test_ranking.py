"""The board: right values, ties that are ties, and what is shown of whom and when."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from datkit.challenge import Classroom, board_page, load_challenge, make_board, mark_next
from datkit.challenge.ranking import Marks, board_lines, climb, score_draws
from datkit.evaluate import log_loss


def mark_all(room: Classroom) -> None:
    while mark_next(room):
        pass


def teams(rows):
    return [row for row in rows if row.rank]


def test_each_error_costs_what_the_table_says():
    cost = load_challenge("grades").metrics[0]
    table = np.array([[0, 0.1, 0.7, 1.0], [0.1, 0, 0.3, 0.7], [0.7, 0.3, 0, 0.3], [1, 0.7, 0.3, 0]])
    for truth in range(4):
        for said in range(4):
            found = score_draws(cost, np.array([truth]), np.array([said]), np.ones((1, 1)))
            assert found == [table[truth, said]]


def test_private_scores_are_shown_at_the_end_alone(room, hand_in):
    hand_in(room)
    mark_all(room)
    assert [*make_board(room).rows] == ["public"] and "private" not in "".join(
        board_lines(make_board(room))
    )
    room.close()
    hand_in(room)
    mark_all(room)
    assert [*make_board(room).rows] == ["public"]
    room.close()
    assert [*make_board(room).rows] == ["public", "private"]
    assert "Final: private scores" in board_page(make_board(room))


def test_a_score_is_that_of_the_predictions(room, hand_in):
    room.close()
    entry = hand_in(room)
    mark_all(room)
    room.close()
    [row] = teams(make_board(room).rows["private"])
    marked = next(room.record.of("marked"))
    labels = room.labels["private"]["label"]
    p = pd.Series(marked["predictions"]).loc[labels.index]
    assert row.scores[0][0] == pytest.approx(log_loss(labels, p), abs=1e-12)
    assert row.scores[0][1] < row.scores[0][0] < row.scores[0][2] and entry["team"] == row.name


def test_equal_teams_share_a_rank_and_a_worse_one_does_not(room, hand_in):
    for team, skill, seed in (("a", 0.8, 1), ("b", 0.8, 1), ("c", -0.8, 3)):
        hand_in(room, team, skill, seed)
    mark_all(room)
    rows = teams(make_board(room).rows["public"])
    assert [row.rank for row in rows] == ["1=", "1=", "3"] and rows[2].name == "c"
    assert rows[2].first == 0 and rows[2].places == [3, 3]
    assert [(row.first, row.places) for row in rows[:2]] == [(1, [1, 1])] * 2


def test_how_sure_a_rank_is_comes_from_draws_of_the_exams(room, hand_in):
    for team, skill, seed in (("a", 0.02, 1), ("b", 0.02, 2), ("c", 0.02, 3)):
        hand_in(room, team, skill, seed)
    mark_all(room)
    rows = teams(make_board(room).rows["public"])
    assert sum(row.first for row in rows) == pytest.approx(1, abs=0.01)
    assert all(1 <= row.places[0] <= row.places[1] <= 3 for row in rows)
    assert len({tuple(row.places) for row in rows} | {(1, 1), (2, 2), (3, 3)}) > 3


def test_controls_stand_on_the_board_without_a_rank(room, hand_in):
    hand_in(room)
    mark_all(room)
    rows = make_board(room).rows["public"]
    assert sorted(row.name for row in rows if not row.rank) == [
        "constant", "oracle", "scanner only",
    ]  # fmt: skip
    constant = next(row for row in rows if row.name == "constant")
    assert constant.scores[0] == pytest.approx((0.69, 0.69, 0.69))


@pytest.mark.parametrize(
    ("scores", "step", "shown"),
    [
        ([], 0.01, []),
        ([0.5], 0.01, [0]),
        ([0.5, 0.49], 0.01, [0, 0]),
        ([0.5, 0.4899], 0.01, [0, 1]),
        ([0.5, 0.495, 0.491, 0.4895], 0.01, [0, 0, 0, 3]),
        ([0.5, 0.5, 0.4999999], 0.0, [0, 0, 2]),
        ([0.3, 0.9], 0.0, [0, 0]),
    ],
)
def test_a_shown_score_moves_by_a_step_or_not_at_all(scores, step, shown):
    assert climb(scores, step) == shown


def test_fishing_on_the_board_shows_nothing(room, hand_in):
    first = hand_in(room, skill=0.5, seed=0)
    numbers = [hand_in(room, skill=0.5 + n / 1000, seed=0)["number"] for n in range(1, 6)]
    better = hand_in(room, skill=0.8, seed=0)
    mark_all(room)
    shown = Marks(room, "public").shown("alpha")
    assert [shown[number] for number in numbers] == [first["number"]] * 5
    assert shown[better["number"]] == better["number"]
    [row] = teams(make_board(room).rows["public"])
    values = np.array(row.scores[0])
    assert np.allclose(values, np.round(values, 2), atol=1e-12) and row.submissions == 7


def test_the_shake_up_is_told(room, hand_in):
    for team, skill in (("a", 0.8), ("b", 0.2), ("c", -0.8)):
        hand_in(room, team, skill)
    mark_all(room)
    room.close()
    for team, skill in (("a", -0.8), ("b", 0.2), ("c", 0.8)):
        hand_in(room, team, skill)
    hand_in(room, "late", -0.3, seed=1)
    mark_all(room)
    room.close()
    rows = teams(make_board(room).rows["private"])
    assert {row.name: row.moved for row in rows} == {"a": -3, "b": 0, "c": 2, "late": None}


def test_the_same_record_gives_the_same_board(room, hand_in):
    for n, team in enumerate("abc"):
        hand_in(room, team, seed=n)
    mark_all(room)
    assert make_board(room) == make_board(Classroom.open(room.folder))
    page = board_page(make_board(room))
    assert page == board_page(make_board(Classroom.open(room.folder))) and room.record.head in page


def test_a_board_of_grades_needs_no_probability(graded, hand_in):
    hand_in(graded, "right", 1)
    hand_in(graded, "wrong", 0)
    mark_all(graded)
    right, wrong = teams(make_board(graded).rows["public"])
    assert (right.name, right.scores[0][0]) == ("right", 0) and wrong.scores[0][0] > 0.2


def test_the_page_has_no_script_and_shows_names_as_they_are(room, hand_in):
    evil = '<img src=x onerror="alert(1)">'
    hand_in(room, evil)
    mark_all(room)
    page = board_page(make_board(room))
    assert "<script" not in page and "<img" not in page and "&lt;img src=x" in page
    assert "default-src 'none'" in page and not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_a_board_without_a_team_says_so(room):
    assert "No team has a score here yet." in board_page(make_board(room))
    assert any("0 waiting" in line for line in board_lines(make_board(room)))


def test_few_exams_of_a_centre_make_no_interval_narrow(room):
    """Of one exam a centre, draws within centres would all be alike."""
    assert "draws of the exams within class." in board_page(make_board(room))
    for part, table in room.labels.items():
        room.labels[part] = table.assign(centre=[f"c{n}" for n in range(len(table))])
    marks = Marks(room, "public")
    assert not marks.by_centre and marks.draws.counts[1:].std(axis=0).min() > 0.5
    room.labels["public"] = table.assign(centre="c")
    assert Marks(room, "public").by_centre
