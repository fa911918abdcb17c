"""Teams with real predictions: the kit's models on exams of centres that they did not learn from.

A board of ``benchmarks.models`` holds the probabilities but neither labels nor centres. Those are
drawn again from the cohort's seed, without a voxel, and the folds must have the hash that the board
names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from benchmarks.common.curves import exam_loss
from datkit.data.groups import grouped_folds
from datkit.data.split import Fold
from datkit.errors import UsageError
from datkit.evaluate.benchmark.run import _hash
from datkit.simulate.exam import draw_exam
from datkit.simulate.readers import IMAGE_NOISE, PANEL_READER, THRESHOLD

__all__ = ["Exams", "Field", "blends", "load_exams", "models", "strangers"]

CLIP = 1e-4  # a model's certainty beyond is not believed, as in the blend of benchmarks.models
SLOPES = 0.8, 1.25  # between which a team's calibration lies


@dataclass(frozen=True, eq=False)
class Exams:
    """Exams of several centres.

    Attributes
    ----------
    logits : array (n, m)
        Of `names`, models.
    fraction : array (n,)
        What readers look at: true binding of the weaker posterior putamen, expected = 1.
    centre : array (n,) of int
        0, 1, …
    """

    names: tuple[str, ...]
    logits: np.ndarray
    fraction: np.ndarray
    centre: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """The true label: what a reader without any error would say."""
        return (self.fraction < THRESHOLD).astype(int)

    @cached_property
    def rows(self) -> list[np.ndarray]:
        """The exams of each centre."""
        return [np.flatnonzero(self.centre == one) for one in range(self.centre.max() + 1)]

    def draw(self, rng: np.random.Generator, contests: int, exams: int, centres: int) -> np.ndarray:
        """Return the exams of test sets (contests, exams): centres, then exams, with replacement.

        Exams are shared out evenly among the centres that were drawn.
        """
        sizes = np.array([len(one) for one in self.rows])
        table = np.zeros((len(sizes), sizes.max()), int)
        for centre, rows in enumerate(self.rows):
            table[centre, : len(rows)] = rows
        which = rng.integers(0, len(sizes), (contests, centres))[:, np.arange(exams) % centres]
        place = (rng.random((contests, exams)) * sizes[which]).astype(int)
        return table[which, place]

    def vote(self, rng: np.random.Generator, rows: np.ndarray, readers: int) -> np.ndarray:
        """Return where the majority of readers is wrong: all see one noisy image, as simulated."""
        seen = self.fraction[rows] + rng.normal(0, IMAGE_NOISE, rows.shape)
        votes = [seen + rng.normal(0, PANEL_READER, rows.shape) < THRESHOLD for _ in range(readers)]
        return (np.mean(votes, axis=0) > 0.5) != self.y[rows]


@dataclass(frozen=True, eq=False)
class Field:
    """Teams, and what each pays for an exam if its label is right, and if it is wrong.

    Attributes
    ----------
    right, wrong : array (n, teams)
        Each exam has the same weight within its centre, and centres are equal.
    strangers : bool
        Whether each team meets exams and centres that are drawn for it alone.
    """

    exams: Exams
    right: np.ndarray
    wrong: np.ndarray
    strangers: bool = False

    @property
    def teams(self) -> int:
        """How many."""
        return self.right.shape[1]

    def centre_means(self, values: np.ndarray) -> np.ndarray:
        """Return the means of each centre, shape (centres, …)."""
        return np.array([values[rows].mean(axis=0) for rows in self.exams.rows])

    @property
    def true_score(self) -> np.ndarray:
        """What each team would score with endless exams, centres and readers (teams,)."""
        return self.centre_means(self.right).mean(axis=0)

    def covariances(self) -> list[np.ndarray]:
        """Return the teams' covariances (teams, teams): over exams of a centre, over centres."""
        parts = [self.right[rows] for rows in self.exams.rows]
        found = [np.mean([np.cov(one, rowvar=False, bias=True) for one in parts], axis=0),
                 np.cov(self.centre_means(self.right), rowvar=False, bias=True)]  # fmt: skip
        return [np.diag(np.diag(one)) if self.strangers else one for one in found]

    @property
    def spreads(self) -> tuple[float, float]:
        """SDs of the difference of two teams, exam to exam and centre to centre; all pairs'."""
        k = self.teams
        each = [2 * (k * np.trace(one) - one.sum()) / (k * (k - 1)) for one in self.covariances()]
        return float(np.sqrt(each[0])), float(np.sqrt(each[1]))

    def score(self, rows: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        """Return scores (contests, teams) on exams (contests, exams), lower is better."""
        return np.where(wrong[..., None], self.wrong[rows], self.right[rows]).mean(axis=1)

    @classmethod
    def of(cls, exams: Exams, logits: np.ndarray) -> Field:
        """Return teams of some logits (n, teams), scored by log loss."""
        y = exams.y
        return cls(exams, exam_loss(y, logits.T).T, exam_loss(1 - y, logits.T).T)


def models(exams: Exams, rng: np.random.Generator, teams: int) -> Field:
    """Return as many of the models, in any order."""
    chosen = rng.permutation(len(exams.names))[:teams]
    return Field.of(exams, exams.logits[:, chosen])


def blends(exams: Exams, rng: np.random.Generator, teams: int) -> Field:
    """Return blends of the models' logits by weights at random, each with a slope of its own."""
    weights = rng.dirichlet(np.full(len(exams.names), 0.5), teams)
    return Field.of(exams, exams.logits @ weights.T * rng.uniform(*SLOPES, teams))


def strangers(exams: Exams, rng: np.random.Generator, teams: int) -> Field:
    """Return teams that each err as one of the models does, beyond what all find hard."""
    paid = Field.of(exams, exams.logits).right
    own = (paid - paid.mean(axis=1, keepdims=True))[:, rng.integers(0, paid.shape[1], teams)]
    return Field(exams, own, own, strangers=True)


def load_exams(board: Path) -> Exams:
    """Read the models' probabilities on the training exams of a board, folds of whole centres.

    Raises
    ------
    UsageError
        If the exams that the seed gives are not those of the board.
    """
    held = json.loads(board.read_text(encoding="utf-8"))
    seed, size = held["cohort"]["seed"], held["cohort"]["sets"]["train"]["exams"]
    drawn = sorted((draw_exam(seed, index) for index in range(size)), key=lambda one: one.uid)
    uids = np.array([one.uid for one in drawn], object)
    centres = np.array([one.acquisition.centre.name for one in drawn])
    pairs = enumerate(grouped_folds(centres, held["settings"]["grouped"]["folds"]), 1)
    folds = [(Fold(f"fold {n}", tuple(uids[train]), tuple(uids[test])), test)
             for n, (train, test) in pairs]  # fmt: skip
    if _hash(*(fold for fold, _ in folds)) != held["settings"]["grouped"]["sha256"]:
        raise UsageError(f"{board}: expected the folds that seed {seed} gives, found others.")
    table = pd.DataFrame(index=range(size))
    for fold, test in folds:
        for cell in held["cells"].values():
            if "p" in cell and (cell["split"], cell["fold"]) == ("grouped", fold.name):
                table.loc[test, cell["model"]] = np.array(cell["p"].split(), float)
    p = table.dropna(axis=1).clip(CLIP, 1 - CLIP)
    fraction = np.array([float(one.truth["weaker_posterior_putamen"]) for one in drawn])
    return Exams(
        tuple(p), logit(p.to_numpy()), fraction, np.unique(centres, return_inverse=True)[1]
    )
