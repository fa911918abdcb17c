"""Figures with a slider that work in a static page: no kernel, no network.

They are plotly figures that hold every position of the slider as a trace of its own, of which one
is visible. (Plotly's frames would do the same, but a click on the slider then throws an error in
the page.) Slices are stored as bytes, eight times smaller than the floats that plotly would store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.io
from plotly import graph_objects as go
from plotly.io.base_renderers import PlotlyRenderer

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.canvas import NORMAL, TOP, UPTAKE, to_bytes
from datkit.view.live import draw_still, figure_frame, is_live
from datkit.view.planes import check_volume, sides_of, signed_mm

__all__ = ["plot_curve_slider", "plot_slice_slider", "use_offline_plotly"]

STYLE = json.loads(Path(__file__).with_name("house_plotly.json").read_text(encoding="utf-8"))


class FigureRenderer(PlotlyRenderer):
    """Shows a slider's still picture beside it; in a notebook, it moves in a frame of its own."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, Any]:
        """Return the output of a cell; a figure without a slider is left to the notebook."""
        bundle = super().to_mimebundle(fig_dict)
        [content] = bundle.values()
        if not content["layout"].get("sliders"):
            return bundle
        picture, alt = draw_still(content).png(), content["layout"]["title"]["text"]
        if is_live():
            bundle = {"text/html": figure_frame("plotly", content, alt, picture)}
        return bundle | {"image/png": picture}


def use_offline_plotly() -> None:
    """Make notebooks show plotly figures with no network, and take the upload button away.

    The book draws a figure's data with a copy of plotly.js of its own; in JupyterLab, VS Code and
    Colab the figure brings one along. Without this, plotly.js 4 shows a "Share chart" button that
    sends the figure's data to plotly's servers. The figures of this module call it; call it once
    before showing a plotly figure of your own.
    """
    plotly.io.renderers["datkit"] = FigureRenderer(STYLE["config"])
    plotly.io.renderers.default = "datkit"


def plot_slice_slider(
    volume: np.ndarray,
    title: str = "",
    *,
    low: float = -20.0,
    high: float = 32.0,
    top: float = TOP,
    affine: np.ndarray = GRID.affine,
    radiological: bool = False,
) -> go.Figure:
    """Plot axial slices of a prepared exam with a slider over their height.

    Parameters
    ----------
    volume : array, shape (x, y, z) = (64, 80, 48)
        Prepared volume on the canonical grid: uptake, non-specific = 1.
    title : str
        What the exam is.
    low, high : float
        Lowest and highest slice, z in mm; 27 slices of the canonical grid take 0.2 MB.
    top : float
        Fixed top of the colour scale.
    affine : array, shape (4, 4)
        Voxel indices to mm, RAS+, without rotation.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UsageError
        If `volume` is not three-dimensional, or has no slice between `low` and `high`.

    Examples
    --------
    >>> figure = plot_slice_slider(np.ones((64, 80, 48)), low=-2, high=2)
    >>> [step.label for step in figure.layout.sliders[0].steps]
    ['−2', '+0', '+2']
    """
    volume = check_volume(volume)
    heights = affine[2, 3] + affine[2, 2] * np.arange(volume.shape[2])
    chosen = np.flatnonzero((heights >= low) & (heights <= high))
    if not chosen.size:
        raise UsageError(f"Expected slices between z = {low:g} and {high:g} mm, found none.")
    slices = {signed_mm(heights[k]).removesuffix(" mm"): volume[:, :, k] for k in chosen}
    height_of = {"prefix": "z = ", "suffix": " mm"}
    start = int(np.argmin(np.abs(heights[chosen])))
    # The scale is named above, where it takes no width from the slice on a phone.
    titles = (title, UPTAKE)
    view = (affine, radiological)
    return slice_slider(slices, titles, view, top, height_of, height=640, start=start)


def plot_curve_slider(
    x: npt.ArrayLike,
    curves: Mapping[str, npt.ArrayLike],
    title: str = "",
    *,
    x_label: str,
    y_label: str,
    slider_label: str,
    compare: tuple[str, npt.ArrayLike] | None = None,
) -> go.Figure:
    """Plot one curve at a time, chosen with a slider: what if the blur, the dose, the age changed.

    All curves share fixed axes, so that the eye sees the curve move and not the scale.

    Parameters
    ----------
    x : sequence of m floats
        Positions of all curves.
    curves : mapping of str to m floats
        The curve at each position of the slider, named as the slider names it, such as ``"9 mm"``.
    title : str
        What is varied.
    x_label, y_label : str
        Axis labels, with units.
    slider_label : str
        What the slider changes, such as ``"resolution (FWHM)"``.
    compare : (str, m floats), optional
        Name and values of a curve that stays.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UsageError
        If there is no curve, or one has not as many values as `x`.

    Examples
    --------
    >>> x = np.linspace(-30, 30, 61)
    >>> curves = {f"{w} mm": np.exp(-((x / w) ** 2)) for w in (6, 9, 14)}
    >>> labels = {"x_label": "x (mm)", "y_label": "uptake (relative)", "slider_label": "FWHM"}
    >>> figure = plot_curve_slider(x, curves, **labels)
    >>> [trace.visible for trace in figure.data]
    [True, False, False]
    """
    named = [*curves.items(), *([compare] if compare else [])]
    places, *values = (np.asarray(each, dtype=np.float32) for each in (x, *(y for _, y in named)))
    if not curves or any(y.shape != places.shape for y in values):
        raise UsageError(f"Expected at least one curve, each of {places.size} values like x.")
    moving, still = {"color": NORMAL, "width": 3}, {"color": "#808080", "width": 2, "dash": "dash"}
    figure = go.Figure()
    for (name, _), y in zip(named, values, strict=True):
        line = moving if len(figure.data) < len(curves) else still
        figure.add_scatter(x=places, y=y, name=name, line=line)
    add_slider(figure, list(curves), {"prefix": f"{slider_label}: "})
    lay_out(figure, title, x_label, y_label, height=480)
    low, high = float(np.min(values)), float(np.max(values))
    margin = 0.05 * (high - low) or 1.0
    figure.update_yaxes(range=[low - margin, high + margin])
    return figure


def slice_slider(
    slices: Mapping[str, np.ndarray],
    titles: tuple[str, str],
    view: tuple[np.ndarray, bool],
    top: float,
    current: dict[str, str],
    *,
    height: int,
    start: int = 0,
) -> go.Figure:
    """Return a figure of axial slices, shape (x, y) each, chosen with a slider, on one scale.

    `titles` are its title and, below, what names the colour scale, which `top` ends; `view` is the
    affine, voxel indices to mm, and whether left is drawn on the right; `current` is
    the ``prefix`` and ``suffix`` of the slider's value, `height` is in pixels; the slice number
    `start` is shown first.
    """
    place = cells(view[0])
    figure = go.Figure([go.Heatmap(z=to_bytes(each.T, top), **place) for each in slices.values()])
    ticks = np.linspace(0, top, 6)
    names = [f"{tick:g}" for tick in ticks]
    bar = {"thickness": 14, "tickvals": list(ticks * 255 / top), "ticktext": names}
    scale = STYLE["uptake"] | {"colorbar": bar}
    figure.update_layout(STYLE["slices"], coloraxis=scale, title_subtitle_text=titles[1])
    lay_out(figure, titles[0], "x (mm)", "y (mm)", height=height)
    add_slider(figure, list(slices), current, start=start)
    print_sides(figure, radiological=view[1])
    return figure


def cells(affine: np.ndarray) -> dict[str, object]:
    """Where plotly puts the cells of a slice (by their centres, mm), and how it draws them."""
    place = {"x0": affine[0, 3], "dx": affine[0, 0], "y0": affine[1, 3], "dy": affine[1, 1]}
    return place | STYLE["slice"]


def add_slider(
    figure: go.Figure, names: Sequence[str], current: dict[str, str], start: int = 0, each: int = 1
) -> None:
    """Show `each` of the figure's traces at a time, chosen with a slider."""
    places = list(range(each * len(names)))
    steps = []
    for k, name in enumerate(names):
        visible = [place // each == k for place in places]
        args = [{"visible": visible}, places]
        steps.append({"label": name, "method": "restyle", "args": args})
    for place in places:
        figure.data[place].visible = place // each == start
    slider = {"active": start, "currentvalue": current, "pad": {"t": 56}, "steps": steps}
    figure.update_layout(sliders=[slider])


def lay_out(figure: go.Figure, title: str, x_label: str, y_label: str, *, height: int) -> None:
    """Give a figure the house style: title, axis labels, height in pixels, margins and legend."""
    use_offline_plotly()
    figure.update_layout(STYLE["layout"], title_text=title, height=height)
    figure.update_xaxes(title=x_label)
    figure.update_yaxes(title=y_label)


def print_sides(figure: go.Figure, axes: str = "", *, radiological: bool) -> None:
    """Turn a slice to its view, L and R printed; `axes` follows x and y in its axes' names."""
    on = {"xref": f"x{axes} domain", "yref": f"y{axes} domain"}
    sides = sides_of("axial", radiological)
    for side, place in zip(sides, (0.04, 0.96), strict=True):
        figure.add_annotation(STYLE["side"], text=f"<b>{side}</b>", x=place, **on)
    figure.layout[f"xaxis{axes}"].autorange = "reversed" if sides[0] == "R" else None
