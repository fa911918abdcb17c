"""Questions: what is wrong with one is told, and those of the book are whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils.nodes import make_id

from datkit.book.quiz.questions import ELSE, Question, read_question
from datkit.errors import DatkitError

REPOSITORY = Path(__file__).resolve().parents[3]
CHAPTERS = REPOSITORY / "book" / "chapters"
PARTS = ("see", "simulate", "model", "practice")
BLOCK = re.compile(r"^```\{question\} (\S+)\n:learn: (\S+)\n(.*?)^```$", re.S | re.M)
GOOD = "Odd?\n\n- [ ] Two\n  - It is even.\n- [x] Three\n  - It is\n    odd.\n\nEvery second one."


def test_a_question_is_read_as_it_is_written() -> None:
    question = read_question(GOOD)
    assert (question.asked, question.why, question.kind) == ("Odd?", "Every second one.", "one")
    assert [one.right for one in question.choices] == [False, True]
    assert question.choices[1].feedback == "It is odd."
    both = read_question(GOOD.replace("[ ]", "[x]"))
    assert both.kind == "several"


def test_a_number_has_a_tolerance() -> None:
    text = "How much?\n\n- [x] −2.5 ± 0.1\n  - Yes.\n- [ ] anything else\n  - No.\n\nSo."
    question = read_question(text)
    assert question.kind == "number" and question.choices[0].number == (-2.5, 0.1)
    assert question.choices[1].number is None


FAULTS = {
    "asked": (GOOD.removeprefix("Odd?"), "a question before its choices"),
    "why": (GOOD.removesuffix("Every second one."), "a sentence after the choices"),
    "right": (GOOD.replace("[x]", "[ ]"), "a right choice"),
    "silent": (GOOD.replace("  - It is even.\n", ""), "feedback"),
    "twice": (GOOD.replace("Three", "Two"), "choices that differ"),
    "few": ("Odd?\n\n- [x] Three\n  - Yes.\n\nSo.", "at least 2 choices"),
    "else": ("N?\n\n- [x] 1 ± 0.1\n  - Yes.\n- [ ] 2 ± 0.1\n  - No.\n\nSo.", ELSE),
    "mixed": ("N?\n\n- [x] 1 ± 0.1\n  - Y.\n- [ ] two\n  - N.\n- [ ] anything else\n  - N.\n\nSo.",
              "numbers as"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_told(fault: str) -> None:
    text, words = FAULTS[fault]
    with pytest.raises(DatkitError, match=re.escape(words)):
        read_question(text, "the question 'q'")


def of_the_book() -> Iterator[tuple[str, str, Question]]:
    """Yield name, link and content of each question in the book's chapters."""
    for path in sorted(CHAPTERS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        found = BLOCK.findall(text)
        assert len(found) == text.count("```{question}"), f"{path.name}: a question without :learn:"
        for name, learn, body in found:
            body = re.sub(r"\A:unit:.*\n", "", body)
            yield name, learn, read_question(body, name)


def test_every_part_has_as_many_questions_before_as_after() -> None:
    names = [name for name, _, _ in of_the_book()]
    assert len(set(names)) == len(names)
    for part in PARTS:
        before, after = (
            [name for name in names if name.startswith(f"{part}-{when}-")]
            for when in ("before", "after")
        )
        assert len(before) == len(after) >= 5, part
    assert len({question.asked for _, _, question in of_the_book()}) == len(names)


def test_every_choice_has_a_sentence_and_the_right_one_has_no_fixed_place() -> None:
    places = set()
    for name, _, question in of_the_book():
        for one in [*(choice.feedback for choice in question.choices), question.why]:
            assert len(one) > 15 and one.endswith((".", "?")), f"{name}: {one!r}"
        if question.kind == "one":
            places.add([choice.right for choice in question.choices].index(True))
    assert len(places) >= 3


def headings(page: str) -> set[str] | None:
    """Return the anchors of a page's headings, None if there is no such page."""
    path = REPOSITORY / "book" / f"{page}.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif (path := REPOSITORY / f"{page}.ipynb").is_file():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    else:
        return None
    return {make_id(heading) for heading in re.findall(r"^#{2,4} (.+)$", text, re.M)}


def test_every_question_leads_to_a_section_that_is_there() -> None:
    for name, learn, _ in of_the_book():
        page, _, anchor = learn.partition("#")
        found = headings(page)
        assert found is not None, f"{name}: no page {page}"
        assert anchor in found, f"{name}: no section {anchor} in {page}"
