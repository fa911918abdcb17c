"""Figures with a slider that work in a static page: no kernel, no network.

They are plotly figures that hold every position of the slider as a trace of its own, of which one
is visible. (Plotly's frames would do the same, but a click on the slider then throws an error in
the page.) Slices are stored as bytes, eight times smaller than the floats that plotly would store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.canvas import NORMAL
from datkit.view.planes import check_volume, signed_mm
from datkit.view.slices import TOP, UPTAKE

__all__ = ["plot_curve_slider", "plot_slice_slider", "use_offline_plotly"]


def use_offline_plotly() -> None:
    """Make notebooks store plotly figures as data alone, and take the upload button away.

    The book and JupyterLab draw that data with a copy of plotly.js of their own. Without this,
    plotly.js 4 shows a "Share chart" button that sends the figure's data to plotly's servers.
    The figures of this module call it; call it once before showing a plotly figure of your own.
    """
    import plotly.io

    plotly.io.renderers["plotly_mimetype"].config = {
        "displayModeBar": False,
        "plotlyServerURL": "",
        "responsive": True,
        "showSendToCloud": False,
    }
    plotly.io.renderers.default = "plotly_mimetype"


def plot_slice_slider(
    volume: np.ndarray,
    title: str = "",
    *,
    low: float = -20.0,
    high: float = 32.0,
    top: float = TOP,
    affine: np.ndarray = GRID.affine,
) -> Any:
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
        Fixed top of the colour scale; hotter voxels are drawn like it.
    affine : array, shape (4, 4)
        Voxel indices to mm, RAS+, without rotation.

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
    from plotly import graph_objects as go

    volume = check_volume(volume)
    heights = affine[2, 3] + affine[2, 2] * np.arange(volume.shape[2])
    chosen = np.flatnonzero((heights >= low) & (heights <= high))
    if not chosen.size:
        raise UsageError(f"Expected slices between z = {low:g} and {high:g} mm, found none.")
    levels = to_bytes(volume, top)
    place = cells(affine)
    figure = go.Figure([go.Heatmap(z=levels[:, :, k].T, **place) for k in chosen])
    names = [signed_mm(heights[k]).removesuffix(" mm") for k in chosen]
    start = int(np.argmin(np.abs(heights[chosen])))
    add_slider(figure, names, start=start, prefix="z = ", suffix=" mm")
    lay_out(figure, title, "x (mm)", "y (mm)", height=640)
    # The scale is named above, where it takes no width from the slice on a phone.
    figure.update_layout(coloraxis=colour_axis(top), title_subtitle_text=UPTAKE)
    figure.update_xaxes(constrain="domain")
    figure.update_yaxes(constrain="domain", scaleanchor="x")
    print_sides(figure)
    return figure


def plot_curve_slider(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    title: str = "",
    *,
    x_label: str,
    y_label: str,
    slider_label: str,
    compare: tuple[str, Sequence[float]] | None = None,
) -> Any:
    """Plot one curve at a time, chosen with a slider: what if the blur, the dose, the age …

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
    from plotly import graph_objects as go

    x = np.asarray(x, dtype=np.float32)
    curves = {name: np.asarray(y, dtype=np.float32) for name, y in curves.items()}
    still = [] if compare is None else [np.asarray(compare[1], dtype=np.float32)]
    values = [*curves.values(), *still]
    if not curves or any(y.shape != x.shape for y in values):
        raise UsageError(f"Expected at least one curve, each of {x.size} values like x.")
    line = {"color": NORMAL, "width": 3}
    figure = go.Figure([go.Scatter(x=x, y=y, name=name, line=line) for name, y in curves.items()])
    add_slider(figure, list(curves), prefix=f"{slider_label}: ")
    for y in still:
        line = {"color": "#808080", "width": 2, "dash": "dash"}
        figure.add_scatter(x=x, y=y, name=compare[0], line=line)
    lay_out(figure, title, x_label, y_label, height=480)
    figure.update_yaxes(range=_padded_range(values))
    return figure


def cells(affine: np.ndarray) -> dict[str, Any]:
    """Where plotly puts the cells of a slice (by their centres, mm), and how it draws them."""
    return {
        "x0": affine[0, 3],
        "dx": affine[0, 0],
        "y0": affine[1, 3],
        "dy": affine[1, 1],
        "coloraxis": "coloraxis",
        "zsmooth": "best",
        "hovertemplate": "x %{x} mm, y %{y} mm<extra></extra>",
    }


def colour_axis(top: float) -> dict[str, Any]:
    ticks = np.linspace(0, top, 6)
    bar = {
        "thickness": 14,
        "tickvals": list(ticks * 255 / top),
        "ticktext": [f"{tick:g}" for tick in ticks],
    }
    return {"cmin": 0, "cmax": 255, "colorscale": "Inferno", "colorbar": bar}


def to_bytes(values: np.ndarray, top: float) -> np.ndarray:
    """Return uptake as bytes, 255 at `top`: an eighth of what floats would take."""
    return np.clip(np.rint(np.asarray(values) * (255 / top)), 0, 255).astype(np.uint8)


def add_slider(
    figure: Any, names: Sequence[str], *, start: int = 0, each: int = 1, **current: str
) -> None:
    """Show `each` of the figure's traces at a time, chosen with a slider."""
    places = list(range(each * len(names)))
    for place in places:
        figure.data[place].visible = place // each == start
    steps = [
        {
            "label": name,
            "method": "restyle",
            "args": [{"visible": [k == j // each for j in places]}, places],
        }
        for k, name in enumerate(names)
    ]
    slider = {"active": start, "currentvalue": current, "pad": {"t": 56}, "steps": steps}
    figure.update_layout(sliders=[slider])


def lay_out(figure: Any, title: str, x_label: str, y_label: str, *, height: int) -> None:
    use_offline_plotly()
    figure.update_layout(
        template="simple_white",
        title={"text": title, "yref": "container", "y": 0.98, "yanchor": "top"},
        height=height,
        font={"size": 14},
        margin={"l": 64, "r": 16, "t": 80, "b": 16},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=x_label)
    figure.update_yaxes(title=y_label)


def print_sides(figure: Any, axes: int = 1, size: int = 18) -> None:
    """Print L and R on a slice, given the number of its axes."""
    number = "" if axes == 1 else axes
    for side, place in (("L", 0.04), ("R", 0.96)):
        figure.add_annotation(
            text=f"<b>{side}</b>",
            x=place,
            y=0.5,
            xref=f"x{number} domain",
            yref=f"y{number} domain",
            showarrow=False,
            font={"color": "white", "size": size},
        )


def _padded_range(values: Sequence[np.ndarray]) -> list[float]:
    low, high = float(np.min(values)), float(np.max(values))
    margin = 0.05 * (high - low) or 1.0
    return [low - margin, high + margin]
