"""A contest held many times: test set, readers, scores, and who comes out first."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.planner.teams import Exams, Field, blends, models, strangers
from datkit.challenge.planner import SLIP, Contest, wrong_labels

__all__ = ["FIELDS", "KINDS", "Setting", "hold", "judge"]

FIELDS, CONTESTS, BATCH = 40, 50, 25  # fields that are drawn; test sets of each, so many at a time
NORMAL = 2000  # draws of a field
#: What teams are → how a field of them is drawn.
KINDS = {"models": models, "blends": blends, "strangers": strangers}


@dataclass(frozen=True)
class Setting:
    """What is held: who, on what, and how labels err.

    Attributes
    ----------
    kind : str
        ``"models"`` and ``"blends"`` answer the same exams. Of ``"strangers"`` each has the errors
        of a model, but on exams and centres that are drawn for it alone: no two resemble each
        other, as the planner takes them to be.
    errors : str
        ``"none"``; ``"readers"``, as the cohort's err, most where an exam is hard; or
        ``"anywhere"``, as slips of the pen: in any exam alike.
    """

    kind: str
    teams: int
    exams: int
    centres: int
    gap: float
    errors: str = "none"
    readers: int = 1


def hold(setting: Setting, exams: Exams, field: Field, rng: np.random.Generator) -> int:
    """Return how often the first team of a field comes out first, in as many test sets."""
    # A team's true score is moved so that the first is better than each other by the gap.
    moved = setting.gap * (np.arange(field.teams) > 0) - field.true_score
    first = 0
    for _ in range(CONTESTS // BATCH):
        score = _scores(setting, exams, field, rng)
        first += int(((score + moved).argmin(axis=1) == 0).sum())
    return first


def _scores(setting: Setting, exams: Exams, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Return scores (contests, teams), lower is better."""
    size = BATCH, setting.exams, setting.centres
    if field.strangers:
        own = [one[exams.draw(rng, *size)].mean(axis=1) for one in field.right.T]
        return np.stack(own, axis=1)
    rows = exams.draw(rng, *size)
    wrong = _wrong(setting, exams, rows, rng)
    return field.score(rows, wrong)


def _wrong(
    setting: Setting, exams: Exams, rows: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return where labels are wrong (contests, exams)."""
    if setting.errors == "readers":
        return exams.vote(rng, rows, setting.readers)
    share = wrong_labels(setting.readers, SLIP) if setting.errors == "anywhere" else 0.0
    return rng.random(rows.shape) < share


def _related(setting: Setting, field: Field, contest: Contest, rng: np.random.Generator) -> float:
    """Return the chance if scores are normal, with the covariances of these very teams."""
    by_exam, by_centre = field.covariances()
    covariance = by_exam / setting.exams + by_centre / setting.centres
    scores = rng.multivariate_normal(np.zeros(field.teams), covariance, NORMAL)
    step = contest.gap * (1 - 2 * wrong_labels(setting.readers, contest.slip))
    return float(np.mean((scores + step * (np.arange(field.teams) > 0)).argmin(axis=1) == 0))


def judge(setting: Setting, exams: Exams, seed: int = 0) -> dict[str, Any]:
    """Return how often the best came out first, what is planned, and the 95 % interval of that.

    ``related`` is the plan of somebody who knows how much each two teams resemble each other.
    """
    rng = np.random.default_rng([seed, setting.teams, setting.exams, setting.centres])
    first, planned, related, spreads = 0, [], [], []
    for _ in range(FIELDS):
        field = KINDS[setting.kind](exams, rng, setting.teams)
        first += hold(setting, exams, field, rng)
        spreads.append(field.spreads)
        slip = 0.0 if setting.errors == "none" else SLIP
        contest = Contest(setting.teams, setting.gap, *spreads[-1], slip)
        planned.append(contest.chance(setting.exams, setting.centres, setting.readers))
        related.append(_related(setting, field, contest, rng))
    n, p = FIELDS * CONTESTS, float(np.mean(planned))
    direct, half = first / n, 1.96 * sqrt(p * (1 - p) / n)
    return vars(setting) | {
        "direct": round(direct, 4),
        "planned": round(p, 4),
        "within": round(half, 4),
        "agrees": abs(direct - p) <= half,
        "related": round(float(np.mean(related)), 4),
        "spreads": np.mean(spreads, axis=0).round(3).tolist(),
    }
