"""Collimators resolve as published; recipes that nobody could follow are refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.simulate.camera.scanner import Collimator, Recipe

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


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "magic"}, "method must be fbp or osem, found 'magic'"),
        ({"attenuation": "some"}, "attenuation must be none, uniform or map, found 'some'"),
        ({"iterations": 0}, "iterations must be 1 or more, found 0"),
        ({"subsets": 0}, "subsets must be 1 or more, found 0"),
        ({"cutoff": 0.0}, "cutoff must be above 0, found 0.0"),
        ({"order": 0}, "order must be 1 or more, found 0"),
        ({"postfilter_mm": -1.0}, "postfilter_mm must be 0 or more, found -1.0"),
        ({"method": "fbp", "resolution": True}, "resolution must be off in fbp, found True"),
    ],
)
def test_an_impossible_recipe_is_refused_with_its_reason(setting, message):
    with pytest.raises(UsageError, match="reconstruction is not possible") as refused:
        Recipe(**{"method": "osem"} | setting)
    assert message in str(refused.value)


def test_every_fault_of_a_recipe_is_named_at_once():
    with pytest.raises(UsageError) as refused:
        Recipe("osem", iterations=0, subsets=0, cutoff=-1)
    assert all(name in str(refused.value) for name in ("iterations", "subsets", "cutoff"))


def test_recipes_and_collimators_cannot_change():
    with pytest.raises(FrozenInstanceError):
        Recipe("osem").iterations = 9
    with pytest.raises(FrozenInstanceError):
        PUBLISHED[0][0].hole_mm = 2
