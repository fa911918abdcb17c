"""The compact 3-D CNN: learns two dimmed blobs, forgets nothing on disk, and refuses the rest."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from stored import forge

from datkit.errors import ModelError, UsageError
from datkit.files import sha256_file
from datkit.models import CompactCNN, VolumeClassifier, load_model, save_model
from datkit.models.network import BOX, BOX_AFFINE, SPACING, crop_striata
from datkit.models.volume import SIZES
from datkit.prepare import GRID, load_regions

QUICK = VolumeClassifier(epochs=6, width=4, learning_rate=2e-2, batch_size=4, accelerator="cpu")


def make_volumes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two blobs on noise; in abnormal exams the back half of one or both is dimmed."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(1, 0.2, size=(n, *GRID.shape)).astype(np.float32)
    for exam in range(n):
        dimmed = [(0.2, 1.0), (1.0, 0.2), (0.3, 0.3)][exam % 3] if y[exam] else (1.0, 1.0)
        for side, left_edge in enumerate((22, 35)):
            blob = X[exam, left_edge : left_edge + 7, :, 16:26]
            blob[:, 56:66] += 3
            blob[:, 46:56] += 3 * dimmed[side]
    return X, y


@pytest.fixture(scope="module")
def data():
    return make_volumes(32)


@pytest.fixture(scope="module")
def fitted(data) -> VolumeClassifier:
    return clone(QUICK).fit(*data)


def test_it_learns(fitted):
    X, y = make_volumes(24, seed=1)
    assert (fitted.predict(X) == y).mean() >= 0.9
    assert fitted.history_[-1]["loss"] < 0.5 < fitted.history_[0]["loss"]


def make_spots(n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two spots; in every second exam the left one is dim."""
    X = np.ones((n, *GRID.shape), np.float32)
    X[:, 22:30, 46:66, 16:26] += 3
    X[:, 34:42, 46:66, 16:26] += 3
    X[1::2, 22:30, 46:56, 16:26] -= 2.5
    return X, np.arange(n) % 2


def test_the_standard_network_learns_and_comes_back_from_disk(tmp_path):
    X, y = make_spots(12)
    strengths = {"noise": 0.1, "chimera": 0.5}
    model = VolumeClassifier(size="standard", width=2, epochs=10, batch_size=4, augment=strengths)
    model = model.fit(X, y)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert (model.predict(X) == y).all()
    loaded = load_model(save_model(model, tmp_path))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.settings_ == model.settings_
    assert (loaded.settings_.ema, loaded.settings_.epochs) == (0.99, 10)
    np.testing.assert_allclose(
        model.decision_function(X[:, ::-1]), model.decision_function(X), atol=1e-5
    )


def test_the_standard_network_sees_52_by_46_by_34_voxels_of_2_mm():
    box, voxels = SIZES["standard"].view
    assert [part.stop - part.start for part in box] == [52, 46, 34] and voxels == 2
    assert box[0].start + box[0].stop == GRID.shape[0]  # symmetric
    for part, inner in zip(box, BOX, strict=True):  # all that the compact network sees, and more
        assert part.start < inner.start and part.stop > inner.stop
    network = SIZES["standard"].network(16)
    assert 0.2e6 < sum(weight.numel() for weight in network.parameters()) < 3.5e6
    assert network(torch.ones(3, 26, 23, 17)).shape == (3,)


def test_the_relative_form_is_seen_beside_the_binding():
    """Another scale is another logit, since SBR itself is read too; its size is never changed."""
    network = SIZES["standard"].network(2).eval()
    box = 1 + torch.rand(1, 26, 23, 17, generator=torch.Generator().manual_seed(0))
    assert network(box) != network(1 + 2 * (box - 1))


def test_the_full_network_reads_the_whole_grid(tmp_path):
    pytest.importorskip("monai")
    X, y = make_spots(4)
    model = VolumeClassifier(size="full", width=1, epochs=1, batch_size=2).fit(X, y)
    loaded = load_model(save_model(model, tmp_path))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_without_monai_the_full_network_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(UsageError, match=r"pip install 'dat-spect-kit\[monai\]'"):
        VolumeClassifier(size="full").build()


def test_unknown_sizes_and_changes_are_refused(data):
    with pytest.raises(UsageError, match="a size of compact, standard, full, found 'huge'"):
        VolumeClassifier(size="huge").fit(*data)
    with pytest.raises(UsageError, match=r"expected some of flip, .*, found \['stretch'\]"):
        VolumeClassifier(augment={"stretch": 1}).fit(*data)


def test_a_model_of_version_0_2_is_read_as_it_was(fitted, data, tmp_path):
    """Its file names no size, no moving mean, no patience, no precision, and not how it trained."""
    save_model(fitted, tmp_path)
    params = fitted.get_params()
    for name in ("size", "ema", "patience", "precision"):
        del params[name]
    forge(tmp_path, params=params, training=...)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), fitted.predict_proba(data[0]))
    assert loaded.size == "compact"


def test_a_fit_that_was_killed_goes_on_from_its_checkpoint(data, tmp_path):
    X, y = data[0][:8], data[1][:8]
    model = clone(QUICK).set_params(epochs=2).fit(X, y, checkpoint=tmp_path)
    assert (tmp_path / "training.pt").exists()
    again = clone(QUICK).set_params(epochs=2).fit(X, y, checkpoint=tmp_path)
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    with pytest.raises(UsageError, match="Choose another folder"):
        clone(QUICK).set_params(epochs=3).fit(X, y, checkpoint=tmp_path)


def test_two_fits_give_identical_weights(fitted, data):
    again = clone(QUICK).fit(*data)
    for name, tensor in fitted.network_.state_dict().items():
        assert torch.equal(tensor, again.network_.state_dict()[name]), name
    assert again.history_ == fitted.history_


def test_another_seed_starts_elsewhere():
    X, y = make_volumes(4)
    models = [VolumeClassifier(epochs=1, width=2, seed=seed).fit(X, y) for seed in (0, 1)]
    assert not np.array_equal(*(model.decision_function(X) for model in models))


def test_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    VolumeClassifier(epochs=1, width=2).fit(*make_volumes(4))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_probabilities_are_two_columns_that_sum_to_one(fitted, data):
    p = fitted.predict_proba(data[0])
    assert p.shape == (32, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p[:, 1] > 0.5, fitted.predict(data[0]) == 1)


def test_a_mirrored_exam_has_the_same_probability(fitted, data):
    X = data[0]
    np.testing.assert_allclose(
        fitted.decision_function(X[:, ::-1]), fitted.decision_function(X), atol=1e-5
    )


def test_an_exam_is_predicted_alone(fitted, data):
    together = fitted.decision_function(data[0][:5])
    alone = [fitted.decision_function(data[0][i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_only_the_striatal_box_is_read(fitted, data):
    X = data[0][:3].copy()
    outside = np.ones(GRID.shape, dtype=bool)
    outside[BOX] = False
    X[:, outside] = np.nan
    np.testing.assert_array_equal(
        fitted.decision_function(X), fitted.decision_function(data[0][:3])
    )


def test_the_box_is_symmetric_and_holds_both_striata():
    assert BOX[0].start + BOX[0].stop == GRID.shape[0]
    for name, region in load_regions().items():
        if name.startswith("striatum"):
            for axis, place in enumerate(np.nonzero(region)):  # at least 6 mm to each side
                assert BOX[axis].start + 3 <= place.min() and place.max() < BOX[axis].stop - 3


def test_the_box_keeps_means_and_places():
    x, y, z = GRID.affine[:3, :3] @ np.indices(GRID.shape).reshape(3, -1) + GRID.affine[:3, 3:]
    box = crop_striata(np.stack([x, y, z]).reshape(3, *GRID.shape))
    corner, step = BOX_AFFINE[:3, 3], BOX_AFFINE[:3, :3]
    np.testing.assert_allclose(box[:, 0, 0, 0], corner)  # mm of its first voxel's centre
    np.testing.assert_allclose(box[:, 5, 6, 7], corner + step @ [5, 6, 7])
    np.testing.assert_array_equal(step, SPACING * np.eye(3))


def test_memory_mapped_volumes_are_read_as_they_are(fitted, data, tmp_path):
    np.save(tmp_path / "volumes.npy", data[0][:4])
    mapped = np.load(tmp_path / "volumes.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        fitted.decision_function(mapped), fitted.decision_function(data[0][:4])
    )


def test_the_network_is_small_float32_and_made_of_plain_torch():
    network = CompactCNN()
    assert sum(weight.numel() for weight in network.parameters()) < 0.3e6
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert network(torch.ones(3, 24, 16, 16)).shape == (3,)


def test_nothing_becomes_float64(fitted, data, monkeypatch):
    seen = set()
    forward = CompactCNN.forward
    monkeypatch.setattr(
        CompactCNN, "forward", lambda self, box: (seen.add(box.dtype), forward(self, box))[1]
    )
    doubled = data[0][:4].astype(np.float64)
    VolumeClassifier(epochs=1, width=2).fit(doubled, data[1][:4])
    assert fitted.decision_function(doubled).dtype == np.float32
    assert seen == {torch.float32}


def test_parameters_survive_clone_and_set_params():
    model = clone(VolumeClassifier(epochs=3, width=5)).set_params(width=6)
    assert model.get_params()["epochs"] == 3
    assert model.get_params()["width"] == 6
    with pytest.raises(NotFittedError):
        model.predict_proba(np.ones((1, *GRID.shape)))


@pytest.mark.parametrize("shape", [GRID.shape, (0, *GRID.shape), (2, 64, 80, 47), (2, 5)])
def test_other_shapes_are_refused(fitted, shape):
    with pytest.raises(ModelError, match=r"Expected prepared volumes of shape \(n, 64, 80, 48\)"):
        fitted.predict_proba(np.ones(shape, np.float32))


def test_volumes_with_nan_are_named(fitted, data):
    X = data[0][:4].copy()
    X[2, 30, 50, 20] = np.nan
    with pytest.raises(ModelError, match=r"in 1 of 4 volumes \(counted from 0: 2\)"):
        fitted.predict_proba(X)
    with pytest.raises(ModelError, match="Expected finite voxels"):
        clone(QUICK).fit(X, [0, 1, 0, 1])


def test_wrong_labels_and_settings_are_refused(data):
    with pytest.raises(ModelError, match="one class only"):
        clone(QUICK).fit(data[0][:4], np.zeros(4))
    with pytest.raises(UsageError, match="expected epochs of at least 1"):
        clone(QUICK).set_params(epochs=0).fit(*data)


def test_a_stored_model_predicts_the_same(fitted, data, tmp_path):
    for folder in ("one", "two"):
        save_model(fitted, tmp_path / folder)
    loaded = load_model(tmp_path / "one")
    np.testing.assert_array_equal(
        loaded.predict_proba(data[0][:4]), fitted.predict_proba(data[0][:4])
    )
    assert loaded.get_params() == fitted.get_params()
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def _damage(folder, **tensors):
    """Replace tensors (None drops one) and write the new sha256, as a forger would."""
    path = folder / "weights.safetensors"
    stored = load_file(path) | tensors
    save_file({name: tensor for name, tensor in stored.items() if tensor is not None}, path)
    forge(folder, weights={"sha256": sha256_file(path)})


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("logit.bias", None, r"Missing key.*logit.bias"),
        ("logit.extra", torch.ones(1), r"Unexpected key.*logit.extra"),
        ("logit.bias", torch.ones(2), r"logit.bias.*\[2\].*\[1\]"),
        ("logit.bias", torch.ones(1).double(), "another type, NaN or infinity in logit.bias"),
        (
            "logit.bias",
            torch.full((1,), float("nan")),
            "NaN or infinity in logit.bias",
        ),
    ],
)
def test_damaged_weights_are_refused(fitted, tmp_path, name, tensor, message):
    save_model(fitted, tmp_path)
    _damage(tmp_path, **{name: tensor})
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)


def test_all_damage_is_listed_at_once(fitted, tmp_path):
    save_model(fitted, tmp_path)
    _damage(tmp_path, **{"logit.bias": None, "spy": torch.ones(1)})
    with pytest.raises(ModelError, match=r"(?s)Missing key.*logit.bias.*Unexpected key.*spy"):
        load_model(tmp_path)


@pytest.mark.parametrize("width", [0, 10**6, "16", None, True])
def test_a_stored_width_that_cannot_be_is_refused_before_memory_is_asked_for(
    fitted, tmp_path, width
):
    save_model(fitted, tmp_path)
    forge(tmp_path, params=fitted.get_params() | {"width": width})
    with pytest.raises(ModelError, match="Expected a width from 1 to 64"):
        load_model(tmp_path)


def test_weights_of_another_model_are_refused(fitted, tmp_path):
    save_model(fitted, tmp_path)
    path = tmp_path / "weights.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "logit.bias": tensors["logit.bias"] + 1}, path)
    with pytest.raises(ModelError, match="Expected weights.safetensors as training wrote it"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, None])
def test_weights_that_cannot_be_read_are_refused(fitted, tmp_path, content):
    save_model(fitted, tmp_path)
    path = tmp_path / "weights.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelError, match="Expected weights.safetensors as training wrote it"):
        load_model(tmp_path)
    if content is not None:
        forge(tmp_path, weights={"sha256": sha256_file(path)})
        with pytest.raises(ModelError, match="weights.safetensors cannot be read"):
            load_model(tmp_path)
