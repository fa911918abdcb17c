"""A model in one file of its own, registered there and nowhere else, goes all the way."""

from __future__ import annotations

import importlib
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from datkit.errors import ModelError
from datkit.files import read_sealed
from datkit.inspect import check_submission
from datkit.models import TemperatureCalibrated, load_model, save_model
from datkit.models.registry import KINDS, register
from datkit.replica import run_submission
from datkit.submit import pack_submission
from datkit.submit.pack import write_prior

MODULE = '''
"""One number: how far the weaker putamen lies below the middle between both classes."""

from dataclasses import dataclass

from datkit.models import LogitClassifier, register
from datkit.models.base import check_labels
from datkit.measure import MEASURES
import numpy as np


@register
@dataclass(eq=False, repr=False)
class ThresholdClassifier(LogitClassifier):
    kind, reads, cost = "threshold", "measures", 0

    steepness: float = 4.0

    def fit(self, X, y):
        y = check_labels(y, len(X))
        lowest = X["putamen_lowest"].to_numpy()
        self.threshold_ = float((lowest[y == 0].mean() + lowest[y == 1].mean()) / 2)
        return self

    def decision_function(self, X):
        assert set(X.columns) <= set(MEASURES)
        return self.steepness * (self.threshold_ - X["putamen_lowest"].to_numpy())

    def write_state(self, folder):
        return {"threshold": self.threshold_}

    def read_state(self, folder, document):
        self.threshold_ = float(document["threshold"])
'''
TABLE = pd.DataFrame({"putamen_lowest": [2.4, 2.0, 0.9, 0.7]})
LABELS = [0, 0, 1, 1]


@pytest.fixture
def threshold(tmp_path, monkeypatch):
    """The class, from a scratch file; afterwards nothing knows it."""
    (tmp_path / "my_model.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("my_model").ThresholdClassifier
    KINDS.pop("threshold", None)
    del sys.modules["my_model"]


def test_it_is_stored_and_loaded(threshold, tmp_path):
    model = threshold(steepness=2.0).fit(TABLE, LABELS)
    save_model(model, tmp_path / "model")
    assert read_sealed(tmp_path / "model" / "model.json") == {
        "kind": "threshold",
        "format": 1,
        "params": {"steepness": 2.0},
        "threshold": 1.5,
        "files": {},
    }
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is threshold and (loaded.reads, loaded.cost) == ("measures", 0)
    np.testing.assert_array_equal(loaded.predict_proba(TABLE), model.predict_proba(TABLE))


def test_without_its_module_it_is_refused(threshold, tmp_path):
    save_model(threshold().fit(TABLE, LABELS), tmp_path / "model")
    del KINDS["threshold"]
    with pytest.raises(ModelError, match="found 'threshold'. Import the module that registers it"):
        load_model(tmp_path / "model")


def test_a_taken_kind_is_refused_and_a_reloaded_module_is_not(threshold):
    with pytest.raises(ModelError, match="found 'threshold', which is my_model.ThresholdClassi"):
        register(type("Other", (threshold,), {}))
    assert KINDS["threshold"] is threshold
    again = importlib.reload(sys.modules["my_model"]).ThresholdClassifier
    assert again is not threshold and KINDS["threshold"] is again


def test_it_is_trained_packed_checked_and_run(threshold, tmp_path, tiny_cohort, prepared_tiny):
    """Alone and calibrated, beside a model of the kit, in a process that never saw its file."""
    from datkit.measure import measure_cohort

    table, labels = measure_cohort(prepared_tiny), prepared_tiny.labels
    model = threshold().fit(table, labels)
    calibrated = TemperatureCalibrated(threshold(), n_splits=3).fit(table, labels)
    assert (calibrated.reads, calibrated.cost) == ("measures", 0)
    for name, one in {"plain": model, "calibrated": calibrated}.items():
        save_model(one, tmp_path / "models" / name)
    write_prior(tmp_path / "models", labels)
    packed = pack_submission(tmp_path / "models", tmp_path / "submission.zip")
    with zipfile.ZipFile(packed.path) as archive:
        assert archive.read("datkit/models/threshold.py").decode() == MODULE
    assert check_submission(packed.path) == []
    report = run_submission(packed.path, tiny_cohort, exams=3, progress=False, isolation="plain")
    assert report.ok, str(report)
    for uid, probability in report.predictions.items():
        logits = [one.decision_function(table.loc[[uid]])[0] for one in (model, calibrated)]
        expected = np.clip(1 / (1 + np.exp(-np.mean(logits))), 0.01, 0.99)
        assert probability == pytest.approx(expected, abs=1e-5)
