"""Volumes for the page: exact geometry, the same bytes, and a picture for everyone else."""

from __future__ import annotations

import base64
import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.surface import MIME, VolumeView

HOT = (18, 56, 20)  # x = -27, y = 0, z = +4 mm


@pytest.fixture(scope="module")
def exam() -> np.ndarray:
    volume = np.random.default_rng(0).normal(1, 0.1, GRID.shape).astype(np.float32)
    volume[HOT] = 4.5
    return volume


def stored(layer: dict) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(layer["b64"])))


def test_the_page_gets_the_volume_where_it_was_to_half_a_step(exam) -> None:
    (layer,) = VolumeView(exam).payload()["volumes"]
    image = stored(layer)
    np.testing.assert_array_equal(image.affine, GRID.affine)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.get_fdata(), exam, atol=5 / 255 / 2 + 1e-6)
    assert (layer["cal_min"], layer["cal_max"], layer["colormap"]) == (0, 5, "inferno")


def test_a_noisy_volume_stays_light_and_the_same_at_every_run(exam) -> None:
    text = json.dumps(VolumeView(exam, overlay=exam > 4).payload())
    assert len(text) < 300_000
    assert text == json.dumps(VolumeView(exam, overlay=exam > 4).payload())


def test_region_numbers_survive_exactly(exam) -> None:
    regions = np.zeros(GRID.shape, dtype=np.uint8)
    regions[10:15, 40:45, 20:25], regions[50:55, 40:45, 20:25] = 3, 5
    layer = VolumeView(exam, overlay=regions).payload()["volumes"][1]
    np.testing.assert_allclose(stored(layer).get_fdata(), regions, atol=1e-5)
    assert layer["cal_min"] == 0.5 and layer["opacity"] == 0.5


def test_the_planes_meet_in_the_hottest_voxel(exam) -> None:
    view = VolumeView(exam)
    assert view.payload()["at"] == [-27, 0, 4]
    captions = [axes.texts[2].get_text() for axes in view.preview().axes[:3]]
    assert captions == ["y = +0 mm", "x = −27 mm, left", "z = +4 mm"]


def test_a_cut_out_striatum_stays_in_its_place(exam) -> None:
    view = VolumeView.of_striatum(exam, exam > 4)
    payload = view.payload()
    image = stored(payload["volumes"][0])
    hottest = np.unravel_index(np.argmax(image.get_fdata()), image.shape)
    np.testing.assert_array_equal(nib.affines.apply_affine(image.affine, hottest), [-27, 0, 4])
    assert payload["slice_type"] == "render"
    assert [axes.texts[0].get_text() for axes in view.preview().axes[:3]] == ["L", "P", "L"]


def test_the_page_is_told_which_view_to_begin_with(exam) -> None:
    assert VolumeView(exam).payload()["radiological"] is False
    assert VolumeView(exam, radiological=True).payload()["radiological"] is True


def test_a_notebook_gets_the_volume_and_a_picture(exam) -> None:
    bundle = VolumeView(exam, height=300)._repr_mimebundle_()
    assert set(bundle) == {MIME, "image/png", "text/plain"}
    assert bundle[MIME]["height"] == 300
    assert bundle["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cal_min": 5.0, "cal_max": 5.0}, "colour scale from 5 to 5"),
        ({"slice_type": "cube"}, "slice type 'cube'"),
        ({"overlay": np.ones((2, 2, 2))}, r"overlay \(2, 2, 2\) over volume"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(exam, settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        VolumeView(exam, **settings)


def test_a_volume_too_heavy_for_a_page_is_refused() -> None:
    noise = np.random.default_rng(0).uniform(0, 5, (128, 128, 64))
    with pytest.raises(UsageError, match="crop the volume or resample"):
        VolumeView(noise).payload()
