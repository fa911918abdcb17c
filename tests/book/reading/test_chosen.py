"""The exams of the reading trainer are what their table says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from datkit.book.reading.chosen import AGAIN, Chosen, choose_exams, order_presentations
from datkit.simulate.readers import THRESHOLD

CHAPTER = Path(__file__).resolve().parents[3] / "book" / "chapters" / "reading.md"


@pytest.fixture(scope="module")
def exams() -> dict[str, Chosen]:
    return choose_exams()


def test_each_block_holds_eight_of_each_kind(exams: dict[str, Chosen]) -> None:
    assert list(exams) == [f"e{number:02d}" for number in range(1, 49)]
    counts = Counter((one.block, one.kind) for one in exams.values())
    assert set(counts.values()) == {8} and len(counts) == 6
    assert len({one.drawn.uid for one in exams.values()}) == 48


def test_a_kind_is_what_truth_and_readers_make_of_it(exams: dict[str, Chosen]) -> None:
    for one in exams.values():
        reading, defect = one.drawn.reading, one.drawn.patient.loss.defect
        sure = not reading.difficult and set(reading.votes) == {one.label} and not defect
        if one.kind == "hard":
            assert not sure, one.name
        else:
            assert sure and one.label == (one.kind == "abnormal"), one.name


def test_half_of_the_hard_exams_are_abnormal(exams: dict[str, Chosen]) -> None:
    assert sum(one.label for one in exams.values()) == 24
    assert sum(one.label for one in exams.values() if one.kind == "hard") == 8


def test_they_come_from_most_cameras_and_no_head_moved(exams: dict[str, Chosen]) -> None:
    acquisitions = [one.drawn.acquisition for one in exams.values()]
    assert len({each.centre.name for each in acquisitions}) >= 12
    assert all(each.motion is None and each.edge == 0 for each in acquisitions)


def test_a_patient_on_another_camera_is_the_same_patient_in_another_block(
    exams: dict[str, Chosen],
) -> None:
    first = {one.index: one for one in exams.values() if not one.centre}
    twins = [one for one in exams.values() if one.centre]
    assert len(twins) == 6
    for twin in twins:
        other = first[twin.index]
        assert (other.block, twin.block) == (1, 2) and other.kind == twin.kind
        assert twin.drawn.patient.loss == other.drawn.patient.loss
        assert twin.drawn.acquisition.centre.name == twin.centre
        assert other.drawn.acquisition.centre.name != twin.centre
        assert (twin.label, twin.grade, twin.side) == (other.label, other.grade, other.side)


def test_twelve_are_read_again_in_another_order(exams: dict[str, Chosen]) -> None:
    order = order_presentations(exams)
    assert [one["exam"] for one in order[:48]] == list(exams)
    again = [one["exam"] for one in order[48:]]
    assert {one["block"] for one in order[48:]} == {AGAIN} and again != sorted(again)
    assert Counter(exams[name].kind for name in again) == {"normal": 4, "abnormal": 4, "hard": 4}


def test_grade_and_side_are_the_truth(exams: dict[str, Chosen]) -> None:
    for one in exams.values():
        left = one.fractions
        assert (one.grade > 0) == bool(one.label) == (left["fraction"] < THRESHOLD)
        if one.side != "none":
            loss = one.drawn.patient.loss.sides
            other = {"left": "right", "right": "left"}[one.side]
            assert loss[one.side].back < loss[other].back
        if one.grade == 1:
            assert left["other"] >= THRESHOLD and one.side != "none", one.name
    assert {one.grade for one in exams.values()} == {0, 1, 2, 3}
    assert {one.side for one in exams.values()} == {"left", "right", "none"}


def test_the_chapter_tells_rightly_which_exams_differ_from_their_label(
    exams: dict[str, Chosen],
) -> None:
    """It counts within blocks, as the trainer's headings do."""
    lines = re.findall(r"^- \*(Block.+?)\*: (\w+)", CHAPTER.read_text(encoding="utf-8"), re.M)
    told = {"abnormal": 1, "normal": 0}
    for places, word in lines:
        for block, numbers in re.findall(r"lock (\d), exams? ([\d and,]+)", places):
            for number in map(int, re.findall(r"\d+", numbers)):
                one = exams[f"e{number + 24 * (int(block) - 1):02d}"]
                assert one.label == told.get(word, 1), (places, number)
    assert len(lines) == 7
