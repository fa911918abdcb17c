"""Quality in words: every reason of a verdict has its advice, every figure its expected range."""

from __future__ import annotations

import pytest

from datkit.prepare.quality import EXPECTED
from datkit.view.pages.verdict import ADVICE, ANY_ADVICE, CHECKS, check_rows, explain_verdict


@pytest.mark.parametrize("name", EXPECTED)
def test_each_check_of_preparation_has_words_and_advice(name: str) -> None:
    ((reason, advice),) = explain_verdict(f"look at it: {name} is 9.00, expected 0 to 1")
    assert reason == f"{CHECKS[name][0]} is 9.00, expected 0 to 1"
    assert advice == ADVICE[name]


def test_several_reasons_stay_several() -> None:
    found = explain_verdict("look at it: scale is 2.00, expected 0.75 to 1.15; new_check is odd")
    assert found == [
        ("head size is 2.00, expected 0.75 to 1.15", ADVICE["scale"]),
        ("new_check is odd", ANY_ADVICE),
    ]
    assert explain_verdict("good") == []


def test_reasons_that_are_sentences_keep_their_words() -> None:
    reason = "a striatum lies 12.0 mm from its place, expected 0 to 11"
    assert explain_verdict(f"look at it: {reason}") == [(reason, ADVICE["a striatum"])]


def test_figures_show_what_was_expected_and_whether_they_failed() -> None:
    figures = {"scale": 1.4, "reference": 12345.6, "fallback": "none", "verdict": "good"}
    rows = [tuple(row.values()) for row in check_rows(figures)]
    assert rows == [
        ("head size (template = 1)", "1.40", "0.75 to 1.15", True),
        ("reference (scan’s unit)", "12346", "", False),
        ("help for registration", "none", "", False),
    ]


def test_a_note_joins_its_figure_and_a_shift_becomes_a_distance() -> None:
    figures = {"hottest": 5.31, "hottest_in": "border"}
    figures |= {"left_shift_x": 2.0, "left_shift_y": -2.0, "left_shift_z": 1.0}
    rows = [(row["label"], row["found"]) for row in check_rows(figures)]
    assert rows == [
        ("hottest voxel (reference = 1)", "5.31, border"),
        ("left striatum moved by (mm)", "3.0"),
    ]
