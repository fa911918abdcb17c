"""The benchmark of training on the tiny cohort, for one epoch."""

from __future__ import annotations

import json

from benchmarks.common import run
from benchmarks.train.__main__ import TrainBenchmark


def test_a_run_on_the_tiny_cohort(tiny_cohort, prepared_tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "prepare_cohort", lambda *_, **__: prepared_tiny)
    options = ["--cohort", str(tiny_cohort.folder), "--epochs", "1", "--out", str(tmp_path)]
    TrainBenchmark.main([*options, "--only", "speed,networks"])
    section = json.loads((tmp_path / "train-tiny.json").read_text())["sections"]["networks"]
    assert section["source"]["device"] == "cpu"
    losses = [f["value"] for f in section["figures"] if f["name"].endswith("log loss")]
    assert len(losses) == 7 and all(-1 < loss < 2 for loss in losses)
