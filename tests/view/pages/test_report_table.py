"""The tables of a report: golden rows that a pencil can check, figures with their unit."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.measure.definitions import ASYMMETRY, DEFINITIONS, SBR, Measure, add, forget
from datkit.view.pages.report_table import (
    OTHER,
    Row,
    Table,
    check_rows,
    measure_rows,
    measure_tables,
    summarise,
)


def test_every_measure_that_a_report_shows_has_a_label_of_its_own() -> None:
    shown = [one for one in DEFINITIONS.values() if "report" in one.shown]
    assert len({(one.label, one.kind) for one in shown}) == len(shown)
    rows = measure_rows(dict.fromkeys(DEFINITIONS, 1.0))
    assert [(row.label, row.kind) for row in rows] == [(one.label, one.kind) for one in shown]


def test_a_new_measure_is_a_row_from_its_one_entry() -> None:
    add(Measure("putamen_highest", "putamen, stronger side", SBR, lambda both: 0.0))
    try:
        (row,) = measure_rows({"putamen_highest": 3.5})
    finally:
        forget("putamen_highest")
    assert (row.label, row.kind, row.value) == ("putamen, stronger side", SBR, 3.5)


def test_listed_measures_keep_the_order_of_the_registry_and_others_come_last() -> None:
    rows = measure_rows({"zeta": 1, "putamen_left": 2, "alpha": 3, "caudate_left": 4})
    assert [row.label for row in rows] == ["caudate L", "putamen L", "zeta", "alpha"]
    assert rows[-1].kind is OTHER


@pytest.mark.parametrize(
    ("value", "side"),
    [(0.99, "below"), (1.0, ""), (3.0, ""), (3.01, "above"), (np.nan, "")],
)
def test_the_range_includes_its_ends(value: float, side: str) -> None:
    assert Row("putamen L", SBR, value, low=1.0, high=3.0).side == side
    assert Row("putamen L", SBR, value).side == ""


def test_measures_without_normals_have_no_range(normal_table) -> None:
    rows = measure_rows({"caudate_left": 0.5, "caudate_right": 0.5}, normal_table)
    assert (rows[0].low, rows[0].z, rows[0].ranged) == (1.0, -4.0, True)
    assert np.isnan([rows[1].low, rows[1].high, rows[1].z]).all() and not rows[1].ranged
    assert summarise(rows) == "1 of 1 measures lies outside the range of simulated normal exams."
    mine = summarise(rows, "normal exams of mine.json")
    assert mine == "1 of 1 measures lies outside the range of normal exams of mine.json."


def test_what_is_drawn_lies_where_its_value_says() -> None:
    row = Row("putamen L", SBR, 0.5, 2.0, 1.0, 4.0, z=-2.04)
    (table,) = measure_tables([row])
    assert table.rows == [row] and table.drawn
    assert table.ticks.tolist() == [0, 1, 2, 3, 4]
    assert [table.place(tick) for tick in table.ticks] == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert (table.place(row.value), table.place(row.expected)) == (12.5, 50.0)


def test_rows_of_one_unit_share_an_axis_and_asymmetry_has_zero_in_its_middle() -> None:
    rows = measure_rows({"caudate_left": 0.5, "putamen_left": 3.7, "caudate_asymmetry": -12.0})
    sbr, asymmetry = measure_tables(rows)
    assert (sbr.kind, asymmetry.kind) == (SBR, ASYMMETRY)
    assert len(sbr.rows) == 2 and sbr.ticks[-1] == 4
    assert asymmetry.place(0.0) == 50.0 and asymmetry.place(asymmetry.rows[0].value) < 50


@pytest.mark.parametrize("value", [0.0, -0.4, 1e6])
def test_no_value_leaves_the_axis(value: float) -> None:
    (table,) = measure_tables(measure_rows({"putamen_left": value}))
    assert 0 <= table.place(value) <= 100


def test_what_was_not_measured_has_no_place() -> None:
    (table,) = measure_tables(measure_rows({"putamen_left": np.nan}))
    assert table.place(table.rows[0].value) is None


def test_measures_of_unknown_unit_share_no_axis() -> None:
    (table,) = measure_tables(measure_rows({"new_length": 31.0}))
    assert isinstance(table, Table) and not table.drawn


def test_figures_show_what_was_expected_and_whether_they_failed() -> None:
    figures = {"scale": 1.4, "reference": 12345.6, "fallback": "none", "verdict": "good"}
    assert [tuple(row) for row in check_rows(figures)] == [
        ("head size (template = 1)", "1.40", "0.75 to 1.15", True),
        ("reference (scan’s unit)", "12346", "", False),
        ("help for registration", "none", "", False),
    ]


def test_a_note_joins_its_figure_and_a_shift_becomes_a_distance() -> None:
    figures = {"hottest": 5.31, "hottest_in": "border"}
    figures |= {"left_shift_x": 2.0, "left_shift_y": -2.0, "left_shift_z": 1.0}
    figures |= {"right_shift_x": 0.0, "right_shift_y": -4.0, "right_shift_z": 3.0}
    assert [(row.label, row.found) for row in check_rows(figures)] == [
        ("hottest voxel (reference = 1)", "5.31, border"),
        ("left striatum moved by (mm)", "3.0"),
        ("right striatum moved by (mm)", "5.0"),
    ]
