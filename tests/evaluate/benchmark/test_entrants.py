"""Who takes part: models by their text or as they are, and the oracle that is none."""

import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from datkit.evaluate.benchmark.entrants import CONTROLS, Entrant, Oracle
from datkit.models import MeasuresClassifier
from datkit.simulate.exam import CENTRE_BIAS
from datkit.simulate.readers import label_probability

FILE = "class Mine:\n    fit = predict_proba = lambda self, *_: None\n"


def test_a_text_is_built_with_its_settings_and_seed_and_a_model_is_cloned():
    built = Entrant("a", "boosting trees=7").build(seed=3)
    assert (built.kind, built.trees, built.seed) == ("boosting", 7, 3)
    model = MeasuresClassifier(C=0.5)
    clone = Entrant("b", model).build(seed=3)
    assert clone is not model and clone.C == 0.5


@pytest.mark.parametrize("folder", ["plain", "run:1", "run 1"])
def test_another_file_is_other_code(tmp_path, folder):
    path = tmp_path / folder / "mine.py"
    path.parent.mkdir()
    mine = Entrant("mine", f"'{path}:Mine'")
    hashes = []
    for source in (FILE, FILE, FILE + "# changed\n"):
        path.write_text(source)
        hashes.append(mine.code())
    assert hashes[0] == hashes[1] != hashes[2]


class Holding(ClassifierMixin, BaseEstimator):
    def __init__(self, held=None):
        self.held = held

    def fit(self, X, y):
        return self


def test_other_settings_are_other_code_however_long_they_are():
    weights = np.zeros(2000)
    changed = weights.copy()
    changed[500] = 5
    one, same, other = (Entrant("a", Holding(w)).code() for w in (weights, weights + 0, changed))
    assert one == same != other
    assert Entrant("a", "boosting").code(seed=1) != Entrant("a", "boosting").code(seed=2)


def test_other_code_of_a_class_is_other_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "from sklearn.svm import SVC\n\nclass A(SVC):\n    pass\n"
    (tmp_path / "their_models.py").write_text(source)
    their = importlib.import_module("their_models")
    inside = Entrant("a", Holding(their.A())), Entrant("a", their.A())
    before = [one.code() for one in inside]
    assert before == [one.code() for one in inside]
    (tmp_path / "their_models.py").write_text(source + "# changed\n")
    assert not {*before} & {one.code() for one in inside}


def test_what_has_no_file_is_never_the_same_code():
    class Local(Holding):
        pass

    cell = type("Cell", (Holding,), {"__module__": "of_a_notebook"})
    for model in (Local(), cell(), Holding(lambda: 0), Holding(cell())):
        assert Entrant("a", model).code() != Entrant("a", model).code()


def test_the_oracle_says_what_the_readers_would():
    truth = pd.DataFrame({"weaker_posterior_putamen": [0.1, 0.7, 1.2]})
    p = Oracle().fit(truth, np.array([0, 1, 1])).predict_proba(truth)[:, 1]
    expected = label_probability(truth["weaker_posterior_putamen"], spread=CENTRE_BIAS)
    np.testing.assert_allclose(p, expected)


def test_each_control_has_a_name_of_its_own_and_only_the_leak_leaks():
    assert len({one.name for one in CONTROLS}) == len(CONTROLS)
    assert [one.name for one in CONTROLS if one.leaks] == ["leak"]
    assert all(one.reads and one.role != "model" for one in CONTROLS)
