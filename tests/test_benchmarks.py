"""The benchmark of the cohort: its statistics on inputs small enough for a pencil, and one run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from datkit.errors import UsageError

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _scripts():
    """The scripts import each other by plain names, as Python lets them when one is run."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def figures():
    import _figures

    return _figures


@pytest.fixture(scope="module")
def difficulty():
    import _difficulty

    return _difficulty


def test_kappa_is_agreement_beyond_chance(difficulty):
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
def test_half_of_the_loss_sits_in_the_worst_exams(difficulty, loss, percent):
    assert difficulty.share_of_half(np.array(loss, float)) == percent


def test_the_loss_of_an_exam_is_that_of_the_scores(difficulty):
    from datkit.evaluate import log_loss

    labels, p = np.array([0, 1, 1]), np.array([0.2, 0.9, 0.0])
    assert difficulty.losses(labels, p).mean() == pytest.approx(log_loss(labels, p))


def test_a_share_has_wilsons_interval(figures):
    share = figures.share("x", [True] * 10 + [False] * 90, (8, 12))
    assert share.value == 10
    assert share.holds
    assert share.interval == pytest.approx((5.52, 17.44), abs=0.01)
    assert figures.share("x", [], (8, 12)).holds is None


def test_a_figure_holds_in_its_target_and_clearly_if_its_interval_does(figures):
    inside = figures.Figure("x", -0.1, (None, 0), (-0.2, 0.1))
    assert inside.holds
    assert not figures.Figure("x", -0.1, (None, 0), (-0.2, 0.1), clearly=True).holds
    assert not figures.Figure("x", 0.89, (0.9, None)).holds
    assert inside.row() == ("x", "-0.100 (-0.200 to 0.100)", "≤ 0", "yes")
    assert figures.from_dict(inside.to_dict()) == inside


def test_every_family_knows_its_own_files():
    import _geometry

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
    assert files.keys() == _geometry.FAMILIES.keys()
    for name, (matrix, spacing) in files.items():
        assert _geometry.family_of(np.array(matrix), np.array(spacing)) == name
    assert _geometry.family_of(np.array([64, 64, 64]), np.full(3, 4.8)) == "none"


def test_tilt_is_the_angle_of_the_axes():
    import _geometry

    from datkit.simulate.camera.acquisition import rotation

    affine = np.eye(4)
    affine[:3, :3] = rotation((0, 0, 7)) * (2, 2, 4)
    assert _geometry.tilt_degrees(affine) == pytest.approx(7)
    assert _geometry.tilt_degrees(np.diag([-2.0, 2, 4, 1])) == 0


def test_sections_not_asked_for_are_kept_and_foreign_files_refused(figures, tmp_path):
    part = {"figures": [figures.Figure("x", 0.5, (0, 1)).to_dict()], "source": {}}
    path = tmp_path / "cohort-tiny.json"
    figures.write_results(path, {"physics": part}, "title")
    figures.write_results(path, {"geometry": part}, "title")
    assert set(json.loads(path.read_text())["sections"]) == {"geometry", "physics"}
    assert "| x | 0.500 | 0–1 | yes |" in path.with_suffix(".md").read_text()
    path.write_text("[]")
    with pytest.raises(UsageError, match="move the file away"):
        figures.write_results(path, {"physics": part}, "title")


def test_a_second_run_on_the_tiny_cohort_changes_nothing(
    tiny_cohort, prepared_tiny, tmp_path, capsys, monkeypatch
):
    """The second run measures one section anew and keeps the other: the same bytes."""
    import cohort

    monkeypatch.setattr(cohort, "prepare_cohort", lambda *_, **__: prepared_tiny)
    written = []
    for sections in ("geometry,difficulty", "difficulty"):
        arguments = ["--cohort", str(tiny_cohort.folder), "--only", sections]
        cohort.main([*arguments, "--no-cnn", "--jobs", "1", "--out", str(tmp_path)])
        written.append((tmp_path / "cohort-tiny.json").read_bytes())
    assert written[0] == written[1]
    sections = json.loads(written[0])["sections"]
    figures = [figure for part in sections.values() for figure in part["figures"]]
    assert len(figures) == 15
    assert all(figure["value"] is not None for figure in figures)
    assert "figures hold" in capsys.readouterr().out


def test_the_bound_finds_fixed_weights_that_other_centres_teach():
    """Binding is a weighted sum of voxels, the same at every centre: ridge regression finds it."""
    import _linear

    rng = np.random.default_rng(0)
    boxes = rng.normal(0, 1e4, (60, 2, 12))
    true, centres = boxes @ rng.normal(size=12) + 3, np.repeat(list("abcdef"), 10)
    for binding in _linear.bindings(boxes, true, centres):
        np.testing.assert_allclose(binding, true, rtol=1e-4, atol=1)
    for difference in _linear.differences(boxes, true, centres):
        np.testing.assert_allclose(difference, true[:, 0] - true[:, 1], rtol=1e-4, atol=1)
