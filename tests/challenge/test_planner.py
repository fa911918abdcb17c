"""The planner agrees with a simulation of every exam, and says what cannot be bought with exams."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from datkit.challenge.planner import Contest, wrong_labels
from datkit.errors import UsageError


def simulate(exams, centres, readers, teams, gap, exam_sd, centre_sd, slip, draws, seed):
    """Hold a challenge many times: exams that are hard for all, centres, readers who vote."""
    rng, first = np.random.default_rng(seed), 0
    centre = np.arange(exams) % centres
    for _ in range(draws):
        scores = rng.normal(0, 1, (exams, 1)) + rng.normal(0, exam_sd / sqrt(2), (exams, teams))
        scores += rng.normal(0, centre_sd / sqrt(2), (centres, teams))[centre]
        wrong = (rng.uniform(size=(exams, readers)) < slip).sum(axis=1) > readers / 2
        scores[:, 1:] += np.where(wrong, -gap, gap)[:, None]
        first += scores.mean(axis=0).argmin() == 0
    return first / draws


@pytest.mark.parametrize(
    ("exams", "centres", "readers", "teams", "gap", "exam_sd", "centre_sd", "slip"),
    [
        (200, 10, 1, 5, 0.05, 0.4, 0.0, 0.0),
        (200, 10, 1, 5, 0.05, 0.4, 0.1, 0.1),
        (90, 3, 3, 8, 0.08, 0.3, 0.08, 0.2),
        (300, 30, 1, 2, 0.02, 0.4, 0.04, 0.05),
    ],
)
def test_it_agrees_with_a_direct_simulation(
    exams, centres, readers, teams, gap, exam_sd, centre_sd, slip
):
    draws = 2000
    direct = simulate(exams, centres, readers, teams, gap, exam_sd, centre_sd, slip, draws, 1)
    contest = Contest(teams, gap, exam_sd, centre_sd, slip)
    p = contest.chance(exams, centres, readers)
    assert abs(direct - p) < 1.96 * sqrt(p * (1 - p) / draws)


def test_the_exams_needed_give_the_chance_that_was_asked_for():
    contest = Contest(gap=0.03)
    for readers, centres in ((1, 40), (3, 80)):
        exams = contest.exams_needed(0.8, centres, readers)
        assert contest.chance(exams - 1, centres, readers) < 0.8
        assert contest.chance(exams, centres, readers) >= 0.8


def test_with_hardly_a_gap_the_best_is_first_as_often_as_any():
    for teams in (2, 20, 1000):
        assert Contest(teams, 1e-9).chance(500, 10) == pytest.approx(1 / teams, rel=1e-6)


def test_the_chance_of_two_and_of_three_is_what_a_table_says():
    """Two teams: Φ(lead / √2). Three: a trivariate normal's orthant, by scipy's own integral."""
    lead = 1.3
    spread = {"gap": lead, "exam_sd": sqrt(2), "centre_sd": 0, "slip": 0}
    assert Contest(2, **spread).chance(1, 1) == pytest.approx(norm.cdf(lead / sqrt(2)), abs=1e-9)
    both = multivariate_normal([0, 0], [[2, 1], [1, 2]]).cdf([lead, lead])
    assert Contest(3, **spread).chance(1, 1) == pytest.approx(both, abs=1e-5)


def test_more_of_anything_helps_and_no_exams_make_up_for_centres():
    contest = Contest(gap=0.02)
    p = [contest.chance(400, centres) for centres in (2, 10, 50)]
    assert p == sorted(p)
    assert contest.chance(400, 10, readers=3) > contest.chance(400, 10)
    assert contest.exams_needed(0.9, 3) == inf and contest.chance(1e12, 3) < 0.9


@pytest.mark.parametrize(("readers", "slip"), [(0, 0.1), (2, 0.1), (3, 0.5), (1, -0.1)])
def test_readers_that_cannot_settle_are_refused(readers, slip):
    with pytest.raises(UsageError, match="readers who slip"):
        wrong_labels(readers, slip)


def test_what_is_no_contest_is_refused():
    for wrong in ({"teams": 1}, {"gap": 0.0}, {"gap": float("nan")}):
        with pytest.raises(UsageError, match="two teams or more and a gap"):
            Contest(**wrong)
    for chance in (0.05, 0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="above 0.05, that of a lot"):
            Contest().exams_needed(chance, 10)
