"""Two real maps: how they are read, on phantoms, and that the bands hold both."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cohort import likeness, real_maps
from datkit.io.scan import load_scan

AFFINE = np.diag([2.0, 2, 2, 1])
AFFINE[:3, 3] = (-90, -70, -60)
SHAPE = (91, 71, 86)


def grid() -> np.ndarray:
    """Return x, y and z in mm of the phantoms' voxels."""
    return real_maps.transform(AFFINE, np.indices(SHAPE).reshape(3, -1)).reshape(3, *SHAPE)


def test_every_band_contains_both_maps_or_says_whom_it_leaves_out_and_why():
    rows = real_maps.load_rows()
    assert not [name for name, row in rows.items() if row.excluded(row.values)]
    for row in rows.values():
        assert row.derived or row.text, f"{row.name}: a given band says why"
        assert all(len(why.split()) >= 3 for why in row.leaves_out.values())
        assert {*row.values, *row.leaves_out} <= {"A", "B"}


def test_a_band_that_excludes_a_map_unsaid_is_found(tmp_path):
    text = """
        margins: {mm: 2.0, ratio: 0.15, alone: 0.25}
        figures:
          told: {kind: ratio, a: 1.4, b: 0.8, band: [0.7, 1.0], why: w, leaves_out: {A: said so}}
          unsaid: {kind: ratio, a: 1.4, b: 0.8, band: [0.7, 1.0], why: w}
          derived: {kind: mm, a: 24, b: 16}
          alone: {kind: ratio, a: null, b: 0.8}
        """
    path = tmp_path / "maps.yaml"
    path.write_text(text)
    rows = real_maps.load_rows(path)
    found = {name: row.excluded(row.values) for name, row in rows.items()}
    assert found == {"told": [], "unsaid": ["A"], "derived": [], "alone": []}
    assert rows["derived"].band == (12, 28)
    assert rows["alone"].band == pytest.approx((0.6, 1.0))


def test_a_map_measured_outside_its_band_counts_as_left_out_unsaid():
    rows = real_maps.load_rows()
    shown = {name: row.values for name, row in rows.items()}
    assert likeness.unsaid(shown).holds
    moved = likeness.unsaid(shown | {"ridge at z 2, y 0": {"A": 35.0, "B": 24.0}})
    assert not moved.holds
    assert moved.note == "A: ridge at z 2, y 0"


def test_a_ridge_is_read_where_it_lies_also_of_a_map_that_lies_to_one_side():
    """Two bars of Gaussian profile at |x| 24, three above a floor of 1; FWHM 16.5 mm."""
    x, sigma = grid()[0], 7.0
    for beside in (0.0, 2.0):
        bars = sum(np.exp(-((x - beside - at) ** 2) / (2 * sigma**2)) for at in (-24.0, 24.0))
        found = real_maps.measure_shape(1 + 3 * bars, AFFINE)
        for z, y in real_maps.PLACES:
            assert found[f"ridge at z {z}, y {y}"] == pytest.approx(24, abs=0.3)
            assert found[f"width at z {z}, y {y}"] == pytest.approx(2.3548 * sigma, abs=0.8)
            assert found[f"contrast at z {z}, y {y}"] == pytest.approx(3, abs=0.2)


def test_the_brightest_part_is_found_on_both_sides():
    x, y, z = grid()
    hot = np.exp(-((np.abs(x) - 20) ** 2 + (y - 6) ** 2 + (z - 2) ** 2) / 200)
    assert real_maps.find_brightest(hot, AFFINE) == pytest.approx((20, 6, 2), abs=0.3)


def test_scalp_and_skull_are_read_at_the_vertex_with_and_without_a_rim():
    z = grid()[2]
    shells = np.select([z < 76, z < 86, z < 96], [1.0, 0.2, 0.6], 0.0)
    found = real_maps.read_scalp(2 * real_maps.blur(shells, AFFINE, 6.0), AFFINE, 2.0)
    assert list(found.values()) == pytest.approx([0.6, 0.2], abs=0.07)
    fading = np.interp(z, [70, 80, 90, 100], [1.0, 0.3, 0.25, 0.0])
    found = real_maps.read_scalp(fading, AFFINE, 1.0)
    assert list(found.values()) == pytest.approx([0.28, 0.28], abs=0.05)


def test_a_fit_finds_the_levels_that_were_painted():
    parts, affine = real_maps.blurred_parts(11.0)
    painted = dict.fromkeys(parts, 1.0) | {"csf": 0.2, "caudate": 5.0, "anterior putamen": 6.0,
              "posterior putamen": 4.0, "ventral striatum": 5.5, "thalamus": 1.3}  # fmt: skip
    volume = sum(painted[name] * part for name, part in parts.items())
    moved = affine.copy()
    moved[:3, 3] += (1.5, -2, 1)
    found = real_maps.fit_levels(volume, moved)
    assert found["fwhm"] == 11
    assert found["r"] > 0.999
    for name in ("caudate", "anterior putamen", "posterior putamen", "ventral striatum"):
        assert found[name] == pytest.approx(painted[name] - 1, rel=0.05)


def test_the_table_holds_what_map_a_shows(real_map):
    """The shape is read in the map's own mm, so that no simulated exam is needed."""
    scan = load_scan(real_map)
    for name, value in real_maps.measure_shape(scan.data, scan.affine).items():
        assert real_maps.load_rows()[name].values["A"] == pytest.approx(value, abs=0.06)
