"""`datkit readers`: pages from a cohort, tables from what came back."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from campaigns import QUESTIONS, file_of, write

from datkit.cli import main


def test_from_a_cohort_to_its_labels(tiny_cohort, prepared_tiny, tmp_path: Path, capsys) -> None:
    told = {
        "version": 1,
        "title": "One",
        "readers": ["reader-1", "reader-2"],
        "questions": QUESTIONS,
    }
    (tmp_path / "campaign.yaml").write_text(json.dumps(told), encoding="utf-8")
    room, out = tmp_path / "room", tmp_path / "out"
    made = ["readers", "init", str(tmp_path / "campaign.yaml"), "--cohort", str(tiny_cohort.folder)]
    assert main([*made, "--out", str(room)]) == 0
    key = json.loads((room / "key.json").read_text())
    say = lambda uid, reader, again: [1, 1] if uid[-1] in "02468" else [0, 0]  # noqa: E731
    files = [write(tmp_path, file_of(key, reader, say)) for reader in key["readers"]]
    merged = ["readers", "merge", str(room), "--out", str(out), "--answers"]
    assert main([*merged, *map(str, files)]) == 0
    labels = pd.read_csv(out / "train_labels.csv", dtype=str)
    assert (
        labels["is_pathologic"]
        == labels["uid"].str[-1].isin([*"02468"]).map({True: "1", False: "0"})
    ).all()
    assert "0 disputed" in capsys.readouterr().out
    files[0].write_text(files[0].read_text().replace('"grade": 1', '"grade": 2', 1))
    assert main([*merged, *map(str, files)]) == 1
    assert "expected answers as the reader's page sealed them" in capsys.readouterr().err
