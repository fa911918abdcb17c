"""Figures in a notebook with a kernel: frames that hold all they need, and a picture beside."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup

from datkit.prepare import GRID
from datkit.view.live import READERS, STATIC, draw_still, is_live
from datkit.view.physics_lab import plot_turn_slider
from datkit.view.sliders import plot_curve_slider, plot_slice_slider
from datkit.view.surface import MIME, VolumeView

PLOTLY, HTML = "application/vnd.plotly.v1+json", "text/html"
EXAM = np.ones(GRID.shape, dtype=np.float32)
EXAM[18, 56, 20] = 4.5  # x = -27, y = 0, z = +4 mm
LABELS = {"x_label": "x (mm)", "y_label": "uptake (relative)", "slider_label": "FWHM"}


@pytest.fixture(params=[None, *READERS])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """No reader, as under papermill, then each tool that may have started the kernel."""
    for name in READERS:
        monkeypatch.delenv(name, raising=False)
    if request.param:
        monkeypatch.setenv(request.param, "any")
    return request.param


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READERS[0], "notebook.ipynb")


def shown(figure: object) -> dict:
    """What a notebook stores of a plotly figure."""
    import plotly.io

    return plotly.io.renderers[plotly.io.renderers.default].to_mimebundle(figure.to_dict())


def test_a_page_gets_data_and_a_reader_a_frame_and_both_a_still_picture(reader):
    assert is_live() == (reader is not None)
    slider = shown(plot_slice_slider(EXAM, "an exam", low=2, high=6))
    assert set(slider) == ({HTML} if reader else {PLOTLY}) | {"image/png"}
    volume = VolumeView(EXAM)._repr_mimebundle_()
    assert set(volume) == {MIME, "image/png", "text/plain"} | ({HTML} if reader else set())


def test_a_frame_holds_its_library_its_data_and_loads_nothing(live):
    soup = BeautifulSoup(VolumeView(EXAM)._repr_mimebundle_()[HTML], "html.parser")
    still, frame = soup.img, soup.iframe
    assert still["alt"] == frame["title"] == "VolumeView of 64 × 80 × 48 voxels, multiplanar"
    assert base64.b64decode(still["src"].partition(",")[2]).startswith(b"\x89PNG")
    page = BeautifulSoup(frame["srcdoc"], "html.parser")
    assert not page.select("script[src], link, img") and page.select_one(".dat-live")["aria-label"]
    assert json.loads(page.find(type="application/json").string)["volumes"]
    scripts = gzip.decompress(base64.b64decode(page.find(id="scripts").string)).decode()
    for name in ("dat-niivue.js", "dat-figures.js"):
        assert (STATIC / name).read_text(encoding="utf-8") in scripts


def test_two_frames_of_a_figure_are_the_same_text(live):
    first, second = (shown(plot_slice_slider(EXAM, low=4, high=4))[HTML] for _ in range(2))
    assert first == second


def test_a_still_slice_lies_in_millimetres_with_its_letters():
    for radiological in (False, True):
        figure = plot_slice_slider(EXAM, "an exam", low=4, high=4, radiological=radiological)
        (axes,) = draw_still(json.loads(figure.to_json())).axes
        (mesh,) = axes.collections
        row, column = np.unravel_index(np.argmax(mesh.get_array()), mesh.get_array().shape)
        corners = mesh.get_coordinates()[row : row + 2, column : column + 2].mean((0, 1))
        assert corners.tolist() == [-27, 0]
        letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert (letters["L"] > letters["R"]) == radiological == axes.xaxis_inverted()
        assert (axes.get_xlabel(), axes.get_aspect()) == ("x (mm)", 1)


def test_still_curves_are_the_first_one_and_what_stays():
    x = np.linspace(-1, 1, 5)
    figure = plot_curve_slider(x, {"6 mm": x, "9 mm": 2 * x}, compare=("none", 3 * x), **LABELS)
    (axes,) = draw_still(json.loads(figure.to_json())).axes
    first, stays = axes.get_lines()
    assert np.allclose(first.get_ydata(), x) and np.allclose(stays.get_ydata(), 3 * x)
    assert axes.get_ylabel() == "uptake (relative)"


def test_a_still_of_three_panels_keeps_the_place_of_each():
    steps = {2: np.ones((8, 8)), 4: np.eye(8)}
    figure = plot_turn_slider(np.ones((4, 8)), steps, steps, affine=np.eye(4))
    panels = draw_still(json.loads(figure.to_json())).axes
    assert [axes.get_xlabel() for axes in panels] == ["position (mm)", "x (mm)", "x (mm)"]
    assert [len(axes.texts) for axes in panels] == [0, 2, 2]
