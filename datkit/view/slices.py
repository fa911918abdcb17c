"""Slices through exams: prepared ones on one fixed colour scale, scans as the camera gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import nibabel as nib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from nibabel.processing import resample_to_output
from scipy.ndimage import center_of_mass

from datkit.errors import UsageError
from datkit.io.scan import Scan
from datkit.prepare.grid import GRID, load_regions
from datkit.prepare.levels import scaled_template
from datkit.view.canvas import BELOW, BESIDE, CLASSES, TOP, UPTAKE, Picture, house_style
from datkit.view.planes import Look, axis_of, brain_grid, cut, draw_slice, plane_grid, times

__all__ = ["plot_exam", "plot_maps", "plot_mean_maps", "plot_pair", "plot_raw", "plot_sheet"]

STRIATUM_MM = (-8.0, 22.0)  # z from the floor of the putamen to the roof of the caudate head
STRIATUM_Y_MM = (-50.0, 46.0)  # what a map shows: the striata and 25 mm around them
# From the lower to the upper face: the 12 mm that hold most of the striatum. Readers use slabs of
# 10 to 12 mm.
SLAB_MM = (-5.0, 7.0)
LEVELS_MM = (-2.0, 6.0, 14.0)  # putamen, both nuclei, caudate head


def plot_exam(
    volume: np.ndarray,
    title: str = "",
    *,
    n_slices: int = 6,
    top: float = TOP,
    affine: np.ndarray = GRID.affine,
    radiological: bool = False,
) -> Picture:
    """Plot axial slices through the striatum of one prepared exam.

    Parameters
    ----------
    volume : array, shape (x, y, z) = (64, 80, 48)
        Prepared volume on the canonical grid: uptake, non-specific = 1.
    title : str
        What the exam is.
    n_slices : int
        How many slices, evenly spaced from the floor of the putamen to the roof of the caudate.
    top : float
        Fixed top of the colour scale; hotter voxels are drawn like it.
    affine : array, shape (4, 4)
        Voxel indices to mm, RAS+, without rotation.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If `volume` is not three-dimensional, or `n_slices` is not positive.

    Examples
    --------
    >>> figure = plot_exam(np.ones((64, 80, 48)), "flat phantom", n_slices=3)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['L', 'R', 'z = −8 mm']
    """
    panels = [("", volume, level) for level in np.linspace(*STRIATUM_MM, max(n_slices, 0))]
    return plot_sheet(panels, title, top=top, affine=affine, radiological=radiological)


@house_style()
def plot_sheet(
    panels: Sequence[tuple[str, np.ndarray, float]],
    title: str = "",
    *,
    top: float = TOP,
    affine: np.ndarray = GRID.affine,
    radiological: bool = False,
) -> Picture:
    """Plot axial slices of any exams, three in a row, on one colour scale.

    Parameters
    ----------
    panels : sequence of (str, array of shape (x, y, z), float)
        A caption, a prepared volume and a height z in mm for each slice.
    title : str
        What the sheet shows.
    top : float
        Fixed top of the colour scale.
    affine : array, shape (4, 4)
        Voxel indices of the volumes to mm, RAS+, without rotation.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If there is no slice, or a height lies outside the grid.
    """
    if not panels:
        raise UsageError("Expected at least one slice to plot, found none.")
    columns = min(len(panels), 3)
    figure, grid = brain_grid(-(-len(panels) // columns), columns, title)
    look = Look(high=top, radiological=radiological)
    used, spare = list(grid.flat[: len(panels)]), grid.flat[len(panels) :]
    for axes, (caption, volume, level) in zip(used, panels, strict=True):
        image = draw_slice(axes, volume, affine, "axial", level, **look)
        axes.set_title(caption, size="small")
        axes.label_outer()
    for axes in spare:
        axes.remove()
    figure.colorbar(image, ax=used, label=f"{UPTAKE}, fixed scale 0 to {top:g}", **BELOW)
    return figure


@house_style()
def plot_pair(
    normal: np.ndarray,
    abnormal: np.ndarray,
    title: str = "",
    *,
    names: Sequence[str] = CLASSES,
    levels: Sequence[float] = LEVELS_MM,
    top: float = TOP,
    radiological: bool = False,
) -> Picture:
    """Plot two prepared exams, one row each, on one colour scale.

    Parameters
    ----------
    normal, abnormal : array, shape (64, 80, 48)
        Prepared volumes: uptake, non-specific = 1.
    title : str
        What is compared.
    names : two str
        Names of the rows.
    levels : sequence of float
        Heights z of the axial slices, mm.
    top : float
        Fixed top of the colour scale.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If a volume is not three-dimensional, or a level lies outside the grid.
    """
    figure, grid = brain_grid(2, len(levels), title)
    for row, volume, name in zip(grid, (normal, abnormal), names, strict=True):
        image = _draw_row(row, volume, name, levels, high=top, radiological=radiological)
    figure.colorbar(image, ax=grid, label=f"{UPTAKE}, fixed scale 0 to {top:g}", **BELOW)
    return figure


@house_style()
def plot_mean_maps(
    volumes: np.ndarray,
    labels: npt.ArrayLike,
    title: str = "",
    *,
    names: Sequence[str] = CLASSES,
    levels: Sequence[float] = LEVELS_MM,
    top: float = TOP,
    span: float = 2.0,
    radiological: bool = False,
) -> Picture:
    """Plot the mean exam of each class and, below, the second mean minus the first.

    Parameters
    ----------
    volumes : array, shape (n, 64, 80, 48)
        Prepared volumes, as an array or a memory map.
    labels : sequence of n numbers
        0 normal, 1 abnormal; an exam with another label or none is left out.
    title : str
        What is compared.
    names : two str
        Names of classes 0 and 1.
    levels : sequence of float
        Heights z of the axial slices, mm.
    top, span : float
        Ends of the colour scales: of the means, from 0; of the difference, to either side.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If a class has no exam, or a level lies outside the grid.
    """
    figure, grid = brain_grid(3, len(levels), title, bars_width=1.0)
    means, look = [], Look(high=top, radiological=radiological)
    for value, row, name in zip((0, 1), grid, names, strict=False):
        chosen = np.flatnonzero(np.asarray(labels, dtype=float) == value)
        if not chosen.size:
            expected = f"Expected exams of both classes, found none with label {value}"
            raise UsageError(f"{expected}; pass labels of 0 (normal) and 1 (abnormal).")
        means.append(np.mean(volumes[chosen], axis=0))
        image = _draw_row(row, means[-1], f"{name}, n = {chosen.size}", levels, **look)
    scale = look | Look(low=-span, high=span, colormap="RdBu_r")
    change = _draw_row(grid[2], means[1] - means[0], "difference", levels, **scale)
    figure.colorbar(image, ax=grid[:2], label=UPTAKE, extend="max", **BESIDE)
    figure.colorbar(change, ax=grid[2:], label="difference", extend="both", **BESIDE)
    return figure


@house_style()
def plot_maps(
    maps: Mapping[str, nib.Nifti1Image],
    title: str = "",
    *,
    label: str = "change of the logit",
    levels: Sequence[float] = LEVELS_MM,
    span: float | None = None,
    radiological: bool = False,
) -> Picture:
    """Plot maps, a row each, around the striata of the template, whose outlines are drawn.

    Black is the mask of the striata, grey where the template, as a camera sees it, holds twice
    non-specific uptake.

    Parameters
    ----------
    maps : mapping of str to nibabel.Nifti1Image
        Names of the rows, and images in template space without rotation, such as those of
        :func:`datkit.evaluate.mean_map` and of ``VoxelsClassifier.weight_map()``.
    title : str
        What is mapped.
    label : str
        What the colours are, with the unit.
    levels : sequence of float
        Heights z of the axial slices, mm.
    span : float, optional
        Ends of the colour scale, to either side of 0; by default what one of 1,000 voxels
        exceeds in the strongest map.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If a level lies outside a map.
    ValueError
        If there is no map.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.ones(GRID.shape, np.float32), GRID.affine)
    >>> figure = plot_maps({"even": image}, levels=[4.0])
    >>> figure.axes[0].images[0].get_clim()
    (-1.0, 1.0)
    """
    span = span or max(float(np.percentile(np.abs(one.dataobj), 99.9)) for one in maps.values())
    figure, grid = brain_grid(len(maps), len(levels), title)
    figure.set_figheight(1.5 * len(maps) + 0.8)
    look = Look(low=-span, high=span, colormap="RdBu_r", radiological=radiological)
    for row, (name, image) in zip(grid, maps.items(), strict=True):
        row[0].set_title(name, loc="left", size="medium")
        values = np.asarray(image.dataobj)
        for axes, level in zip(row, levels, strict=True):
            drawn = draw_slice(axes, values, image.affine, "axial", level, **look)
            _draw_outlines(axes, level)
            axes.label_outer()
    figure.colorbar(drawn, ax=grid, label=label, extend="both", **BESIDE)
    return figure


@house_style()
def plot_raw(
    scan: Scan,
    title: str = "",
    *,
    at: Sequence[float] | None = None,
    top: float | None = None,
    radiological: bool = False,
) -> Picture:
    """Plot three planes of a scan as the camera delivered it, through its affine.

    The voxels are resampled into a grid that is straight in space, so an oblique, flipped or
    permuted file is drawn as the patient lay; grey lies outside the field of view.

    Parameters
    ----------
    scan : Scan
        An exam of any matrix, spacing and orientation.
    title : str
        What the exam is.
    at : three floats, optional
        Point x, y, z in mm where the planes meet; default the centre of the counts.
    top : float, optional
        The count at the top of the colour scale; default the scan's highest.
    radiological : bool
        Draw the patient's left on the right, as hospitals do.

    Raises
    ------
    UsageError
        If `at` lies outside the field of view.

    Examples
    --------
    >>> counts = np.zeros((16, 16, 16), dtype=np.float32)
    >>> counts[4:12, 4:12, 4:12] = 100
    >>> figure = plot_raw(Scan(counts, np.diag([4.0, 4.0, 4.0, 1.0])))
    >>> print(figure.axes[3].texts[0].get_text().splitlines()[-1])
    64 × 64 × 64 mm
    """
    image = nib.Nifti1Image(scan.data, scan.affine)
    straight = resample_to_output(image, scan.spacing.max(), order=1, cval=np.nan)
    volume, affine = np.asarray(straight.dataobj), straight.affine
    if at is None:
        at = affine[:3, 3] + np.diag(affine)[:3] * center_of_mass(np.nan_to_num(volume))
    top = float(scan.data.max()) if top is None else top
    look = Look(high=top, colormap="viridis", radiological=radiological)
    figure, panels, words = plane_grid(volume.shape, title)
    for plane, axes in panels.items():
        drawn = draw_slice(axes, volume, affine, plane, at[axis_of(plane)], **look)
    geometry = (
        f"matrix\n{times(scan.shape)} voxels\n"
        f"spacing\n{times(scan.spacing, '.3g')} mm\n"
        f"field of view\n{times(scan.spacing * scan.shape, '.0f')} mm"
    )
    words.text(0.05, 0.5, geometry, va="center", linespacing=1.4)
    figure.colorbar(drawn, ax=figure.axes, label=f"counts (scanner units), 0 to {top:.5g}", **BELOW)
    return figure


def striatal_slab(volume: np.ndarray) -> np.ndarray:
    """Return the mean of the slices of a prepared volume within :data:`SLAB_MM`, shape (64, 80).

    Examples
    --------
    >>> volume = np.zeros(GRID.shape)
    >>> volume[:, :, 16] = 6.0  # one slice of the six, at z = -4 mm
    >>> float(striatal_slab(volume)[0, 0])
    1.0
    """
    heights = GRID.affine[2, 3] + GRID.affine[2, 2] * np.arange(GRID.shape[2])
    low, high = SLAB_MM
    return volume[:, :, (low < heights) & (heights < high)].mean(axis=2)


def _draw_outlines(axes: Axes, level: float) -> None:
    """Draw where the template holds twice non-specific uptake, and the mask of its striata."""
    regions = load_regions()
    striata = regions["striatum_left"] | regions["striatum_right"]
    axes.set(autoscalex_on=False, ylim=STRIATUM_Y_MM)
    lines = (*scaled_template(), 2.0, "0.5"), (striata, GRID.affine, 0.5, "black")
    for volume, affine, value, colour in lines:
        plane = cut(volume, affine, "axial", level)[0]
        x, y = (affine[a, 3] + affine[a, a] * np.arange(n) for a, n in enumerate(plane.shape))
        if plane.max() > value:
            axes.contour(x, y, plane.T, [value], colors=colour, linewidths=0.8)


def _draw_row(
    row: np.ndarray, volume: np.ndarray, name: str, levels: Sequence[float], **look: Unpack[Look]
) -> AxesImage:
    for axes, level in zip(row, levels, strict=True):
        image = draw_slice(axes, volume, GRID.affine, "axial", level, **look)
        axes.label_outer()
    row[0].set_title(name, loc="left", size="medium")
    return image
