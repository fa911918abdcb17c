"""The 2-D network on projections: what it sees, what it learns, and what it keeps on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from stored import forge

from datkit.errors import ModelError, UsageError
from datkit.models import ProjectionClassifier, ProjectionCNN, load_model, project_striata
from datkit.models import save_model as save
from datkit.models.projection import VIEWS
from datkit.prepare import GRID

QUICK = ProjectionClassifier(epochs=5, width=4, learning_rate=1e-2, batch_size=4, accelerator="cpu")
NAMES = list(VIEWS)


def make_volumes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two bright striata on noise; in abnormal exams one lacks its back half, the tail."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(1, 0.2, size=(n, *GRID.shape)).astype(np.float32)
    X[:, 20:27, 46:66, 14:24] += 3
    X[:, 37:44, 46:66, 14:24] += 3
    for exam in np.flatnonzero(y):
        left_edge = (20, 37)[exam // 2 % 2]
        X[exam, left_edge : left_edge + 7, 46:56, 14:24] -= 3
    return X, y


@pytest.fixture(scope="module")
def data():
    return make_volumes(24)


@pytest.fixture(scope="module")
def fitted(data) -> ProjectionClassifier:
    return clone(QUICK).fit(*data)


def hot_voxel(x: float, y: float, z: float) -> np.ndarray:
    """One volume of uptake 1, but 65 in the 2 mm voxel nearest to a place in template mm."""
    volume = np.ones((1, *GRID.shape), np.float32)
    index = np.linalg.inv(GRID.affine) @ [x, y, z, 1]
    volume[(0, *np.rint(index[:3]).astype(int))] += 64
    return volume


def test_one_hot_voxel_is_seen_where_it_lies_in_the_views_that_hold_it():
    """64 in 2 mm is 8 in 4 mm; a slab of two such layers has 4, the whole, of ten, 0.8."""
    image = project_striata(hot_voxel(-21, -2, 1))[0]  # (6, 24, 16)
    peaks = dict(zip(NAMES, image.max(axis=(1, 2)).tolist(), strict=True))
    expected = {"ventral": 0, "middle": 4, "dorsal": 0, "caudate": 0, "whole": 0.8, "brightest": 8}
    assert peaks == pytest.approx(expected, abs=1e-5)
    # The box starts at x = −48 and y = −31 mm (edges): −21 and −2 mm lie in pixels 6 and 7.
    assert np.unravel_index(image[1].argmax(), image[1].shape) == (6, 7)


def test_slabs_begin_and_end_where_they_say():
    for name, (low, high, _) in VIEWS.items():
        view = NAMES.index(name)
        for z, inside in ((low - 1, 0), (low + 1, 1), (high - 1, 1), (high + 1, 0)):
            seen = project_striata(hot_voxel(1, 0, z + 1e-3))[0, view].max() > 0.5
            assert seen == inside, (name, z)


def test_a_mirrored_volume_gives_mirrored_projections(data):
    X = data[0][:2]
    np.testing.assert_allclose(
        project_striata(X[:, ::-1]), project_striata(X)[:, :, ::-1], atol=1e-5
    )


def test_it_learns_a_missing_tail(fitted):
    X, y = make_volumes(16, seed=1)
    assert (fitted.predict(X) == y).mean() >= 0.9
    assert fitted.history_[-1]["loss"] < 0.4 < fitted.history_[0]["loss"]


def test_a_seed_gives_the_same_weights_and_another_seed_others(fitted, data):
    again = clone(QUICK).fit(*data)
    for name, tensor in fitted.network_.state_dict().items():
        assert torch.equal(tensor, again.network_.state_dict()[name]), name
    np.testing.assert_array_equal(again.predict_proba(data[0]), fitted.predict_proba(data[0]))
    other = clone(QUICK).set_params(seed=1).fit(*data)
    assert not np.array_equal(other.predict_proba(data[0]), fitted.predict_proba(data[0]))


def test_probabilities_are_two_columns_alone_together_and_mirrored(fitted, data):
    X = data[0][:4]
    p = fitted.predict_proba(X)
    assert p.shape == (4, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(fitted.predict_proba(X[2:3])[0], p[2], atol=1e-5)
    np.testing.assert_allclose(fitted.predict_proba(X[:, ::-1]), p, atol=1e-5)


def test_the_network_has_the_size_it_says():
    network = ProjectionCNN()
    assert 0.04e6 < sum(weight.numel() for weight in network.parameters()) < 0.1e6
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert network(torch.ones(3, 24, 16, 16)).shape == (3,)


def test_all_views_of_an_exam_change_alike():
    images = torch.zeros(4, len(VIEWS), 24, 16)
    images[:, :, 4:8, 5:10] = 2.0  # on the left
    generator, labels = torch.Generator().manual_seed(0), torch.zeros(4)
    changed, _ = ProjectionClassifier().change()(images, labels, generator, slice(None))
    assert changed.shape == images.shape
    right = changed[:, :, 12:].sum(dim=(2, 3)) > changed[:, :, :12].sum(dim=(2, 3))
    assert (right == right[:, :1]).all()
    assert 0 < right[:, 0].sum() < 4  # some exams are mirrored, some are not


def test_parameters_survive_clone_and_set_params():
    model = clone(ProjectionClassifier(epochs=3, width=5)).set_params(width=6)
    assert (model.get_params()["epochs"], model.get_params()["width"]) == (3, 6)
    with pytest.raises(NotFittedError):
        model.predict_proba(np.ones((1, *GRID.shape)))


@pytest.mark.parametrize("shape", [GRID.shape, (0, *GRID.shape), (2, 64, 80, 47), (2, 5)])
def test_other_shapes_are_refused(fitted, shape):
    for call in (fitted.predict_proba, project_striata, lambda X: clone(QUICK).fit(X, [0, 1])):
        with pytest.raises(ModelError, match=r"Expected prepared volumes of shape \(n, 64, 80, 48"):
            call(np.ones(shape, np.float32))


def test_wrong_labels_and_settings_are_refused(data):
    with pytest.raises(ModelError, match="one class only"):
        clone(QUICK).fit(data[0][:4], np.zeros(4))
    with pytest.raises(UsageError, match="expected epochs of at least 1"):
        clone(QUICK).set_params(epochs=0).fit(*data)
    with pytest.raises(UsageError, match="epochs of at least 1, a whole number, found 2.5"):
        clone(QUICK).set_params(epochs=2.5).fit(*data)
    for text in ("nan", float("nan")):
        with pytest.raises(UsageError, match="learning_rate of at least 0, found '?nan"):
            clone(QUICK).set_params(learning_rate=text).fit(*data)
    for width in (16.0, 65):
        with pytest.raises(ModelError, match=f"Expected a width from 1 to 64, found {width}"):
            clone(QUICK).set_params(width=width).fit(*data)


def test_a_stored_model_predicts_the_same(fitted, data, tmp_path):
    for folder in ("one", "two"):
        save(fitted, tmp_path / folder)
    loaded = load_model(tmp_path / "one")
    assert type(loaded) is ProjectionClassifier
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), fitted.predict_proba(data[0]))
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("width", [0, 10**6, "16", None, True])
def test_a_stored_width_that_cannot_be_is_refused(fitted, tmp_path, width):
    save(fitted, tmp_path)
    forge(tmp_path, params=fitted.get_params() | {"width": width})
    with pytest.raises(ModelError, match="Expected a width from 1 to 64"):
        load_model(tmp_path)


def test_weights_of_the_volume_model_are_not_read_as_these(fitted, tmp_path):
    save(fitted, tmp_path)
    forge(tmp_path, kind="volume")
    with pytest.raises(ModelError, match=r"(?s)Missing key.*features.*Unexpected key.*cnn"):
        load_model(tmp_path)
