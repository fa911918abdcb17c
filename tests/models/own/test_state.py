"""What an object learnt, as data and arrays: all of it comes back, or its name is told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn

from datkit.errors import ModelError
from datkit.models.own.state import put_together, take_apart

Y = np.arange(40) % 2
X = np.random.default_rng(0).normal(size=(40, 3)) - Y[:, None]


class Thing:
    """Holds what it is given."""

    def __init__(self, **held):
        vars(self).update(held)


def again(**held):
    """Store and read a thing, through JSON."""
    old, new = Thing(**held), Thing()
    learnt, arrays = take_apart(old)
    put_together(new, json.loads(json.dumps(learnt)), arrays)
    return old, new


def test_plain_things_come_back_as_they_were():
    held = {"n": 3, "share": np.float64(0.25), "on": np.bool_(True), "none": None, "way": "left"}
    nested = {"by": [1, (2, "x")], 7: {"a": np.int64(5)}, (1, 2): 0.5, "array": 1}
    _, new = again(nested=nested, names=np.array(["a", "b"]), **held)
    assert {name: getattr(new, name) for name in held} == held
    assert new.nested == nested and new.names.tolist() == ["a", "b"]
    assert type(new.nested["by"][1]) is tuple
    _, new = again(absent=float("nan"), none=-np.inf)
    assert np.isnan(new.absent) and new.none == -np.inf


def test_arrays_keep_type_and_shape():
    arrays = {"a": np.eye(2, dtype=np.float32), "b": np.arange(3, dtype=np.uint16), "c": Y > 0}
    _, new = again(arrays=arrays)
    for name, array in arrays.items():
        assert new.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(new.arrays[name], array)


@pytest.mark.parametrize("estimator", [LogisticRegression(C=0.3), SVC(gamma=0.5)])
def test_estimators_decide_the_same(estimator):
    old, new = again(inside=[estimator.fit(X, Y)])
    wanted = old.inside[0].decision_function(X)
    np.testing.assert_array_equal(new.inside[0].decision_function(X), wanted)
    assert new.inside[0].get_params() == estimator.get_params()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({1, 2}, "builtins.set"),
        (np.random.default_rng(0), "numpy.random"),
        ([RandomForestClassifier(2).fit(X, Y)], "sklearn.tree"),
        (nn.Linear(1, 1), "torch.nn"),
        (lambda x: x, "builtins.function"),
        (np.array([{}]), "numpy.ndarray"),
    ],
)
def test_what_cannot_be_stored_is_named(value, named):
    with pytest.raises(
        ModelError, match=rf"found {named}.* in its attribute extra\. Give the class"
    ):
        take_apart(Thing(extra=value))


@pytest.mark.parametrize(
    "stored",
    [
        {"estimator": ["os", "system", {"dict": []}, {"dict": []}]},
        {"estimator": ["sklearn.datasets", "fetch_openml", {"dict": []}, {"dict": []}]},
        {"pickle": ["sklearn.svm", "SVC", {"dict": []}, {"dict": []}]},
    ],
)
def test_nothing_but_an_estimator_is_made(stored):
    with pytest.raises(ValueError, match="Expected an estimator of scikit-learn"):
        put_together(Thing(), {"x": stored}, {})
