"""`datkit train, predict`: a model, its card, and a probability or the reason why there is none."""

import pytest

from datkit.cli import main


@pytest.fixture
def trained(tiny_cohort, prepared_tiny, tmp_path, monkeypatch, run_json):
    """A model of the tiny cohort, whose exams are prepared already."""
    monkeypatch.setattr("datkit.prepare.cohort.prepare_cohort", lambda *_, **__: prepared_tiny)
    settings = ["--model", "measures", "--set", "C=0.1", "--folds", "3", "--calibrate"]
    code, card = run_json("train", tiny_cohort.folder, *settings, "--out", tmp_path / "model")
    assert code == 0 and card["kind"] == "calibrated"
    return tmp_path / "model"


def test_a_model_is_trained_and_predicts(trained, tiny_cohort, run_json, capsys, tmp_path):
    path = tiny_cohort.path_of(tiny_cohort.uids[0])
    assert main(["predict", str(trained), str(path)]) == 0
    shown = capsys.readouterr().out
    assert "probability of abnormal 0." in shown and "quality: good" in shown
    assert "log loss" in shown and "Simulated training, not for diagnosis." in shown
    _, one = run_json("predict", trained, path)
    code, all_of_them = run_json("predict", trained, tiny_cohort.folder, "--anyway")
    alone = one["predictions"][str(path)]["is_pathologic"]
    assert code == 0 and len(all_of_them["predictions"]) == 24
    together = all_of_them["predictions"][tiny_cohort.uids[0]]["is_pathologic"]
    assert together == pytest.approx(alone, abs=1e-6)
    assert main(["submit", "pack", str(trained), "--out", str(tmp_path / "s.zip")]) == 0


def test_a_bad_scan_gets_a_reason_and_no_number(trained, tiny_cohort, tmp_path, capsys, run_json):
    import nibabel as nib
    import numpy as np

    scan = nib.load(tiny_cohort.path_of(tiny_cohort.uids[0]))
    cut, upside = tmp_path / "cut.nii.gz", tmp_path / "upside.nii.gz"
    cut.write_bytes(b"no scan")
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj)[:, :, ::-1], scan.affine), upside)
    assert main(["predict", str(trained), str(cut), str(upside), "--csv"]) == 1
    found = capsys.readouterr()
    assert found.out == "uid,is_pathologic\n" and str(cut) in found.err
    _, result = run_json("predict", trained, upside)
    one = result["predictions"][str(upside)]
    assert one["is_pathologic"] is None and one["reasons"][0]["remedy"]
    assert main(["predict", str(trained), str(upside), "--anyway"]) == 0


def test_wrong_use_is_told(capsys, tmp_path, shown_help):
    train = ["train", str(tmp_path), "--out", str(tmp_path / "m")]
    assert main([*train, "--model", "forest"]) == 2
    assert main([*train, "--folds", "1"]) == 2
    assert "boosting" in capsys.readouterr().err
    assert "because you name it" in shown_help("train")
