"""The pictures of the atlas: slices of an exam on one fixed scale, and what traps make of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from datkit.book.atlas.exams import Shown
from datkit.prepare import GRID
from datkit.view.canvas import BELOW, BESIDE, TOP, UPTAKE, Picture, house_style, new_picture
from datkit.view.planes import brain_grid, draw_plane, draw_slice
from datkit.view.slices import LEVELS_MM

__all__ = ["alt_text", "draw", "draw_colour_scales", "draw_shapes"]

LEVELS = [round((mm - GRID.affine[2, 3]) / GRID.affine[2, 2]) for mm in LEVELS_MM]
STRIATAL_Y_MM = (-72.0, 46.0)  # what a card shows of the head
LOWER = (0.9, 1.1)  # inches that a picture of one or two rows saves without the back of the head
SCALES = {  # name of a display, its colour map, and its top; None for the slice's own maximum
    "linear, 0 to 5": ("inferno", TOP),
    "grey, 0 to 5": ("gray_r", TOP),
    "rainbow, 0 to 5": ("nipy_spectral", TOP),
    "own maximum": ("inferno", None),
}
SHAPES = {"comma": "normal-65", "egg": "egg", "dot": "grade-2"}


def draw(shown: Shown, beside: Shown | None = None) -> Picture:
    """Draw an exam, if it is a trap below that of the same patient as it should be."""
    if shown.entry.shown == "glands":
        return _draw_glands(shown)
    rows = [("as it should be", beside.volume, TOP)] if beside else []
    top = float(shown.volume[..., LEVELS].max()) if shown.entry.shown == "maximum" else TOP
    rows.append(("as it came" if beside else "", shown.volume, top))
    return _draw_rows(rows, whole=shown.entry.key in ("truncation", "reference"))


def alt_text(shown: Shown, *, tell: bool = True) -> str:
    """Return what a picture shows, in 30 to 300 characters; `tell` says what the exam is."""
    title = shown.entry.title.removeprefix("Trap: ")
    title = title[0].upper() + title[1:]
    if shown.entry.shown == "glands":
        return (
            f"{title}: one simulated head seen from in front, twice. On the fixed scale glands and "
            "striata show; scaled to its hottest voxel the striata fade."
        )
    twice = ", above as it should be, below as it came" if shown.entry.beside else ""
    slices = f"Axial slices at three heights of a simulated exam{twice}, left and right marked."
    return f"{slices} {title}." if tell else slices


@house_style()
def draw_shapes(exams: Mapping[str, Shown]) -> Picture:
    """Draw comma, egg and dot: one head, one camera, one slice, one scale."""
    figure, grid = brain_grid(1, len(SHAPES), "")
    figure.set_figheight(figure.get_figheight() - 0.6)  # of the back of the head; titles stay
    for axes, (name, key) in zip(grid.flat, SHAPES.items(), strict=True):
        volume = exams[key].volume
        image = draw_slice(axes, volume, GRID.affine, "axial", LEVELS_MM[1], high=TOP)
        axes.set_title(name)
        axes.set_ylim(STRIATAL_Y_MM)
        axes.label_outer()
    figure.colorbar(image, ax=grid, label=f"{UPTAKE}, fixed scale 0 to {TOP:g}", **BELOW)
    return figure


@house_style()
def draw_colour_scales(shown: Shown) -> Picture:
    """Draw one slice of an exam in four ways."""
    picture, grid = new_picture(1, len(SCALES), 3.4, "")
    for axes, (name, (colours, top)) in zip(grid.flat, SCALES.items(), strict=True):
        high = top or float(shown.volume[..., LEVELS].max())
        image = draw_slice(axes, shown.volume, GRID.affine, "axial", 4, high=high, colormap=colours)
        axes.set_title(name, size="small")
        axes.set(xlabel="", ylabel="", xticks=[], yticks=[])
        bar = picture.colorbar(
            image, ax=axes, label="", location="bottom", ticks=[0, round(high, 1)]
        )
        bar.ax.tick_params(labelsize="small")
    picture.supxlabel(UPTAKE, size="small")
    return picture


@house_style()
def _draw_rows(rows: list[tuple[str, np.ndarray, float]], whole: bool = False) -> Picture:
    figure, grid = brain_grid(len(rows), len(LEVELS_MM), "")
    if not whole:
        figure.set_figheight(figure.get_figheight() - LOWER[len(rows) - 1])
    tops = {top for _, _, top in rows}
    for line, (name, volume, top) in zip(grid, rows, strict=True):
        for axes, level in zip(line, LEVELS_MM, strict=True):
            image = draw_slice(axes, volume, GRID.affine, "axial", level, high=top)
            if not whole:
                axes.set_ylim(STRIATAL_Y_MM)
            axes.label_outer()
        line[0].set_title(name, loc="left", size="medium")
        if len(tops) > 1:
            figure.colorbar(image, ax=line, label=f"uptake, 0 to {top:.1f}", **BESIDE)
    if len(tops) == 1:
        figure.colorbar(image, ax=grid, label=f"{UPTAKE}, fixed scale 0 to {TOP:g}", **BELOW)
    return figure


@house_style()
def _draw_glands(shown: Shown) -> Picture:
    """Draw the brightest voxels from front to back, on the fixed scale and on the head's own."""
    uptake = shown.scan.data / float(shown.prepared.quality["reference"])
    affine = shown.scan.affine.copy()
    affine[:3, 3] -= shown.prepared.to_scan[:3, 3]
    picture, grid = new_picture(1, 2, 4.2, "")
    for axes, top in zip(grid.flat, (TOP, float(uptake.max())), strict=True):
        image = draw_plane(
            axes, uptake.max(axis=1), affine, "coronal", "brightest along y", high=top
        )
        axes.set(xlim=(-110, 110), ylim=(-100, 100))
        axes.set_title("fixed scale" if top == TOP else "scaled to its maximum")
        axes.label_outer()
        picture.colorbar(image, ax=axes, label=f"{UPTAKE}, 0 to {top:.1f}", **BELOW)
    return picture
