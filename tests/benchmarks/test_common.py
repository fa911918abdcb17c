"""Figures beside their targets, on inputs small enough for a pencil."""

from __future__ import annotations

import json

import pytest

from benchmarks.common import figures
from datkit.errors import UsageError


def test_a_share_has_wilsons_interval():
    share = figures.share("x", [True] * 10 + [False] * 90, (8, 12))
    assert share.value == 10
    assert share.holds
    assert share.interval == pytest.approx((5.52, 17.44), abs=0.01)
    assert figures.share("x", [], (8, 12)).holds is None


def test_a_figure_holds_in_its_target_and_clearly_if_its_interval_does():
    inside = figures.Figure("x", -0.1, (None, 0), (-0.2, 0.1))
    assert inside.holds
    assert not figures.Figure("x", -0.1, (None, 0), (-0.2, 0.1), clearly=True).holds
    assert not figures.Figure("x", 0.89, (0.9, None)).holds
    assert inside.row() == ("x", "-0.100 (-0.200 to 0.100)", "≤ 0", "yes")
    assert figures.from_dict(inside.to_dict()) == inside


def test_sections_not_asked_for_are_kept_and_foreign_files_refused(tmp_path):
    part = {"figures": [figures.Figure("x", 0.5, (0, 1)).to_dict()], "source": {}}
    path = tmp_path / "cohort-tiny.json"
    figures.write_results(path, {"physics": part}, "title")
    figures.write_results(path, {"geometry": part}, "title")
    assert set(json.loads(path.read_text())["sections"]) == {"geometry", "physics"}
    assert "| x | 0.500 | 0–1 | yes |" in path.with_suffix(".md").read_text()
    path.write_text("[]")
    with pytest.raises(UsageError, match="move the file away"):
        figures.write_results(path, {"physics": part}, "title")


def test_a_hash_covers_what_makes_a_figure_and_nothing_else():
    """Likeness hangs on the simulator and on its own module, not on the difficulty's."""
    graph = figures.grimp.build_graph("benchmarks", "datkit", cache_dir=None)
    made_by = graph.find_upstream_modules("benchmarks.cohort.likeness")
    assert {"datkit.simulate.exam", "benchmarks.common.figures"} <= made_by
    assert not {"benchmarks.cohort.difficulty", "datkit.submit.pack", "datkit.cli"} & made_by
    assert figures.hash_code("benchmarks.cohort.likeness") == figures.hash_code(
        "benchmarks.cohort.likeness"
    )
    assert figures.hash_code("benchmarks.cohort.likeness") != figures.hash_code(
        "benchmarks.cohort.physics"
    )
