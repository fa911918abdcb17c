"""Readers: what nuclear medicine physicians would call an exam, with their disagreement.

A reader calls an exam abnormal when the weaker posterior putamen, as a fraction of what is expected
at that age and sex, looks lower than the reader's threshold. All readers see the same image, so
they share its noise; each has an error of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Reading", "read_exam"]

THRESHOLD = 0.72  # fraction of expected binding below which an exam is called abnormal
IMAGE_NOISE = 0.05  # SD shared by all readers of one exam; design
STORED_READER, PANEL_READER = 0.08, 0.07  # SDs of a reader's own error, design: they give kappa
# 0.80-0.93 between readers as published (Makinen 2016, utupub.fi/handle/10024/155837; Papathanasiou
# 2012, 10.1007/s12149-011-0564-1); the threshold gives about 55 % abnormal exams
FLIPS = 0.01  # stored labels flipped whatever the severity; design
PANEL = 5


@dataclass(frozen=True)
class Reading:
    """What readers said of one exam.

    Attributes
    ----------
    label : int
        The stored label by one routine reader: 1 abnormal, 0 normal.
    votes : int
        How many of five experts called it abnormal.
    """

    label: int
    votes: int


def read_exam(rng: np.random.Generator, fraction: float, bias: float = 0.0) -> Reading:
    """Read one exam.

    Parameters
    ----------
    rng : numpy.random.Generator
    fraction : float
        True binding of the weaker posterior putamen over that expected at this age and sex.
    bias : float
        Shift of the centre's own reader: positive calls fewer exams abnormal.

    Examples
    --------
    >>> read_exam(np.random.default_rng(0), fraction=0.2)
    Reading(label=1, votes=5)
    >>> read_exam(np.random.default_rng(0), fraction=1.2)
    Reading(label=0, votes=0)
    """
    seen = fraction + rng.normal(0, IMAGE_NOISE)
    own, flip = seen + bias + rng.normal(0, STORED_READER), rng.random() < FLIPS
    panel = seen + rng.normal(0, PANEL_READER, PANEL)
    return Reading(int((own < THRESHOLD) != flip), int((panel < THRESHOLD).sum()))
