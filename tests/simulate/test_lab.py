"""The bench of the physics lab: one head whose truth is known, and its cameras."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.simulate.camera.protocols import load_collimators
from datkit.simulate.lab import Bench, camera_over, lay_down, mean_patient, window


@pytest.fixture(scope="module")
def bench() -> Bench:
    return lay_down(mean_patient())


def test_the_whole_head_lies_in_the_field(bench: Bench) -> None:
    tissue = bench.head.attenuation > 0.004
    assert not tissue[[0, -1]].any() and not tissue[:, [0, -1]].any()
    assert not tissue[:, :, -1].any()  # the neck goes on below


def test_both_sides_of_the_head_are_alike(bench: Bench) -> None:
    for volume in (bench.head.activity, bench.head.attenuation):
        assert np.abs(volume - volume[::-1]).max() < 1e-3


def test_regions_lie_where_they_should(bench: Bench) -> None:
    middle = {
        name: (bench.affine @ [*np.argwhere(mask).mean(0), 1])[:3]
        for name, mask in bench.regions.items()
    }
    assert middle["caudate"][1] > middle["putamen"][1] > 0 > middle["occipital"][1]
    assert all(mask.sum() > 50 for mask in bench.regions.values())


def test_truth_is_what_was_painted(bench: Bench) -> None:
    assert bench.truth == pytest.approx({"caudate": 4.8, "putamen": 5.8}, abs=0.05)
    ill = lay_down(mean_patient(left=0.6)).truth
    assert ill["putamen"] / bench.truth["putamen"] == pytest.approx(0.6)


def test_a_clear_head_loses_no_photon_and_tissue_takes_most(bench: Bench) -> None:
    clear = camera_over(bench.head, None, views=4, attenuation=False).project(bench.head.activity)
    total = bench.head.activity.sum()
    assert clear.sum((1, 2)) == pytest.approx([total] * 4, rel=0.01)
    seen = camera_over(bench.head, load_collimators()["short"], views=4).project(
        bench.head.activity
    )
    assert 0.2 < seen.sum() / clear.sum() < 0.6


def test_the_window_holds_the_head_and_its_millimetres(bench: Bench) -> None:
    part, frame = window(bench)
    tissue = bench.head.attenuation > 0.004
    assert tissue[part].sum() == tissue.sum()
    corner = [part[0].start, part[1].start, 0, 1]
    assert np.allclose(frame @ [0, 0, 0, 1], bench.affine @ corner)
