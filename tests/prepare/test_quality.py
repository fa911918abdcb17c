"""The quality record: what is cut, where the hottest voxel lies, what helped, and the verdict."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from datkit.io.scan import Scan
from datkit.measure import measure_volume
from datkit.prepare import Prepared, prepare_scan
from datkit.prepare.quality import RULES, advise, describe, find_reasons
from datkit.prepare.sampling import shift, spacing, transform
from datkit.prepare.striatum import FURTHEST


@pytest.fixture(scope="module")
def straight(tiny_cohort) -> Scan:
    scan = tiny_cohort.load(tiny_cohort.uids[0])
    image = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))
    return Scan(np.asarray(image.dataobj), image.affine)


@pytest.fixture(scope="module")
def prepared(straight) -> Prepared:
    return prepare_scan(straight)


def voxel_of(scan: Scan, prepared: Prepared, mm: tuple[float, ...]) -> np.ndarray:
    to_voxels = np.linalg.inv(scan.affine) @ prepared.to_scan
    return np.rint(transform(to_voxels, np.reshape(mm, (3, 1))).ravel()).astype(int)


def test_sound_exam_is_good(prepared):
    quality = prepared.quality
    assert quality["verdict"] == "good" and quality["fallback"] == "none"
    assert quality["reference_region"] == "occipital" and quality["cut"] == "none"
    # Salivary glands may outshine striata.
    assert quality["hottest_in"] in ("striatum", "outside the brain")
    assert 2 < quality["hottest"] < 15


@pytest.mark.parametrize(
    ("axis", "sign", "mm", "name"),
    [(2, 1, 40, "top"), (1, -1, -70, "back"), (1, 1, 40, "front"), (0, -1, -50, "left")],
)
def test_cut_sides_are_named(straight, prepared, axis, sign, mm, name):
    place = [0.0, 0.0, 0.0]
    place[axis] = mm
    at = voxel_of(straight, prepared, tuple(place))[axis]
    keep = [slice(None)] * 3
    keep[axis] = slice(None, at) if sign > 0 else slice(at, None)
    start = [part.start or 0 for part in keep]
    cut = prepare_scan(Scan(straight.data[tuple(keep)], straight.affine @ shift(start)))
    assert cut.quality["cut"] == name


def test_lost_occipital_region_gives_way_to_the_brain(straight, prepared):
    back = voxel_of(straight, prepared, (0, -50, 0))[1]
    cut = prepare_scan(Scan(straight.data[:, back:], straight.affine @ shift([0, back, 0])))
    assert cut.quality["reference_region"] == "brain"
    assert "reference_region" in [reason.code for reason in cut.reasons]
    assert "the reference is the whole brain" in cut.quality["verdict"]
    whole, rest = measure_volume(prepared.volume), measure_volume(cut.volume)
    assert rest["striatum_left"] == pytest.approx(whole["striatum_left"], rel=0.2)


def lit(scan: Scan, voxel: np.ndarray) -> Scan:
    box = tuple(slice(v - 1, v + 2) for v in voxel)
    data = scan.data.copy()
    data[box] = 3 * data.max()
    return Scan(data, scan.affine)


@pytest.mark.parametrize(
    ("mm", "name"), [((57, -15, -72), "outside the brain"), ((30, -60, 20), "brain")]
)
def test_hot_spots_are_placed_and_attract_nothing(straight, prepared, mm, name):
    found = prepare_scan(lit(straight, voxel_of(straight, prepared, mm)))
    assert found.quality["hottest_in"] == name
    middle = np.zeros((3, 1))
    moved = transform(found.to_scan, middle) - transform(prepared.to_scan, middle)
    assert np.linalg.norm(moved) < 1.0


def test_bright_border_is_left_out_and_told(straight, prepared):
    data = straight.data.copy()
    data[:, :, 0] = 10 * data.max()
    found = prepare_scan(Scan(data, straight.affine))
    assert found.quality["hottest_in"] == "border" and found.quality["verdict"] == "good"
    layer = spacing(straight.affine)[2]
    assert np.abs(found.to_scan - prepared.to_scan)[:3, 3].max() < layer / 4


def test_turned_head_says_what_helped(straight):
    turned = np.diag([1.0, -1, -1, 1])  # upside down
    found = prepare_scan(Scan(straight.data, turned @ straight.affine))
    assert found.quality["fallback"] == "other starts"
    assert [reason.code for reason in found.reasons] == ["rotation", "upright"]


def test_a_head_on_its_side_is_turned_but_not_upside_down(straight):
    turned = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    found = prepare_scan(Scan(straight.data, turned @ straight.affine))
    assert [reason.code for reason in found.reasons] == ["rotation"]


@pytest.mark.parametrize("orientation", ["known", "stated", "unknown", "contradictory"])
def test_left_and_right_that_are_not_known_are_a_reason(straight, orientation):
    found = prepare_scan(replace(straight, orientation=orientation))
    told = [(reason.code, reason.found) for reason in found.reasons]
    known = orientation in ("known", "stated")
    assert told == ([] if known else [("orientation", orientation)])


@pytest.mark.parametrize(
    ("name", "end"),
    [(name, end) for name, rule in RULES.items() for end in (rule.low, rule.high)
     if np.isfinite(end) and (name, end) != ("striatum_shift", 0)],
)  # fmt: skip
def test_each_rule_speaks_beyond_its_ends_and_says_what_to_do(name, end):
    rule = RULES[name]
    value = end + (0.5 if end == rule.high else -0.5)
    figures = {"left_shift_y": value} if name == "striatum_shift" else {name: value}
    (reason,) = find_reasons(figures)
    assert (reason.code, reason.severity, reason.remedy) == (name, "warning", rule.remedy)
    told = f"{rule.label} is {value:.2f}{rule.unit}, expected {rule.expected}"
    assert describe(reason) == told
    assert advise(reason) == f"{describe(reason)}. {rule.remedy}"


def test_what_a_rule_expects_reads_well():
    assert RULES["scale"].expected == "0.75 to 1.15"
    assert RULES["lowest"].expected == "-1.5 to 0.05"
    assert RULES["upright"].expected == "at least -0.5"
    assert RULES["rotation"].expected == "0 to 45°"
    assert RULES["resolution"].expected == "4.5 to 20 mm"
    assert RULES["striatum_shift"].high == 0.9 * FURTHEST  # further is none


def test_a_striatum_as_far_away_as_was_looked_is_told():
    assert 0.8 * FURTHEST < RULES["striatum_shift"].high < FURTHEST


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("similarity", 0.86997, "0.86997"), ("similarity", 0.8, "0.80"),
     ("scale", 1.1500001, "1.1500001"), ("rotation", 170.951, "170.95°"),
     ("resolution", 20.004, "20.004 mm")],
)  # fmt: skip
def test_a_figure_shows_on_which_side_of_the_end_it_lies(name, value, found):
    (reason,) = find_reasons({name: value})
    assert reason.found == found


def test_causes_come_before_what_follows_from_them():
    figures = {"similarity": 0.5, "rotation": 170.0, "height": 0.5, "scale": 2.0, "pixels": 0.8}
    codes = [reason.code for reason in find_reasons(figures)]
    assert codes == ["pixels", "height", "scale", "rotation", "similarity"]


def test_a_figure_that_is_no_number_is_a_reason_and_good_ends_are_none():
    assert [reason.code for reason in find_reasons({"scale": float("nan")})] == ["scale"]
    ends = [{name: end} for name, rule in RULES.items() for end in (rule.low, rule.high)]
    assert not any(find_reasons(figures) for figures in [{}, *ends])


def test_the_verdict_is_every_reason_in_one_sentence(prepared):
    assert prepared.quality["verdict"] == "good" and not prepared.reasons
    worse = replace(prepared, quality=prepared.quality | {"scale": 2.0, "rotation": 50.0})
    assert [reason.code for reason in worse.reasons] == ["scale", "rotation"]


@pytest.mark.parametrize(
    ("share", "codes"),
    [(0.1, ["lowest"]), (0.5, ["lowest", "air"]), (2.0, ["lowest", "air", "unevenness"])],
)
def test_a_constant_added_to_every_voxel_is_told_and_moves_no_head(
    straight, prepared, share, codes
):
    added = np.float32(share * prepared.quality["reference"])
    found = prepare_scan(Scan(straight.data + added, straight.affine))
    assert [reason.code for reason in found.reasons] == codes
    assert "was a constant added to every voxel" in found.reasons[0].remedy
    np.testing.assert_allclose(found.to_scan, prepared.to_scan, atol=0.5)


def test_counts_stored_as_their_logarithm_are_told(straight):
    counts = 1000 * straight.data / straight.data.max()
    found = prepare_scan(Scan(np.log1p(counts).astype(np.float32), straight.affine))
    (reason,) = [one for one in found.reasons if one.code == "unevenness"]
    assert "not as their logarithm" in reason.remedy
