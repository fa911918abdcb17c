"""Live figures: a drawing area with its data, in a page of the book or as a page of its own.

In the book all figures of a page share their libraries (:mod:`datkit.view.sphinx`). A notebook in
JupyterLab, VS Code or Colab has no such page: there a figure is a frame that holds all it needs,
so that it moves with no network. Its still picture stands where none can run: on GitHub, in a
notebook that is not trusted, and for volumes on paper. ``static/`` holds the scripts that draw.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.metadata import distribution
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from datkit.view.canvas import Picture, house_style, new_picture

__all__ = ["draw_still", "figure_area", "figure_frame", "is_live", "vendored_files"]

HERE = Path(__file__).parent
STATIC = HERE / "static"
# What the kernels of JupyterLab and classic notebooks, of VS Code and of Colab are given by those
# who start them; papermill and nbclient, which make pages without a kernel, set none of them.
READERS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")
HEIGHT = 450  # pixels, unless the figure says
# Which library draws a kind of figure; the book serves both from _static/vendor.
LIBRARIES = {"plotly": "vendor/plotly.min.js", "niivue": "vendor/niivue.umd.js"}
VENDORED = tomllib.loads((HERE / "vendored.toml").read_text(encoding="utf-8"))


def is_live() -> bool:
    """Return whether a person sits before this kernel, and figures may move."""
    return any(name in os.environ for name in READERS)


def vendored_files() -> dict[str, Path]:
    """Return where each library lies on this machine, by its place in ``_static/vendor``.

    Examples
    --------
    >>> all(path.exists() for path in vendored_files().values())
    True
    """
    return {name: _installed(*where) for name, where in VENDORED.items()}


def _installed(wheel: str, path: str) -> Path:
    return Path(str(distribution(wheel).locate_file(path)))


def figure_area(kind: str, name: str, content: Mapping[str, Any], alt: str) -> str:
    """Return the HTML of a drawing area, with its data beside it.

    Parameters
    ----------
    kind : {"plotly", "niivue"}
        What draws it.
    name : str
        Its id, one of its own on the page.
    content : mapping
        What is drawn, as JSON can hold it.
    alt : str
        What one sees, for those who cannot.
    """
    height = (content.get("layout") or content).get("height") or HEIGHT
    # A literal `<` could end the script element early; JSON allows an escape in its place.
    body = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return _fill("area", kind=kind, name=name, alt=escape(alt), height=int(height), body=body)


def _fill(template: str, **words: object) -> str:
    return Template((HERE / f"{template}.html").read_text(encoding="utf-8")).substitute(words)


def to_base64(content: bytes) -> str:
    """Return bytes as text for a page's script: base64 of gzip, the same at every run."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


@cache
def _scripts(kind: str) -> str:
    """Return a kind's library and what draws with it, packed: base64 of gzip."""
    library = VENDORED[LIBRARIES[kind].removeprefix("vendor/")]
    sources = [_installed(*library), STATIC / f"dat-{kind}.js", STATIC / "dat-figures.js"]
    text = "\n;".join(path.read_text(encoding="utf-8") for path in sources)
    return to_base64(text.encode())


def figure_frame(kind: str, content: Mapping[str, Any], alt: str, still: bytes) -> str:
    """Return the HTML of a figure for a notebook: its still picture, and a frame that moves.

    Parameters
    ----------
    kind : {"plotly", "niivue"}
        What draws it.
    content : mapping
        What is drawn, as JSON can hold it.
    alt : str
        What one sees, for those who cannot.
    still : bytes
        A PNG of it.
    """
    area, alt = figure_area(kind, "figure", content, alt), escape(alt)
    page = _fill("figure", alt=alt, area=area, scripts=_scripts(kind))
    picture = base64.b64encode(still).decode("ascii")
    return _fill("frame", kind=kind, alt=alt, page=escape(page), still=picture)


@house_style()
def draw_still(figure: Mapping[str, Any]) -> Picture:
    """Draw the curves or slices that a plotly figure of this room shows at first.

    Parameters
    ----------
    figure : mapping
        ``data`` and ``layout``, as a notebook stores them.

    Examples
    --------
    >>> line = {"type": "scatter", "x": [0, 1], "y": [2, 3], "name": "a line"}
    >>> draw_still({"data": [line], "layout": {}}).axes[0].get_lines()[0].get_label()
    'a line'
    """
    layout = figure["layout"]
    shown = [trace for trace in figure["data"] if trace.get("visible", True) is True]
    places = sorted({trace.get("xaxis", "x") for trace in shown})
    picture, row = new_picture(1, len(places), 4.8, layout.get("title", {}).get("text", ""))
    for trace in shown:
        place = trace.get("xaxis", "x")
        x, y = (layout.get(f"{axis}axis{place[1:]}", {}) for axis in "xy")
        axes = row[0, places.index(place)]
        _draw(axes, trace)
        axes.set(xlabel=x.get("title", {}).get("text"), ylabel=y.get("title", {}).get("text"))
        axes.set_aspect("equal" if "scaleanchor" in y else "auto")
        axes.xaxis.set_inverted(x.get("autorange") == "reversed")
        for note in layout.get("annotations", []):
            if note["xref"] == f"{place} domain":  # the letters of left and right, in bold
                letter = note["text"].removeprefix("<b>").removesuffix("</b>")
                axes.text(note["x"], note["y"], letter, color="w", transform=axes.transAxes)
    return picture


def _draw(axes: Any, trace: Mapping[str, Any]) -> None:  # noqa: ANN401 untyped
    if "z" in trace:
        z = _array(trace["z"])
        sizes = {"x": z.shape[1], "y": z.shape[0]}
        at = [trace[f"{a}0"] + trace[f"d{a}"] * np.arange(n) for a, n in sizes.items()]
        axes.pcolormesh(*at, z, cmap="inferno", vmin=0, vmax=255)
    else:
        axes.plot(_array(trace["x"]), _array(trace["y"]), label=trace.get("name"))
        axes.legend()


def _array(values: Any) -> np.ndarray:  # noqa: ANN401 a list, or plotly's packed array
    if isinstance(values, Mapping):
        flat = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
        values = flat.reshape([int(n) for n in str(values.get("shape", flat.size)).split(",")])
    return np.asarray(values)
