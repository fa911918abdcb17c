"""What notebooks wait for is done beforehand, once, and told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from datkit.book.workshop.warm import main


def test_a_second_call_finds_all_done(tiny_cohort, toy_book: Path, monkeypatch, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(tiny_cohort.folder, data / "simulated" / "tiny-2026")
    monkeypatch.setenv("DATKIT_DATA", str(data))
    arguments = ["--size", "tiny", "--sources", str(toy_book / "notebooks")]
    made = []
    for _ in range(2):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert re.search(r"Simulated: 24 exams, in \d+ s\nPrepared: 24 exams, in \d+ s\n", said)
        assert "Loaded: what 1 notebooks import, in" in said
        made.append({path: path.stat().st_mtime_ns for path in data.rglob("*.npy")})
    assert made[0] == made[1] and made[0]


def test_a_size_that_does_not_exist_is_told(tmp_path, capsys):
    assert main(["--size", "huge", "--sources", str(tmp_path)]) == 2
    assert "huge" in capsys.readouterr().err
