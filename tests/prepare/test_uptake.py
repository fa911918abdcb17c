"""What non-specific uptake is, occipital or the brain's; and uptake as only a DaT exam has it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.prepare.painted import OTHERS, as_scan
from datkit.errors import PrepareError
from datkit.prepare import GRID, find_reference, load_regions, prepare_scan, reference_level
from datkit.prepare.grid import grid_mm, load_template
from datkit.prepare.sampling import sample
from datkit.prepare.uptake import look_at_uptake


def test_stray_voxels_and_what_was_not_seen_do_not_count():
    volume = np.full(GRID.shape, 2.0)
    occipital = np.argwhere(load_regions()["occipital"])
    volume[tuple(occipital[::10].T)] = 100.0
    volume[tuple(occipital[1::10].T)] = 0.0
    assert find_reference(volume) == ("occipital", 2.0)


def test_brain_tells_what_the_occipital_region_would(prepared_tiny):
    """Cut the back of the head off: non-specific uptake is still 1 within a few per cent."""
    for volume in prepared_tiny.volumes[:6]:
        cut = volume.copy()
        cut[:, :30] = 0
        region, level = find_reference(cut)
        assert region == "brain"
        assert level == pytest.approx(1, abs=0.1)
        assert reference_level(cut / level) == pytest.approx(1)


def test_striata_do_not_count_as_brain():
    volume = np.ones(GRID.shape)
    volume[:, :30] = 0
    hot = volume.copy()
    hot[load_regions()["striatum_left"]] = 20
    assert find_reference(hot) == find_reference(volume)


def test_too_little_of_the_brain_is_an_error():
    volume = np.zeros(GRID.shape)
    volume[:, -3:] = 1
    with pytest.raises(PrepareError, match="occipital reference region.*is the head cut off"):
        find_reference(volume)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    """The template on the canonical grid."""
    template = load_template()
    points = grid_mm().reshape(3, -1)
    return sample(template.data, template.affine, points)[0].reshape(GRID.shape)


def test_striata_stand_out_of_an_even_brain(volume):
    found = look_at_uptake(volume)
    assert found["striatal_uptake"] > 2
    assert found["cortex"] == pytest.approx(0.95, abs=0.1)
    assert 0.05 < found["unevenness"] < 0.2


def test_a_gain_changes_nothing_and_a_mirrored_volume_neither(volume):
    found = look_at_uptake(volume)
    assert look_at_uptake(7 * volume) == pytest.approx(found, rel=1e-5)
    assert look_at_uptake(volume[::-1]) == pytest.approx(found, rel=1e-3)


def test_one_striatum_is_enough_and_none_is_too_little(volume):
    regions = load_regions()
    brain = np.median(volume[regions["occipital"]])
    flat = np.minimum(volume, brain)
    assert look_at_uptake(flat)["striatal_uptake"] == pytest.approx(1, abs=0.05)
    one = flat + 3 * brain * regions["striatum_left"]
    assert look_at_uptake(one)["striatal_uptake"] > 2


def test_what_is_not_shown_does_not_count(volume):
    cut = volume.copy()
    cut[:, :, 40:] = 0
    cut[28:36, 50:60, 24:30] = 0  # ventricles that somebody zeroed
    found = look_at_uptake(volume)
    assert look_at_uptake(cut)["unevenness"] == pytest.approx(found["unevenness"], abs=0.03)
    nothing = np.zeros_like(volume)
    nothing[load_regions()["occipital"]] = 1
    assert look_at_uptake(nothing) == {}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("T1 MRI, brain alone", "striatal_uptake"),
        ("FDG", "cortex"),
        ("amyloid, cortex too", "striatal_uptake"),
        ("uniform brain", "striatal_uptake"),
        ("exam wrapped at 16 bits", "lowest"),
    ],
)
def test_what_is_no_exam_is_called_so(name, code):
    assert code in [reason.code for reason in prepare_scan(as_scan(OTHERS[name]())).reasons]
