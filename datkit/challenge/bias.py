"""The BIAS design form, filled in from ``challenge.yaml``: what reviewers of a challenge ask.

Its items, what each asks and which field answers it stand in ``bias.toml``. What the file does not
say is left to the organisers, who write it beside the item's number under ``design``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.problems import shown

if TYPE_CHECKING:
    from datkit.challenge.description import Challenge

__all__ = ["ITEMS", "bias_form"]

FORM = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ITEMS = {one["number"]: one for section in FORM["section"] for one in section["item"]}


def _plain(value: object) -> str:
    """Return a value on one line, in which Markdown and HTML find nothing to obey."""
    marks = r"([\\`*_\[\]<>&|#~${}@]|:(?=//)|(?<=www)\.)"  # an address is a link in some readers
    return re.sub(marks, r"\\\1", shown(" ".join(str(value).split())))


def bias_form(
    challenge: Challenge, exams: Mapping[str, int] | None = None
) -> tuple[str, list[str]]:
    """Return the form as Markdown, and the numbers of the items that are left to the organisers.

    Parameters
    ----------
    challenge : Challenge
        Its ``design`` goes before what its other fields say of an item.
    exams : mapping of str to int, optional
        How many exams each set has.

    Examples
    --------
    >>> from datkit.challenge import load_challenge
    >>> form, left = bias_form(load_challenge("dat-park"))
    >>> len(ITEMS), left[:3]
    (57, ['3', '4b', '6a'])
    """
    from jinja2 import Environment, StrictUndefined

    texts = Environment(finalize=_plain, undefined=StrictUndefined)
    fields = {**dict(challenge), "dated": challenge.dated, "exams": exams}
    lines, left = [], []
    for section in FORM["section"]:
        lines += [f"## {section['title']}"]
        for one in section["item"]:
            answer = _plain(challenge.design.get(one["number"], "")) or " ".join(
                texts.from_string(one.get("answer", "")).render(fields).split()
            )
            left += [] if answer else [one["number"]]
            lines += [f"**{one['number']} {one['item']}.** *{one['asks']}*"]
            answer = re.sub(r"^(\d*)(?=[-+=:.)(%])", r"\1\\", answer)  # no list or target
            lines += [answer or "To be filled by the organisers."]
    head = FORM["head"].format(title=_plain(challenge.title), left=len(left), all=len(ITEMS))
    return "\n\n".join([head.strip(), *lines]) + "\n", left
