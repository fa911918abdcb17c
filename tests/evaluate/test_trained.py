"""A trained model and its card."""

import pytest

from datkit.errors import ModelError
from datkit.evaluate.trained import read_card, train_model
from datkit.models import MeasuresClassifier, VolumeClassifier, load_model


def test_a_card_says_what_the_model_was_trained_on_and_how_good_it_is(
    tiny_cohort, prepared_tiny, tmp_path
):
    card = train_model(MeasuresClassifier(), tiny_cohort, prepared_tiny, tmp_path, folds=3)
    read = read_card(tmp_path)
    assert read["trained_on"]["exams"] == 24 and len(read["trained_on"]["sha256"]) == 64
    assert read["note"] == "Simulated training, not for diagnosis."
    loss = card["out_of_fold"]["scores"]["log_loss"]
    assert read["out_of_fold"]["groups"] == "centre" and loss["low"] < loss["value"] < loss["high"]
    assert load_model(tmp_path).kind == card["kind"] == "measures"


def test_progress_leaves_no_trace(tiny_cohort, prepared_tiny, tmp_path):
    model = VolumeClassifier(epochs=1, width=2, accelerator="cpu")
    card = train_model(model, tiny_cohort, prepared_tiny, tmp_path, folds=0, progress=True)
    assert card["out_of_fold"] is None and card["settings"]["progress"] is False


def test_a_damaged_card_is_refused_and_an_absent_one_is_not(tmp_path):
    assert read_card(tmp_path)["trained_on"] is None
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ModelError, match="no card of a model"):
        read_card(tmp_path)
