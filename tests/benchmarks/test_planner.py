"""Contests that are held: few exams, checked by hand; then the kit's own models."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.common.run import RESULTS
from benchmarks.planner import __main__ as planner
from benchmarks.planner.contests import Setting, hold, judge
from benchmarks.planner.teams import Exams, Field, blends, load_exams, strangers
from datkit.challenge.planner import Contest
from datkit.errors import UsageError

BOARD = RESULTS / "models-2026.json"


@pytest.fixture
def small():
    """Three centres of 20, 30 and 40 exams, and four models that know something."""
    rng = np.random.default_rng(0)
    fraction = rng.choice([0.3, 0.6, 0.9, 1.2], 90)
    logits = 12 * (0.72 - fraction)[:, None] + rng.normal(0, 2, (90, 4))
    return Exams((*"abcd",), logits, fraction, np.repeat([0, 1, 2], [20, 30, 40]))


def test_spreads_are_those_of_two_teams_differences():
    exams = Exams((*"ab",), np.zeros((4, 2)), np.ones(4), np.array([0, 0, 1, 1]))
    # Differences: centre 0 has 1 and 3, centre 1 has 5 and 7: SD 1 within, and 2 of means 2 and 6.
    paid = np.array([[1.0, 0], [3, 0], [0, -5], [7, 0]])
    field = Field(exams, paid, paid)
    assert field.spreads == pytest.approx((1, 2))
    assert field.true_score == pytest.approx([11 / 4, -5 / 4])


def test_exams_are_shared_out_evenly_among_the_centres_drawn(small):
    rows = small.draw(np.random.default_rng(1), 200, 7, 3)
    assert rows.shape == (200, 7)
    centres = small.centre[rows]
    assert (centres[:, :3] == centres[:, 3:6]).all() and (centres[:, 0] == centres[:, 6]).all()
    assert np.bincount(centres[:, 0]) / 200 == pytest.approx([1 / 3] * 3, abs=0.1)
    assert {*rows.ravel()} == {*range(90)}


def test_readers_err_where_exams_are_hard_and_more_of_them_less():
    hard = Exams(("a",), np.zeros((2, 1)), np.array([0.73, 1.2]), np.zeros(2, int))
    rows = np.tile([0, 1], (4000, 1))
    wrong = {n: hard.vote(np.random.default_rng(2), rows, n).mean(axis=0) for n in (1, 5)}
    assert wrong[1][0] > 0.4 and wrong[1][1] == wrong[5][1] == 0
    middle = Exams(("a",), np.zeros((1, 1)), np.array([0.80]), np.zeros(1, int))
    rates = [middle.vote(np.random.default_rng(2), rows[:, :1] * 0, n).mean() for n in (1, 3, 5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[2] > 0.02, "they share the image's noise, which no majority takes away"


def test_a_wrong_label_costs_what_the_other_class_costs(small):
    field = Field.of(small, small.logits)
    rows, wrong = np.array([[5, 8]]), np.array([[False, True]])
    p = 1 / (1 + np.exp(-small.logits[[5, 8]]))
    labels = small.y[[5, 8]] != wrong[0]
    paid = -np.log(np.where(labels[:, None], p, 1 - p))
    assert field.score(rows, wrong)[0] == pytest.approx(paid.mean(axis=0))


def test_strangers_share_nothing_and_blends_lie_between_models(small):
    rng = np.random.default_rng(4)
    field = strangers(small, rng, 6)
    by_exam, _ = field.covariances()
    assert (by_exam == np.diag(np.diag(by_exam))).all() and (np.diag(by_exam) > 0).all()
    mixed = blends(small, rng, 50)
    alone = Field.of(small, small.logits)
    assert mixed.spreads[0] < alone.spreads[0]


def test_who_is_far_ahead_is_first_and_nobody_is_with_no_gap(small):
    field, rng = Field.of(small, small.logits), np.random.default_rng(5)
    assert hold(Setting("models", 4, 30, 3, 100.0), small, field, rng) == 50
    held = judge(Setting("strangers", 4, 60, 3, 1e-9), small)
    assert held["planned"] == 0.25 and held["direct"] == pytest.approx(0.25, abs=0.03)


def test_the_planner_agrees_with_contests_between_two_of_the_kits_models():
    exams = load_exams(BOARD)
    assert len(exams.names) == 8 and len(exams.rows) == 13 and len(exams.y) == 1400
    for size in ((300, 10, 0.02), (1000, 10, 0.05)):
        held = judge(Setting("models", 2, *size), exams)
        assert held["agrees"] and 0.5 < held["direct"] < 1, held


def test_a_board_of_other_exams_is_refused(tmp_path):
    held = json.loads(BOARD.read_text(encoding="utf-8"))
    held["cohort"]["sets"]["train"]["exams"] = 48
    path = tmp_path / "models-2026.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(UsageError, match="folds that seed 2026 gives"):
        load_exams(path)


def test_what_is_kept_holds_where_the_planners_assumptions_do():
    held = json.loads((RESULTS / "planner-2026.json").read_text(encoding="utf-8"))
    rows = {name: [one for one in held["rows"] if one["section"] == name]
            for name in planner.SECTIONS}  # fmt: skip
    assert all(len(rows[name]) == len(planner.SECTIONS[name]) for name in rows)
    fair = rows["two models"] + rows["strangers"]
    assert np.mean([one["agrees"] for one in fair]) > 0.7
    assert max(abs(one["planned"] - one["direct"]) for one in fair) < 0.05
    near = planner.spreads_lines(held["spreads"])
    exam, centre = [*near][3].split(" | ")[2:4]
    assert float(exam[:4]) == pytest.approx(Contest().exam_sd, abs=0.05)
    assert float(centre[:4]) == pytest.approx(Contest().centre_sd, abs=0.01)
