"""What changes to an exam do to the network, measured: the tables of the page, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from datkit.book.network.changes import Changes, change, measure, on_grid
from datkit.files import replace_atomically
from datkit.measure.regions import Shifts
from datkit.models.base import LogitClassifier

__all__ = ["TRIED", "Shown", "Tried", "describe", "try_changes", "write_measured"]


class Shown(NamedTuple):
    """An exam of the page: its voxels (64, 47, 45), as the page holds them, and its striata."""

    exam: np.ndarray
    places: Shifts


class Tried(NamedTuple):
    """A change, in words."""

    words: str
    changes: Changes


TRIED = (
    Tried("as it is", Changes()),
    Tried("left and right exchanged", Changes(mirror=True)),
    Tried("right posterior putamen 50 % dimmer", Changes(right=0.5)),
    Tried("both posterior putamina 50 % dimmer", Changes(left=0.5, right=0.5)),
    Tried("blurred by 10 mm", Changes(blur=10.0)),
    Tried("8 mm to the right", Changes(shift=(8.0, 0.0, 0.0))),
    Tried("8 mm to the front", Changes(shift=(0.0, 8.0, 0.0))),
    Tried("8 mm up", Changes(shift=(0.0, 0.0, 8.0))),
    Tried("reference taken 20 % too high", Changes(reference=1.2)),
    Tried("reference taken 20 % too low", Changes(reference=0.8)),
)
SHIFTS = {"to the right": 5, "to the front": 6, "up": 7}  # places in TRIED
MIRRORED, DIMMED, BLURRED, TOO_HIGH = 1, 3, 4, 8


def try_changes(model: LogitClassifier, exams: np.ndarray) -> np.ndarray:
    """Return the probability of each exam after each change, (changes, n).

    Parameters
    ----------
    model : LogitClassifier
    exams : array, shape (n, 64, 47, 45)
        The part of prepared volumes that the page holds.
    """
    changed = [on_grid(change(exam, one.changes)) for one in TRIED for exam in exams]
    logits = [model.decision_function(volume[None].astype(np.float32))[0] for volume in changed]
    return expit(np.reshape(logits, (len(TRIED), len(exams))))


def write_measured(
    path: Path,
    model: LogitClassifier,
    shown: Mapping[str, Shown],
    exams: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Write the tables and what they say.

    Parameters
    ----------
    path : Path
    model : LogitClassifier
    shown : mapping of str to Shown
        The exams of the page by their kind: ``"normal"``, ``"borderline"`` and others.
    exams, labels : array, shapes (n, 64, 47, 45) and (n,)
        All exams of the centre that the model has not met.
    """
    own = try_changes(model, np.stack([one.exam for one in shown.values()]))
    others = try_changes(model, exams)
    putamen = [[_weaker(one, tried.changes) for one in shown.values()] for tried in TRIED]
    lines = [
        *_table(list(shown), own, np.array(putamen), others),
        "",
        *describe(shown, own, others),
    ]
    lines += ["", _trust(others[0], labels), ""]
    with replace_atomically(path) as part:
        part.write_text("\n".join(lines), encoding="utf-8")


def _weaker(one: Shown, changes: Changes) -> float:
    ratios = measure(one.exam, one.places, changes)
    return min(ratios["putamen_left"], ratios["putamen_right"])


def _table(kinds: list[str], own: np.ndarray, putamen: np.ndarray, others: np.ndarray) -> list[str]:
    heads = [*kinds, f"crossed one half, of {others.shape[1]}"]
    lines = [f"| change | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    crossed = _crossed(others)
    for row, tried in enumerate(TRIED):
        cells = [
            f"{chance(p)} ({ratio:.2f})" for p, ratio in zip(own[row], putamen[row], strict=True)
        ]
        last = str(crossed[row]) if row else ""
        lines.append(f"| {tried.words} | {' | '.join([*cells, last])} |".replace("-0.", "−0."))
    return lines


def describe(shown: Mapping[str, Shown], own: np.ndarray, others: np.ndarray) -> list[str]:
    """Return one point a change that is worth a sentence, each with its numbers."""
    sound, p = (own[:, list(shown).index(kind)] for kind in ("normal", "borderline"))
    crossed, n = _crossed(others), others.shape[1]
    moved = {words: np.abs(others[place] - others[0]).mean() for words, place in SHIFTS.items()}
    most = max(moved, key=lambda words: moved[words])
    ways = ", ".join(f"{chance(sound[place])} {words}" for words, place in SHIFTS.items())
    steps = np.abs(logit(np.clip(own, 1e-9, 1 - 1e-9)) - logit(np.clip(own[0], 1e-9, 1 - 1e-9)))
    return [
        "- **A move of 8 mm**, two voxels of what the network sees: the normal exam goes from "
        f"{chance(sound[0])} to {ways}. Of {n} exams of a centre that the network has not met, the "
        f"move {most} matters most: {moved[most]:.2f} on average, and {crossed[SHIFTS[most]]} of "
        "them cross one half.",
        "- **A wrong reference is no disease**, but the network cannot know: taken 20 % too high, "
        f"the borderline exam goes from {chance(p[0])} to {chance(p[TOO_HIGH])}. Both posterior "
        f"putamina at half their uptake make it {chance(p[DIMMED])}.",
        f"- **Blur** of 10 mm, as of a coarser camera, brings the borderline exam from "
        f"{chance(p[0])} to {chance(p[BLURRED])}: nothing in the patient has changed, and "
        f"{crossed[BLURRED]} of the {n} exams cross one half.",
        f"- **Left and right exchanged** changes the logit by {_tiny(steps[MIRRORED].max())}: the "
        "network reads each exam twice, once mirrored, and takes the mean.",
    ]


def _trust(p: np.ndarray, labels: np.ndarray) -> str:
    share = np.full(len(labels), labels.mean())
    auroc, loss, base = roc_auc_score(labels, p), log_loss(labels, p), log_loss(labels, share)
    return (
        f"On those {len(labels)} exams, unchanged, its {{term}}`AUROC` is {auroc:.2f} and its "
        f"{{term}}`log loss` {loss:.2f}, where always saying their share of abnormal exams costs "
        f"{base:.2f}. With so few exams, these are rough figures."
    )


def _crossed(p: np.ndarray) -> np.ndarray:
    """Return how many exams a change brings to the other side of one half, (changes,)."""
    return ((p > 0.5) != (p[0] > 0.5)).sum(axis=1)


def _tiny(value: float) -> str:
    return "nothing" if value < 1e-4 else f"{value:.4f}"


def chance(p: float) -> str:
    """Write a probability with two digits, and never as a certainty.

    Examples
    --------
    >>> chance(0.123), chance(0.9999), chance(0.001)
    ('0.12', 'over 0.99', 'under 0.01')
    """
    if p > 0.99:
        return "over 0.99"
    return f"{p:.2f}" if p >= 0.01 else "under 0.01"
