"""Measures beside their normal range: golden rows that a pencil can check."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.measure import MEASURES
from datkit.view.pages.report_table import (
    LABELS,
    NOT_SHOWN,
    OTHER,
    SBR,
    Row,
    measure_rows,
    measure_tables,
    summarise,
)


def test_every_measure_has_a_label_of_its_own() -> None:
    assert set(MEASURES) <= {*LABELS, *NOT_SHOWN}
    assert len(set(LABELS.values())) == len(LABELS) and not NOT_SHOWN & set(LABELS)
    assert measure_rows(dict.fromkeys(NOT_SHOWN, 1.0)) == []


def test_listed_measures_keep_the_order_of_the_page_and_others_come_last() -> None:
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
    assert (rows[0].low, rows[0].z) == (1.0, -4.0)
    assert np.isnan([rows[1].low, rows[1].high, rows[1].z]).all()
    assert summarise(rows) == "1 of 1 measures lies outside the normal range."


def test_what_is_drawn_lies_where_its_value_says() -> None:
    (table,) = measure_tables([Row("putamen L", SBR, 0.5, 2.0, 1.0, 4.0, z=-2.04)])
    assert [(tick["at"], tick["text"]) for tick in table["ticks"]] == [
        (0.0, "0"),
        (25.0, "1"),
        (50.0, "2"),
        (75.0, "3"),
        (100.0, "4"),
    ]
    assert table["rows"] == [
        {
            "label": "putamen L",
            "value": "0.50",
            "range": "1.00 to 4.00",
            "z": "−2.0",
            "side": "below",
            "at": 12.5,
            "expected": 50.0,
            "low": 25.0,
            "width": 75.0,
            "alt": "putamen L: 0.50, below the normal range of 1.00 to 4.00",
        }
    ]


def test_rows_of_one_unit_share_an_axis_and_asymmetry_has_zero_in_its_middle() -> None:
    rows = measure_rows({"caudate_left": 0.5, "putamen_left": 3.7, "caudate_asymmetry": -12.0})
    sbr, asymmetry = measure_tables(rows)
    assert len(sbr["rows"]) == 2 and sbr["ticks"][-1]["text"] == "4"
    assert {"at": 50.0, "text": "0"} in asymmetry["ticks"]
    assert asymmetry["rows"][0]["value"] == "−12.0" and asymmetry["rows"][0]["at"] < 50


@pytest.mark.parametrize("value", [np.nan, 0.0, -0.4, 1e6])
def test_no_value_leaves_the_axis(value: float) -> None:
    (table,) = measure_tables(measure_rows({"putamen_left": value}))
    (row,) = table["rows"]
    assert row["at"] is None if np.isnan(value) else 0 <= row["at"] <= 100
    assert (row["value"] == "–") == bool(np.isnan(value))


def test_measures_of_unknown_unit_share_no_axis() -> None:
    assert not measure_tables(measure_rows({"new_length": 31.0}))[0]["drawn"]
