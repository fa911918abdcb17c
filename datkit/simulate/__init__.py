"""The simulated multi-centre cohort: patients, scanners, readers and files, with known truth.

The steps follow one another, each module with its parts beside it:

* :mod:`anatomy` (:mod:`grid`, :mod:`head`) and :mod:`shape` (:mod:`warp`): a standard head, and one
  patient's form of it
* :mod:`patient` (:mod:`loss`, :mod:`background`) and :mod:`uptake`: what a patient is, painted
* :mod:`centres` (:mod:`protocols`, :mod:`scanner`) and :mod:`acquisition` (:mod:`pose`): how an
  exam is taken
* :mod:`camera` (:mod:`projector`, :mod:`reconstruction`): the image of it
* :mod:`readers`: what it is called
* :mod:`exam` and :mod:`cohort` (:mod:`folder`): one exam of a seed, and whole sets on disk

:mod:`striata` says where they really lie, :mod:`template` builds the template that scans are
registered to, :mod:`lab` what lessons need.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "SIZES",
    "TEST_SETS",
    "open_simulated",
    "simulate_cohort",
    "simulate_exam",
    "simulate_volume",
]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import datkit` must stay light."""
    if name in __all__:
        return getattr(import_module("datkit.simulate.cohort"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
