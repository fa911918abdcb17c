"""A cohort at a glance: one thumbnail of every prepared exam, those to look at first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, ImageOps

from datkit.measure.definitions import DEFINITIONS
from datkit.measure.exam import measure_volume
from datkit.measure.regions import shifts_of
from datkit.prepare.cohort import PreparedCohort
from datkit.prepare.exam import tell_reading
from datkit.prepare.quality import TRACER, advise
from datkit.view.canvas import TOP, pack_image
from datkit.view.pages.page import data_uri, describe_sides, number, render_page, write_page
from datkit.view.planes import sides_of
from datkit.view.slices import SLAB_MM, striatal_slab

__all__ = ["render_contact_sheet", "write_contact_sheet"]

LOOK = "Look at it"
ENLARGED = 3  # thumbnail pixels a voxel
FONT = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans-Bold.ttf"), 20)
QUALITY = 75  # of the WebP: about 4 kB an exam, and nothing lost to the eye


def write_contact_sheet(
    prepared: PreparedCohort,
    path: str | os.PathLike[str],
    title: str = "cohort",
    *,
    radiological: bool = False,
) -> Path:
    """Write :func:`render_contact_sheet` to an HTML file that opens offline; return its path.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    return write_page(render_contact_sheet(prepared, title, radiological=radiological), path)


def render_contact_sheet(
    prepared: PreparedCohort, title: str = "cohort", *, radiological: bool = False
) -> str:
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
    radiological : bool
        Draw the patient's left on the right, as hospitals do.
    """
    return render_page(
        "contact_sheet.html",
        title=title,
        prepared=prepared,
        slab=f"{np.ptp(SLAB_MM):g}",
        top=f"{TOP:g}",
        tracer=TRACER,
        radiological=radiological,
        groups=_groups(prepared, radiological),
    )


def _groups(prepared: PreparedCohort, radiological: bool) -> dict[str, list[dict[str, object]]]:
    table = prepared.table
    centres = table.get("centre", pd.Series("Every exam", table.index)).fillna("no centre given")
    names = centres.mask(table.index.isin(prepared.reasons), LOOK)
    order = sorted(set(names), key=lambda name: (name != LOOK, name))
    groups: dict[str, list[dict[str, object]]] = {name: [] for name in order}
    for row in np.argsort(table["similarity"], kind="stable"):
        slab, uid = striatal_slab(prepared.volumes[row]), table.index[row]
        card = {
            "uid": uid,
            "centre": centres.iloc[row],
            "reasons": [advise(reason) for reason in prepared.reasons.get(uid, [])],
            "as_read": tell_reading(dict(table.iloc[row])),
            "similarity": table["similarity"].iloc[row],
            "measures": list(_measures(prepared, row)),
            "uri": data_uri(_thumbnail(slab, radiological), "webp"),
            "sides": describe_sides(slab),
        }
        groups[names.iloc[row]].append(card)
    return groups


def _measures(prepared: PreparedCohort, row: int) -> Iterator[str]:
    """Yield the measures whose definition names this page; without any, nothing is measured."""
    if shown := [one for one in DEFINITIONS.values() if "contact sheet" in one.shown]:
        found = measure_volume(prepared.volumes[row], shifts_of(dict(prepared.table.iloc[row])))
        for one in shown:
            value = number(found[one.name], one.kind.digits, signed=one.kind.signed)
            yield f"{one.label} {value} {one.kind.unit}".rstrip()


def _thumbnail(slab: np.ndarray, radiological: bool) -> bytes:
    shares = np.clip(slab.T[::-1] / TOP, 0, 1)  # rows from front to back, left on the left
    picture = Image.fromarray(matplotlib.colormaps["inferno"](shares, bytes=True)).convert("RGB")
    width, height = (ENLARGED * size for size in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    sides = sides_of("axial", radiological)
    picture = ImageOps.mirror(picture) if sides[0] == "R" else picture
    draw = ImageDraw.Draw(picture)
    for side, x, anchor in zip(sides, (6, width - 6), ("lm", "rm"), strict=True):
        place = (x, height / 2)
        draw.text(place, side, "white", FONT, anchor, stroke_width=1, stroke_fill="black")
    return pack_image(picture, "webp", quality=QUALITY, method=4)
