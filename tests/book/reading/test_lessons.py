"""What an exam teaches is one sentence that agrees with its truth, and leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datkit.book.reading.chosen import Chosen, choose_exams
from datkit.book.reading.lessons import FINDINGS, teach

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def exams() -> dict[str, Chosen]:
    return choose_exams()


def test_each_exam_has_a_sentence_that_agrees_with_its_truth(exams: dict[str, Chosen]) -> None:
    for one in exams.values():
        lesson = teach(one)
        assert lesson.finding in FINDINGS
        assert 60 <= len(lesson.text) <= 240 and lesson.text.endswith("."), lesson.text
        if one.side != "none" and lesson.finding != "burst":
            assert re.search(rf"\b{one.side}\b", lesson.text), lesson.text
        if lesson.finding in ("normal", "mild", "focal"):
            assert one.label == 0, one.name
        if lesson.finding in ("egg", "one-sided", "burst", "blocked"):
            assert one.label == 1, one.name


def test_every_finding_is_taught_by_some_exam(exams: dict[str, Chosen]) -> None:
    assert {teach(one).finding for one in exams.values()} == {*FINDINGS}


def test_every_finding_leads_to_a_section_of_the_book() -> None:
    for _title, _train, page, section in FINDINGS.values():
        name, _, anchor = page.partition(".html")
        if name.startswith("notebooks/"):
            assert (REPOSITORY / f"{name}.ipynb").is_file() and not anchor
            continue
        text = (REPOSITORY / "book" / f"{name}.md").read_text(encoding="utf-8")
        assert f"\n## {section}\n" in text
        assert anchor == "#" + section.lower().replace(" ", "-")
