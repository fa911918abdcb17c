"""Models on disk: what is stored, what is refused, and what the inference path imports."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from stored import forge

from datkit.errors import ModelError, UsageError
from datkit.evaluate import auroc
from datkit.files import sha256_file
from datkit.measure import SBR_MEASURES, measure_cohort
from datkit.models import (
    MeasuresClassifier,
    ProjectionClassifier,
    TemperatureCalibrated,
    VolumeClassifier,
    load_model,
    read_card,
    save_model,
)

X = np.array([[2.4], [2.2], [2.5], [0.9], [1.1], [0.8]])
Y = np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found it changed or damaged: Expecting value"),
        ("\x00\xff", "found it changed or damaged"),
        ("[" * 100_000, "found it changed or damaged: it is no JSON object"),
        ("[]", "found it changed or damaged: it is no JSON object"),
        ('{"kind": "os.system", "format": 1}', "found 'os.system'"),
        ('{"kind": ["measures"], "format": 1}', "found \\['measures'\\]"),
        ('{"kind": "measures", "format": 2}', 'the "format" 1, found .*2}. Save'),
    ],
)
def test_a_folder_that_is_no_model_is_refused(tmp_path, text, message):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize("kind", ["forest", "store", "training", "__init__", "..store", 7])
def test_only_registered_kinds_are_loaded(tmp_path, kind):
    (tmp_path / "model.json").write_text(json.dumps({"kind": kind, "format": 1, "params": {}}))
    with pytest.raises(ModelError, match='Expected the "kind" of a model'):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("said", "instead"),
    [('"C": 1.0', '"C": 9.0'), ('"intercept_": ', '"intercept_": 1'), ('"kind"', '"kinD"')],
)
def test_one_changed_digit_is_refused(said, instead, tmp_path):
    path = save_model(MeasuresClassifier().fit(X, Y), tmp_path) / "model.json"
    assert said in path.read_text()
    path.write_text(path.read_text().replace(said, instead))
    for read in (load_model, read_card):
        with pytest.raises(ModelError, match="found it changed or damaged: "):
            read(tmp_path)


def test_a_model_inside_another_is_that_which_was_saved(tmp_path):
    for name, C in (("one", 1.0), ("two", 0.1)):
        model = MeasuresClassifier(C).fit(X, Y)
        save_model(TemperatureCalibrated.from_fitted(model, 1.5), tmp_path / name)
    inner = [tmp_path / name / "estimator" / "model.json" for name in ("one", "two")]
    inner[0].write_bytes(inner[1].read_bytes())
    with pytest.raises(ModelError, match=r"Expected estimator/model\.json as training wrote it"):
        load_model(tmp_path / "one")


def test_twenty_random_changes_in_each_file_are_noticed_or_change_nothing(tmp_path):
    """`benchmarks/damage.py` makes 500 in each file that the kit stores."""
    model, random = ProjectionClassifier(width=1), np.random.default_rng(17)
    model.network_ = model.build().eval()
    save_model(TemperatureCalibrated.from_fitted(model, 1.5), tmp_path)
    exams = random.random((1, 64, 80, 48), np.float32)
    known = load_model(tmp_path).predict_proba(exams)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        before, noticed = path.read_bytes(), 0
        for _ in range(20):
            changed = bytearray(before)
            changed[random.integers(len(before))] ^= random.integers(1, 256)
            path.write_bytes(changed)
            try:
                np.testing.assert_array_equal(load_model(tmp_path).predict_proba(exams), known)
            except ModelError:
                noticed += 1
        path.write_bytes(before)
        assert noticed > 10


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no model in"):
        load_model(tmp_path)


def test_only_fitted_models_of_datkit_are_stored(tmp_path):
    with pytest.raises(ModelError, match="Expected a model of datkit, found LogisticRegression"):
        save_model(LogisticRegression(), tmp_path)
    with pytest.raises(NotFittedError):
        save_model(MeasuresClassifier(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_kinds_do_not_mix_in_one_folder(tmp_path):
    model = MeasuresClassifier().fit(X, Y)
    save_model(model, tmp_path)
    save_model(model, tmp_path)
    with pytest.raises(ModelError, match="holds a model of the kind measures, and this one is cal"):
        save_model(TemperatureCalibrated.from_fitted(model, 1.5), tmp_path)


def test_a_model_of_another_kind_is_not_read_as_this_one(tmp_path):
    save_model(MeasuresClassifier().fit(X, Y), tmp_path)
    forge(tmp_path, kind="calibrated")
    with pytest.raises(ModelError, match='"params" should name only'):
        load_model(tmp_path)


def test_stored_settings_are_plain_json(tmp_path):
    save_model(MeasuresClassifier(C=0.5).fit(X, Y), tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    assert (document["kind"], document["params"]) == (
        "measures",
        {"C": 0.5, "seed": 0, "columns": None},
    )


def test_a_prepared_cohort_goes_in_as_it_comes(prepared_tiny):
    """Memory-mapped volumes, a table of measures, labels as a series of floats."""
    labels = prepared_tiny.labels
    measures = MeasuresClassifier().fit(measure_cohort(prepared_tiny), labels)
    assert list(measures.feature_names_in_) == list(SBR_MEASURES)
    volumes = VolumeClassifier(epochs=30, width=4).fit(prepared_tiny.volumes, labels)
    assert auroc(labels, volumes.predict_proba(prepared_tiny.volumes)[:, 1]) > 0.8


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A small network in the place of the weights that ship, and the exams that it learnt from."""
    exams, labels = np.ones((8, 64, 80, 48), np.float32), np.arange(8) % 2
    exams[1::2, 20:44, 46:66, 14:24] = 3.0
    how = {"width": 2, "batch_size": 4, "augment": False, "accelerator": "cpu"}
    learnt = ProjectionClassifier(**how, epochs=30, learning_rate=1e-2).fit(exams, labels)
    save_model(learnt, tmp_path / "projection")
    card = {"cohort": "theirs", "exams": 8, "abnormal": 4, "seed": 1, "licence": "MIT"}
    head = {"kind": "blend", "format": 1, "params": {}, "card": card}
    (tmp_path / "model.json").write_text(json.dumps(head))
    monkeypatch.setattr("datkit.models.store.PRETRAINED", tmp_path)
    return learnt, how, (exams, labels)


def test_training_starts_from_the_weights_that_ship(shipped, tmp_path):
    learnt, how, exams = shipped
    further = ProjectionClassifier(**how, epochs=1, start="pretrained").fit(*exams)
    anew = ProjectionClassifier(**how, epochs=1).fit(*exams)
    assert further.history_[0]["loss"] < 0.3 < anew.history_[0]["loss"]
    assert further.settings_.learning_rate == pytest.approx(0.1 * anew.settings_.learning_rate)
    assert not np.array_equal(*(m.decision_function(exams[0]) for m in (further, learnt)))
    told = ProjectionClassifier(**how, epochs=1, learning_rate=0.01, start="pretrained")
    assert told.training_settings().learning_rate == 0.01
    (tmp_path / "projection" / "weights.safetensors").unlink()  # what is stored stands alone
    loaded = load_model(save_model(further, tmp_path / "further"))
    assert loaded.start == "pretrained" and loaded.start_ == further.start_ and not anew.start_
    sha256 = json.loads((tmp_path / "projection/model.json").read_text())["weights"]["sha256"]
    assert further.start_ == {
        "kind": "projection", "cohort": "theirs", "exams": 8, "abnormal": 4, "seed": 1,
        "sha256": sha256,
    }  # fmt: skip
    np.testing.assert_array_equal(*(m.decision_function(exams[0]) for m in (loaded, further)))


def test_another_network_than_ships_is_refused(shipped):
    _, how, exams = shipped
    wider = ProjectionClassifier(**how | {"width": 3}, start="pretrained")
    with pytest.raises(UsageError, match=r"expected \{'width': 2\}, found \{'width': 3\}"):
        wider.fit(*exams)
    with pytest.raises(UsageError, match="Expected start='pretrained' or none, found 'there'"):
        ProjectionClassifier(**how, start="there").fit(*exams)
    with pytest.raises(ModelError, match="There is no model in"):
        VolumeClassifier(width=2, epochs=1, start="pretrained").fit(*exams)


def test_weights_may_be_stored_in_half_the_room(shipped, tmp_path):
    from safetensors.numpy import load_file, save_file

    learnt, _, (exams, _) = shipped
    path = tmp_path / "projection" / "weights.safetensors"
    whole = load_file(path)
    half = {name: one.astype(np.float16) if one.ndim > 1 else one for name, one in whole.items()}
    save_file(half, path)
    forge(path.parent, weights={"sha256": sha256_file(path)})
    loaded = load_model(path.parent)
    assert {str(one.dtype) for one in loaded.network_.parameters()} == {"torch.float32"}
    there, here = (model.decision_function(exams) for model in (loaded, learnt))
    assert 0 < np.abs(there - here).max() < 0.01


HIDDEN = ("lightning_fabric", "lightning", "tqdm", "nilearn", "plotly", "pydantic", "matplotlib",
          "pooch", "yaml", "papermill", "datkit.view")  # fmt: skip


def test_prediction_needs_only_what_the_official_runtime_has(tmp_path):
    code = f"""
import sys
for name in {HIDDEN!r}:
    sys.modules[name] = None  # importing it now fails
import numpy as np, torch
from datkit.models import CompactCNN, VolumeClassifier, TemperatureCalibrated, load_model
from datkit.models import MeasuresClassifier, save_model
model = VolumeClassifier(width=2)
model.network_ = CompactCNN(2)
save_model(TemperatureCalibrated.from_fitted(model, 1.5), sys.argv[1])
p = load_model(sys.argv[1]).predict_proba(np.ones((1, 64, 80, 48), np.float32))
assert p.shape == (1, 2) and np.isfinite(p).all()
MeasuresClassifier().fit([[0.0], [1.0]], [0, 1]).predict_proba([[0.5]])
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_importing_the_package_is_cheap():
    code = (
        "import sys, datkit.models; print(sorted({'torch', 'sklearn', 'scipy'} & {*sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
