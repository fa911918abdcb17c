"""The benchmark of the cohort: its statistics on inputs small enough for a pencil, and one run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.cohort import difficulty, geometry
from benchmarks.cohort.__main__ import CohortBenchmark
from benchmarks.common import run


def test_kappa_is_agreement_beyond_chance():
    """Two readers of ten exams agree on 8; by chance they would on 0.5 · 0.5 + 0.5 · 0.5."""
    a = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    b = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0])
    assert difficulty.kappa(a, b) == pytest.approx((0.8 - 0.5) / 0.5)
    assert difficulty.kappa(a, a) == 1
    assert difficulty.kappa(a, 1 - a) == -1
    assert len(difficulty.pairwise_kappas(np.column_stack([a] * 5))) == 10


@pytest.mark.parametrize(
    ("loss", "percent"),
    [([1, 1, 1, 1], 50), ([9, 1, 1, 1, 1, 1, 1, 1, 1, 1], 10), ([4, 3, 1, 1, 1], 40)],
)
def test_half_of_the_loss_sits_in_the_worst_exams(loss, percent):
    assert difficulty.share_of_half(np.array(loss, float)) == percent


def test_the_loss_of_an_exam_is_that_of_the_scores():
    from datkit.evaluate import log_loss

    labels, p = np.array([0, 1, 1]), np.array([0.2, 0.9, 0.0])
    assert difficulty.exam_losses(labels, p).mean() == pytest.approx(log_loss(labels, p))


def test_every_family_knows_its_own_files():
    files = {
        "2.46 mm, 256³": ((256, 256, 256), (2.46,) * 3),
        "2.46 mm, cropped": ((142, 142, 112), (2.46,) * 3),
        "thin axial stack": ((128, 128, 41), (3.895, 3.895, 3.90)),
        "2.30 mm": ((128, 128, 128), (2.30,) * 3),
        "2.40 mm": ((128, 128, 87), (2.3976,) * 3),
        "3.895 mm": ((128, 128, 128), (3.895,) * 3),
        "zoomed, 3 mm slices": ((128, 128, 50), (1.7, 1.7, 3.0)),
        "fine": ((128, 128, 90), (1.37, 1.37, 1.5)),
        "3.30 mm": ((128, 128, 60), (3.305, 3.305, 3.0)),
        "2.0 × 4.0 mm": ((128, 128, 45), (2.0, 2.0, 4.0)),
        "3.59 and 4.42 mm": ((128, 128, 128), (4.4196,) * 3),
    }
    assert files.keys() == geometry.FAMILIES.keys()
    for name, (matrix, spacing) in files.items():
        assert geometry.family_of(np.array(matrix), np.array(spacing)) == name
    assert geometry.family_of(np.array([64, 64, 64]), np.full(3, 4.8)) == "none"


def test_tilt_is_the_angle_of_the_axes():
    from datkit.simulate.camera.acquisition import rotation

    affine = np.eye(4)
    affine[:3, :3] = rotation((0, 0, 7)) * (2, 2, 4)
    assert geometry.tilt_degrees(affine) == pytest.approx(7)
    assert geometry.tilt_degrees(np.diag([-2.0, 2, 4, 1])) == 0


def test_a_second_run_on_the_tiny_cohort_changes_nothing(
    tiny_cohort, prepared_tiny, tmp_path, capsys, monkeypatch
):
    """The second run measures one section anew and keeps the other: the same bytes."""
    monkeypatch.setattr(run, "prepare_cohort", lambda *_, **__: prepared_tiny)
    written = []
    for sections in ("geometry,difficulty", "difficulty"):
        arguments = ["--cohort", str(tiny_cohort.folder), "--only", sections]
        CohortBenchmark.main([*arguments, "--no-cnn", "--jobs", "1", "--out", str(tmp_path)])
        written.append((tmp_path / "cohort-tiny.json").read_bytes())
    assert written[0] == written[1]
    sections = json.loads(written[0])["sections"]
    figures = [figure for part in sections.values() for figure in part["figures"]]
    assert len(figures) == 15
    assert all(figure["value"] is not None for figure in figures)
    assert "figures hold" in capsys.readouterr().out
