"""One plane of a volume, in millimetres, with its sides and its position printed.

The patient's left is on the picture's left, as if the reader looked from above (axial) or from
behind (coronal). In the radiological view, that of hospitals, it is on the picture's right, as if
one looked from the feet or from in front. Which of the two is drawn, :func:`sides_of` says for
every picture, slider and page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Required, TypedDict, Unpack

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke

from datkit.errors import UsageError
from datkit.view.canvas import WIDTH, Picture, new_picture

__all__ = ["PLANES", "draw_plane", "draw_slice"]

# Each plane: the array axis that it cuts, and what lies at its left and right edge.
PLANES = {"axial": (2, ("L", "R")), "coronal": (1, ("L", "R")), "sagittal": (0, ("P", "A"))}


class Look(TypedDict, total=False):
    """How a slice is drawn: the two ends of its colour scale, its colour map, and its view."""

    high: Required[float]
    low: float
    colormap: str
    radiological: bool


def draw_slice(
    axes: Axes, volume: np.ndarray, affine: np.ndarray, plane: str, mm: float, **look: Unpack[Look]
) -> AxesImage:
    """Draw the slice nearest to a position, with its sides and its own position printed.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    volume : array, shape (x, y, z)
        Axes point right, front and up; NaN is drawn grey.
    affine : array, shape (4, 4)
        Voxel indices to mm, RAS+, without rotation.
    plane : {"axial", "coronal", "sagittal"}
        The plane.
    mm : float
        Where it cuts, mm.
    **look
        ``high``, ``low``, ``colormap`` and ``radiological`` of :func:`draw_plane`.

    Raises
    ------
    UsageError
        If the plane has another name, or lies outside the volume.
    """
    picture, caption = cut(volume, affine, plane, mm)
    return draw_plane(axes, picture, affine, plane, caption, **look)


def cut(volume: np.ndarray, affine: np.ndarray, plane: str, mm: float) -> tuple[np.ndarray, str]:
    """Return the slice nearest to a position, shape (across, up), and its own position as text.

    Raises
    ------
    UsageError
        If the volume is none, or the plane has another name or lies outside it.

    Examples
    --------
    >>> cut(np.zeros((4, 4, 4)), np.diag([2.0, 2.0, 2.0, 1.0]), "axial", 3.7)[1]
    'z = +4 mm'
    """
    volume, axis = check_volume(volume), axis_of(plane)
    index = round((mm - affine[axis, 3]) / affine[axis, axis])
    if not 0 <= index < volume.shape[axis]:
        low, high = edges(volume.shape[axis], affine, axis)
        expected = f"Expected {'xyz'[axis]} between {low:g} and {high:g} mm"
        raise UsageError(f"{expected}, found {mm:g} mm; choose a plane inside the volume.")
    position = affine[axis, 3] + affine[axis, axis] * index
    caption = f"{'xyz'[axis]} = {signed_mm(position)}"
    if plane == "sagittal" and position:
        caption += ", left" if position < 0 else ", right"
    return np.take(volume, index, axis), caption


def draw_plane(
    axes: Axes,
    picture: np.ndarray,
    affine: np.ndarray,
    plane: str,
    caption: str,
    *,
    high: float,
    low: float = 0.0,
    colormap: str = "inferno",
    radiological: bool = False,
) -> AxesImage:
    """Draw a slice or a projection, and print L and R (P and A where sagittal) on it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    picture : array, shape (across, up)
        What is left of a volume with axes (x, y, z) when one axis is gone.
    affine : array, shape (4, 4)
        Voxel indices of the volume to mm, RAS+, without rotation.
    plane : {"axial", "coronal", "sagittal"}
        The plane.
    caption : str
        Printed in the upper left corner.
    low, high, colormap
        Values at the two ends of the colour scale, and its name.
    radiological : bool
        Draw the patient's left on the right; a sagittal plane stays as it is.

    Raises
    ------
    UsageError
        If the plane has another name.
    """
    across, up = (axis for axis in range(3) if axis != axis_of(plane))
    image = axes.imshow(
        np.asarray(picture).T,
        origin="lower",
        extent=(*edges(len(picture), affine, across), *edges(len(picture[0]), affine, up)),
        cmap=matplotlib.colormaps[colormap].with_extremes(bad="0.55"),
        vmin=low,
        vmax=high,
        interpolation="bilinear",
        interpolation_stage="data",
    )
    # A diverging map is white in the middle, a sequential one dark at its foot.
    ink, outline = ("black", "white") if low < 0 else ("white", "black")
    stroke = [withStroke(linewidth=2.5, foreground=outline)]
    words: dict[str, Any] = {"color": ink, "path_effects": stroke, "transform": axes.transAxes}
    first, last = sides_of(plane, radiological)
    axes.xaxis.set_inverted(first == "R")
    axes.text(0.03, 0.5, first, va="center", weight="bold", **words)
    axes.text(0.97, 0.5, last, va="center", ha="right", weight="bold", **words)
    axes.text(0.03, 0.97, caption, va="top", size="small", **words)
    axes.set(xlabel=f"{'xyz'[across]} (mm)", ylabel=f"{'xyz'[up]} (mm)")
    return image


def sides_of(plane: str, radiological: bool = False) -> tuple[str, str]:
    """Return the letters at the left and the right edge of a picture: the convention's one place.

    Examples
    --------
    >>> sides_of("axial"), sides_of("axial", radiological=True), sides_of("sagittal", True)
    (('L', 'R'), ('R', 'L'), ('P', 'A'))
    """
    first, last = PLANES[plane][1]
    return (last, first) if radiological and first == "L" else (first, last)


def axis_of(plane: str) -> int:
    """Return the array axis that a plane cuts.

    Raises
    ------
    UsageError
        If the plane has another name.

    Examples
    --------
    >>> axis_of("axial")
    2
    """
    if plane not in PLANES:
        raise UsageError(f"Expected the plane axial, coronal or sagittal, found {plane!r}.")
    return PLANES[plane][0]


def check_volume(volume: np.ndarray) -> np.ndarray:
    """Return `volume` as an array if it is one exam.

    Raises
    ------
    UsageError
        If it has not exactly three axes.
    """
    volume = np.asarray(volume)
    if volume.ndim != 3:
        expected = "Expected one volume with axes (x, y, z)"
        found = f"an array of shape {volume.shape}"
        raise UsageError(f"{expected}, found {found}; pick one exam, such as volumes[0].")
    return volume


def edges(size: int, affine: np.ndarray, axis: int) -> tuple[float, float]:
    """Return the outer edges of `size` voxels along one axis, mm.

    Examples
    --------
    >>> edges(4, np.diag([2.0, 2.0, 2.0, 1.0]), axis=0)
    (-1.0, 7.0)
    """
    first, step = float(affine[axis, 3]), float(affine[axis, axis])
    return first - step / 2, first + step * (size - 0.5)


def signed_mm(value: float) -> str:
    """Write a coordinate with its sign and unit.

    Examples
    --------
    >>> signed_mm(-22), signed_mm(4)
    ('−22 mm', '+4 mm')
    """
    return f"{value:+.0f} mm".replace("-", "−")


def times(values: npt.ArrayLike, form: str = "d") -> str:
    """Write the three sizes of a volume.

    Examples
    --------
    >>> times((64, 80, 48))
    '64 × 80 × 48'
    """
    return " × ".join(format(value, form) for value in np.asarray(values))


def plane_grid(shape: Sequence[int], title: str = "") -> tuple[Picture, dict[str, Axes], Axes]:
    """Return a picture with room for three planes on one scale, and for words.

    The axes of the planes come by name, those of the words, which are switched off, last.
    """
    x, y, z = shape
    # About 1.4 inches across and 2 down go to labels, title and a colour bar below.
    height = (WIDTH - 1.4) * (y + z) / (x + y) + 2.0
    picture, grid = new_picture(2, 2, height, title, width_ratios=[x, y], height_ratios=[z, y])
    *panels, words = grid.flat
    words.axis("off")
    return picture, dict(zip(("coronal", "sagittal", "axial"), panels, strict=True)), words


def brain_grid(
    rows: int, columns: int, title: str, bars_width: float = 0.0
) -> tuple[Picture, np.ndarray]:
    """Return a picture with room for axial slices of the canonical grid; `bars_width` in inches."""
    # A slice is 64 × 80 voxels: 1.25 times as high as wide. About 0.7 inches beside the slices and
    # 1.6 above and below go to labels and the colour bar.
    width = (WIDTH - 0.7 - bars_width) / max(columns, 2)
    return new_picture(rows, columns, 1.25 * rows * width + 1.6, title)
