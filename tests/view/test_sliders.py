"""Sliders: small, the same at every run, no way out of the page, and left is left."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.sliders import plot_curve_slider, plot_slice_slider

LABELS = {"x_label": "x (mm)", "y_label": "uptake (relative)", "slider_label": "FWHM"}


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return np.random.default_rng(0).normal(1, 0.1, GRID.shape)


def as_page(figure) -> dict:
    """What a notebook stores of a figure."""
    import plotly.io

    return plotly.io.renderers[plotly.io.renderers.default].to_mimebundle(figure.to_dict())


def test_a_slice_slider_is_small_and_the_same_at_every_run(noisy) -> None:
    text = plot_slice_slider(noisy).to_json()
    assert len(text) < 300_000
    assert text == plot_slice_slider(noisy).to_json()


def test_a_slice_is_drawn_in_millimetres_with_its_sides(noisy) -> None:
    noisy[5, 40, 20] = 5  # x = -53, y = -32, z = +4 mm
    figure = plot_slice_slider(noisy, low=4, high=4)
    (trace,) = figure.data
    row, column = np.unravel_index(np.argmax(trace.z), trace.z.shape)
    assert (trace.x0 + column * trace.dx, trace.y0 + row * trace.dy) == (-53, -32)
    assert trace.z.dtype == np.uint8 and trace.z.max() == 255
    sides = {a.text: a.x for a in figure.layout.annotations}
    assert sides["<b>L</b>"] < 0.5 < sides["<b>R</b>"]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("x (mm)", "y (mm)")
    assert figure.layout.title.subtitle.text == "uptake (non-specific = 1)"
    assert list(figure.layout.coloraxis.colorbar.ticktext) == list("012345")


def test_the_radiological_view_turns_the_axis_and_the_letters(noisy) -> None:
    figures = [plot_slice_slider(noisy, low=4, high=4, radiological=r) for r in (False, True)]
    assert [figure.layout.xaxis.autorange for figure in figures] == [None, "reversed"]
    sides = {a.text: a.x for a in figures[1].layout.annotations}
    assert sides["<b>R</b>"] < 0.5 < sides["<b>L</b>"]
    was, now = (figure.data[0] for figure in figures)
    assert (was.x0, was.dx) == (now.x0, now.dx) and (was.z == now.z).all()  # mm stay mm


def test_each_position_of_the_slider_shows_one_slice(noisy) -> None:
    figure = plot_slice_slider(noisy, low=-4, high=4)
    (slider,) = figure.layout.sliders
    assert [trace.visible for trace in figure.data] == [False, False, True, False, False]
    assert slider.active == 2 and slider.steps[2].label == "+0"
    for place, step in enumerate(slider.steps):
        change, traces = step.args
        assert step.method == "restyle" and list(traces) == [0, 1, 2, 3, 4]
        assert [k for k, shown in enumerate(change["visible"]) if shown] == [place]


def test_a_stored_figure_cannot_send_its_data_away(noisy) -> None:
    bundle = as_page(plot_slice_slider(noisy, low=4, high=4))
    assert set(bundle) == {"application/vnd.plotly.v1+json", "image/png"}
    stored = bundle["application/vnd.plotly.v1+json"]
    config = stored["config"]
    assert config["showSendToCloud"] is False and config["plotlyServerURL"] == ""
    assert "http" not in json.dumps(stored)


def test_curves_share_fixed_axes_and_the_comparison_stays() -> None:
    x = np.linspace(-1, 1, 5)
    curves = {"6 mm": x, "9 mm": 2 * x}
    figure = plot_curve_slider(x, curves, compare=("truth", 4 * x), **LABELS)
    assert [trace.visible for trace in figure.data] == [True, False, None]
    assert [trace.name for trace in figure.data] == ["6 mm", "9 mm", "truth"]
    low, high = figure.layout.yaxis.range
    assert low < -4 and high > 4
    stored = as_page(figure)["application/vnd.plotly.v1+json"]["data"][1]["y"]
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(stored["bdata"]), "f4"), 2 * x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_slice_slider(np.ones(GRID.shape), low=500, high=600), "found none"),
        (lambda: plot_slice_slider(np.ones((4, 4))), "one volume with axes"),
        (lambda: plot_curve_slider([1, 2], {}, **LABELS), "at least one curve"),
        (lambda: plot_curve_slider([1, 2], {"a": [1]}, **LABELS), "each of 2 values"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
