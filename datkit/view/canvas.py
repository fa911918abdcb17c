"""The sheet that every picture is drawn on: one style, the same bytes each time, no global state.

Figures are made without pyplot: nothing is left open, no back end is chosen, and a notebook shows a
figure once, where it is returned. The uptake scale that all pictures of exams share stands here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from datkit.files import replace_atomically

__all__ = ["ABNORMAL", "BELOW", "BESIDE", "CLASSES", "NORMAL", "TOP", "UPTAKE", "Picture",
           "house_style"]  # fmt: skip

# Top of the uptake scale: about the hottest voxel of a normal exam (3.8 to 6.9 simulated).
TOP = 5.0
UPTAKE = "uptake (non-specific = 1)"
WIDTH = 6.4  # inches; at 150 dpi 960 pixels, twice the width of a phone's page
STYLE = Path(__file__).with_name("house.mplstyle")
#: Two colours that stay apart in every colour vision (Okabe and Ito 2008, Color Universal Design).
NORMAL, ABNORMAL = "#0072B2", "#D55E00"
# Of two things: colour, mark and dash, so that grey prints tell too.
STROKES = ((NORMAL, "o", "-"), (ABNORMAL, "^", "--"))
CLASSES = ("normal", "abnormal")  # names of labels 0 and 1
# How a colour bar looks, and where it stands.
BAR: dict[str, Any] = {"aspect": 30, "extendfrac": 0.03}
#: How a colour bar below its picture looks.
BELOW = BAR | {"location": "bottom", "shrink": 0.8, "extend": "max"}
BESIDE = BAR | {"location": "right"}


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
        canvas = FigureCanvasAgg(self)
        with house_style():
            # Laid out at each drawing, the axes would creep, and two drawings differ.
            if engine := self.get_layout_engine():
                engine.execute(self)
                self.set_layout_engine("none")
            canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        # Covers the range of colours, where the default would give most to the dark background.
        cover = Image.Quantize.MAXCOVERAGE
        few = picture.quantize(colours, cover, dither=Image.Dither.NONE)
        return pack_image(few, "png", optimize=True)

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

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"image/png": self.png(), "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        # Once a notebook has imported pyplot, IPython would draw the figure with pyplot's settings.
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)


#: Draw in the house style, whatever the reader's own settings are; a decorator too.
house_style = partial(style.context, STYLE, after_reset=True)


def new_picture(
    rows: int, columns: int, height: float, title: str, **ratios: Sequence[float]
) -> tuple[Picture, np.ndarray]:
    """Return an empty :class:`Picture` and its axes, shape (rows, columns).

    Parameters
    ----------
    rows, columns : int
        Of the axes.
    height : float
        Inches.
    title : str
        Stands above them; none if empty.
    **ratios
        ``width_ratios`` of the columns, ``height_ratios`` of the rows.
    """
    picture = Picture(figsize=(WIDTH, height), layout="constrained")
    axes = picture.subplots(rows, columns, squeeze=False, gridspec_kw=dict(ratios))
    if title:
        picture.suptitle(title, weight="bold")
    return picture, axes


def pack_image(image: Image.Image, form: str, **how: float) -> bytes:
    """Return an image as the bytes of a file, such as a ``"png"``; `how` goes to Pillow's save."""
    packed = io.BytesIO()
    image.save(packed, form, **how)
    return packed.getvalue()


def to_bytes(values: npt.ArrayLike, top: float) -> np.ndarray:
    """Return values as bytes, 255 at `top`: an eighth of what floats would take.

    Examples
    --------
    >>> to_bytes([-1.0, 2.5, 9.0], top=5.0).tolist()
    [0, 128, 255]
    """
    return np.clip(np.rint(np.asarray(values) * (255 / top)), 0, 255).astype(np.uint8)
