"""What notebooks wait for is done beforehand, once, and told."""

from __future__ import annotations

import re
from pathlib import Path

from datkit.book.workshop.warm import main


def test_what_is_done_is_told_and_not_done_again(prepared_data: Path, toy_book: Path, capsys):
    kept = {path: path.stat().st_mtime_ns for path in prepared_data.rglob("*.n*")}
    assert main(["--size", "tiny", "--sources", str(toy_book / "notebooks")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"Simulated: 24 exams, in \d+ s\nPrepared: 24 exams, in \d+ s\n", said)
    assert "Loaded: what 1 notebooks import, in" in said
    assert said.endswith('in notebooks that say size = "tiny" and seed = 2026.\n')
    assert {path: path.stat().st_mtime_ns for path in prepared_data.rglob("*.n*")} == kept
    assert len(kept) == 25  # volumes, and their prepared array


def test_a_size_that_does_not_exist_is_told(tmp_path, capsys):
    assert main(["--size", "huge", "--sources", str(tmp_path)]) == 2
    assert "huge" in capsys.readouterr().err
