"""What a workshop prints: one page for participants, and the answers for whoever teaches."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from datkit.book.notebook import split_stub
from datkit.book.student import Markdown, Pages, without_glue
from datkit.book.workshop.lessons import Lesson, tags, title_of
from datkit.book.workshop.plan import Plan, uses
from datkit.book.workshop.slides import COVER, COVER_ALT
from datkit.book.workshop.text import body_html, render, to_html

__all__ = ["Answer", "answers_page", "handout_page"]

WORDS = ("striatum", "specific binding ratio", "reference region", "partial-volume effect",
         "log loss", "out of fold")  # fmt: skip
ENTRY = re.compile(r"^((?:\S.*\n)+)  (.+)$", re.M)  # of the glossary: terms, and what they mean
CLAIM = re.compile(r"^\d\. (.+(?:\n(?!\d\. ).+)*)", re.M)
SHOWN_WRONG = 3  # answers that the check has words for


@dataclass(frozen=True)
class Answer:
    """A question or an exercise with its answer: HTML, and for exercises code."""

    title: str
    asked: str
    answer: str = ""
    stub: str = ""
    solution: str = ""
    wrong: tuple[tuple[str, str], ...] = ()  # an answer, and what the check says to it


def _words(pages: Pages, markdown: Markdown) -> Iterator[tuple[str, str]]:
    """Yield the words to know, each with the glossary's own sentence."""
    text = (pages.book / "glossary.md").read_text(encoding="utf-8")
    meant = {term: said for terms, said in ENTRY.findall(text) for term in terms.splitlines()}
    for word in WORDS:
        first = re.split(r"(?<=\.) (?=[A-Z])", meant[word])[0]
        yield word, to_html(first, markdown)


def _claim(lesson: Lesson, number: int) -> str:
    [cell] = [cell for cell in lesson.notebook.cells if "claims" in tags(cell)]
    return to_html(CLAIM.findall(cell.source)[number - 1], lesson.markdown)


def handout_page(plan: Plan, lessons: Mapping[str, Lesson], pages: Pages) -> str:
    """Return the page for participants: the day, words, claims, and room for notes."""
    days: dict[int, list[tuple[str, str]]] = {}
    claims = []
    for day, part, use in uses(plan, lessons):
        slots = days.setdefault(plan.day.index(day), [])
        start = sum(one.minutes for one in day.part[: len(slots)])
        what = lessons[part.notebook].title if use else part.what.removesuffix(".")
        slots.append((f"{start}–{start + part.minutes}", what))
        if use and part.claim:
            claims.append(_claim(lessons[part.notebook], part.claim))
    static = pages.book / "static"
    return render(
        "handout.html",
        plan=plan,
        days=[*days.values()],
        words=[*_words(pages, Markdown(pages, {}))],
        claims=claims,
        cover=base64.b64encode((static / COVER).read_bytes()).decode("ascii"),
        cover_alt=COVER_ALT,
        style=(static / "dat-handout.css").read_text(encoding="utf-8"),
    )


def _wrong(check: NotebookNode) -> list[tuple[str, str]]:
    """Return answers that miss the point, each with the sentence of the check that says so."""
    nodes = (node for node in ast.walk(ast.parse(check.source)) if isinstance(node, ast.Constant))
    said = [node.value for node in nodes if isinstance(node.value, str)]
    given = [
        (wrong, part) for wrong, part in check.metadata["wrong"].items() if "None" not in wrong
    ]
    sentences = ((wrong, next((s for s in said if part in s), part)) for wrong, part in given)
    return [*sentences][:SHOWN_WRONG]


def _answers(cells: list[NotebookNode], lesson: Lesson) -> Iterator[Answer]:
    """Yield the questions and exercises of a notebook, in order."""
    for number, cell in enumerate(cells):
        after = cells[number:]
        if "prediction" in tags(cell):
            reply = next(one for one in after if "answer" in tags(one))
            asked, answer = (body_html(one, lesson.markdown) for one in (cell, reply))
            yield Answer("What do you expect?", asked, answer)
        elif "exercise" in tags(cell):
            filled, check = (
                next(one for one in after if tag in tags(one)) for tag in ("solution", "check")
            )
            yield Answer(
                title=f"Exercise: {title_of(cell)} (cell [{lesson.numbers[filled.id]}])",
                asked=body_html(cell, lesson.markdown),
                stub=split_stub(cell.source)[1],
                solution=without_glue(filled.source),
                wrong=(*_wrong(check),),
            )


def answers_page(plan: Plan, lessons: Mapping[str, Lesson], pages: Pages) -> str:
    """Return the answers to all that the notebooks of a plan ask."""
    names = dict.fromkeys(part.notebook for _, part, use in uses(plan, lessons) if use)
    static = pages.book / "static"
    return render(
        "answers.html",
        plan=plan,
        lessons=[
            (lessons[name].title, [*_answers(lessons[name].notebook.cells, lessons[name])])
            for name in names
        ],
        style=(static / "dat-handout.css").read_text(encoding="utf-8"),
    )
