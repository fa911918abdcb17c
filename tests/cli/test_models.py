"""`datkit train, predict, benchmark`: a model and its card, its probabilities, and the board."""

import csv
from pathlib import Path

import numpy as np
import pytest

from datkit.cli import main
from datkit.models.own import FILES
from datkit.models.registry import known_kinds

MINE = '''
class MyModel:
    """How far the weaker putamen lies below the middle between both classes."""

    def fit(self, X, y):
        lowest = X["putamen_lowest"].to_numpy()
        self.middle = (lowest[y == 0].mean() + lowest[y == 1].mean()) / 2

    def predict_proba(self, X):
        p = (X["putamen_lowest"].to_numpy() < self.middle) * 0.8 + 0.1
        return [[1 - one, one] for one in p]
'''


@pytest.fixture
def prepared_once(prepared_tiny, monkeypatch):
    """The tiny cohort's exams are prepared already; other exams are not."""
    from datkit.prepare import cohort

    prepare = cohort.prepare_cohort

    def prepare_or_take(exams, *rest, **settings):
        return prepared_tiny if len(exams) == 24 else prepare(exams, *rest, **settings)

    monkeypatch.setattr(cohort, "prepare_cohort", prepare_or_take)


@pytest.fixture
def trained(tiny_cohort, prepared_once, tmp_path, run_json):
    folder = tmp_path / "model"
    model = ["--model", "measures C=0.1", "--folds", "3"]
    code, card = run_json("train", *model, "--cohort", tiny_cohort.folder, "--out", folder)
    assert code == 0 and card["kind"] == "measures" and card["folder"] == str(folder)
    return folder


def test_a_model_is_trained_and_predicts(trained, tiny_cohort, run_json, capsys, tmp_path):
    path, out = tiny_cohort.path_of(tiny_cohort.uids[0]), tmp_path / "predictions.csv"
    assert main(["predict", str(trained), str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"{tiny_cohort.uids[0]}: probability of abnormal 0." in shown
    assert "trained on 24 exams of" in shown and "Out of fold, 3 folds by centre:" in shown
    assert "log loss" in shown and "Simulated training, not for diagnosis." in shown
    _, one = run_json("predict", trained, path)
    code, every = run_json("predict", trained, tiny_cohort.folder, "--anyway", "--out", out)
    assert code == 0 and list(every["predictions"]) == tiny_cohort.uids
    ((uid, alone),) = one["predictions"].items()
    assert every["predictions"][uid] == pytest.approx(alone, abs=1e-6)
    rows = list(csv.reader(out.open()))
    assert rows[0] == ["uid", "is_pathologic"] and [row[0] for row in rows[1:]] == tiny_cohort.uids
    assert float(rows[1][1]) == pytest.approx(alone, abs=1e-6)
    assert main(["predict", str(trained), str(path), "--out", str(out)]) == 2
    assert "or replace it with --overwrite" in capsys.readouterr().err
    assert main(["submit", "pack", str(trained), "--out", str(tmp_path / "s.zip")]) == 0


def test_a_bad_scan_gets_a_reason_and_no_number(trained, tiny_cohort, tmp_path, capsys, run_json):
    import nibabel as nib

    scan = nib.load(tiny_cohort.path_of(tiny_cohort.uids[0]))
    (tmp_path / "bad").mkdir()
    upside = tmp_path / "bad" / "upside.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj)[:, :, ::-1], scan.affine), upside)
    code, result = run_json("predict", trained, upside)
    assert code == 1 and result["predictions"] == {} and list(result["reasons"]) == ["upside"]
    code, result = run_json("predict", trained, upside, "--anyway")
    assert code == 0 and 0 < result["predictions"]["upside"] < 1
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(b"no scan")
    capsys.readouterr()
    assert main(["predict", str(trained), str(cut)]) == 1
    found = capsys.readouterr()
    assert found.out == "" and str(cut) in found.err


def test_a_class_of_ones_own_is_named_each_time(
    tiny_cohort, prepared_once, tmp_path, run_json, capsys
):
    mine, model = tmp_path / "my_model.py", tmp_path / "model"
    mine.write_text(MINE)
    words = ["--model", f"{mine}:MyModel", "--cohort", tiny_cohort.folder, "--folds", "0"]
    code, card = run_json("train", *words, "--out", model)
    assert code == 0 and card["kind"] == "MyModel"
    FILES.clear()
    predict = ["predict", str(model), str(tiny_cohort.folder), "--anyway"]
    assert main(predict) == 2
    assert "Name it: --code my_model.py" in capsys.readouterr().err
    code, found = run_json(*predict, "--code", mine)
    assert code == 0 and {round(p, 6) for p in found["predictions"].values()} == {0.1, 0.9}
    FILES.clear()
    zipped = ["submit", "pack", str(model), "--out", str(tmp_path / "s.zip")]
    assert main(zipped) == 2
    assert main([*zipped, "--code", str(mine)]) == 0
    FILES.clear()


def test_nothing_is_written_over_without_a_word(trained, tiny_cohort, capsys):
    words = ["--cohort", str(tiny_cohort.folder), "--out", str(trained), "--folds", "0"]
    before = (trained / "model.json").read_bytes()
    assert main(["train", "--model", "measures", *words]) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert (trained / "model.json").read_bytes() == before
    assert main(["train", "--model", "measures", *words, "--overwrite"]) == 0
    assert (trained / "model.json").read_bytes() != before


def test_a_setting_that_fits_nothing_is_told(tiny_cohort, prepared_once, tmp_path, capsys):
    words = ["train", "--cohort", str(tiny_cohort.folder), "--out", str(tmp_path / "m")]
    assert main([*words, "--model", "measures C=many"]) == 2
    assert "measures C=many: Expected other settings, found that The 'C'" in capsys.readouterr().err
    assert main([*words, "--model", "measures D=1"]) == 2
    assert "measures: Expected settings among C, seed, columns" in capsys.readouterr().err


def test_help_names_what_there_is_and_wrong_use_is_told(capsys, tmp_path, shown_help):
    train = ["train", "--cohort", str(tmp_path), "--out", str(tmp_path / "m")]
    assert main([*train, "--model", "forest"]) == 2
    assert main([*train, "--folds", "1"]) == 2
    assert "Expected --folds 2 or more" in capsys.readouterr().err
    shown = shown_help("train")
    assert "The file is run on this machine" in shown
    assert [kind for kind in known_kinds() if f"\n{kind} " not in shown] == []


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
