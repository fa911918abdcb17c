"""What preparation found out about an exam, in plain words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datkit.prepare.exam import EXPECTED
from datkit.view.page import number

__all__ = ["check_rows", "explain_verdict"]

# What each figure of Prepared.quality is, and its unit; one that is not listed keeps its own name.
CHECKS = {
    "similarity": ("similarity to the template", ""),
    "head_in_view": ("share of the head in view", ""),
    "regions_in_view": ("share of the measured regions in view", ""),
    "scale": ("size of the head", " (template = 1)"),
    "rotation": ("turn of the head", " (°)"),
    "reference": ("reference uptake", " (scan’s unit)"),
}
ADVICE = {
    "similarity": "Is it a brain, the right way up, and not mostly noise?",
    "head_in_view": "Part of the head was not scanned: trust what the pictures show, no more.",
    "regions_in_view": "A measured region lies partly outside the scan, so it measures too low.",
    "scale": "Check the voxel size in the file’s header.",
    "rotation": "Check the orientation in the file’s header, and left and right with it.",
}
ANY_ADVICE = "Compare the pictures with another exam before you use the measures."


def explain_verdict(verdict: str) -> list[tuple[str, str]]:
    """Split a verdict into its reasons, each with what to do; ``"good"`` has none.

    Examples
    --------
    >>> explain_verdict("look at it: scale is 1.30, expected 0.75 to 1.15")
    [('size of the head is 1.30, expected 0.75 to 1.15',
      'Check the voxel size in the file’s header.')]
    """
    if verdict == "good":
        return []
    reasons = verdict.removeprefix("look at it: ").split("; ")
    names = [reason.partition(" ")[0] for reason in reasons]
    return [
        (_label(name)[0] + reason.removeprefix(name), ADVICE.get(name, ANY_ADVICE))
        for name, reason in zip(names, reasons, strict=True)
    ]


def check_rows(quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each figure of :class:`datkit.prepare.Prepared`'s quality.

    Examples
    --------
    >>> check_rows({"similarity": 0.97, "verdict": "good"})
    [{'label': 'similarity to the template', 'found': '0.97', 'expected': '0.9 to 1',
      'failed': False}]
    """
    return [_check(name, value) for name, value in quality.items() if name != "verdict"]


def _check(name: str, value: Any) -> dict[str, Any]:
    low, high = EXPECTED.get(name, (None, None))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "label": "".join(_label(name)),
        "found": number(value, 2 if value < 100 else 0) if is_number else str(value),
        "expected": "" if low is None else f"{low:g} to {high:g}",
        "failed": low is not None and not low <= value <= high,
    }


def _label(name: str) -> tuple[str, str]:
    return CHECKS.get(name, (name, ""))
