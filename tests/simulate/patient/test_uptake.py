"""Uptake: truth is what was painted, and losing half leaves half."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datkit.simulate.patient.anatomy import SHAPE, standard_anatomy
from datkit.simulate.patient.loss import SIDES, Defect, Loss, Side
from datkit.simulate.patient.person import (
    STRIATUM,
    draw_patient,
    standard_normal,
)
from datkit.simulate.patient.uptake import paint, seen_fractions, true_sbr

WHOLE = Side()


@pytest.fixture(scope="module")
def painted():
    return paint(standard_normal())


def patient_with(left: Side = WHOLE, right: Side = WHOLE, defect: Defect | None = None):
    """The mean patient, with losses."""
    return replace(standard_normal(), loss=Loss({"left": left, "right": right}, defect))


def profile(uptake: np.ndarray, region: str) -> np.ndarray:
    """Return the mean uptake of a region's core at each y where it has one."""
    core = standard_anatomy().regions[region] > 0.999
    at = np.flatnonzero(core.any(axis=(0, 2)))
    return np.array([uptake[:, y][core[:, y]].mean() for y in at])


def test_the_truth_of_the_standard_normal_is_the_published_mean(painted):
    _, truth = painted
    for region in STRIATUM:  # the putamen tapers about the middle of its volume
        assert truth[f"{region}_left"] == pytest.approx(STRIATUM[region]["sbr"], rel=1e-5)
    assert truth["posterior_putamen_right"] < truth["putamen_right"]


def test_truth_names_every_region_on_both_sides(painted):
    regions = (*STRIATUM, "posterior_putamen")
    assert set(painted[1]) == {f"{region}_{side}" for region in regions for side in SIDES}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_truth_can_be_read_off_the_painted_voxels(seed):
    patient = draw_patient(np.random.default_rng(seed), "parkinson")
    uptake, truth = paint(patient)
    anatomy = standard_anatomy()
    occipital = anatomy.regions["occipital"]
    pure = sum(anatomy.regions[f"{region}_{side}"] for region in STRIATUM for side in SIDES)
    tissue = anatomy.tissue["grey"] + anatomy.tissue["white"]
    brain = sum(anatomy.tissue[k] * patient.background[k] for k in ("grey", "white"))
    reference = (brain * occipital).sum() / (tissue * occipital).sum()
    for name in ("caudate_left", "putamen_right"):
        core = (anatomy.regions[name] > 0.999) & (pure < 1.001)
        within = np.abs(uptake[core].mean() / reference - 1 - truth[name])
        assert within < 0.08 * truth[name] + 0.05  # the core is not quite the whole


def test_what_is_painted_is_float32_and_in_the_standard_form(painted):
    assert painted[0].shape == SHAPE and painted[0].dtype == np.float32
    other = replace(standard_normal(), shape=draw_patient(np.random.default_rng(3), "drug").shape)
    np.testing.assert_array_equal(paint(other)[0], painted[0])


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
    half = Side(0.5, 0.5, 0.5, 0.5)
    for name, value in true_sbr(patient_with(half, half)).items():
        assert value == pytest.approx(painted[1][name] / 2, rel=1e-5)


def test_a_mirrored_patient_mirrors_left_and_right():
    ill = Side(0.8, 0.9, 0.6, 0.3, 1.3)
    one, two = paint(patient_with(right=ill)), paint(patient_with(left=ill))
    np.testing.assert_allclose(one[0], two[0][::-1], atol=1e-5)
    assert one[1]["putamen_left"] == pytest.approx(two[1]["putamen_right"])


def test_the_putamen_falls_from_front_to_back(painted):
    ill = paint(patient_with(left=Side(0.8, 0.9, 0.7, 0.2)))[0]
    healthy, lost = (profile(volume, "putamen_left") for volume in (painted[0], ill))
    assert (np.diff(healthy) >= -1e-4).all() and (np.diff(lost) >= -1e-4).all()  # y runs forward
    assert healthy[0] / healthy[-1] == pytest.approx(0.70, abs=0.03)
    assert lost[0] / lost[-1] < 0.6


def test_disease_spares_the_head_of_the_caudate_longer_than_its_tail(painted):
    ill = paint(patient_with(left=Side(0.8, 0.9, 0.7, 0.35)))[0]
    healthy, lost = (profile(volume, "caudate_left") for volume in (painted[0], ill))
    assert np.ptp(healthy) < 5e-3
    assert 0.7 < lost[0] / lost[-1] < 0.95


def test_a_defect_is_punched_out_where_it_lies(painted):
    uptake, truth = paint(patient_with(defect=Defect((-27, -10, 2), 12)))
    changed = np.abs(uptake - painted[0]) > 1e-4
    x, y, z = (axis.mean() for axis in np.nonzero(changed))
    assert (2 * x - 98, 2 * y - 134, 2 * z - 150) == pytest.approx((-27, -10, 2), abs=2.5)
    assert 0.2 < (4 / 3 * np.pi * 6**3) / (changed.sum() * 8) < 3
    wide, deep, high = (np.ptp(axis) for axis in np.nonzero(changed))
    assert high > 1.3 * max(wide, deep)
    assert truth["putamen_left"] < 0.97 * painted[1]["putamen_left"]
    assert truth["posterior_putamen_left"] < 0.95 * painted[1]["posterior_putamen_left"]
    assert truth["putamen_right"] == painted[1]["putamen_right"]


def test_a_defect_holds_fluid(painted):
    middle = (-28.0, 0.0, 2.0)
    uptake, _ = paint(patient_with(defect=Defect(middle, 15)))
    at = tuple(int((m - o) / 2) for m, o in zip(middle, (-98, -134, -150), strict=True))
    fluid = standard_normal().background["csf"]
    assert uptake[at] == pytest.approx(fluid, abs=0.01) and painted[0][at] > 5.5


def test_an_ssri_raises_ratios_by_about_a_tenth_and_leaves_the_striatum(painted):
    taking = replace(standard_normal(), ssri=True)
    background = dict(taking.background)
    for tissue in ("grey", "white"):
        background[tissue] *= 0.92
    uptake, truth = paint(replace(taking, background=background))
    assert 1.08 < truth["putamen_left"] / painted[1]["putamen_left"] < 1.12
    core = standard_anatomy().regions["putamen_left"] > 0.999
    np.testing.assert_allclose(uptake[core], painted[0][core], rtol=1e-5)


def test_readers_see_the_weaker_side_relative_to_age_and_sex():
    ill = Side(0.8, 0.8, 0.4, 0.4)
    seen = seen_fractions(patient_with(right=ill))
    assert seen["fraction"] == pytest.approx(0.4) and seen["other"] == pytest.approx(1)
    assert seen["caudate"] == pytest.approx(0.8)
    old = replace(patient_with(right=ill), age=85.0)
    less = np.exp(2 * STRIATUM["putamen"]["slope"])  # in two decades: less abnormal at 85
    assert seen_fractions(old)["fraction"] == pytest.approx(0.4 * less) and less > 1.05
