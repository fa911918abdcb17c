"""Planes: millimetres are millimetres, a mirrored brain mirrors the picture, wrong use is told."""

from __future__ import annotations

import numpy as np
import pytest
from hot_putamen import HOT_MM, brightest_mm, left_hot, words

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.canvas import new_picture
from datkit.view.planes import cut, draw_slice
from datkit.view.slices import plot_exam, plot_sheet


def test_a_mirrored_brain_mirrors_the_picture() -> None:
    there = brightest_mm(plot_sheet([("", left_hot(), 4.0)]).axes[0])
    back = brightest_mm(plot_sheet([("", left_hot()[::-1], 4.0)]).axes[0])
    np.testing.assert_allclose(back, there * [-1, 1], atol=1e-6)


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
