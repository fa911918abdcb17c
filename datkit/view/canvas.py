"""The sheet that every picture is drawn on: one style, the same bytes each time, no global state.

Figures are made without pyplot: nothing is left open, no back end is chosen, and a notebook shows a
figure once, where it is returned.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datkit.files import replace_atomically

__all__ = [
    "ABNORMAL",
    "BELOW",
    "BESIDE",
    "NORMAL",
    "WIDTH",
    "Picture",
    "house_style",
    "new_picture",
]

WIDTH = 6.4  # inches; at 150 dpi 960 pixels, twice the width of a phone's page
# At 6.4 inches 11 points are 2.4 % of the width: 9 pixels on a phone that shows 375.
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "figure.facecolor": "white",  # legible on dark pages too
    "font.family": "DejaVu Sans",  # ships with matplotlib, so every machine draws the same letters
    "font.size": 11,
    "legend.frameon": False,
}
# Two colours that stay apart in every colour vision (Okabe and Ito 2008, Color Universal Design).
NORMAL, ABNORMAL = "#0072B2", "#D55E00"
# Where a colour bar stands.
BELOW = {"location": "bottom", "shrink": 0.8, "aspect": 30, "extend": "max", "extendfrac": 0.03}
BESIDE = {"location": "right", "aspect": 30, "extendfrac": 0.03}

F = TypeVar("F", bound=Callable[..., Any])


class Picture(Figure):
    """A matplotlib figure that notebooks show as a PNG, with the same bytes at every execution."""

    def png(self, *, colours: int = 256) -> bytes:
        """Return the figure as PNG bytes, with neither date nor software version in them.

        Parameters
        ----------
        colours : int, at most 256
            Size of the palette. 256 colours change no channel by more than about 7 of 255, and
            make the file three to four times smaller.
        """
        from PIL import Image

        canvas = FigureCanvasAgg(self)
        with _house_settings():
            self._settle_layout()
            canvas.draw()
        # Covers the range of colours, where the default would give most to the dark background.
        how = {"method": Image.Quantize.MAXCOVERAGE, "dither": Image.Dither.NONE}
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        packed = io.BytesIO()
        picture.quantize(colours, **how).save(packed, format="png", optimize=True)
        return packed.getvalue()

    def _settle_layout(self) -> None:
        # Laid out at each drawing, the axes would creep, and two drawings differ.
        if engine := self.get_layout_engine():
            engine.execute(self)
            self.set_layout_engine("none")

    def save(self, path: str | os.PathLike[str], *, colours: int = 256) -> Path:
        """Write the figure as a PNG, atomically, and return its path.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with replace_atomically(path) as part:
            part.write_bytes(self.png(colours=colours))
        return Path(path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/png": self.png(), "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        # Once a notebook has imported pyplot, IPython would draw the figure with pyplot's settings.
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)


def house_style(plot: F) -> F:
    """Run a plotting function under the house style, whatever the reader's own settings are."""

    @functools.wraps(plot)
    def styled(*args: Any, **kwargs: Any) -> Any:
        with _house_settings():
            return plot(*args, **kwargs)

    return styled


@contextmanager
def _house_settings() -> Iterator[None]:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def new_picture(rows: int, columns: int, height: float, title: str, **layout: Any) -> tuple:
    """Return an empty :class:`Picture` and its axes, shape (rows, columns); height in inches."""
    picture = Picture(figsize=(WIDTH, height), layout="constrained")
    axes = picture.subplots(rows, columns, squeeze=False, **layout)
    if title:
        picture.suptitle(title, weight="bold")
    return picture, axes
