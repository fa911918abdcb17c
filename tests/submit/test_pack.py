"""A packed submission holds what prediction needs, nothing else, and always the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored import forge

from datkit.errors import ModelError, SubmissionError, UsageError
from datkit.inspect import check_submission
from datkit.models import MeasuresClassifier, TemperatureCalibrated, save_model
from datkit.models.registry import KINDS
from datkit.submit import pack_submission
from datkit.submit.pack import PACKAGE, inference_modules, write_prior

LABELS = [0.0, 1.0, 1.0, 1.0]


@pytest.fixture
def models(tmp_path) -> Path:
    """A folder of two models that differ, as training leaves it behind."""
    folder = tmp_path / "models"
    table = pd.DataFrame({"putamen_lowest": [2.5, 0.8, 1.0, 0.9]})
    model = MeasuresClassifier().fit(table, LABELS)
    save_model(model, folder / "measures")
    save_model(TemperatureCalibrated.from_fitted(model, 2.0), folder / "calibrated")
    write_prior(folder, LABELS)
    return folder


def content_of(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_what_prediction_needs(models, tmp_path):
    report = pack_submission(models, tmp_path / "submission.zip")
    content = content_of(report.path)
    assert tuple(content) == report.members == tuple(sorted(content))
    assert {"main.py", "datkit/__init__.py", "datkit/models/store.py"} <= set(content)
    assert [name for name in content if name.startswith("weights/")] == [
        "weights/calibrated/estimator/model.json",
        "weights/calibrated/model.json",
        "weights/measures/model.json",
        "weights/prior.json",
    ]
    assert json.loads(content["weights/prior.json"]) == {"is_pathologic": 0.75}
    assert report.size == Path(report.path).stat().st_size < 2e6
    assert report.to_dict()["prior"] == 0.75
    assert check_submission(report.path) == []


def test_the_manifest_vouches_for_every_file(models, tmp_path):
    content = content_of(pack_submission(models, tmp_path / "a.zip", licence="CC0-1.0").path)
    manifest = json.loads(content.pop("manifest.json"))
    assert manifest["sha256"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in content.items()
    }
    assert manifest["licences"] == {"main.py, datkit/": "MIT", "weights/": "CC0-1.0"}
    assert content["LICENSE"].startswith(b"MIT License")
    kinds = {name: model["kind"] for name, model in manifest["models"].items()}
    assert kinds["weights/measures"] == "measures" and kinds["weights/calibrated"] == "calibrated"
    assert manifest["models"]["weights/measures"]["settings"]["C"] == MeasuresClassifier().C


def test_several_folders_are_packed_side_by_side(models, tmp_path):
    for run in ("first", "second"):
        shutil.copytree(models / "measures", tmp_path / run)
        write_prior(tmp_path / run, LABELS)
    out = tmp_path / "a.zip"
    report = pack_submission([tmp_path / "first", tmp_path / "second"], out)
    assert {"weights/first/model.json", "weights/second/model.json"} <= set(report.members)
    report = pack_submission([models, tmp_path / "first"], out)
    assert "weights/models/calibrated/estimator/model.json" in report.members
    write_prior(tmp_path / "second", [0, 1])
    with pytest.raises(SubmissionError, match=r"same training prevalence.*\[0\.5, 0\.75\]"):
        pack_submission([models, tmp_path / "second"], out)
    assert pack_submission([models, tmp_path / "second"], out, prior=0.6).prior == 0.6
    with pytest.raises(UsageError, match="different names"):
        pack_submission([models, models], out)
    with pytest.raises(UsageError, match="different names"):
        pack_submission([], out)


def test_the_same_inputs_give_the_same_bytes(models, tmp_path):
    first = pack_submission(models, tmp_path / "first.zip")
    for path in models.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    second = pack_submission(models, tmp_path / "elsewhere" / "second.zip")
    assert first.sha256 == second.sha256
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()


def test_members_carry_no_time_and_no_owner(models, tmp_path):
    with zipfile.ZipFile(pack_submission(models, tmp_path / "a.zip").path) as archive:
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.external_attr >> 16 == stat.S_IFREG | 0o644
            assert info.compress_type == zipfile.ZIP_STORED
            assert not info.extra


def test_the_modules_are_those_that_prediction_reaches():
    names = {path.relative_to(PACKAGE).as_posix() for path in inference_modules()}
    assert {"io/scan.py", "files.py", "models/measures.py", "models/volume.py"} <= names
    rooms = ("simulate", "view", "book", "submit", "inspect", "replica", "cli", "evaluate")
    outside = (*rooms, "data/download", "data/manifest", "data/card")
    assert not [name for name in names if name.startswith(outside)]


def test_a_single_model_is_packed_as_well(models, tmp_path):
    for single in ("measures", "calibrated"):
        report = pack_submission(models / single, tmp_path / "a.zip", prior=0.5)
        assert "weights/model.json" in report.members
    assert "weights/estimator/model.json" in report.members


def test_what_lies_beside_the_weights_stays_behind(models, tmp_path):
    (models / "predictions.csv").write_text("uid,p\n007,0.3\n")
    (models / "scores.json").write_text("{}")
    (models / "measures" / "history.png").write_bytes(b"")
    (models / "measures" / "model.pkl").write_bytes(b"")
    report = pack_submission(models, tmp_path / "a.zip")
    left = ("measures/history.png", "measures/model.pkl", "predictions.csv", "scores.json")
    assert report.left_out == left
    assert not [name for name in report.members if name.endswith((".csv", ".png", ".pkl"))]


@pytest.mark.parametrize("prior", [0, 1, float("nan"), "0.5", None, [0.5]])
def test_a_prior_that_is_none_is_refused(prior, models, tmp_path):
    (models / "prior.json").write_text(json.dumps({"is_pathologic": prior}))
    with pytest.raises(SubmissionError, match="prevalence between 0 and 1"):
        pack_submission(models, tmp_path / "a.zip")
    assert pack_submission(models, tmp_path / "a.zip", prior=0.548).prior == 0.548


def test_a_prior_that_is_not_there_is_told_in_words(models, tmp_path):
    (models / "prior.json").unlink()
    with pytest.raises(SubmissionError, match="found 'No such file or directory'"):
        pack_submission(models, tmp_path / "a.zip")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_damaged_prior_is_refused(text, models, tmp_path):
    (models / "prior.json").write_text(text)
    with pytest.raises(SubmissionError, match="write_prior"):
        pack_submission(models, tmp_path / "a.zip")
    (models / "prior.json").unlink()
    with pytest.raises(SubmissionError, match="write_prior"):
        pack_submission(models, tmp_path / "a.zip")


def test_the_prior_is_the_share_of_abnormal_exams(tmp_path):
    assert write_prior(tmp_path, [0, 1, 1, np.nan]) == pytest.approx(2 / 3)
    assert json.loads((tmp_path / "prior.json").read_text())["n"] == 3
    for labels in ([], [1, 1], [0, 1, 2]):
        with pytest.raises(UsageError, match="both present"):
            write_prior(tmp_path, labels)


def test_without_a_sound_model_nothing_is_written(models, tmp_path):
    out = tmp_path / "out" / "a.zip"
    with pytest.raises(UsageError, match="no folder"):
        pack_submission(tmp_path / "absent", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SubmissionError, match=r"model\.json"):
        pack_submission(tmp_path / "empty", out)
    (models / "measures" / "model.json").write_text("{")
    with pytest.raises(ModelError):
        pack_submission(models, out)
    assert not out.exists() and not list(tmp_path.glob("**/.part-*"))


def test_an_old_zip_survives_a_failure(models, tmp_path, monkeypatch):
    out = tmp_path / "a.zip"
    pack_submission(models, out)
    before = out.read_bytes()
    bad_main = tmp_path / "main.py"
    bad_main.write_text("import nilearn\n")
    monkeypatch.setattr("datkit.submit.pack.MAIN", bad_main)
    with pytest.raises(SubmissionError, match="import nilearn"):
        pack_submission(models, out)
    assert out.read_bytes() == before
    assert not list(tmp_path.glob(".part-*"))


def test_a_class_of_a_notebooks_cell_is_asked_into_a_file(models, monkeypatch):
    """Its module is none of Python's files, so no submission could carry it."""
    cell = type("OfACell", (MeasuresClassifier,), {"kind": "cell", "__module__": "__main__"})
    monkeypatch.setitem(KINDS, "cell", cell)
    monkeypatch.delattr("__main__.__file__", raising=False)
    forge(models / "measures", kind="cell")
    with pytest.raises(
        SubmissionError, match="found one of a notebook's cell .*put the class into"
    ):
        pack_submission(models, models / "submission.zip")
