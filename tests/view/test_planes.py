"""Planes: millimetres are millimetres, a mirrored brain mirrors the picture, wrong use is told."""

from __future__ import annotations

import io

import nibabel as nib
import numpy as np
import pytest
from hot_putamen import HOT_MM, brightest_mm, left_hot, words
from PIL import Image

from datkit.errors import UsageError
from datkit.io.scan import Scan
from datkit.prepare import GRID
from datkit.view.canvas import new_picture
from datkit.view.explore import explore_exam
from datkit.view.planes import cut, draw_slice
from datkit.view.slices import (
    plot_exam,
    plot_maps,
    plot_mean_maps,
    plot_pair,
    plot_raw,
    plot_sheet,
)
from datkit.view.surface import VolumeView


def test_a_mirrored_brain_mirrors_the_picture() -> None:
    there = brightest_mm(plot_sheet([("", left_hot(), 4.0)]).axes[0])
    back = brightest_mm(plot_sheet([("", left_hot()[::-1], 4.0)]).axes[0])
    np.testing.assert_allclose(back, there * [-1, 1], atol=1e-6)


FIGURES = {
    "plot_exam": lambda exam, **how: plot_exam(exam, n_slices=3, **how),
    "plot_sheet": lambda exam, **how: plot_sheet([("", exam, HOT_MM[2])], **how),
    "plot_pair": lambda exam, **how: plot_pair(exam, exam, levels=[HOT_MM[2]], **how),
    "plot_mean_maps": lambda exam, **how: plot_mean_maps(
        np.stack([np.ones_like(exam), exam]), [0, 1], levels=[HOT_MM[2]], **how
    ),
    "plot_maps": lambda exam, **how: plot_maps(
        {"": nib.Nifti1Image(exam, GRID.affine)}, levels=[HOT_MM[2]], **how
    ),
    "plot_raw": lambda exam, **how: plot_raw(Scan(exam, GRID.affine), at=HOT_MM, **how),
    "VolumeView": lambda exam, **how: VolumeView(exam, at=tuple(HOT_MM), **how).preview(),
    "render": lambda exam, **how: VolumeView.of_striatum(exam, **how).preview(),
    "still": lambda exam, **how: explore_exam({"": exam}, live=False, **how).plot_still(),
    "widget": lambda exam, **how: explore_exam({"": exam}, live=False, **how).plot_slice(
        "", "coronal", HOT_MM[1], 5
    ),
}


@pytest.mark.parametrize("radiological", [False, True])
@pytest.mark.parametrize("name", FIGURES)
def test_pixels_and_letters_turn_together_in_every_figure(name: str, radiological: bool) -> None:
    figure = FIGURES[name](left_hot(), radiological=radiological)
    hot = [axes for axes in figure.axes if axes.images and axes.texts and is_lopsided(axes)]
    assert hot
    for axes in hot:
        # Where the hot left putamen and the letters are drawn, 0 at the left edge to 1.
        place = axes.transAxes.inverted().transform(axes.transData.transform(brightest_mm(axes)))[0]
        letters = {text.get_text(): text.get_position()[0] for text in axes.texts[:2]}
        if "P" in letters:
            assert letters["P"] < letters["A"] and not axes.xaxis_inverted()
        else:
            assert abs(place - letters["L"]) < 0.5 < abs(place - letters["R"])
            assert (place > 0.5) == (letters["L"] > 0.5) == radiological


def is_lopsided(axes) -> bool:
    return np.ptp(np.ma.filled(axes.images[0].get_array(), 1)) > 1


def test_a_png_in_the_radiological_view_is_hot_on_its_right() -> None:
    for radiological in (False, True):
        figure = plot_sheet([("", left_hot(), 4.0)], radiological=radiological)
        picture = np.asarray(Image.open(io.BytesIO(figure.png())).convert("RGB")).astype(int)
        box = figure.axes[0].get_window_extent()
        rows = slice(picture.shape[0] - int(box.y1), picture.shape[0] - int(box.y0))
        pixels = picture[rows, int(box.x0) : int(box.x1)]
        hot = np.argwhere((np.abs(pixels - [252, 255, 164]) < 6).all(axis=2))[:, 1]
        assert hot.size > 50 and ((hot > pixels.shape[1] / 2) == radiological).all()


def test_coronal_and_sagittal_planes_are_in_millimetres_too() -> None:
    axes = plot_exam(left_hot(), n_slices=3).axes
    draw_slice(axes[0], left_hot(), GRID.affine, "coronal", 0.4, high=5)
    draw_slice(axes[1], left_hot(), GRID.affine, "sagittal", -25, high=5)
    assert words(axes[0])[-3:] == ["L", "R", "y = +0 mm"]
    assert words(axes[1])[-3:] == ["P", "A", "x = −25 mm, left"]
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("x (mm)", "z (mm)")
    assert (axes[1].get_xlabel(), axes[1].get_ylabel()) == ("y (mm)", "z (mm)")


def test_a_diverging_scale_prints_in_black_on_its_white_middle() -> None:
    _, ((plain, diverging),) = new_picture(1, 2, 3.0, "")
    draw_slice(plain, left_hot(), GRID.affine, "axial", HOT_MM[2], high=5)
    draw_slice(diverging, left_hot(), GRID.affine, "axial", HOT_MM[2], low=-2, high=2)
    assert {text.get_color() for text in plain.texts} == {"white"}
    assert {text.get_color() for text in diverging.texts} == {"black"}


@pytest.mark.parametrize(
    ("volume", "plane", "mm", "message"),
    [
        (np.ones((4, 4, 4)), "oblique", 0.0, "the plane axial, coronal or sagittal, found"),
        (np.ones((4, 4, 4)), "axial", 9.0, "z between -0.5 and 3.5 mm, found 9 mm"),
        (np.ones((4, 4)), "axial", 0.0, "one volume with axes"),
    ],
)
def test_what_cannot_be_cut_is_told_in_a_sentence(volume, plane, mm, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cut(volume, np.eye(4), plane, mm)
