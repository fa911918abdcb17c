"""Quality in words: every figure with its unit and its expected range."""

from __future__ import annotations

from datkit.view.pages.verdict import check_rows


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
