"""Pages that are whole in one file: no script, no network; on a screen, a phone and paper.

The templates lie in ``pages/``. Whatever is put into one is escaped, since a file's name or a
table's text may hold anything; a page's own security policy refuses every address but the page's.
"""

from __future__ import annotations

import base64
import os
from functools import cache
from pathlib import Path
from typing import Any

from datkit import NOT_CLINICAL
from datkit.files import replace_atomically

__all__ = ["NOT_CLINICAL", "data_uri", "number", "render_page", "write_page"]

PAGES = Path(__file__).parent


def render_page(template: str, **values: Any) -> str:
    """Fill a template of ``pages/``; a value that it lacks is an error, never a blank.

    Examples
    --------
    >>> page = render_page("base.html", title="<b>7</b>.nii")
    >>> "<title>&lt;b&gt;7&lt;/b&gt;.nii</title>" in page
    True
    """
    return _environment().get_template(template).render(not_clinical=NOT_CLINICAL, **values)


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page atomically, as UTF-8 with the same bytes on every system; return its path.

    Raises
    ------
    OSError
        If the file cannot be written; an older file stays as it was.
    """
    with replace_atomically(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
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


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
