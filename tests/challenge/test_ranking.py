"""The board: right values, ties that are ties, and what is shown of whom and when."""

from __future__ import annotations

import re
from copy import copy

import numpy as np
import pandas as pd
import pytest

from datkit.challenge import (
    ChallengeMetric,
    Classroom,
    board_page,
    load_challenge,
    make_board,
    mark_next,
)
from datkit.challenge.ranking import CAP, Marks, board_lines, climb, score_draws
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
    room.close()
    for team, skill, seed in (("a", 0.02, 1), ("b", 0.02, 2), ("c", 0.02, 3)):
        hand_in(room, team, skill, seed)
    mark_all(room)
    room.close()
    rows = teams(make_board(room).rows["private"])
    assert sum(row.first for row in rows) == pytest.approx(1, abs=0.01)
    assert all(1 <= row.places[0] <= row.places[1] <= 3 for row in rows)
    assert len({tuple(row.places) for row in rows} | {(1, 1), (2, 2), (3, 3)}) > 3


def test_the_order_of_a_public_board_tells_no_more_than_its_scores(room):
    """Of two tables that part at one exam by half a step, the better does not stand first."""
    labels = room.labels["public"]["label"]
    for better in labels.index[labels == 1][0], labels.index[labels == 0][0]:
        record = copy(room.record.entries)
        for name in "ab":
            told = pd.Series(0.5, labels.index)
            told[better] = (0.9 if labels[better] else 0.1) if name == "b" else 0.5
            number = len(record)
            record += [
                {"kind": "received", "team": name, "number": number},
                {
                    "kind": "marked",
                    "of": number,
                    "predictions": told.to_dict(),
                    "number": number + 1,
                },
            ]
        marks = Marks(room, "public")
        marks.update(record)
        rows = [row for row in marks.rows() if row.rank]
        assert [(row.name, row.rank) for row in rows] == [("a", "1="), ("b", "1=")]
        assert rows[0].scores[0][0] == rows[1].scores[0][0]
        assert all(round(10 * row.first, 6) % 1 == 0 for row in rows)


def test_controls_stand_on_the_board_without_a_rank(room, hand_in):
    hand_in(room)
    mark_all(room)
    rows = make_board(room).rows["public"]
    assert sorted(row.name for row in rows if not row.rank) == [
        "constant", "oracle", "scanner only",
    ]  # fmt: skip
    constant = next(row for row in rows if row.name == "constant")
    assert constant.scores[0] == pytest.approx((0.2 * np.log(19),) * 3), "two steps of ten exams"


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
    first = hand_in(room, skill=-0.2, seed=0)
    numbers = [hand_in(room, skill=-0.2 + n / 1000, seed=0)["number"] for n in range(1, 6)]
    better = hand_in(room, skill=0.8, seed=0)
    mark_all(room)
    shown = Marks(room, "public").shown("alpha")
    assert [shown[number] for number in numbers] == [first["number"]] * 5
    assert shown[better["number"]] == better["number"]
    [row] = teams(make_board(room).rows["public"])
    steps = np.array(row.scores[0]) / (np.log(19) / 10)  # ten exams
    assert np.allclose(steps, np.round(steps)) and row.submissions == 7


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


def told(marks: Marks, most: float, tables: int, at_once: int = 6) -> int:
    """How many of the labels do this many tables tell for sure, probing with logits up to most?"""
    truth = marks.draws.y
    n, metric = len(truth), marks.metrics[0]
    guesses = np.arange(2**n)[:, None] >> np.arange(n) & 1
    cap = CAP if marks.step > 0.01 else 1e-6
    best = np.full(2**n, np.inf)
    for number in range(tables):
        known = (guesses == guesses[0]).all(axis=0)
        logits = np.where(known, 13.8 * (2 * guesses[0] - 1), 0)
        probed = np.flatnonzero(~known)[:at_once]
        logits[probed] = most / 2.0 ** np.arange(len(probed))
        marks.values[number] = p = 1 / (1 + np.exp(-logits))
        own = {k: marks.spread(k, metric)[0] for k in range(number + 1)}
        chosen = climb(own.values(), marks.step)
        seen = chosen[-1] == number, float(marks.rounded(own[chosen[-1]]))
        kept = np.clip(p, cap, 1 - cap)
        losses = -np.log(np.where(guesses, kept, 1 - kept)).mean(axis=1)
        moved = losses < best - marks.step
        best = np.where(moved, losses, best)
        shown = np.round(best / marks.step) * marks.step
        same = (moved == seen[0]) & (np.abs(shown - seen[1]) < 1e-9)
        guesses, best = guesses[same], best[same]
    return int((guesses == guesses[0]).all(axis=0).sum())


def attacked(room: Classroom, n: int) -> Marks:
    labels = np.random.default_rng(1).permutation(np.arange(n) % 2)
    uids = [f"e{k:02}" for k in range(n)]
    room.labels["public"] = pd.DataFrame({"label": labels, "centre": "c"}, index=uids)
    return Marks(room, "public")


def test_a_public_log_loss_tells_few_labels(room, monkeypatch):
    """Binary digits in the logits (p = sigmoid(8.32 / 2^k)) told all labels of few exams."""
    marks = attacked(room, 16)
    ways = [(most, count) for most in (8.32, 2.94, 1.47) for count in range(1, 7)]
    now = [max(told(attacked(room, 16), x, t, count) for x, count in ways) for t in (1, 6)]
    monkeypatch.setattr("datkit.challenge.ranking.CAP", 1e-6)
    monkeypatch.setattr(Marks, "step_of", lambda *_: 0.01)
    before = [told(attacked(room, 16), 8.32, t) for t in (1, 6)]

    assert before == [6, 16] and now == [1, 1] and marks.step > 0.18


@pytest.mark.parametrize(
    "name",
    ["log_loss", "brier", "auroc", "sensitivity@0.5", "specificity@0.5", "net_benefit@0.9"],
)
def test_one_label_moves_a_public_score_by_a_step_at_most(room, name):
    marks, rng = attacked(room, 16), np.random.default_rng(0)
    metric = ChallengeMetric(name=name, title=name)
    step, once = marks.step_of(metric), np.ones((1, 16))
    for _ in range(50):
        p = np.clip(rng.uniform(size=16).round(1), CAP, 1 - CAP)
        [score] = score_draws(metric, marks.draws.y, p, once)
        for flipped in marks.draws.y ^ np.eye(16, dtype=int):
            [other] = score_draws(metric, flipped, p, once)
            assert abs(other - score) <= step + 1e-12


def test_a_public_board_tells_the_metric_that_ranks_and_no_other(room, hand_in):
    path = room.folder / "challenge.yaml"
    slope = "  - {name: recalibration_slope, title: slope}\nlimits:"
    path.write_text(path.read_text().replace("limits:", slope, 1))
    room = Classroom.amend(room.folder)
    hand_in(room)
    room.close()
    hand_in(room)
    mark_all(room)
    [row] = teams((board := make_board(room)).rows["public"])
    page = board_page(board)
    assert len(row.scores) == 1 and "AUROC" not in page and "slope" not in page
    room.close()
    [row] = teams((board := make_board(room)).rows["private"])
    page = board_page(board)
    assert len(row.scores) == 3 and page.count("AUROC<br>") == page.count("slope<br>") == 1
    assert sum("AUROC" in line for line in board_lines(board)) == len(board.rows["private"])


def test_a_slope_rounded_to_the_share_of_an_exam_would_tell_all_labels():
    """It has no end: of logits of 0.001 / 2^k, each way to label eight exams has another slope."""
    ways = np.arange(2**8)[:, None] >> np.arange(8) & 1
    ways = ways[np.isin(ways.sum(axis=1), range(2, 7))]
    p = 1 / (1 + np.exp(-0.001 / 2.0 ** np.arange(8)))
    metric = ChallengeMetric(name="recalibration_slope", title="slope")
    slopes = [score_draws(metric, y, p, np.ones((1, 8)))[0] for y in ways]
    fewest = np.minimum(ways.sum(axis=1), 8 - ways.sum(axis=1))
    assert (len({*np.round(slopes * fewest)}), len(ways)) == (236, 238)


@pytest.mark.parametrize("step", [1e-6, 0.0])
def test_a_second_metric_without_a_value_and_a_tiny_step_make_a_board(room, hand_in, step):
    path = room.folder / "challenge.yaml"
    text = path.read_text().replace(
        "name: auroc, title: AUROC", "name: recalibration_slope, title: s"
    )
    path.write_text(text.replace("step: 0.01", f"step: {step:.6f}"))
    room = Classroom.amend(room.folder)
    hand_in(room)
    room.close()
    hand_in(room)
    mark_all(room)
    room.close()
    board = make_board(room)
    [row] = teams(board.rows["private"])
    assert "alpha" in board_page(board) and len(row.scores) == 2 and np.isnan(row.scores[1]).any()
