"""Maps of what a model looked at: exact where the model is linear, and where the truth is known."""

from __future__ import annotations

import re

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from datkit.errors import ModelError, UsageError
from datkit.evaluate.explain import (
    gradient_map,
    map_correlation,
    mean_map,
    occlusion_map,
    randomise_network,
)
from datkit.measure import measure_volume
from datkit.models import (
    BoostingClassifier,
    ProjectionClassifier,
    VolumeClassifier,
    VoxelsClassifier,
)
from datkit.prepare import GRID, load_regions
from datkit.prepare.grid import grid_mm

POSTERIOR = load_regions()["putamen_left"] & (grid_mm()[1] < -5)
BLUR = 2.0  # voxels: 9.4 mm FWHM


def blurred(mask) -> np.ndarray:
    return gaussian_filter(mask.astype(np.float32), BLUR)


def centre_mm(weights) -> np.ndarray:
    return (grid_mm() * weights).sum(axis=(1, 2, 3)) / weights.sum()


@pytest.fixture(scope="module")
def exams():
    """24 normal and 24 abnormal exams: a posterior putamen is lost, on either side or on both."""
    rng, regions = np.random.default_rng(0), load_regions()
    striata = blurred(regions["striatum_left"] | regions["striatum_right"])
    labels, back, volumes = np.arange(48) % 2, blurred(POSTERIOR), []
    for number, label in enumerate(labels):
        left, right = label * np.array([(1, 0), (0, 1), (1, 1)])[number % 3] * 4
        specific = rng.uniform(4, 6) * striata - left * back - right * back[::-1]
        volumes.append(1 + specific + rng.normal(0, 0.1, GRID.shape))
    return np.array(volumes, np.float32), labels


@pytest.fixture(scope="module")
def network(exams):
    return VolumeClassifier(epochs=12, width=8, augment=False, accelerator="cpu").fit(*exams)


@pytest.fixture(scope="module")
def linear(exams):
    return VoxelsClassifier(C=1.0).fit(*exams)


@pytest.fixture(scope="module")
def trees(exams):
    X, y = exams
    columns = ["posterior_putamen_left", "posterior_putamen_right", "caudate_left"]
    return BoostingClassifier(columns=columns, least=5).fit(measured(X), y)


def measured(X):
    import pandas as pd

    return pd.DataFrame([measure_volume(one) for one in X])


def test_of_a_linear_model_the_map_of_cubes_side_by_side_adds_up_to_the_logit(exams, linear):
    """Cubes of 4 voxels tile the striatal box, so each holds its own part of the sum."""
    X = exams[0][:2]
    maps = occlusion_map(linear, X, side=8, stride=8, reach=np.inf)
    one_voxel_a_cube = maps[:, ::8, ::8, ::8].sum(axis=(1, 2, 3))
    np.testing.assert_allclose(
        one_voxel_a_cube, linear.decision_function(X) - linear.intercept_, atol=1e-4
    )


def test_a_cube_counts_for_what_it_covers_and_for_no_place_beyond_reach(exams, linear):
    maps = occlusion_map(linear, exams[0][:1], side=4, stride=4, reach=0.0)[0]
    striata = load_regions()["striatum_left"] | load_regions()["striatum_right"]
    tiles = striata.reshape(16, 4, 20, 4, 12, 4).any(axis=(1, 3, 5))
    covered = np.kron(tiles, np.ones((4, 4, 4))).astype(bool)
    assert (maps[~covered] == 0).all()
    assert (maps[covered & striata] != 0).all()


def test_a_mirrored_exam_has_the_mirrored_map(exams, network):
    X = exams[0][1:2]
    found, mirrored = (occlusion_map(network, one, side=8, stride=8) for one in (X, X[:, ::-1]))
    np.testing.assert_allclose(mirrored, found[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(
        gradient_map(network, X[:, ::-1]), gradient_map(network, X)[:, ::-1], atol=1e-6
    )


def test_what_is_replaced_by_itself_moves_nothing(exams, network):
    X = exams[0][:1]
    found = occlusion_map(network, X, side=8, stride=8, level=X[0])
    np.testing.assert_allclose(found, 0, atol=1e-5)  # batches differ in the last digit


@pytest.fixture(scope="module")
def dimmed(exams):
    """A known truth: a normal exam whose left posterior putamen lost most of its binding."""
    normal = exams[0][0]
    return normal - 0.8 * (normal - 1) * blurred(POSTERIOR) / blurred(POSTERIOR).max()


def miss_mm(change) -> float:
    """How far the centre of a map, where it has half of its largest value, lies from the truth."""
    size = np.abs(change)
    return float(np.linalg.norm(centre_mm(size * (size >= size.max() / 2)) - centre_mm(POSTERIOR)))


@pytest.mark.parametrize(("name", "most"), [("network", 6.0), ("linear", 3.0)])
def test_the_map_moves_to_the_posterior_putamen_that_was_dimmed(name, most, exams, dimmed, request):
    model = request.getfixturevalue(name)
    before, after = occlusion_map(model, np.stack([exams[0][0], dimmed]))
    assert miss_mm(after - before) < most
    assert miss_mm((after - before)[::-1]) > 40  # nor at its mirror image


@pytest.mark.parametrize(("name", "most"), [("network", 6.0), ("linear", 3.0), ("trees", 8.0)])
def test_what_was_lost_is_found_by_putting_the_normal_exam_back(name, most, exams, dimmed, request):
    how = {"side": 8, "stride": 8, "reach": 0.0} if name == "trees" else {}
    found = occlusion_map(request.getfixturevalue(name), dimmed[None], level=exams[0][0], **how)[0]
    assert miss_mm(found) < most
    assert found.max() > -found.min()  # what was lost spoke for abnormal


def test_a_gradient_is_what_a_small_change_does(exams, network):
    X = exams[0][:1].astype(np.float64)
    step = 0.02 * blurred(POSTERIOR)
    up, down = (network.decision_function(one.astype(np.float32)) for one in (X + step, X - step))
    slope = (gradient_map(network, X)[0] * 2 * step).sum()
    assert slope == pytest.approx(float(up[0] - down[0]), rel=0.02)
    assert slope < 0  # more binding in the posterior putamen speaks against abnormal


def test_outside_what_a_network_sees_its_gradient_is_zero(exams, network):
    found, (i, j, k) = gradient_map(network, exams[0][:2]), network.plan.view.box
    assert found.shape == (2, *GRID.shape) and found.dtype == np.float32
    inside = np.zeros(GRID.shape, bool)
    inside[i, j, k] = True
    assert not found[:, ~inside].any() and found[:, inside].any()


def test_a_network_with_random_weights_loses_its_map(exams, network):
    """Adebayo et al. 2018: an explanation that survives this shows the image, not the model."""
    X, before = exams[0][:6], network.decision_function(exams[0])
    trained = gradient_map(network, X)
    assert map_correlation(trained, gradient_map(network, X)) == pytest.approx(1)
    randomised = randomise_network(network, seed=1)
    assert np.abs(map_correlation(trained, gradient_map(randomised, X))).max() < 0.3
    last = randomise_network(network, layers=1, seed=1)
    weights = [one.network_.features[0][0].weight for one in (network, last, randomised)]
    assert (weights[0] == weights[1]).all() and not (weights[0] == weights[2]).any()
    np.testing.assert_array_equal(network.decision_function(exams[0]), before)  # itself untouched


def test_random_weights_follow_from_the_seed(network, exams):
    found = [gradient_map(randomise_network(network, seed=s), exams[0][:1]) for s in (1, 1, 2)]
    assert (found[0] == found[1]).all() and not (found[0] == found[2]).all()


def test_projections_have_a_gradient_too(exams):
    model = ProjectionClassifier(epochs=1, width=2, augment=False, accelerator="cpu").fit(*exams)
    assert gradient_map(model, exams[0][:1]).any()


def test_a_rank_correlation_leaves_out_what_no_model_looked_at():
    rng = np.random.default_rng(0)
    first, second = np.zeros((2, 1, *GRID.shape))
    first[0, :8], second[0, :8] = rng.normal(size=(2, 8, 80, 48))
    assert abs(map_correlation(first, second)[0]) < 0.02
    assert map_correlation(first, np.exp(first) - 1)[0] == pytest.approx(1)


def test_a_mean_map_is_a_nifti_in_template_space(tmp_path):
    maps = np.zeros((2, *GRID.shape))
    maps[:, 20, 50, 18] = 1.0, 3.0
    nib.save(mean_map(maps), tmp_path / "map.nii.gz")
    stored = nib.load(tmp_path / "map.nii.gz")
    place = tuple(np.linalg.inv(stored.affine) @ [-23, -12, 0, 1])[:3]
    assert stored.get_fdata()[tuple(map(round, place))] == 2.0
    assert stored.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(
    ("how", "found"),
    [({"side": 0}, "4, 0 and 8"), ({"stride": 0}, "0, 6 and 8"), ({"stride": 7}, "7, 6 and 8"),
     ({"side": 49}, "4, 49 and 8"), ({"reach": -1}, "4, 6 and -1")],
)  # fmt: skip
def test_a_cube_that_leaves_gaps_or_the_grid_is_refused(how, found, linear, exams):
    with pytest.raises(UsageError, match=f"48 voxels and 0 ≤ reach, found {found} mm"):
        occlusion_map(linear, exams[0][:1], **how)


def test_what_cannot_be_mapped_is_refused(linear, exams):
    with pytest.raises(UsageError, match="VoxelsClassifier is no network: ask it by occlusion_map"):
        gradient_map(linear, exams[0][:1])
    for shape in (GRID.shape, (0, *GRID.shape), (1, 4, 4, 4)):
        with pytest.raises(UsageError, match=re.escape(f"(n, 64, 80, 48), found {shape}.")):
            mean_map(np.zeros(shape))
        with pytest.raises(UsageError, match=re.escape(f"(n, 64, 80, 48), found {shape}.")):
            occlusion_map(linear, np.zeros(shape))
    with pytest.raises(ModelError, match="NaN or infinity"):
        occlusion_map(linear, np.full((1, *GRID.shape), np.nan))
