"""Probabilities to score."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def make_scores():
    """Return labels drawn from their own probabilities: perfectly calibrated."""

    def make(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        p = 1 / (1 + np.exp(-2 * rng.normal(size=n)))
        return (rng.random(n) < p).astype(int), p

    return make
