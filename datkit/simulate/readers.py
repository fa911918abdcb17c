"""Readers: what nuclear medicine physicians would call an exam, with their disagreement.

A reader calls an exam abnormal when the weaker posterior putamen, as a fraction of what is expected
at that age and sex, looks lower than the reader's threshold. All readers see the same image, so
they share its noise; each has an error of their own. One routine reader gives the stored label,
five experts give the rest.

An exam is *difficult* when the experts are divided, or agree without being sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erf, ndtr

__all__ = ["PANEL_PATTERNS", "Reading", "label_probability", "read_exam"]

THRESHOLD = 0.72  # fraction of expected binding below which an exam is called abnormal; design
IMAGE_NOISE = 0.04  # SD of what the image shows around the truth, for all readers; design
STORED_READER, PANEL_READER = 0.08, 0.07  # SDs of a reader's own error; design: they give kappa
# 0.80-0.93 between readers as published (Makinen 2016, utupub.fi/handle/10024/155837; Papathanasiou
# 2012, 10.1007/s12149-011-0564-1)
FLIPS = 0.01  # stored labels flipped whatever the severity; design
PANEL = 5
LIKERT_STEPS = 0.07, 0.20  # margins from which a call is probable (2) and certain (3); design
UNSURE = 0.75  # unanimous experts below this confidence find an exam difficult; design: together
# with divided panels about one exam in five, as the challenge's organisers state
LOST_CAUDATE = 0.50  # fraction below which the caudate too counts as lost (grade 3); design
GRADIENT = 0.70  # posterior putamen over caudate below which loss comes from the back; design
PANEL_PATTERNS = ("normal", "egg", "burst", "even")


@dataclass(frozen=True)
class Reading:
    """What readers said of one exam.

    Attributes
    ----------
    label : int
        The stored label by one routine reader: 1 abnormal, 0 normal.
    votes : tuple of int
        What each of five experts called it, 1 or 0.
    likert : int
        Their median certainty: -3 certainly normal … -1, 1 … 3 certainly abnormal; never 0, since
        experts must decide (six levels as in Mathies 2022, 10.1186/s13550-022-00923-w).
    benamer : int
        Their grade: 0 normal, 1 one putamen low, 2 both low and caudates kept, 3 caudates too
        (Benamer 2000).
    pattern : str
        Their word for it: ``normal``, ``egg`` (lost from the back), ``burst`` (lost everywhere;
        both Kahraman 2012, 10.1007/s00415-011-6163-1) or ``even`` (low everywhere, shape kept).
    confidence : float
        Their mean certainty, 0 to 1.
    """

    label: int
    votes: tuple[int, ...]
    likert: int
    benamer: int
    pattern: str
    confidence: float

    @property
    def difficult(self) -> bool:
        """Whether the experts are divided, or agree without being sure."""
        return 0 < sum(self.votes) < PANEL or self.confidence < UNSURE


def read_exam(
    rng: np.random.Generator,
    fraction: float,
    bias: float = 0.0,
    other: float | None = None,
    caudate: float | None = None,
) -> Reading:
    """Read one exam.

    Parameters
    ----------
    rng : numpy.random.Generator
    fraction : float
        True binding of the weaker posterior putamen over that expected at this age and sex.
    bias : float
        Shift of the centre's own reader: positive calls fewer exams abnormal.
    other, caudate : float, optional
        The same of the other posterior putamen, and of the caudate on the weaker side, as
        :func:`datkit.simulate.patient.uptake.seen_fractions` gives them; by default equal to
        `fraction`.
        They decide grade and pattern, not whether an exam is abnormal.

    Examples
    --------
    >>> read_exam(np.random.default_rng(0), fraction=0.2, caudate=0.7).pattern
    'egg'
    >>> read_exam(np.random.default_rng(0), fraction=1.2).votes
    (0, 0, 0, 0, 0)
    """
    seen = fraction + rng.normal(0, IMAGE_NOISE)
    own, flip = seen + bias + rng.normal(0, STORED_READER), rng.random() < FLIPS
    margins = THRESHOLD - seen - rng.normal(0, PANEL_READER, PANEL)
    rest = (fraction if value is None else value for value in (other, caudate))
    grade, pattern = _describe(margins, *(rng.normal(value, IMAGE_NOISE) for value in rest))
    levels = 1 + np.searchsorted(LIKERT_STEPS, np.abs(margins), side="right")
    doubt = np.hypot(IMAGE_NOISE, PANEL_READER)  # experts know how far off a single look can be
    return Reading(
        label=int((own < THRESHOLD) != flip),
        votes=tuple(int(margin > 0) for margin in margins),
        likert=int(np.median(np.where(margins > 0, levels, -levels))),
        benamer=grade,
        pattern=pattern,
        confidence=round(float(np.mean(erf(np.abs(margins) / doubt / np.sqrt(2)))), 4),
    )


def _describe(margins: np.ndarray, other: float, caudate: float) -> tuple[int, str]:
    """Return the grade and the pattern that the majority settles on."""
    if np.median(margins) <= 0:
        return 0, "normal"
    grade = 3 if caudate < LOST_CAUDATE else 2 if other < THRESHOLD else 1
    if THRESHOLD - np.median(margins) < GRADIENT * caudate:
        return grade, "egg"
    return grade, "burst" if caudate < LOST_CAUDATE else "even"


def label_probability(
    fraction: npt.ArrayLike, bias: npt.ArrayLike = 0.0, spread: float = 0.0
) -> np.ndarray:
    """Return the probability that the stored label is abnormal, given the truth.

    Nothing that looks at the image can know more: the rest is the routine reader's own error.

    Parameters
    ----------
    fraction : array
        True binding of the weaker posterior putamen over that expected at this age and sex.
    bias : array
        Shift of the centre's own reader.
    spread : float
        SD of that shift where it is not known.

    Examples
    --------
    >>> label_probability([0.0, THRESHOLD, 2.0]).round(3).tolist()
    [0.99, 0.5, 0.01]
    """
    error = np.sqrt(IMAGE_NOISE**2 + STORED_READER**2 + spread**2)
    below = ndtr((THRESHOLD - np.asarray(fraction, float) - np.asarray(bias, float)) / error)
    return FLIPS + (1 - 2 * FLIPS) * below
