"""The canvas: the same exam gives the same bytes, small, whatever the reader's settings are."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from hot_putamen import left_hot
from PIL import Image

from datkit.prepare import GRID
from datkit.view.canvas import house_style
from datkit.view.slices import plot_exam, plot_pair


def test_the_same_exam_gives_the_same_bytes_whatever_the_readers_settings() -> None:
    first = plot_exam(left_hot(), "An exam", n_slices=2).png()
    with matplotlib.rc_context({"font.size": 30, "savefig.bbox": "tight", "lines.linewidth": 9}):
        second = plot_exam(left_hot(), "An exam", n_slices=2).png()
    assert first == second
    assert "Software" not in Image.open(io.BytesIO(first)).info


def test_a_notebook_shows_a_figure_as_one_png() -> None:
    bundle = plot_exam(left_hot(), n_slices=1)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_a_saved_picture_is_small(tmp_path) -> None:
    path = plot_pair(left_hot(), np.ones(GRID.shape)).save(tmp_path / "pair.png")
    assert path.stat().st_size < 60_000
    assert Image.open(path).size[0] == 960


def test_the_house_style_leaves_the_readers_settings_as_they_were() -> None:
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        with house_style():
            assert matplotlib.rcParams["font.size"] == 11
            assert matplotlib.rcParams["lines.linewidth"] == 1.5  # matplotlib's own
        assert matplotlib.rcParams["font.size"] == 30
