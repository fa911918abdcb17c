"""Pages that are whole in one file: no script, no network; on a screen, a phone and paper.

The templates lie in ``pages/``. Whatever is put into one is escaped, since a file's name or a
table's text may hold anything, and what turns round or hides a text is shown as an escape; a page's
own security policy refuses every address but the page's.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from datkit import NOT_CLINICAL, __version__
from datkit.files import replace_atomically
from datkit.problems import shown

__all__ = ["data_uri", "describe_sides", "number", "render_page", "write_page"]

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(template: str, **values: object) -> str:
    """Fill a template of ``pages/``; a value that it lacks is an error, never a blank.

    Examples
    --------
    >>> page = render_page("base.html", title="<b>7</b>.nii")
    >>> "<title>&lt;b&gt;7&lt;/b&gt;.nii</title>" in page
    True
    """
    return shown(_pages.get_template(template).render(values), "\n")


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page atomically, as UTF-8 with the same bytes on every system; return its path.

    Raises
    ------
    OSError
        If the file cannot be written; an older file stays as it was.
    """
    with replace_atomically(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return Path(path)


def data_uri(picture: bytes, kind: str = "png") -> str:
    """Return a picture as an address that holds the picture itself.

    Examples
    --------
    >>> data_uri(b"pixels")
    'data:image/png;base64,cGl4ZWxz'
    """
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a number for reading: a true minus sign, and a dash where nothing was measured.

    Examples
    --------
    >>> number(-2.345), number(2, 1, signed=True), number(-0.001), number(float("nan"))
    ('−2.35', '+2.0', '0.00', '–')
    """
    if value != value:
        return "–"
    value = round(float(value), digits) + 0.0  # −0.0 becomes 0.0
    return format(value, f"{'+' if signed and value else ''}.{digits}f").replace("-", "−")


def describe_sides(plane: np.ndarray) -> str:
    """Say how hot each side of an axial picture is: what its alternative text can tell.

    Examples
    --------
    >>> describe_sides(np.array([[1.0, 4.8], [1.0, 3.2]]))
    'highest uptake 4.8 in the left hemisphere, 3.2 in the right'
    """
    middle = len(plane) // 2
    left, right = (number(half.max(), 1) for half in (plane[:middle], plane[middle:]))
    return f"highest uptake {left} in the left hemisphere, {right} in the right"


_pages.filters["number"] = number
_pages.globals |= {"not_clinical": NOT_CLINICAL, "version": __version__}
