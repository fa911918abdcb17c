"""The simulated multi-centre cohort: patients, scanners, readers and files, with known truth.

The steps follow one another: :mod:`anatomy` (a standard head), :mod:`uptake` (a patient),
:mod:`camera` (a centre's exam of that patient), :mod:`readers` (what readers call it) and
:mod:`cohort` (files on disk). :mod:`template` builds the template that scans are registered to.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["SIZES", "open_simulated", "simulate_cohort", "simulate_exam"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import datkit` must stay light."""
    if name in __all__:
        return getattr(import_module("datkit.simulate.cohort"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
