"""Patients: who they are, and what each pattern leaves of the striatum."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.simulate.patient.loss import BORDERLINE, DEGENERATIVE, OTHER
from datkit.simulate.patient.person import (
    BACKGROUND,
    GLANDS,
    PATTERNS,
    REGION_FACTOR,
    draw_background,
    draw_patient,
    draw_pattern,
    expected_sbr,
    standard_normal,
)


def draw(pattern: str, n: int = 300) -> list:
    return [draw_patient(np.random.default_rng(seed), pattern) for seed in range(n)]


def mean_of(pattern: str, measure) -> float:
    return float(np.mean([measure(patient) for patient in draw(pattern)]))


@pytest.mark.parametrize("region", ["caudate", "putamen"])
def test_binding_falls_by_4_to_7_per_cent_a_decade(region):
    ratio = expected_sbr(region, 75, "M") / expected_sbr(region, 65, "M")
    assert 0.04 < 1 - ratio < 0.07


def test_women_bind_more_at_45_and_the_same_at_75():
    man = expected_sbr("putamen", 45, "M")
    assert expected_sbr("putamen", 45, "F") == pytest.approx(1.08 * man)
    assert expected_sbr("putamen", 75, "F") == expected_sbr("putamen", 75, "M")


def test_the_same_stream_draws_the_same_patient():
    one, two = (draw_patient(np.random.default_rng(5), "atypical") for _ in range(2))
    for name in ("age", "sex", "ssri", "healthy", "taper", "loss", "background", "glands"):
        assert getattr(one, name) == getattr(two, name)
    np.testing.assert_array_equal(one.shape.warp, two.shape.warp)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_drawn_values_stay_in_range(pattern):
    for patient in draw(pattern, 50):
        assert 40 <= patient.age <= 85
        assert patient.sex in "FM"
        assert set(patient.background) == set(BACKGROUND | REGION_FACTOR)
        assert set(patient.glands) == set(GLANDS)
        assert min(patient.background.values()) > 0
        for side in patient.loss.sides.values():
            left = (side.caudate, side.ventral_striatum, side.front, side.back)
            assert 0.05 <= min(left) <= max(left) <= 1


def test_the_mean_patient_has_every_value_that_a_drawn_one_has():
    standard, drawn = standard_normal(), draw("normal", 1)[0]
    for name in ("healthy", "background", "glands"):
        assert set(getattr(standard, name)) == set(getattr(drawn, name))
    assert set(standard.loss.sides) == set(drawn.loss.sides)


def test_healthy_binding_varies_by_15_per_cent_between_subjects_and_little_between_sides():
    patients = draw("normal", 600)
    logs = [
        np.log(p.healthy["putamen_left"] / expected_sbr("putamen", p.age, p.sex)) for p in patients
    ]
    sides = [np.log(p.healthy["putamen_left"] / p.healthy["putamen_right"]) for p in patients]
    assert 0.13 < np.std(logs) < 0.18
    assert 0.05 < np.std(sides) < 0.07
    assert abs(np.mean(logs)) < 0.03


def test_borderline_keeps_its_shape_and_is_older():
    patients = draw("borderline")
    for patient in patients:
        side = patient.loss.sides["left"]
        assert BORDERLINE[0] <= side.back == side.front == side.caudate <= BORDERLINE[1]
    assert np.mean([p.age for p in patients]) > np.mean([p.age for p in draw("normal")]) + 2


@pytest.mark.parametrize(("degenerative", "shares"), [(True, DEGENERATIVE), (False, OTHER)])
def test_patterns_come_in_their_shares(degenerative, shares):
    assert sum(shares.values()) == pytest.approx(1)
    rng = np.random.default_rng(0)
    drawn = [draw_pattern(rng, degenerative) for _ in range(4000)]
    for pattern, share in shares.items():
        assert drawn.count(pattern) / 4000 == pytest.approx(share, abs=0.03)


def test_an_ssri_lowers_the_reference_and_serotonergic_regions():
    free, taking = (
        draw_background(np.random.default_rng(1), 65, "M", ssri) for ssri in (False, True)
    )
    for tissue in ("grey", "white"):
        assert taking[tissue] == pytest.approx(0.92 * free[tissue])
    assert taking["thalamus"] < free["thalamus"] - 0.1
    assert taking["cerebellum"] == free["cerebellum"]
    assert 0.08 < mean_of("normal", lambda p: p.ssri) < 0.22


def test_the_thalamus_fades_with_age_and_is_brighter_in_women():
    def thalamus(age, sex):
        return draw_background(np.random.default_rng(2), age, sex, ssri=False)["thalamus"]

    assert thalamus(80, "M") < thalamus(50, "M") < thalamus(50, "F")


def test_an_unknown_pattern_is_refused_by_name():
    with pytest.raises(UsageError, match="parkinson.*found 'healthy'"):
        draw_patient(np.random.default_rng(0), "healthy")
