"""A published folder: its card, its check with the runtime's packages alone, what is refused."""

import json
import pickle
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datkit.cli import main
from datkit.data import open_folder
from datkit.errors import SubmissionError
from datkit.inspect.runtime import hidden_modules
from datkit.io.scan import load_scan
from datkit.measure.exam import measure_prepared
from datkit.models import load_model, save_model
from datkit.prepare.exam import prepare_scan
from datkit.provenance.publish import CARD, _uids_in, publish
from datkit.provenance.publish_form import Form
from datkit.provenance.published import make_exam

FILLED = dict.fromkeys(Form.model_fields, "said") | {"authors": ["A"], "licence": "MIT"}
NEEDED = ("joblib", "lazy-loader", "nibabel", "numpy", "pandas", "scikit-learn", "scipy")
CLAIM = {f"{number}" for number in range(1, 45)}  # doi 10.1148/ryai.240300
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc",
         23: "ab", 27: "abc"}  # fmt: skip  # doi 10.1136/bmj-2023-078378
TRIPOD = {f"{number}{part}" for number in range(1, 28) for part in PARTS.get(number, " ")}
TRIPOD = {one.strip() for one in TRIPOD}
CHECK = """
import os, runpy, sys
class Hidden:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden)
sys.path.insert(0, os.getcwd())
sys.dont_write_bytecode = True
import datkit
assert os.path.dirname(os.path.dirname(datkit.__file__)) == os.getcwd()
sys.argv = ["check.py"]
runpy.run_path("check.py", run_name="__main__")
"""


def run_check(folder, *absent):
    """Run check.py as if nothing were installed but the runtime's packages, and no datkit."""
    hidden = sorted({*hidden_modules(), *absent} - {"datkit", "sitecustomize"})
    call = [sys.executable, "-I", "-c", CHECK.format(hidden=hidden)]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)


def test_the_card_is_read_by_hugging_face_and_names_what_is_open(published, built):
    from huggingface_hub import ModelCard

    card = ModelCard.load(published / "README.md")
    stored = json.loads((built / "model" / "model.json").read_text())
    assert card.data.license == "mit"
    assert f"{stored['card']['exams']} exams, {stored['card']['abnormal']} abnormal" in card.text
    assert (
        "**Who paid, and who has an interest?** (CLAIM 44; TRIPOD+AI 18a, 18b) *Open:" in card.text
    )


def test_the_card_leaves_no_item_of_either_guideline_unsaid():
    left = CARD["before"].partition("left:")[2].partition(".")[0].replace("and ", "; ").split()
    asked = "; ".join(item["of"] for one in CARD["section"] for item in one["item"])
    said = f"{asked}; {' '.join(left)}"
    for guideline, items in {"CLAIM": CLAIM, "TRIPOD+AI": TRIPOD}.items():
        lists = [one.removeprefix(guideline) for one in said.split("; ") if guideline in one]
        assert {one.strip(" .") for its in lists for one in its.split(",")} == items


@pytest.mark.parametrize("name", ["published", "several"])
def test_the_check_holds_with_the_runtimes_packages_and_changes_nothing(name, request):
    folder = request.getfixturevalue(name)
    before = sorted(folder.rglob("*"))
    done = run_check(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(folder.rglob("*")) == before


def test_what_prediction_needs_is_named_and_a_network_alone_needs_torch(published, several):
    texts = [(one / "requirements.txt").read_text() for one in (published, several)]
    measures, network = (dict(line.split("==") for line in text.splitlines()) for text in texts)
    assert {*NEEDED} <= {*measures} and "torch" not in measures
    assert {*network} == {*measures, "safetensors", "torch"}
    assert network == {name: version(name).partition("+")[0] for name in network}


def test_a_package_that_is_absent_is_told_with_what_to_do(published):
    done = run_check(published, "scipy")
    assert done.returncode == 1 and not done.stderr
    assert "pip install -r requirements.txt" in done.stdout and "scipy" in done.stdout


def test_its_probabilities_are_those_of_the_model_here(published, built, tmp_path, monkeypatch):
    monkeypatch.setattr("datkit.provenance.published.HERE", published)
    expected = json.loads((published / "expected.json").read_text())
    model, here = load_model(built / "model"), {}
    for seed in expected:
        make_exam(int(seed), tmp_path / "exam.nii.gz")
        prepared = prepare_scan(load_scan(tmp_path / "exam.nii.gz", repair=True))
        table = pd.DataFrame([measure_prepared(prepared)])
        here[seed] = float(model.predict_proba(table)[0, 1])
    assert expected == pytest.approx(here, abs=1e-6)
    assert len({round(p, 4) for p in expected.values()}) == 3


def test_a_flipped_byte_is_found_by_the_check(published, tmp_path):
    folder = tmp_path / "published"
    for name in ("weights/model.json", "README.md", "expected.json", "datkit/models/store.py"):
        shutil.copytree(published, folder)
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        done = run_check(folder)
        assert done.returncode == 1 and f"{name} is not as it was published" in done.stdout
        shutil.rmtree(folder)


def test_data_and_crate_are_read_by_their_libraries(published):
    import mlcroissant
    from rocrate.rocrate import ROCrate

    assert not mlcroissant.Dataset(published / "croissant.json").metadata.issues.errors
    crate = ROCrate(published)
    assert crate.name == "said"
    assert crate.dereference("weights/model.json")["sha256"]


def test_nothing_of_an_exam_is_in_it(published, tiny_cohort):
    for path in (path for path in published.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not [uid for uid in tiny_cohort.uids if uid.encode() in content], path


def test_all_that_must_not_leave_is_refused_at_once(built, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(built / "data"))
    model, out, form = tmp_path / "model", tmp_path / "out", tmp_path / "publish.yaml"
    shutil.copytree(built / "model", model)
    uids = list(open_folder(built / "cohort").uids)
    save_model(load_model(model), model, {"uids": ["x"], "note": f"without {uids[0]}"})
    (model / "forest.pkl").write_bytes(pickle.dumps([1]))
    (model / "scan.nii.gz").write_bytes(b"")
    (model / "train_labels.csv").write_text("uid,is_pathologic\n")
    np.save(model / "volume.npy", np.zeros((4, 4, 4)))
    form.write_text(yaml.safe_dump(FILLED | {"contact": " "}))
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(SubmissionError) as error:
        publish(model, out, form)
    names = ("forest.pkl", "scan.nii.gz", "train_labels.csv", "volume.npy", "contact", f"{out}")
    assert all(name in str(error.value) for name in names)
    assert "['uids', '1 of the training exams']" in str(error.value)
    assert [path.name for path in out.iterdir()] == ["old"]


def told(folder, form, tmp_path):
    """Return what publishing a changed model is refused with."""
    with pytest.raises(SubmissionError) as error:
        publish(folder, tmp_path / "out", form)
    return str(error.value)


@pytest.fixture
def model(chain, tmp_path):
    return Path(shutil.copytree(chain / "model", tmp_path / "model"))


def test_a_uid_within_a_text_is_found(built, model, form, tmp_path):
    uid = open_folder(built / "cohort").uids[0]
    for text in (f"/data/{uid}.nii.gz", f"scan_{uid}_2", uid.upper()):
        save_model(load_model(model), model, {"note": text})
        assert "['1 of the training exams']" in told(model, form, tmp_path), text
    for key in ("participants", "patient_id", "Subject", "examIDs"):
        save_model(load_model(model), model, {key: ["A"]})
        assert f"['{key}']" in told(model, form, tmp_path)


def test_a_short_number_in_a_version_or_a_hash_is_no_exam():
    content = json.dumps({"version": "2.13.0", "sha256": "ab0012cd"}).encode()
    assert _uids_in("a.json", content, {"2", "13", "0012"}) == []
    assert _uids_in("a.json", b'["exam 13"]', {"13"}) == ["1 of the training exams"]
    assert _uids_in("a.json", b'["/scans/0013579.dcm"]', {"0013579"}) == ["1 of the training exams"]


def test_what_the_model_does_not_name_stays_here(model, form, tmp_path):
    (tmp_path / "elsewhere.json").write_text('{"secret": 1}')
    (model / "own").mkdir()
    np.savez(model / "own" / "volumes.npz", np.zeros(3))
    (model / "people.json").write_text('["Doe, Jane"]')
    (model / "damaged.json").write_bytes(pickle.dumps([1]))
    (model / "weights.safetensors").write_bytes(b"")
    (model / "link.json").symlink_to(tmp_path / "elsewhere.json")
    names = ["damaged.json", "link.json", "own/volumes.npz", "people.json", "weights.safetensors"]
    said = told(model, form, tmp_path)
    assert all(
        f"weights/{name}: expected weights and their records alone" in said for name in names
    )


@pytest.mark.parametrize("content", ["{", '{"who": "x"}', "[]"])
def test_a_record_that_is_not_as_written_is_told(content, model, form, tmp_path):
    (model / "record.json").write_text(content)
    assert "expected a sound model and record, found" in told(model, form, tmp_path)


def test_without_rocrate_it_says_what_to_install(built, form, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rocrate", None)
    words = ["publish", str(built / "model"), "--out", str(tmp_path / "out"), "--form", str(form)]
    assert main(words) != 0
    said = capsys.readouterr().err
    assert "pip install 'dat-spect-kit[provenance]'" in said and "Traceback" not in said
    assert [*tmp_path.iterdir()] == []


def test_the_commands_write_a_form_and_a_folder(
    built, form, tiny_cohort, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    partly = tmp_path / "cohort"  # as `datkit train` takes it: four exams have no label yet
    shutil.copytree(tiny_cohort.folder / "niftis", partly / "niftis")
    tiny_cohort.labels.iloc[:20].astype(int).to_csv(partly / "train_labels.csv")
    assert main(["publish", "model", "--init"]) == 0
    assert set(yaml.safe_load((tmp_path / "publish.yaml").read_text())) == {*Form.model_fields}
    assert main(["publish", "model", "--init"]) == 2
    capsys.readouterr()
    assert main(["publish", str(built / "model"), "--out", "out"]) != 0
    assert "intended_use" in capsys.readouterr().err and not (tmp_path / "out").exists()
    words = ["--out", "out", "--form", str(form), "--cohort", str(partly)]
    assert main(["publish", str(built / "model"), *words]) == 0
    described = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert " 20 exams." in described["description"]
    assert "check.py" in capsys.readouterr().out
