"""A cohort at a glance: one thumbnail of every prepared exam, those to look at first."""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datkit.prepare.quality import describe
from datkit.view.canvas import TOP
from datkit.view.pages.page import data_uri, describe_sides, number, render_page, write_page
from datkit.view.slices import SLAB_MM, striatal_slab

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

    from datkit.prepare import PreparedCohort

__all__ = ["render_contact_sheet", "write_contact_sheet"]

LOOK = "Look at it"
ENLARGED = 3  # thumbnail pixels a voxel
QUALITY = 75  # of the WebP: about 4 kB an exam, and nothing lost to the eye


def write_contact_sheet(
    prepared: PreparedCohort, path: str | os.PathLike[str], title: str = "cohort"
) -> Path:
    """Write :func:`render_contact_sheet` to an HTML file that opens offline; return its path.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    return write_page(render_contact_sheet(prepared, title), path)


def render_contact_sheet(prepared: PreparedCohort, title: str = "cohort") -> str:
    """Return the contact sheet of a prepared cohort as HTML.

    Failed exams with their reason come first, then those whose verdict says to look at them, then
    the others by centre; in each group the least similar to the template lead. 1,400 exams take
    about 8 MB.

    Parameters
    ----------
    prepared : PreparedCohort
        Of :func:`datkit.prepare.prepare_cohort`. Without a column `centre` the good exams make one
        group.
    title : str
        What the cohort is.
    """
    return render_page(
        "contact_sheet.html",
        title=title,
        counts=f"{len(prepared)} exams prepared, {len(prepared.reasons)} to look at; "
        f"{len(prepared.failures)} could not be prepared.",
        slab=f"{np.ptp(SLAB_MM):g}",
        top=f"{TOP:g}",
        failures=prepared.failures,
        groups=_groups(prepared),
    )


def _groups(prepared: PreparedCohort) -> list[dict[str, Any]]:
    table = prepared.table
    centre = table.get("centre", pd.Series("Every exam", table.index))
    centre = centre.fillna("no centre given")
    names = centre.mask(table.index.isin(prepared.reasons), LOOK)
    order = sorted(set(names), key=lambda name: (name != LOOK, name))
    worst_first = table["similarity"].sort_values(kind="stable").index
    row_of = {uid: row for row, uid in enumerate(table.index)}
    return [
        {
            "name": name,
            "exams": [
                _card(uid, centre[uid], prepared, row_of[uid])
                for uid in worst_first
                if names[uid] == name
            ],
        }
        for name in order
    ]


def _card(uid: str, centre: str, prepared: PreparedCohort, row: int) -> dict[str, Any]:
    slab = striatal_slab(prepared.volumes[row])
    reasons = prepared.reasons.get(uid, [])
    return {
        "uid": uid,
        "centre": centre,
        "verdict": "look at it" if reasons else "good",
        "reasons": [describe(reason) for reason in reasons],
        "similarity": number(prepared.table["similarity"].iloc[row]),
        "uri": data_uri(_thumbnail(slab), "webp"),
        "alt": f"{uid}: {describe_sides(slab)}",
    }


def _thumbnail(slab: np.ndarray) -> bytes:
    import matplotlib
    from PIL import Image

    shares = np.clip(slab.T[::-1] / TOP, 0, 1)  # rows from front to back, left on the left
    picture = Image.fromarray(matplotlib.colormaps["inferno"](shares, bytes=True)).convert("RGB")
    size = tuple(ENLARGED * n for n in picture.size)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    _print_sides(picture)
    packed = io.BytesIO()
    picture.save(packed, format="webp", quality=QUALITY, method=4)
    return packed.getvalue()


def _print_sides(picture: Image) -> None:
    from PIL import ImageDraw

    style = {"fill": "white", "stroke_fill": "black", "stroke_width": 1, "font": _font()}
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    draw.text((6, height / 2), "L", anchor="lm", **style)
    draw.text((width - 6, height / 2), "R", anchor="rm", **style)


@cache
def _font() -> FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(str(path), 20)
