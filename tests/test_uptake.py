"""Patients and their uptake: truth is what was painted, and disease looks like disease."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.simulate.anatomy import SHAPE, standard_anatomy
from datkit.simulate.patient import (
    PATTERNS,
    SBR_AT_65,
    Side,
    draw_patient,
    draw_pattern,
    expected_sbr,
    standard_normal,
)
from datkit.simulate.shape import deform, draw_shape, standard_shape
from datkit.simulate.uptake import paint


@pytest.fixture(scope="module")
def painted():
    return paint(standard_normal())


def draw(pattern: str, n: int = 200) -> list:
    return [draw_patient(np.random.default_rng(seed), pattern) for seed in range(n)]


def test_the_truth_of_the_standard_normal_is_the_published_mean(painted):
    _, truth = painted
    for region in ("caudate", "ventral_striatum"):
        assert truth[f"{region}_left"] == pytest.approx(SBR_AT_65[region], rel=1e-5)
    assert truth["putamen_right"] == pytest.approx(SBR_AT_65["putamen"], rel=0.02)  # it tapers
    assert truth["posterior_putamen_right"] < truth["putamen_right"]


def test_truth_can_be_read_off_the_painted_voxels(painted):
    uptake, truth = painted
    regions = standard_anatomy().regions
    tissue = standard_anatomy().tissue
    reference = regions["occipital"] * (tissue["white"] > 0.99)
    white = uptake[reference > 0].mean() / 1.02  # white matter is 1.02 times grey
    inside = uptake[regions["caudate_left"] > 0.999].mean()
    assert inside / white - 1 == pytest.approx(truth["caudate_left"], rel=0.05)


def test_the_standard_normal_is_symmetric(painted):
    np.testing.assert_allclose(painted[0], painted[0][::-1], atol=1e-5)


def test_the_background_is_flat(painted):
    """A perfusion-like image, bright cortex on dark white matter, would be wrong."""
    tissue = standard_anatomy().tissue
    far = 1 - standard_anatomy().regions["thalamus"]
    grey, white = (painted[0][(tissue[kind] * far) > 0.98].mean() for kind in ("grey", "white"))
    assert white / grey == pytest.approx(1, abs=0.10)


def test_losing_nothing_changes_nothing(painted):
    same = replace(standard_normal(), pattern="parkinson")
    np.testing.assert_array_equal(paint(same)[0], painted[0])


def test_half_the_binding_is_half_the_sbr(painted):
    half = Side(0.5, 0.5, 0.5, 0.5, 1.0)
    _, truth = paint(replace(standard_normal(), sides={"left": half, "right": half}))
    for name, value in truth.items():
        assert value == pytest.approx(painted[1][name] / 2, rel=1e-5)


def test_a_mirrored_patient_mirrors_left_and_right():
    well, ill = Side(1, 1, 1, 1, 1), Side(0.8, 0.8, 0.6, 0.3, 1.3)
    one = paint(replace(standard_normal(), sides={"left": well, "right": ill}))
    two = paint(replace(standard_normal(), sides={"left": ill, "right": well}))
    np.testing.assert_allclose(one[0], two[0][::-1], atol=1e-5)
    assert one[1]["putamen_left"] == pytest.approx(two[1]["putamen_right"])


def test_the_standard_shape_moves_nothing():
    volume = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    np.testing.assert_allclose(deform(volume, standard_shape()), volume, atol=1e-4)


def test_heads_differ_but_stay_inside_the_grid():
    solid = np.float32(sum(standard_anatomy().tissue.values()) > 0.5)
    volumes = []
    for seed in range(3):
        head = deform(solid, draw_shape(np.random.default_rng(seed), 70, "M"))
        assert head[0].max() == head[-1].max() == head[..., -1].max() == 0
        volumes.append(head.sum() / solid.sum())
    assert 0.55 < min(volumes) < max(volumes) < 0.95  # MNI is 1.4 times a real head


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
    assert one.healthy == two.healthy and one.sides == two.sides
    np.testing.assert_array_equal(one.shape.warp, two.shape.warp)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_drawn_values_stay_in_range(pattern):
    for patient in draw(pattern, 50):
        assert 40 <= patient.age <= 85
        assert patient.sex in "FM"
        assert min(patient.background.values()) > 0
        for side in patient.sides.values():
            assert min(side.caudate, side.front, side.back) >= 0.05
            assert max(side.caudate, side.front, side.back) <= 1


def test_parkinson_starts_at_the_back_of_one_putamen():
    for patient in draw("parkinson"):
        worse = min(patient.sides.values(), key=lambda side: side.back)
        assert worse.back < worse.front
        assert worse.back < worse.caudate


def test_atypical_loss_is_flatter_and_more_symmetric_than_parkinson():
    def mean_of(pattern, measure):
        return np.mean([measure(patient) for patient in draw(pattern)])

    def gradient(patient):
        return np.mean([side.front / side.back for side in patient.sides.values()])

    def asymmetry(patient):
        left, right = (patient.sides[side].back for side in ("left", "right"))
        return abs(np.log(left / right))

    assert mean_of("atypical", gradient) < mean_of("parkinson", gradient) - 0.4
    assert mean_of("atypical", asymmetry) < mean_of("parkinson", asymmetry) / 2


def test_borderline_keeps_its_shape_and_is_older():
    patients = draw("borderline")
    for patient in patients:
        side = patient.sides["left"]
        assert 0.70 <= side.back == side.front == side.caudate <= 0.88
    assert np.mean([p.age for p in patients]) > np.mean([p.age for p in draw("normal")]) + 2


def test_the_worse_side_is_as_often_left_as_right():
    worse = [p.sides["left"].back < p.sides["right"].back for p in draw("parkinson")]
    assert 0.35 < np.mean(worse) < 0.65


def test_patterns_follow_the_diagnosis():
    rng = np.random.default_rng(0)
    assert {draw_pattern(rng, True) for _ in range(50)} == {"parkinson", "atypical"}
    assert {draw_pattern(rng, False) for _ in range(50)} == {"normal", "borderline"}


def test_an_unknown_pattern_is_refused_by_name():
    with pytest.raises(UsageError, match="parkinson.*found 'healthy'"):
        draw_patient(np.random.default_rng(0), "healthy")
