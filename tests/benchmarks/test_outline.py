"""The pose of real maps: map A's is its outline's, that of a copy of map B is the true one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.prepare import outline, shifts
from datkit.io.scan import load_scan
from datkit.prepare import GRID, prepare_scan
from datkit.prepare.grid import to_striata
from datkit.prepare.sampling import sample, shift, transform
from datkit.simulate.patient.anatomy import AFFINE
from datkit.simulate.patient.head_shape import standard_shape
from datkit.simulate.patient.person import standard_normal

BARS = {"mm": 2.0, "degrees": 2.0, "size": 3.0}  # of what a pose may be off


def within(off: dict[str, float]) -> bool:
    return all(off[key] <= bar for key, bar in BARS.items())


@pytest.fixture(scope="module")
def standard_head():
    """The camera and place of an exam of the suite, the patient the standard head itself."""
    return replace(
        shifts.drawn_still(0), patient=replace(standard_normal(), shape=standard_shape())
    )


def test_pose_of_map_a_is_its_outlines(real_map):
    assert outline.NEAREST == BARS
    assert within(outline.look_at_map(real_map))


def test_outline_does_not_see_the_striata(real_map):
    scan = load_scan(real_map)
    there = outline.pose_by_outline(scan.data, scan.affine)
    mm = transform(scan.affine, np.indices(scan.data.shape).reshape(3, -1))
    away, _ = sample(to_striata(), GRID.affine, mm, cval=np.inf)
    striatal = away.reshape(scan.data.shape) < 4
    for factor in (0.2, 3.0):
        changed = np.where(striatal, factor * scan.data, scan.data)
        off = outline.compare(outline.pose_by_outline(changed, scan.affine), there)
        assert max(off.values()) < 0.1


def test_outline_finds_where_a_brain_was_put():
    moved = shift([12, -30, 400]) @ np.diag([0.93, 0.93, 0.93, 1])
    found = outline.pose_by_outline(shifts.brain(), moved @ AFFINE)
    off = outline.compare(found, moved)
    assert off["mm"] < 0.5 and off["degrees"] < 0.5 and off["size"] < 1


@pytest.mark.parametrize("pitch", [0.0, 6.0], ids=["striata as they lie", "pitched and small"])
def test_pose_of_a_copy_of_map_b_is_the_heads(standard_head, pitch):
    """Its outline lies straight while its striata want 6° and 0.91 of their size."""
    how = replace(shifts.KINDS["like map B"], pitch=pitch, size=0.91 if pitch else 1.0)
    found = prepare_scan(shifts.make_exam(standard_head, how)).to_scan
    assert within(outline.compare(found, standard_head.acquisition.head_to_scanner))


def test_without_the_map_its_figures_are_left_out(capsys):
    assert not list(outline.figures(None, 1))
    assert "was not fetched" in capsys.readouterr().out
