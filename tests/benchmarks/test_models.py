"""The benchmark of models: its tables and picture are made from the results file alone."""

import json

from benchmarks.common.run import RESULTS
from benchmarks.models import __main__ as models


def test_tables_and_picture_in_the_checkout_are_those_of_its_results(tmp_path):
    board = RESULTS / "models-2026.json"
    (tmp_path / board.name).write_bytes(board.read_bytes())
    models.write_pages(tmp_path / board.name)
    for name in ("models-2026.md", "models-2026-distances.md"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes()
    assert (tmp_path / "models-2026.png").read_bytes().startswith(b"\x89PNG")
    held = json.loads(board.read_text(encoding="utf-8"))
    assert all(band["holds"] for band in held["controls"]) and not held["errors"]


def test_it_simulates_the_sizes_that_are_asked_for(monkeypatch):
    asked = []

    def simulate(folder, size, seed, *_, **__):
        asked.append((folder.name, models.SIZES[size], dict(models.TEST_SETS), seed))

    monkeypatch.setattr(models, "simulate_cohort", simulate)
    models.open_cohort(models.parse(["--exams", "48", "--tests", "24", "--cohort-seed", "5"]))
    assert asked == [("models-48-24-5", 48, {"public": 24, "private": 24}, 5)]
    assert models.SIZES["full"] == 1400
