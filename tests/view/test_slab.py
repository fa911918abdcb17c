"""The slab: 12 mm of the canonical grid, left half and right half told apart."""

from __future__ import annotations

import numpy as np

from datkit.prepare import GRID, load_regions
from datkit.view.slab import SLAB_MM, describe_sides, striatal_slab


def test_the_slab_is_twelve_millimetres_with_more_striatum_than_any_other() -> None:
    regions = load_regions()
    striatum = (regions["striatum_left"] | regions["striatum_right"]).sum(axis=(0, 1))
    thickness = round(np.ptp(SLAB_MM) / GRID.affine[2, 2])
    slabs = np.convolve(striatum, np.ones(thickness), mode="valid")
    first = round((SLAB_MM[0] + 1 - GRID.affine[2, 3]) / GRID.affine[2, 2])
    assert thickness == 6 and slabs[first] >= 0.99 * slabs.max()


def test_slices_outside_the_slab_do_not_count() -> None:
    volume = np.full(GRID.shape, 9.0)
    volume[:, :, 16:22] = 2.0  # z = −4 to +6 mm
    np.testing.assert_array_equal(striatal_slab(volume), np.full(GRID.shape[:2], 2.0))


def test_a_mirrored_slab_swaps_its_words() -> None:
    plane = np.array([[1.0, 4.0], [2.0, 3.0]])
    assert describe_sides(plane) == "highest uptake 4.0 on the left, 3.0 on the right"
    assert describe_sides(plane[::-1]) == "highest uptake 3.0 on the left, 4.0 on the right"
