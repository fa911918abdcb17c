"""What non-specific uptake is: occipital where that is shown, else the brain around the striata."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import PrepareError
from datkit.prepare import GRID, find_reference, load_regions, reference_level


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
