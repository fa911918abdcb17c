"""How many exams, centres and readers a challenge needs, so that the best team comes out first.

All other teams are taken to be worse by the same gap, which is the hardest case. What a team's
score in an exam differs by from another's has a spread from exam to exam, and one from centre to
centre: the first shrinks with exams, the second only with centres. Exams that are hard for all
teams alike do not matter. A wrong label turns the gap round in its exam; the label is the majority
of readers, each of whom slips alone. Scores are taken to be normal and teams not to resemble each
other: benchmarks/planner holds contests between the kit's own models, and tells how far that goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, inf, pi, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr

from datkit.errors import UsageError

__all__ = ["Contest", "wrong_labels"]

# Log loss of networks on exams of centres that they had not seen: SDs of the difference of two from
# exam to exam 0.20-0.40, centre to centre 0.03-0.11 (benchmarks/results/planner-2026-spreads.md).
EXAM_SD, CENTRE_SD = 0.3, 0.05
SLIP = 0.035  # of one reader: gives two of them kappa 0.87; published are 0.80-0.93 (readers.py)
SCORES = np.linspace(-9, 9, 1001)  # of the best team, in SDs: a sum over them is exact to 1e-12


def wrong_labels(readers: int, slip: float = SLIP) -> float:
    """Return the share of exams whose majority of readers is wrong.

    Raises
    ------
    UsageError
        If readers can be divided, or a reader is no better than a coin.

    Examples
    --------
    >>> [round(wrong_labels(readers), 4) for readers in (1, 3, 5)]
    [0.035, 0.0036, 0.0004]
    """
    if readers < 1 or readers % 2 == 0 or not 0 <= slip < 0.5:
        found = f"{readers} readers who slip with {slip:g}"
        raise UsageError(f"Expected 1, 3, 5 … readers who slip below 0.5, found {found}.")
    most = range(readers // 2 + 1, readers + 1)
    return sum(comb(readers, k) * slip**k * (1 - slip) ** (readers - k) for k in most)


@dataclass(frozen=True)
class Contest:
    """Teams, and how their scores spread.

    Parameters
    ----------
    teams : int
    gap : float
        By which the best team's true score is better than every other's.
    exam_sd, centre_sd : float
        Of the difference of two teams' scores, from exam to exam and from centre to centre.
    slip : float
        How often one reader is wrong.

    Raises
    ------
    UsageError
        If there are fewer than two teams, or no gap between them.
    """

    teams: int = 20
    gap: float = 0.05
    exam_sd: float = EXAM_SD
    centre_sd: float = CENTRE_SD
    slip: float = SLIP

    def __post_init__(self) -> None:
        if self.teams < 2 or not self.gap > 0:
            found = f"{self.teams} and {self.gap:g}"
            raise UsageError(f"Expected two teams or more and a gap above 0, found {found}.")

    def chance(self, exams: float, centres: int, readers: int = 1) -> float:
        """Return how often the best team comes out first.

        A team's score is normal around its true one. The best, at z SDs, is first if the others,
        whose scores lie by `lead` SDs higher, are all above: ∫ φ(z) Φ(lead − z)^(teams − 1) dz.

        Parameters
        ----------
        exams, centres, readers : int
            Of the test set, exams shared out evenly; of each label.

        Raises
        ------
        UsageError
            As :func:`wrong_labels`.

        Examples
        --------
        >>> few, many = (Contest(gap=0.02).chance(exams, 10) for exams in (200, 2000))
        >>> few < 0.3 < many
        True
        """
        spread = sqrt((self.exam_sd**2 / exams + self.centre_sd**2 / centres) / 2)
        return self._first(self._step(readers) / spread)

    def exams_needed(self, chance: float, centres: int, readers: int = 1) -> float:
        """Return the exams with which the best team comes out first with a chance.

        Returns
        -------
        float
            A whole number; inf if no number of exams is enough.

        Raises
        ------
        UsageError
            If the chance is not above that of a draw by lot, and below 1; as :func:`wrong_labels`.

        Examples
        --------
        >>> Contest(gap=0.02).exams_needed(0.8, centres=5)  # so few differ too much
        inf
        >>> Contest().exams_needed(0.8, 40) > Contest().exams_needed(0.8, 40, readers=3)
        True
        """
        if not 1 / self.teams < chance < 1:
            wanted = f"a chance above {1 / self.teams:g}, that of a lot, and below 1"
            raise UsageError(f"Expected {wanted}, found {chance:g}.")
        lead = brentq(lambda lead: self._first(lead) - chance, 0, 99)
        allowed = 2 * (self._step(readers) / lead) ** 2 - self.centre_sd**2 / centres
        return float(np.ceil(self.exam_sd**2 / allowed)) if allowed > 0 else inf

    def _step(self, readers: int) -> float:
        return self.gap * (1 - 2 * wrong_labels(readers, self.slip))

    def _first(self, lead: float) -> float:
        """Return the chance of a team whose true score leads by so many SDs of a score."""
        log = -(SCORES**2) / 2 + (self.teams - 1) * log_ndtr(lead - SCORES)
        return float(np.exp(log).sum() * (SCORES[1] - SCORES[0]) / sqrt(2 * pi))
