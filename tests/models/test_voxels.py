"""One weight a voxel: found where the classes differ, symmetric, and shown as an image."""

import numpy as np
import pytest
from stored import forge

from datkit.errors import ModelError
from datkit.models import BOX_AFFINE, VoxelsClassifier, crop_striata, load_model, save_model
from datkit.prepare import GRID, load_regions


@pytest.fixture(scope="module")
def exams():
    """Noise with two striata; in abnormal exams both putamina are darker by one half."""
    rng, regions = np.random.default_rng(0), load_regions()
    y = np.arange(24) % 2
    X = 1 + rng.normal(0, 0.2, (24, *GRID.shape)).astype(np.float32)
    X[:, regions["striatum_left"] | regions["striatum_right"]] += 2
    putamina = regions["putamen_left"] | regions["putamen_right"]
    X[np.ix_(y == 1, *map(range, GRID.shape))] -= putamina.astype(np.float32)
    return X, y


@pytest.fixture(scope="module")
def model(exams):
    return VoxelsClassifier().fit(*exams)


def test_its_map_points_to_the_putamina(model):
    image = model.weight_map()
    np.testing.assert_array_equal(image.affine, BOX_AFFINE)
    weights = image.get_fdata()
    left, right = (
        crop_striata(load_regions()[f"putamen_{side}"][None].astype(np.float32))[0] > 0.5
        for side in ("left", "right")
    )
    assert weights[left].mean() < 0 and weights[right].mean() < 0
    assert np.abs(weights[left | right]).mean() > 3 * np.abs(weights[~(left | right)]).mean()


def test_the_map_is_the_model(model, exams):
    by_hand = ((crop_striata(exams[0]) - 1) * model.weights_).sum((1, 2, 3)) + model.intercept_
    np.testing.assert_allclose(model.decision_function(exams[0]), by_hand, atol=1e-4)


def test_a_mirrored_exam_has_the_same_logit(model, exams):
    lopsided = exams[0].copy()
    lopsided[:, :32] += 1
    np.testing.assert_allclose(
        model.decision_function(lopsided), model.decision_function(lopsided[:, ::-1]), atol=1e-5
    )


def test_the_penalty_is_chosen_inside_whole_groups_or_given(exams):
    groups = np.repeat(["a", "b", "c"], 8)
    assert VoxelsClassifier().fit(*exams, groups=groups).C_ > 0
    strong, weak = (VoxelsClassifier(C=C).fit(*exams) for C in (1e-3, 1e3))
    assert strong.C_ == 1e-3 and np.abs(strong.weights_).max() < np.abs(weak.weights_).max()


def test_noise_wants_the_strongest_penalty(exams):
    """With labels that nothing explains, the probabilities stay near one half."""
    model = VoxelsClassifier().fit(exams[0], np.arange(24) // 2 % 2)
    assert np.abs(model.decision_function(exams[0])).max() < 1


def test_it_is_stored_and_damage_is_found(model, exams, tmp_path):
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(
        loaded.decision_function(exams[0]), model.decision_function(exams[0])
    )
    forge(tmp_path, intercept=float("nan"))
    with pytest.raises(ModelError, match="Expected finite weights"):
        load_model(tmp_path)


def test_a_part_of_one_class_is_refused(exams):
    with pytest.raises(ModelError, match="both classes"):
        VoxelsClassifier().fit(*exams, groups=exams[1])
