"""A measure of one entry, added here and nowhere else, is shown and learnt from everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bs4 import BeautifulSoup

from datkit.errors import UsageError
from datkit.measure import MEASURES, SBR_MEASURES, UNITS, measure_cohort, measure_volume
from datkit.measure.definitions import DEFINITIONS, Kind, Measure, Striata, add, forget
from datkit.models import MeasuresClassifier
from datkit.prepare import PreparedCohort
from datkit.view.pages.contact_sheet import render_contact_sheet
from datkit.view.pages.report import render

NAME = "total_uptake"
KIND = Kind("total", "Total uptake (mL)", "total uptake (mL)", "mL", digits=1)


def total(both: Striata) -> float:
    """What both boxes hold above non-specific uptake, in mL of it: voxels have 0.008 mL."""
    return float(sum((side.box - 1).sum() for side in both) * 0.008)


@pytest.fixture(autouse=True)
def measure():
    """The measure, for one test: on both pages, and nothing knows it afterwards."""
    before = list(MEASURES), dict(UNITS)
    add(Measure(NAME, "both striata", KIND, total, shown=("report", "contact sheet")))
    yield
    forget(NAME)
    assert (list(MEASURES), dict(UNITS)) == before and NAME not in DEFINITIONS


@pytest.fixture
def few(prepared_tiny) -> PreparedCohort:
    table = prepared_tiny.table.iloc[:6]
    return PreparedCohort(prepared_tiny.volumes[:6], table)


def test_it_is_in_every_table_and_a_model_learns_from_it(few):
    table = measure_cohort(few)
    assert list(table.columns) == MEASURES and MEASURES[-1] == NAME and UNITS[NAME] == "mL"
    assert (table[NAME] > 5).all() and np.isfinite(table[NAME]).all()
    labels = np.arange(6) % 2
    assert MeasuresClassifier(columns=[NAME]).fit(table, labels).coef_.shape == (1,)
    assert NAME not in MeasuresClassifier().fit(table, labels).feature_names_in_  # not classical


def test_it_has_its_table_in_a_report(exam_report):
    measures = measure_volume(exam_report.prepared.volume)
    page = BeautifulSoup(render(replace(exam_report, measures=measures)), "html.parser")
    words = " ".join(page.get_text(" ").split())
    assert "Total uptake (mL)" in words and f"both striata {measures[NAME]:.1f}" in words


def test_it_stands_below_each_exam_of_a_contact_sheet(few):
    page = BeautifulSoup(render_contact_sheet(few), "html.parser")
    table = measure_cohort(few)
    for figure in page.select("figure.exam"):
        words = " ".join(figure.get_text(" ").split())
        assert f"both striata {table.loc[figure.b.text, NAME]:.1f} mL" in words
    assert len(page.select("figure.exam")) == 6


def test_a_taken_name_is_refused_and_nothing_is_entered():
    before = dict(DEFINITIONS), list(SBR_MEASURES)
    twin = DEFINITIONS["putamen_left"]
    with pytest.raises(UsageError, match="new names, found 'putamen_left' twice"):
        add(twin)
    assert (dict(DEFINITIONS), list(SBR_MEASURES)) == before


def test_all_that_is_wrong_with_measures_is_told_and_nothing_is_entered():
    before = dict(DEFINITIONS)
    good = Measure("peak", "striatum", KIND, total)
    with pytest.raises(UsageError) as caught:
        add(good, replace(good, kind="sbr", side="both"), replace(good, name="far", shown="report"))
    assert [(one.code, one.where, one.found) for one in caught.value.problems] == [
        ("name-taken", "measures", "'peak' twice"),
        ("kind", "peak", "'sbr'"),
        ("side", "peak", "'both'"),
        ("shown", "far", "'report'"),
    ]
    assert dict(DEFINITIONS) == before
    with pytest.raises(UsageError, match="'left', 'right' or '', found 'both'. Correct it"):
        add(replace(good, side="both"))
    with pytest.raises(UsageError, match="MEASURES to forget, found 'peak'"):
        forget("peak")
