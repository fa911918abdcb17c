"""Figures beside their targets, on inputs small enough for a pencil."""

from __future__ import annotations

import json

import pytest

from benchmarks.common import figures
from benchmarks.common.seeds import mean_figure, means_of, merge_seeds, read_seeds, write_seed
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


def seed_file(path, **values):
    """Write a file of seeds, each with one figure whose target is 0 to 1."""
    for seed, value in values.items():
        record = {"figures": [figures.Figure("r", value, (0, 1)).to_dict()], "source": {}}
        write_seed(path, int(seed[1:]), {"likeness": record}, "Seeds")
    return path


def test_seeds_are_merged_and_judged_on_their_mean(tmp_path):
    here = seed_file(tmp_path / "a.json", s5=0.8, s11=1.4)
    there = seed_file(tmp_path / "b.json", s7=0.5, s11=1.1)
    merge_seeds(here, [there], "Seeds")
    seeds = read_seeds(here)
    assert list(seeds) == ["5", "7", "11"]
    [(mean, each)] = means_of(seeds)["likeness"]
    assert mean.value == pytest.approx(0.8) and mean.holds and each["11"].holds is False
    lines = here.with_suffix(".md").read_text().splitlines()
    assert lines[0].startswith("| Figure | Seed 5 | Seed 7 | Seed 11 | Mean")
    assert lines[-3].startswith("| r | 0.800 | 0.500 | 1.1 | 0.800 (")
    assert lines[-1] == "Seeds: 3."


def test_what_is_no_file_of_seeds_is_not_merged(tmp_path):
    with pytest.raises(UsageError, match="expected the results of some seeds, found none"):
        merge_seeds(tmp_path / "a.json", [tmp_path / "none.json"], "Seeds")


def test_the_interval_is_the_mean_s_over_seeds_and_one_seed_keeps_its_own():
    """Student's t of two degrees of freedom is 4.3027; 0.4, 0.8 and 1.2 have an SD of 0.4."""
    mean = mean_figure([figures.Figure("x", value, (0, 1)) for value in (0.4, 0.8, 1.2)])
    half = 4.3027 * 0.4 / 3**0.5
    assert mean.interval == pytest.approx((0.8 - half, 0.8 + half), abs=1e-3)
    one = figures.Figure("x", 0.5, (0, 1), (0.4, 0.6))
    assert mean_figure([one]).interval == (0.4, 0.6)
    equal = mean_figure([one, one, figures.Figure("x", None, (0, 1))])
    assert (equal.value, equal.interval, equal.note) == (0.5, None, "mean of 2 seeds")
    sure = [figures.Figure("x", -0.1, (None, 0), clearly=True)] * 2
    assert mean_figure(sure).holds
    assert mean_figure([*sure, figures.Figure("x", 0.1)]).holds is False
