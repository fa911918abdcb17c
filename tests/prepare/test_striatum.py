"""Each striatum beside its mask: found where it was put, and never pulled by what is lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as move

from datkit.errors import PrepareError
from datkit.prepare import GRID, SHIFTS, load_regions, locate_striata
from datkit.prepare.striatum import FURTHEST

SIGMA = 9.0 / 2.3548 / 2  # voxels; a camera of 9 mm


def exam(left=(0, 0, 0), right=(0, 0, 0), noise: float = 0.0, **sbr: float) -> np.ndarray:
    """Striata of SBR 4, unless said otherwise, each shifted by so many mm; 1 elsewhere."""
    volume = np.ones(GRID.shape, np.float32)
    for side, by in (("left", left), ("right", right)):
        for part in ("caudate", "putamen"):
            name = f"{part}_{side}"
            mask = load_regions()[name].astype(np.float32)
            volume += sbr.get(name, 4.0) * move(mask, np.array(by) / 2, order=1)
    grain = np.random.default_rng(0).normal(size=GRID.shape)
    return gaussian_filter(volume + noise * grain, SIGMA).astype(np.float32)


def vectors(volume: np.ndarray) -> dict[str, np.ndarray]:
    found = locate_striata(volume)
    return {side: np.array([found[f"{side}_shift_{axis}"] for axis in "xyz"])
            for side in ("left", "right")}  # fmt: skip


def test_each_side_is_found_where_it_was_put():
    still = vectors(exam())
    found = vectors(exam(left=(-2, 3, 1), right=(0, -2, 2)))
    assert np.abs(found["left"] - still["left"] - (-2, 3, 1)).max() < 0.5
    assert np.abs(found["right"] - still["right"] - (0, -2, 2)).max() < 0.5


@pytest.mark.parametrize("lost", ["putamen_left", "caudate_left"])
def test_lost_part_moves_no_striatum(lost):
    """A tenth is left: without amplitudes of their own, the centroid would move by 8 mm."""
    still, found = vectors(exam()), vectors(exam(**{lost: 0.4}))
    assert np.linalg.norm(found["left"] - still["left"]) < 1.0
    np.testing.assert_allclose(found["right"], still["right"], atol=0.05)


def test_noise_without_striata_moves_little():
    flat = {name: 0.0 for name in load_regions() if name.startswith(("caudate", "putamen"))}
    found = vectors(exam(noise=1.0, **flat))
    assert max(np.linalg.norm(by) for by in found.values()) < 2.5


def test_mirrored_volume_is_mirrored_exactly():
    volume = exam(left=(-2, 3, 1), noise=0.5, putamen_right=1.0)
    found, mirrored = vectors(volume), vectors(volume[::-1])
    np.testing.assert_array_equal(mirrored["left"], found["right"] * (-1, 1, 1))
    np.testing.assert_array_equal(mirrored["right"], found["left"] * (-1, 1, 1))


def test_gain_changes_nothing():
    volume = exam(left=(-2, 3, 1), noise=0.5)
    found, gained = locate_striata(volume), locate_striata(1e4 * volume)
    assert gained == pytest.approx(found, abs=1e-3)


def test_no_shift_is_longer_than_the_bound():
    found = vectors(exam(left=(0, 14, 0)))
    assert np.linalg.norm(found["left"]) <= FURTHEST + 1e-9


def test_what_is_no_prepared_volume_is_refused():
    for wrong in (np.ones((4, 4, 4)), np.full(GRID.shape, np.nan)):
        with pytest.raises(PrepareError, match="Expected a prepared volume"):
            locate_striata(wrong)


def test_simulated_striata_are_closer_than_by_the_pose_alone(prepared_tiny):
    assert set(SHIFTS) <= set(prepared_tiny.table)
    lengths = np.linalg.norm(prepared_tiny.table[list(SHIFTS)].to_numpy().reshape(-1, 3), axis=1)
    assert 0.3 < np.median(lengths) < 3
