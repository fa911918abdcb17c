"""Models that a user names: kinds, settings, and classes of one's own without a pickle."""

import numpy as np
import pytest

from datkit.errors import ModelError, UsageError
from datkit.evaluate.own import OwnModel, build_model, find_class
from datkit.models import BoostingClassifier, VolumeClassifier, load_model, save_model

MINE = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

class Mine:
    reads = "measures"

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=self.C)).fit(X, y)
        self.extra = {"seen": len(X), "by": {ADDED}}

    def predict_proba(self, X):
        return self.pipeline.predict_proba(X)
"""
Y = np.arange(40) % 2
X = np.random.default_rng(0).normal(size=(40, 3)) - Y[:, None]


@pytest.fixture
def mine(tmp_path):
    """Write the file, and name its class; afterwards nothing knows it."""

    def write(added="[1, None, 'x']", name="Mine"):
        path = tmp_path / "mine_own.py"
        path.write_text(MINE.replace("{ADDED}", added))
        return f"{path}:{name}"

    yield write
    OwnModel.own = None


def test_a_class_of_ones_own_is_trained_stored_and_loaded(mine, tmp_path):
    model = build_model(find_class(mine()), ["C=0.3"]).fit(X, Y)
    assert (model.reads, model.settings) == ("measures", {"C": 0.3})
    save_model(model, tmp_path / "model")
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.model_.extra == {"seen": 40, "by": [1, None, "x"]}
    OwnModel.own = None
    with pytest.raises(UsageError, match="Name it as in training: --model FILE.py:Class"):
        load_model(tmp_path / "model")


def test_what_cannot_be_stored_is_named(mine, tmp_path):
    model = build_model(find_class(mine("{1, 2}")), []).fit(X, Y)
    with pytest.raises(ModelError, match=r"builtins.set in the model's attribute extra.by"):
        save_model(model, tmp_path / "model")


def test_probabilities_are_checked(mine, monkeypatch):
    model = build_model(find_class(mine()), []).fit(X, Y)
    monkeypatch.setattr(type(model.model_), "predict_proba", lambda self, X: X[:, :1])
    with pytest.raises(ModelError, match=r"shape \(40, 2\), found \(40, 1\)"):
        model.predict_proba(X)


def test_what_there_is_stands_in_the_refusal(mine, tmp_path):
    with pytest.raises(UsageError, match="blend, boosting, constant, measures, .*found 'forest'"):
        find_class("forest")
    with pytest.raises(UsageError, match="Expected a class 'Yours' .* found Mine"):
        find_class(mine(name="Yours"))
    with pytest.raises(UsageError, match="Expected a Python file at"):
        find_class(str(tmp_path / "no.py:Mine"))
    (tmp_path / "bad_own.py").write_text("1 / 0")
    with pytest.raises(ModelError, match="cannot be run: ZeroDivisionError"):
        find_class(f"{tmp_path / 'bad_own.py'}:Mine")


def test_every_wrong_setting_is_listed():
    assert build_model(BoostingClassifier, ["trees=5", "l2=2"]).get_params()["l2"] == 2
    wrong = ["epochs=many", "depth=3", "width", "seed=1", "seed=2"]
    with pytest.raises(UsageError) as error:
        build_model(VolumeClassifier, wrong)
    assert len(error.value.problems) == 4
    assert "expected epochs as epochs: 'int | None'" in str(error.value)
