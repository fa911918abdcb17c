"""A plan's notebooks as slides: each slot with its first figure, then questions and answers.

A deck is one file: it needs no network, no server, and no script to be read from top to bottom::

    python -m datkit.book.workshop.pages --out build/workshop
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from datkit.book.student import Pages
from datkit.book.workshop.lessons import Lesson, tags, title_of
from datkit.book.workshop.plan import Part, Plan, Use, uses
from datkit.book.workshop.text import body_html, render, to_html

__all__ = ["Slide", "plan_slides", "slides_page"]

COVER = "three_shapes.png"
COVER_ALT = (
    "One axial slice of three simulated exams of one camera, left and right marked. Comma: both "
    "striata are long and bright. Egg: the tails have faded. Dot: two small, dim spots are left."
)


@dataclass(frozen=True)
class Slide:
    """One slide.

    Attributes
    ----------
    kind : str
        ``"part"``, ``"question"``, ``"answer"`` or ``"exercise"``.
    label, title : str
        What stands above, and its heading.
    text : str
        HTML.
    figure, alt : str
        A PNG as base64, and what one sees.
    """

    kind: str
    label: str
    title: str
    text: str
    figure: str = ""
    alt: str = ""


def _figure(cell: NotebookNode) -> str:
    """Return a cell's picture as base64; none, if it has no words."""
    if "mystnb" not in cell.metadata:
        return ""
    pictures = [one.get("data", {}).get("image/png", "") for one in cell.get("outputs", [])]
    return next((picture.replace("\n", "") for picture in pictures if picture), "")


def _picture(cells: list[NotebookNode], *, last: bool = False) -> dict[str, str]:
    """Return the first or the last figure of some cells, with its words."""
    drawn = [(figure, cell) for cell in cells if (figure := _figure(cell))]
    if not drawn:
        return {}
    figure, cell = drawn[-1 if last else 0]
    return {"figure": figure, "alt": cell.metadata.mystnb["image"]["alt"]}


def _lesson_slides(part: Part, use: Use, lesson: Lesson, when: str) -> Iterator[Slide]:
    cells = [cell for name in use.sections for cell in lesson.sections[name].cells]
    text = to_html(part.what, lesson.markdown)
    yield Slide("part", when, lesson.title, text, **_picture(cells))
    asked = 0
    for number, cell in enumerate(cells):
        if "prediction" in tags(cell):
            asked = number
            text = body_html(cell, lesson.markdown)
            yield Slide("question", lesson.title, "What do you expect?", text)
        elif "answer" in tags(cell):
            text, seen = body_html(cell, lesson.markdown), _picture(cells[asked:number], last=True)
            yield Slide("answer", lesson.title, "Answer", text, **seen)
        elif "exercise" in tags(cell) and title_of(cell) in use.exercises:
            blank = next(one for one in cells[number:] if "solution" in tags(one))
            label = f"{lesson.title}: your turn, cell [{lesson.numbers[blank.id]}]"
            yield Slide("exercise", label, title_of(cell), body_html(cell, lesson.markdown))


def plan_slides(plan: Plan, lessons: Mapping[str, Lesson]) -> Iterator[Slide]:
    """Yield the slides of a plan's slots, in order."""
    start, today = 0, plan.day[0]
    for day, part, use in uses(plan, lessons):
        start, today = (start if day is today else 0), day
        end = start + part.minutes
        when = f"Day {plan.day.index(day) + 1}, " if len(plan.day) > 1 else ""
        when += f"minutes {start} to {end}"
        if use:
            yield from _lesson_slides(part, use, lessons[part.notebook], when)
        else:
            yield Slide("part", when, part.what.removesuffix("."), "")
        start = end


def slides_page(plan: Plan, lessons: Mapping[str, Lesson], pages: Pages) -> str:
    """Return a plan's deck as one HTML page."""
    static = pages.book / "static"
    cover = base64.b64encode((static / COVER).read_bytes()).decode("ascii")
    return render(
        "slides.html",
        plan=plan,
        cover=cover,
        cover_alt=COVER_ALT,
        slides=[*plan_slides(plan, lessons)],
        style=(static / "dat-slides.css").read_text(encoding="utf-8"),
        script=(static / "dat-slides.js").read_text(encoding="utf-8"),
    )
