"""`datkit train, predict, benchmark`: a model and its card, its probabilities, and the board."""

import csv
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from stored import forge

from datkit.cli import main
from datkit.errors import UsageError
from datkit.evaluate import auroc
from datkit.files import locked
from datkit.models.own import FILES
from datkit.models.registry import known_kinds
from datkit.models.store import read_card

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

STORES = """
    def save(self, folder):
        (folder / "middle.{0}").write_text(str(self.middle))

    def load(self, folder):
        self.middle = float((folder / "middle.{0}").read_text())
"""


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
    assert [row[0] for row in rows[1:]] == tiny_cohort.uids
    assert float(rows[1][1]) == pytest.approx(alone, abs=1e-6)
    doubts, beside = every["reasons"], ["reasons"] * bool(every["reasons"])
    assert rows[0] == ["uid", "is_pathologic", *beside]
    assert [row[2:] for row in rows[1:]] == [
        [doubts.get(row[0], "")] * len(beside) for row in rows[1:]
    ]
    assert main(["predict", str(trained), str(path), "--out", str(out)]) == 2
    assert "or replace it with --overwrite" in capsys.readouterr().err
    assert main(["predict", str(trained), str(path), "--out", str(out), "--overwrite"]) == 0
    assert out.read_text().startswith(f"uid,is_pathologic\n{path.name.partition('.')[0]},0.")
    capsys.readouterr()
    assert main(["submit", "pack", str(trained), "--out", str(tmp_path / "s.zip")]) == 0
    assert f"next: datkit submit check {tmp_path / 's.zip'}\n" in capsys.readouterr().out


def test_without_a_model_that_which_ships_predicts(tiny_cohort, prepared_once, run_json, capsys):
    path, y = tiny_cohort.path_of(tiny_cohort.uids[0]), tiny_cohort.labels.to_numpy()
    assert main(["predict", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"{tiny_cohort.uids[0]}: probability of abnormal 0." in shown
    assert "exams of simulated-random-" in shown and "none of its centres seen:" in shown
    assert shown.endswith("Simulated training, not for diagnosis.\n")
    code, every = run_json("predict", tiny_cohort.folder, "--anyway")
    assert code == 0 and every["model"]["note"] == "Simulated training, not for diagnosis."
    p = np.array([every["predictions"][uid] for uid in tiny_cohort.uids])
    assert auroc(y, p) > 0.8 and not {0, 1} & {*p}


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
    assert "upside" in result["reasons"], "asked for all the same, and still told"
    assert main(["predict", str(trained), str(upside), "--anyway"]) == 0
    assert "upside: predicted all the same: " in capsys.readouterr().err
    out = tmp_path / "p.csv"
    assert main(["predict", str(trained), str(upside), "--anyway", "--out", str(out)]) == 0
    (row,) = csv.DictReader(out.open())
    assert row["uid"] == "upside" and row["reasons"] == result["reasons"]["upside"]
    capsys.readouterr()
    assert main(["predict", str(trained), str(upside)]) == 1
    found = capsys.readouterr()
    assert found.out == "" and found.err.startswith("datkit: no probability: turn of the head")
    (tmp_path / "bad" / "empty.nii.gz").touch()
    assert main(["predict", str(trained), str(tmp_path / "bad" / "empty.nii.gz")]) == 1
    said = capsys.readouterr().err
    assert (
        said.startswith(f"datkit: {tmp_path / 'bad' / 'empty.nii.gz'}: ") and "empty file" in said
    )
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


def test_the_next_step_names_the_file_and_a_model_that_no_submission_holds_is_told(
    tiny_cohort, prepared_once, tmp_path, capsys
):
    for kind, held in {"joblib": False, "json": True}.items():
        mine = tmp_path / f"my {kind}.py:2.py"
        mine.write_text(MINE + STORES.format(kind))
        model = shlex.quote(f"{mine}:MyModel")
        words = ["--model", model, "--cohort", str(tiny_cohort.folder), "--folds", "0"]
        assert main(["train", *words, "--out", str(tmp_path / kind)]) == 0
        shown = capsys.readouterr().out
        (call,) = re.findall("next: (.*)", shown)
        next_words = ["datkit", "predict", str(tmp_path / kind), "SCAN", "--code", str(mine)]
        assert shlex.split(call) == next_words
        told = "No submission can hold this model" in shown and "middle.joblib" in shown
        assert told is not held
    FILES.clear()


def test_nothing_is_written_over_without_a_word(trained, tiny_cohort, capsys):
    words = ["--cohort", str(tiny_cohort.folder), "--out", str(trained), "--folds", "0"]
    before = (trained / "model.json").read_bytes()
    assert main(["train", "--model", "measures", *words]) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert (trained / "model.json").read_bytes() == before
    assert main(["train", "--model", "measures", *words, "--overwrite"]) == 0
    assert (trained / "model.json").read_bytes() != before


def test_a_folder_of_another_kind_is_refused_before_anything_is_prepared(
    trained, tiny_cohort, capsys, monkeypatch
):
    monkeypatch.setattr("datkit.cli.models.prepare_exams", lambda *_: pytest.fail("too late"))
    words = ["--cohort", str(tiny_cohort.folder), "--out", str(trained), "--overwrite"]
    assert main(["train", "--model", "boosting", *words]) == 1
    assert "holds a model of the kind measures, and this one is boosting" in capsys.readouterr().err


def test_the_card_tells_what_training_started_from(trained, tiny_cohort, capsys):
    card = read_card(trained)
    start = {"kind": "volume", "exams": 800, "abnormal": 431, "cohort": "made-7", "seed": 7}
    forge(trained, card=card | {"started_from": [start | {"sha256": "0123456789abcdef"}]})
    assert main(["predict", str(trained), str(tiny_cohort.path_of(tiny_cohort.uids[0]))]) == 0
    said = "Started from volume weights of 800 exams of made-7, seed 7, 0123456789ab.\n"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "card", [{"exams": 3}, [1], "none", {"started_from": [{}], "out_of_fold": None}]
)
def test_a_damaged_card_is_told_before_anything_is_predicted(card, trained, tiny_cohort, capsys):
    forge(trained, card=card)
    assert main(["predict", str(trained), str(tiny_cohort.path_of(tiny_cohort.uids[0]))]) == 1
    found = capsys.readouterr()
    assert "Expected a card as 'datkit train' writes it, found that of" in found.err
    assert found.out == ""


def test_names_that_are_apart_and_two_scans_are_told(trained, tiny_cohort, capsys):
    one, two = (str(tiny_cohort.path_of(uid)) for uid in tiny_cohort.uids[:2])
    assert main(["predict", str(trained), "--anyway", one]) == 2
    said = capsys.readouterr().err
    assert f"files side by side and options after them, found {one} left over" in said
    assert main(["predict", one, two]) == 1
    assert "to predict several scans, name their folder" in capsys.readouterr().err


def test_a_setting_that_fits_nothing_is_told(tiny_cohort, prepared_once, tmp_path, capsys):
    words = ["train", "--cohort", str(tiny_cohort.folder), "--out", str(tmp_path / "m")]
    assert main([*words, "--model", "measures C=many"]) == 2
    assert "measures C=many: Expected other settings, found that The 'C'" in capsys.readouterr().err
    assert main([*words, "--model", "measures D=1"]) == 2
    assert "measures: Expected settings among C, seed, columns" in capsys.readouterr().err
    told = {
        "projection width=16.0": "Expected a width from 1 to 64, found 16.0",
        "projection learning_rate=nan": "expected learning_rate of at least 0, found 'nan'",
        "blend members=projection": "such as members=measures,voxels, found members='projection'",
    }
    for model, said in told.items():
        assert main([*words, "--model", model]) in (1, 2)
        assert said in capsys.readouterr().err


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


def test_two_benchmarks_of_one_file_wait_for_each_other(tmp_path, monkeypatch):
    """Each writes all of it after each fit: the fits of the other would be lost."""
    reached = []

    def judge(*_, **__):
        reached.append(1)
        raise UsageError("judged")

    monkeypatch.setattr("datkit.cli.models.open_exams", lambda *_: None)
    monkeypatch.setattr("datkit.evaluate.benchmark.run.benchmark_cohort", judge)
    out = tmp_path / "board.json"
    with ThreadPoolExecutor(1) as other:
        with locked(out):
            waiting = other.submit(main, ["benchmark", "--cohort", "c", "--out", str(out)])
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            assert not reached
        assert waiting.result(timeout=60) == 2 and reached
