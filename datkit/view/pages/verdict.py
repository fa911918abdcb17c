"""What preparation found out about an exam, figure by figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from datkit.prepare.quality import RULES
from datkit.view.pages.page import number

__all__ = ["check_rows"]

# What each figure of Prepared.quality is, and its unit; one that is not listed keeps its own name.
CHECKS = {
    **{name: (rule.label, "") for name, rule in RULES.items()},
    "scale": (RULES["scale"].label, " (template = 1)"),
    "rotation": (RULES["rotation"].label, " (°)"),
    "cut": ("head cut off at", ""),
    "reference": ("reference", " (scan’s unit)"),
    "hottest": ("hottest voxel", " (reference = 1)"),
    "fallback": ("help for registration", ""),
}
NOTES = {"reference": "reference_region", "hottest": "hottest_in"}  # said behind the figure


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
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    found = number(value, 2 if value < 100 else 0) if is_number else str(value)
    row = _row("".join(_label(name)), f"{found}, {note}" if note else found)
    if name not in RULES:
        return row
    low, high = RULES[name].low, RULES[name].high
    return row | {"expected": f"{low:g} to {high:g}", "failed": not low <= value <= high}


def _row(label: str, found: str) -> dict[str, Any]:
    return {"label": label, "found": found, "expected": "", "failed": False}


def _label(name: str) -> tuple[str, str]:
    return CHECKS.get(name, (name, ""))
