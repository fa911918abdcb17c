"""Figures of the physics lab: a camera that turns, one slice made in several ways, a few lines.

Like those of :mod:`datkit.view.sliders`, the sliders move in a static page, without a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datkit.errors import UsageError
from datkit.view.canvas import ABNORMAL, NORMAL, Picture, house_style, new_picture
from datkit.view.slices import TOP
from datkit.view.sliders import add_slider, cells, colour_axis, lay_out, print_sides, to_bytes

__all__ = ["plot_lines", "plot_picture_slider", "plot_turn_slider"]


SIDES_SIZE = 16  # of L and R, points
STROKES = ((NORMAL, "o", "-"), (ABNORMAL, "^", "--"))  # colour, mark, dash: grey prints tell too


@house_style
def plot_lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str = "",
    *,
    x_label: str,
    y_label: str,
) -> Picture:
    """Plot one line or two, told apart by colour, mark and dash.

    Parameters
    ----------
    lines : mapping of str to (m floats, m floats)
        x and y of each line, by name.
    title : str
        What is compared.
    x_label, y_label : str
        Axis labels, with units.

    Raises
    ------
    UsageError
        If there are not one or two lines.

    Examples
    --------
    >>> figure = plot_lines({"noise": ([1, 4], [2, 1])}, x_label="counts", y_label="noise (%)")
    >>> figure.axes[0].get_xlabel()
    'counts'
    """
    if not 1 <= len(lines) <= len(STROKES):
        raise UsageError(f"Expected one or two lines, found {len(lines)}.")
    picture, ((axes,),) = new_picture(1, 1, 3.8, title)
    for (name, (x, y)), (colour, mark, dash) in zip(lines.items(), STROKES, strict=False):
        mark = mark if len(x) < 20 else ""
        axes.plot(x, y, color=colour, marker=mark, linestyle=dash, linewidth=2, label=name)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    picture.legend(loc="outside upper center", ncols=2)
    return picture


def plot_picture_slider(
    pictures: Mapping[str, np.ndarray],
    notes: Sequence[str],
    title: str = "",
    *,
    affine: np.ndarray,
    slider_label: str,
    top: float = TOP,
) -> Any:
    """Plot one axial slice at a time, chosen with a slider, under what was measured on it.

    Parameters
    ----------
    pictures : mapping of str to array (x, y)
        The slice at each position of the slider, named as the slider names it: uptake,
        non-specific = 1.
    notes : sequence of str
        One line for each picture, printed above it, such as its SBR.
    title : str
        What is varied.
    affine : array (4, 4)
        Voxel indices to mm, RAS+, without rotation.
    slider_label : str
        What the slider changes, such as ``"cut-off"``.
    top : float
        Fixed top of the colour scale; hotter voxels are drawn like it.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UsageError
        If there is no picture, or not one note for each.

    Examples
    --------
    >>> pictures = {"0.3": np.ones((8, 9)), "0.6": np.eye(8, 9)}
    >>> figure = plot_picture_slider(
    ...     pictures, ["SBR 2.1", "SBR 2.6"], affine=np.eye(4), slider_label="cut-off"
    ... )
    >>> figure.layout.title.subtitle.text, figure.layout.sliders[0].steps[1].args[1]
    ('SBR 2.1', {'title.subtitle.text': 'SBR 2.6'})
    """
    from plotly import graph_objects as go

    if not pictures or len(notes) != len(pictures):
        raise UsageError(
            f"Expected one note for each picture, found {len(notes)} for {len(pictures)}."
        )
    place = cells(affine)
    figure = go.Figure([go.Heatmap(z=to_bytes(p.T, top), **place) for p in pictures.values()])
    add_slider(figure, list(pictures), prefix=f"{slider_label}: ")
    for step, note in zip(figure.layout.sliders[0].steps, notes, strict=True):
        shown, traces = step.args
        step.update(method="update", args=[shown, {"title.subtitle.text": note}, traces])
    lay_out(figure, title, "x (mm)", "y (mm)", height=560)
    figure.update_layout(coloraxis=colour_axis(top), title_subtitle_text=notes[0])
    figure.update_xaxes(constrain="domain")
    figure.update_yaxes(constrain="domain", constraintoward="top", scaleanchor="x")
    print_sides(figure, size=SIDES_SIZE)
    return figure


def plot_turn_slider(
    sinogram: np.ndarray,
    plain: Mapping[int, np.ndarray],
    filtered: Mapping[int, np.ndarray],
    title: str = "",
    *,
    affine: np.ndarray,
) -> Any:
    """Plot a slice that builds up while the camera turns: a slider over the views used so far.

    Above, the sinogram, lit as far as the camera has come; below, what its views give when they
    are smeared back as they are, and after filtering. Every picture has a scale of its own.

    Parameters
    ----------
    sinogram : array (view, bin)
        One slice's counts, over 360 degrees; the axis of rotation lies in the middle.
    plain, filtered : mapping of int to array (x, y)
        The slice after the first so many views, for the same numbers.
    title : str
        What is built up.
    affine : array (4, 4)
        Voxel indices to mm, RAS+, without rotation; a bin is as wide as a voxel.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UsageError
        If there is no picture, or the two mappings differ in their numbers of views.

    Examples
    --------
    >>> steps = {2: np.ones((8, 8)), 4: np.eye(8)}
    >>> figure = plot_turn_slider(np.ones((4, 8)), steps, steps, affine=np.eye(4))
    >>> [step.label for step in figure.layout.sliders[0].steps]
    ['180°', '360°']
    """
    from plotly.subplots import make_subplots

    if not plain or list(plain) != list(filtered):
        raise UsageError(
            "Expected pictures after the same numbers of views, found "
            f"{list(plain)} and {list(filtered)}."
        )
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        row_heights=[0.3, 0.7],
        vertical_spacing=0.22,
        subplot_titles=["sinogram", "smeared back", "filtered first"],
    )
    for views in plain:
        _add_step(figure, sinogram, views, (plain[views], filtered[views]), affine)
    lay_out(figure, title, "x (mm)", "y (mm)", height=640)
    angles = [f"{360 * views / len(sinogram):.0f}°" for views in plain]
    add_slider(figure, angles, each=3, prefix="camera turned by ")
    figure.update_layout(coloraxis={"colorscale": "Inferno", "showscale": False})
    figure.update_xaxes(title="position (mm)", row=1)
    figure.update_yaxes(title="angle (°)", tickvals=[0, 180, 360], row=1)
    figure.update_xaxes(constrain="domain", row=2)
    for column, anchor in ((1, "x2"), (2, "x3")):
        kept = {"constrain": "domain", "constraintoward": "top", "scaleanchor": anchor}
        figure.update_yaxes(**kept, row=2, col=column)
        print_sides(figure, column + 1, size=SIDES_SIZE)
    figure.update_yaxes(title="", showticklabels=False, row=2, col=2)
    return figure


def _add_step(figure: Any, sinogram: np.ndarray, views: int, pair: tuple, affine: Any) -> None:
    """Add the sinogram as far as it has come, and two slices."""
    place = cells(affine)
    seen = np.where(np.arange(len(sinogram))[:, None] < views, sinogram, 0)
    width = place["dx"]
    across = {"x0": -width * (seen.shape[1] - 1) / 2, "dx": width, "coloraxis": "coloraxis"}
    turn = {"y0": 0, "dy": 360 / len(sinogram), "hoverinfo": "skip"}
    figure.add_heatmap(z=to_bytes(seen, sinogram.max()), **across, **turn, row=1, col=1)
    for column, picture in enumerate(pair, 1):
        z = to_bytes(picture.T, picture.max())
        figure.add_heatmap(z=z, **place, row=2, col=column)
