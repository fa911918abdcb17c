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
IMAGE_NOISE = 0.07  # SD shared by all readers of one exam
STORED_READER, PANEL_READER = 0.10, 0.07  # SDs: routine reader (kappa about 0.84), expert (0.90);
# the calibration by simulation stands in the data card; kappas: Makinen 2016, Papathanasiou 2012
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
