"""The baseline: a logistic regression that a reader can check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from stored import forge

from datkit.errors import ModelError
from datkit.models import MeasuresClassifier, load_model, save_model

COLUMNS = ["putamen_left", "putamen_right", "caudate_left"]


def make_table(n: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Exams whose putamen is lower by one third when abnormal."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    values = rng.normal([2.1, 2.1, 2.4], 0.3, size=(n, 3))
    values[:, :2] -= 0.7 * y[:, None]
    return pd.DataFrame(values, columns=COLUMNS, index=[f"sim-{i}" for i in range(n)]), y


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_it_is_scikit_learns_own_pipeline(C):
    X, y = make_table()
    ours = MeasuresClassifier(C=C).fit(X, y)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000)).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


# Of scikit-learn's own checks, those that do not ask for labels other than 0 and 1 or for its
# ValueError where ours is a ModelError.
CHECKS = (
    "decision_proba_consistency", "dict_unchanged", "do_not_raise_errors_in_init_or_set_params",
    "dont_overwrite_parameters", "estimator_cloneable", "estimator_repr",
    "estimators_fit_returns_self", "estimators_overwrite_params", "estimators_pickle",
    "estimators_unfitted", "f_contiguous_array_estimator", "fit_check_is_fitted",
    "fit_idempotent", "fit_score_takes_y", "get_params_invariance",
    "methods_sample_order_invariance", "methods_subset_invariance", "mixin_order",
    "n_features_in", "no_attributes_set_in_init", "parameters_default_constructible",
    "pipeline_consistency", "readonly_memmap_input", "set_params", "valid_tag_types",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Casting complex values")
def test_scikit_learn_accepts_it():
    results = check_estimator(MeasuresClassifier(), on_fail=None, on_skip=None)
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    assert {f"check_{name}" for name in CHECKS} <= passed


def test_cross_validation_of_scikit_learn_works():
    X, y = make_table()
    assert cross_val_score(MeasuresClassifier(), X, y, scoring="neg_log_loss").mean() > -0.5


def test_fitting_twice_gives_the_same_weights():
    X, y = make_table()
    model = MeasuresClassifier().fit(X, y)
    np.testing.assert_array_equal(model.coef_, clone(model).fit(X, y).coef_)


def test_the_unit_of_a_measure_does_not_matter():
    X, y = make_table()
    percent = X * [100, 1, 1]
    ours = MeasuresClassifier().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(MeasuresClassifier().fit(percent, y).predict_proba(percent), ours)


def test_columns_go_by_name():
    X, y = make_table()
    model = MeasuresClassifier().fit(X, y)
    shuffled = X[COLUMNS[::-1]]
    np.testing.assert_array_equal(model.predict_proba(shuffled), model.predict_proba(X))


def test_other_columns_are_refused_by_name():
    X, y = make_table()
    model = MeasuresClassifier().fit(X, y)
    with pytest.raises(ModelError, match="Missing: caudate_left. Unknown: age"):
        model.predict_proba(X.rename(columns={"caudate_left": "age"}))
    with pytest.raises(ModelError, match="Unknown: age"):
        model.predict_proba(X.assign(age=70))
    with pytest.raises(ModelError, match="Expected 3 measures per exam.*found 2"):
        model.predict_proba(X.to_numpy()[:, :2])


def test_exams_without_a_measure_are_named():
    X, y = make_table()
    model = MeasuresClassifier().fit(X, y)
    X.loc["sim-3", "putamen_left"] = np.nan
    X.loc["sim-8", "caudate_left"] = np.inf
    for act in (lambda: model.predict(X), lambda: MeasuresClassifier().fit(X, y)):
        with pytest.raises(ModelError, match="in 2 of 60 exams: sim-3, sim-8"):
            act()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "the labels: expected 4, one per exam, found 2. Give"),
        ([0, 1, 2, 1], r"expected 0 \(normal\) or 1 \(abnormal\), found 2 \(row 2\)"),
        ([0, 1, np.nan, 1], "Leave out exams without a label"),
        ([0, 1, pd.NA, 1], "Leave out exams without a label"),
        (["normal", "abnormal", "normal", "normal"], r"normal \(row 0\), .* and 1 more"),
        ([1, 1, 1, 1], "found one class only"),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels, message):
    with pytest.raises(ModelError, match=message):
        MeasuresClassifier().fit(np.arange(8.0).reshape(4, 2), labels)


@pytest.mark.parametrize("X", [np.ones(4), np.ones((0, 3)), [["a"], ["b"]], np.ones((4, 0))])
def test_what_is_not_a_table_of_numbers_is_refused(X):
    with pytest.raises(ModelError, match="Expected"):
        MeasuresClassifier().fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize("named", [True, False])
def test_a_stored_model_predicts_the_same_to_the_last_bit(tmp_path, named):
    X, y = make_table()
    X = X if named else X.to_numpy()
    model = MeasuresClassifier(C=0.3).fit(X, y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    first = (tmp_path / "model" / "model.json").read_bytes()
    save_model(loaded, tmp_path / "model")
    assert (tmp_path / "model" / "model.json").read_bytes() == first


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("coef_", [1.0, float("nan"), 2.0], "finite weights"),
        ("coef_", [1.0, 10**400, 2.0], "int too large"),
        ("coef_", [1.0, True, 2.0], "finite weights"),
        ("coef_", [1.0, 2.0], "inhomogeneous shape"),
        ("coef_", [], "inhomogeneous shape"),
        ("mean_", "os.system", "damaged"),
        ("mean_", None, "damaged"),
        ("scale_", [1.0, 0.0, 1.0], "positive scales"),
        ("intercept_", None, "damaged"),
        ("intercept_", float("inf"), "finite weights"),
        ("columns", ["a", 3, None], "names of columns"),
        ("columns", "abc", "names of columns"),
        ("columns", ["a", "b"], "Expected 3 columns, found 2"),
        ("params", {"C": 1.0, "__class__": 1}, '"params" should name only'),
        ("params", None, '"params" should name only'),
    ],
)
def test_damaged_weights_are_refused(tmp_path, key, value, message):
    save_model(MeasuresClassifier().fit(*make_table()), tmp_path)
    forge(tmp_path, **{key: value})
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize("key", ["coef_", "mean_", "scale_", "intercept_", "columns"])
def test_a_missing_part_is_named(tmp_path, key):
    save_model(MeasuresClassifier().fit(*make_table()), tmp_path)
    forge(tmp_path, **{key: ...})
    with pytest.raises(ModelError, match=f"is damaged. '{key}'"):
        load_model(tmp_path)
