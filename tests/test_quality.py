"""Quality in words: every reason of a verdict has its advice, every figure its expected range."""

from __future__ import annotations

import pytest

from datkit.prepare.exam import EXPECTED, _verdict
from datkit.view.quality import ADVICE, ANY_ADVICE, CHECKS, check_rows, explain_verdict


@pytest.mark.parametrize("name", EXPECTED)
def test_each_check_of_preparation_has_words_and_advice(name: str) -> None:
    quality = {key: low for key, (low, _) in EXPECTED.items()}
    quality[name] = EXPECTED[name][1] + 100
    ((reason, advice),) = explain_verdict(_verdict(quality))
    assert reason.startswith(f"{CHECKS[name][0]} is {quality[name]:.2f}")
    assert advice == ADVICE[name]


def test_several_reasons_stay_several() -> None:
    found = explain_verdict("look at it: scale is 2.00, expected 0.75 to 1.15; new_check is odd")
    assert found == [
        ("size of the head is 2.00, expected 0.75 to 1.15", ADVICE["scale"]),
        ("new_check is odd", ANY_ADVICE),
    ]
    assert explain_verdict("good") == []


def test_figures_show_what_was_expected_and_whether_they_failed() -> None:
    figures = {"scale": 1.4, "reference": 12345.6, "fallback": "none", "verdict": "good"}
    rows = [tuple(row.values()) for row in check_rows(figures)]
    assert rows == [
        ("size of the head (template = 1)", "1.40", "0.75 to 1.15", True),
        ("reference uptake (scan’s unit)", "12346", "", False),
        ("fallback", "none", "", False),
    ]
