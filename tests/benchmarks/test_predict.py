"""The benchmark of prediction on the tiny cohort: one scan, two models."""

from __future__ import annotations

import json

from benchmarks.common import run
from benchmarks.predict import __main__ as predict


def test_a_run_on_the_tiny_cohort(tiny_cohort, prepared_tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "prepare_cohort", lambda *_, **__: prepared_tiny)
    monkeypatch.setattr(predict, "KINDS", ("constant", "measures"))
    options = ["--cohort", str(tiny_cohort.folder), "--scans", "1", "--out", str(tmp_path)]
    predict.PredictBenchmark.main(options)
    section = json.loads((tmp_path / "predict-tiny.json").read_text())["sections"]["seconds"]
    names = {figure["name"]: figure["value"] for figure in section["figures"]}
    assert set(names) == {"datkit predict, constant", "datkit predict, measures"}
    assert all(0 < seconds < 60 for seconds in names.values())
