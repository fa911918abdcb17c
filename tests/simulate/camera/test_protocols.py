"""Collimators resolve as published; matrices draw what is a range, and nothing is impossible."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from pydantic import ValidationError

from datkit.simulate.camera.protocols import Collimator, Matrix, Recipe

# Holes and lengths of the QIBA table (10.1186/s13550-017-0300-5); FWHM at 120, 140 and 160 mm.
PUBLISHED = [
    (Collimator("A", 1.11, 24.05), (7.9, 8.7, 9.6)),
    (Collimator("B", 1.50, 35.0), (7.8, 8.6, 9.4)),
    (Collimator("C", 2.03, 48.0), (8.2, 8.9, 9.7)),
]


@pytest.mark.parametrize(("collimator", "fwhm"), PUBLISHED, ids=lambda value: str(value)[:20])
def test_resolution_of_published_collimators(collimator, fwhm):
    assert collimator.fwhm(np.array([120.0, 140.0, 160.0])) == pytest.approx(fwhm, abs=0.06)


def test_resolution_worsens_with_distance_from_the_crystals_own():
    collimator = Collimator("A", hole_mm=1.11, length_mm=24.05, intrinsic_mm=3.8)
    widths = collimator.fwhm(np.linspace(0, 300, 31))
    assert (np.diff(widths) > 0).all()
    assert widths[0] == pytest.approx(np.hypot(3.8, 1.11))


def test_a_matrix_draws_only_what_is_a_range():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert Matrix(64, 32, 4.0).draw(rng) == ((64, 64, 32), (4.0, 4.0, 4.0))
    assert rng.bit_generator.state == before


def test_a_range_is_drawn_within_its_ends():
    wide = Matrix((118, 130, 178), (44, 50), (1.5, 1.7), height=3.0)
    for seed in range(50):
        (i, j, k), (x, y, z) = wide.draw(np.random.default_rng(seed))
        assert i == j and i % 2 == 0 and 118 <= i <= 178 and 44 <= k <= 50
        assert x == y and 1.5 <= x <= 1.7 and z == 3


@pytest.mark.parametrize("build", [lambda: Recipe("osem", cutoff=-1), lambda: Matrix(9, 9, 0)])
def test_an_impossible_value_is_refused_in_python_too(build):
    with pytest.raises(ValidationError, match="greater than 0"):
        build()


def test_recipes_and_collimators_cannot_change():
    with pytest.raises(FrozenInstanceError):
        Recipe("osem").iterations = 9
    with pytest.raises(FrozenInstanceError):
        PUBLISHED[0][0].hole_mm = 2
