"""`datkit federated …`: a plan passes its check; a federation gives a model that predicts."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from datkit.cli import main
from datkit.provenance.record import RECORD, read_record


@pytest.fixture
def prepared_once(prepared_tiny, monkeypatch):
    """The tiny cohort's exams are prepared already."""
    monkeypatch.setattr("datkit.prepare.cohort.prepare_cohort", lambda *_, **__: prepared_tiny)


def test_a_federation_gives_a_model_that_predicts(
    tiny_cohort, prepared_once, tmp_path, run_json, capsys
):
    words = ["federated", "train", "--cohort", tiny_cohort.folder, "--rounds", "2"]
    centre = tiny_cohort.exams["centre"].iloc[0]
    code, found = run_json(*words, "--leave-out", centre, "--out", tmp_path / "model")
    assert code == 0 and len(found["rounds"]) == 2 and found["bytes"] > 0
    assert centre not in found["rounds"][0]["hospitals"]
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "model"), str(tiny_cohort.folder)]) in (0, 1)
    assert ": probability of abnormal 0." in capsys.readouterr().out
    out = str(tmp_path / "packed.zip")
    assert main(["submit", "pack", str(tmp_path / "model"), "--out", out]) == 0


def test_local_statistics_give_a_model_for_one_centre_alone(
    tiny_cohort, prepared_once, tmp_path, run_json, capsys
):
    words = ["federated", "train", "--cohort", tiny_cohort.folder, "--rounds", "1"]
    words = [*map(str, [*words, "--strategy", "local-statistics", "--out", tmp_path / "model"])]
    assert main(words) == 0 and not (tmp_path / "model").exists()
    assert "No model is saved: leave out the one centre" in capsys.readouterr().out
    unseen, other = tiny_cohort.exams["centre"].unique()[:2]
    means = []
    for centre in (unseen, other):
        assert run_json(*words[:-1], tmp_path / centre, "--leave-out", centre)[0] == 0
        assert read_record(tmp_path / centre / RECORD).settings["left_out"] == [centre]
        assert main(["predict", str(tmp_path / centre), str(tiny_cohort.folder)]) in (0, 1)
        capsys.readouterr()
        weights = load_file(tmp_path / centre / "weights.safetensors")
        means.append([one for name, one in weights.items() if name.endswith("running_mean")])
    assert any(not np.allclose(a, b) for a, b in zip(*means, strict=True))


def test_wrong_words_are_told(tiny_cohort, prepared_once, tmp_path, capsys):
    words = ["federated", "train", "--cohort", str(tiny_cohort.folder), "--out"]
    assert main([*words, str(tmp_path / "model"), "--leave-out", "nowhere"]) == 2
    assert (
        "Expected centres of the cohort in --leave-out, found ['nowhere']"
        in capsys.readouterr().err
    )
    assert main([*words, str(tmp_path)]) == 2
    assert "Expected nothing at" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "model"), "--strategy", "magic"]) == 2
    assert "local-statistics" in capsys.readouterr().err


def test_what_export_writes_passes_check(run_json, tmp_path):
    code, written = run_json("federated", "export", "fed-biomed", "--out", tmp_path / "plan")
    assert code == 0 and str(tmp_path / "plan" / "plan.py") in written
    assert run_json("federated", "check", tmp_path / "plan" / "plan.py") == (0, [])
