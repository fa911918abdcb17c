"""A blend: weights found out of fold, members of its own folder, measures taken from volumes."""

import numpy as np
import pandas as pd
import pytest
from stored import forge

from datkit.errors import ModelError, UsageError
from datkit.models import (
    BlendClassifier,
    MeasuresClassifier,
    TemperatureCalibrated,
    VoxelsClassifier,
    load_model,
    save_model,
)
from datkit.models.blend import _best_weights
from datkit.submit import pack_submission


@pytest.fixture(scope="module")
def table():
    y = np.arange(60) % 2
    noise = np.random.default_rng(0).normal(0, 0.3, (60, 2))
    return pd.DataFrame(
        noise + np.array([2.4, 2.1]) - 0.7 * y[:, None], columns=["caudate", "putamen"]
    ), y


def test_weights_are_those_of_least_log_loss():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    good = np.log(3) * (2 * y - 1) * np.where(rng.random(2000) < 0.75, 1, -1)  # calibrated
    weights = _best_weights(np.array([good, rng.normal(size=2000), -good]), y)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    np.testing.assert_allclose(weights, [1, 0, 0], atol=0.06)


def test_it_is_the_mean_logit_of_members_trained_on_all(table):
    model = BlendClassifier([MeasuresClassifier(C=0.1), "boosting"]).fit(*table)
    assert (model.reads, model.cost) == ("measures", 2)
    logits = [one.decision_function(table[0]) for one in model.members_]
    np.testing.assert_allclose(model.decision_function(table[0]), model.weights_ @ logits)
    alone = MeasuresClassifier(C=0.1).fit(*table)
    np.testing.assert_array_equal(logits[0], alone.decision_function(table[0]))


def test_a_member_without_skill_gets_no_weight(table):
    y = np.random.default_rng(1).permutation(table[1])
    sharp = MeasuresClassifier(C=100.0)
    noise = np.random.default_rng(2).normal(size=(60, 20))
    model = BlendClassifier([sharp, MeasuresClassifier(C=1e-6)]).fit(noise, y)
    assert model.weights_[0] < 0.2


def test_members_that_read_measures_get_them_from_volumes(prepared_tiny):
    from datkit.measure import measure_cohort

    y, centres = prepared_tiny.labels, prepared_tiny.table["centre"]
    blend = BlendClassifier(["measures", VoxelsClassifier(C=0.1)], n_splits=3)
    assert (blend.reads, blend.cost) == ("volumes", 2)
    blend.fit(prepared_tiny.volumes, y, groups=centres)
    measures, voxels = blend.members_
    logits = np.array([
        measures.decision_function(measure_cohort(prepared_tiny)[:2]),
        voxels.decision_function(prepared_tiny.volumes[:2]),
    ])  # fmt: skip
    found = blend.decision_function(prepared_tiny.volumes[:2])
    np.testing.assert_allclose(found, blend.weights_ @ logits, rtol=1e-9)


def test_it_is_stored_as_its_members_inside_other_models_too_and_packed(table, tmp_path):
    blend = BlendClassifier(["measures", TemperatureCalibrated(MeasuresClassifier(C=0.1))])
    model = TemperatureCalibrated(blend).fit(*table)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(table[0]), model.predict_proba(table[0]))
    assert [one.kind for one in loaded.estimator_.members_] == ["measures", "calibrated"]
    assert loaded.estimator_.cost == 2 and loaded.fit(*table).temperature_ == model.temperature_
    packed = pack_submission(tmp_path / "model", tmp_path / "submission.zip", prior=0.5)
    assert "weights/estimator/1-measures/model.json" in packed.members


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": [1.0]}, "Expected 2 weights"),
        ({"weights": [float("nan"), 1.0]}, "Expected 2 weights"),
        ({"params": {"members": ["../1-measures", "gone"]}}, "no model in"),
        ({"params": {"members": [3]}}, "damaged"),
    ],
)
def test_damage_is_found(changed, message, table, tmp_path):
    save_model(BlendClassifier(["measures", "boosting"]).fit(*table), tmp_path)
    forge(tmp_path, **changed)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)


def test_members_of_an_older_blend_are_gone(table, tmp_path):
    members = [MeasuresClassifier(C=0.1), "boosting", "measures"]
    save_model(BlendClassifier(members).fit(*table), tmp_path)
    (tmp_path / "2-notes").mkdir()  # not ours
    save_model(BlendClassifier(["boosting", "measures"]).fit(*table), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model.json", "1-boosting", "2-measures", "2-notes"}


@pytest.mark.parametrize("members", ["projection", ["measures"], []])
def test_fewer_than_two_members_are_refused(members, table):
    with pytest.raises(UsageError, match=r"such as members=measures,voxels, found members="):
        BlendClassifier(members).fit(*table)


def test_a_member_that_nobody_knows_is_named(table):
    with pytest.raises(ModelError, match="found 'forest'"):
        BlendClassifier(["measures", "forest"]).fit(*table)
