"""What preparation found out about an exam, in plain words, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from datkit.prepare.quality import EXPECTED
from datkit.view.pages.page import number

__all__ = ["check_rows", "explain_verdict"]

# What each figure of Prepared.quality is, and its unit; one that is not listed keeps its own name.
CHECKS = {
    "similarity": ("similarity to the template", ""),
    "head_in_view": ("share of the head in view", ""),
    "regions_in_view": ("share of the regions in view", ""),
    "cut": ("head cut off at", ""),
    "scale": ("head size", " (template = 1)"),
    "rotation": ("head turned by", " (°)"),
    "reference": ("reference", " (scan’s unit)"),
    "hottest": ("hottest voxel", " (reference = 1)"),
    "fallback": ("help for registration", ""),
}
NOTES = {"reference": "reference_region", "hottest": "hottest_in"}  # said behind the figure
# What to do, by how a reason begins.
ADVICE = {
    "similarity": "Is it a brain, the right way up, and not mostly noise?",
    "head_in_view": "Part of the head was not scanned: trust what the pictures show, no more.",
    "regions_in_view": "A measured region lies partly outside the scan, so it measures too low.",
    "scale": "Check the voxel size in the file’s header.",
    "rotation": "Check the orientation in the file’s header, and left and right with it.",
    "a striatum": "See in the pictures whether both striata lie where they should.",
    "the reference": "Binding ratios are not comparable with those of other exams.",
}
ANY_ADVICE = "Compare the pictures with another exam before you use the measures."


def explain_verdict(verdict: str) -> list[tuple[str, str]]:
    """Split a verdict into its reasons, each with what to do; ``"good"`` has none.

    Examples
    --------
    >>> explain_verdict("look at it: scale is 1.30, expected 0.75 to 1.15")
    [('head size is 1.30, expected 0.75 to 1.15',
      'Check the voxel size in the file’s header.')]
    """
    if verdict == "good":
        return []
    return [_explain(reason) for reason in verdict.removeprefix("look at it: ").split("; ")]


def _explain(reason: str) -> tuple[str, str]:
    advice = [text for start, text in ADVICE.items() if reason.startswith(start)]
    name = reason.partition(" ")[0]
    return _label(name)[0] + reason.removeprefix(name), (advice or [ANY_ADVICE])[0]


def check_rows(quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each figure of :class:`datkit.prepare.Prepared`'s quality.

    Examples
    --------
    >>> check_rows({"similarity": 0.97, "verdict": "good"})
    [{'label': 'similarity to the template', 'found': '0.97', 'expected': '0.9 to 1',
      'failed': False}]
    """
    hidden = {"verdict", *NOTES.values()}
    rows = [
        _check(name, value, quality.get(NOTES.get(name)))
        for name, value in quality.items()
        if name not in hidden and "_shift_" not in name
    ]
    for side in ("left", "right"):
        shift = [value for name, value in quality.items() if name.startswith(f"{side}_shift_")]
        if shift:
            rows.append(_row(f"{side} striatum moved by (mm)", number(math.hypot(*shift), 1)))
    return rows


def _check(name: str, value: Any, note: str | None) -> dict[str, Any]:
    low, high = EXPECTED.get(name, (None, None))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    found = number(value, 2 if value < 100 else 0) if is_number else str(value)
    row = _row("".join(_label(name)), f"{found}, {note}" if note else found)
    if low is None:
        return row
    return row | {"expected": f"{low:g} to {high:g}", "failed": not low <= value <= high}


def _row(label: str, found: str) -> dict[str, Any]:
    return {"label": label, "found": found, "expected": "", "failed": False}


def _label(name: str) -> tuple[str, str]:
    return CHECKS.get(name, (name, ""))
