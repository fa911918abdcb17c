"""A trained model, its card, and what it predicts."""

import numpy as np
import pytest

from datkit.errors import ModelError
from datkit.evaluate import predict_prepared, train_model
from datkit.models import (
    ConstantClassifier,
    MeasuresClassifier,
    VolumeClassifier,
    load_model,
    read_card,
)


def test_a_card_says_what_the_model_was_trained_on_and_how_good_it_is(
    tiny_cohort, prepared_tiny, tmp_path
):
    card = train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=3)
    stored = read_card(tmp_path)
    assert {"kind": "measures"} | stored == card
    assert stored["exams"] == 24 and len(stored["sha256"]) == 64
    assert stored["abnormal"] == (prepared_tiny.labels == 1).sum()
    assert stored["note"] == "Simulated training, not for diagnosis."
    score = stored["out_of_fold"]
    loss = score["scores"][0]
    assert (score["folds"], score["groups"], loss["name"]) == (3, "centre", "log_loss")
    assert loss["low"] < loss["value"] < loss["high"]
    assert score["said"][0].startswith(f"log loss {loss['value']:.3f} (95 % CI")


def test_each_exam_is_predicted_alone(tiny_cohort, prepared_tiny, tmp_path):
    train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=0)
    assert read_card(tmp_path)["out_of_fold"] is None
    model, seen = load_model(tmp_path), []

    class Watched(MeasuresClassifier):
        def decision_function(self, X):
            seen.append(list(X.index))
            return model.decision_function(X)

    p = predict_prepared(Watched(), prepared_tiny)
    assert seen == [[uid] for uid in prepared_tiny.uids] and list(p.index) == prepared_tiny.uids
    assert ((p > 0) & (p < 1)).all()


def test_progress_and_process_leave_no_trace(tiny_cohort, prepared_tiny, tmp_path):
    """The same seed gives the same bytes, whether or not a bar was shown."""
    for name, progress in {"a": True, "b": False}.items():
        model = VolumeClassifier(epochs=1, width=2, seed=4, accelerator="cpu")
        train_model(model, tiny_cohort, prepared_tiny, tmp_path / name, folds=0, progress=progress)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_model_that_is_not_stored_whole_is_refused(
    tiny_cohort, prepared_tiny, tmp_path, monkeypatch
):
    def forget(self, folder, document):
        self.prior_ = document["prior"] + 0.01

    monkeypatch.setattr(ConstantClassifier, "read_state", forget)
    with pytest.raises(ModelError, match=r"found that a probability differs by 0\.01\."):
        train_model(ConstantClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=0)


def test_exams_without_a_label_are_left_out(tiny_cohort, prepared_tiny, tmp_path):
    from dataclasses import replace

    table = prepared_tiny.table.copy()
    table.loc[table.index[:4], "is_pathologic"] = np.nan
    fewer = replace(prepared_tiny, table=table)
    card = train_model(ConstantClassifier(), tiny_cohort, fewer, tmp_path, folds=0)
    assert card["exams"] == 20
