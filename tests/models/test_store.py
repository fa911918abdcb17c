"""Models on disk: what is stored, what is refused, and what the inference path imports."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from datkit.errors import ModelError
from datkit.evaluate import auroc
from datkit.measure import SBR_MEASURES, measure_cohort
from datkit.models import (
    MeasuresClassifier,
    TemperatureCalibrated,
    VolumeClassifier,
    load_model,
    save_model,
)

X = np.array([[2.4], [2.2], [2.5], [0.9], [1.1], [0.8]])
Y = np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable JSON file"),
        ("\x00\xff", "not a readable JSON file"),
        ("[" * 100_000, "not a readable JSON file"),
        ("[]", 'Expected a "kind" and the "format" 1, found \\[\\]'),
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
    document = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(document | {"kind": "calibrated"}))
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
