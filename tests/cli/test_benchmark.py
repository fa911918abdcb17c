"""`datkit benchmark`: the board, its files, and the exit code that its controls set."""

from pathlib import Path

import pytest

from datkit.cli import main


@pytest.fixture
def bench(tiny_cohort, prepared_tiny, tmp_path, monkeypatch):
    """Run it on the tiny cohort, whose exams are prepared already; return its words."""
    prepared = "datkit.evaluate.benchmark.run.prepare_cohort"
    monkeypatch.setattr(prepared, lambda *_, **__: prepared_tiny)
    out = tmp_path / "board.json"
    models = ["--model", "measures C=0.1", "--model", "voxels C=1.0", "--split", "random"]
    words = ["benchmark", "--cohort", str(tiny_cohort.folder), *models]
    return [*words, "--folds", "2", "--jobs", "1", "--out", str(out)]


def test_the_board_and_its_files(bench, capsys):
    assert main(bench) == 0
    shown, out = capsys.readouterr().out, Path(bench[-1])
    for said in ("voxels C=1.0", "oracle", "panel of readers", "bands of the controls hold"):
        assert said in shown and said in out.with_suffix(".md").read_text()
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_what_fails_sets_the_exit_code(bench, run_json):
    code, board = run_json(*bench, "--model", "voxels C=-1.0")
    assert code == 1 and "cells" not in board
    assert list(board["errors"]) == [f"voxels C=-1.0 | random | fold {n}" for n in (1, 2)]
    assert {row["model"] for row in board["scores"]} >= {"measures C=0.1", "voxels C=1.0"}


def test_wrong_use_is_told(bench, capsys):
    assert main([*bench, "--split", "folds"]) == 2
    assert "Expected a split among random, grouped, centres, tests" in capsys.readouterr().err
