"""Figures of the physics lab: a camera that turns, one slice made in several ways, a few lines.

Like those of :mod:`datkit.view.sliders`, the sliders move in a static page, without a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from datkit.errors import UsageError
from datkit.view.canvas import STROKES, TOP, Picture, house_style, new_picture, to_bytes
from datkit.view.sliders import STYLE, add_slider, cells, lay_out, print_sides, slice_slider

__all__ = ["plot_lines", "plot_picture_slider", "plot_turn_slider"]


@house_style()
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
    radiological: bool = False,
) -> go.Figure:
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
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

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
    if not pictures or len(notes) != len(pictures):
        expected = "Expected one note for each picture"
        raise UsageError(f"{expected}, found {len(notes)} for {len(pictures)}.")
    titles, current = (title, notes[0]), {"prefix": f"{slider_label}: "}
    figure = slice_slider(pictures, titles, (affine, radiological), top, current, height=560)
    figure.update_yaxes(constraintoward="top")
    for step, note in zip(figure.layout.sliders[0].steps, notes, strict=True):
        shown, traces = step.args
        step.update(method="update", args=[shown, {"title.subtitle.text": note}, traces])
    return figure


def plot_turn_slider(
    sinogram: np.ndarray,
    plain: Mapping[int, np.ndarray],
    filtered: Mapping[int, np.ndarray],
    title: str = "",
    *,
    affine: np.ndarray,
    radiological: bool = False,
) -> go.Figure:
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
    radiological : bool
        Draw the left of the slices on the right, as hospitals do; the sinogram stays as it is.

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
    if not plain or list(plain) != list(filtered):
        expected = "Expected pictures after the same numbers of views"
        raise UsageError(f"{expected}, found {list(plain)} and {list(filtered)}.")
    titles = ["sinogram", "smeared back", "filtered first"]
    tall = {"row_heights": [0.3, 0.7], "vertical_spacing": 0.22}
    wide = [[{"colspan": 2}, None], [{}, {}]]
    figure = make_subplots(2, 2, specs=wide, subplot_titles=titles, **tall)
    width, done = affine[0, 0], np.arange(len(sinogram))[:, None]
    # The axis of rotation lies at 0 mm.
    seen = {"x0": -width * (sinogram.shape[1] - 1) / 2, "dx": width, "hoverinfo": "skip"}
    seen |= {"y0": 0, "dy": 360 / len(sinogram), "coloraxis": "coloraxis"}
    for views in plain:
        z = to_bytes(np.where(done < views, sinogram, 0), sinogram.max())
        figure.add_heatmap(z=z, **seen, row=1, col=1)
        for column, picture in enumerate((plain[views], filtered[views]), 1):
            z = to_bytes(picture.T, picture.max())
            figure.add_heatmap(z=z, **cells(affine), row=2, col=column)
    lay_out(figure, title, "x (mm)", "y (mm)", height=640)
    angles = [f"{360 * views / len(sinogram):.0f}°" for views in plain]
    add_slider(figure, angles, {"prefix": "camera turned by "}, each=3)
    figure.update_layout(STYLE["turn"])
    for axes in "23":
        print_sides(figure, axes, radiological=radiological)
    return figure
