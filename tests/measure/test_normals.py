"""The normal reference: fitted with a pencil, shipped, rebuilt, and what it says of an exam."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import datkit
from benchmarks.resources import normals as build_normals
from datkit.errors import UsageError
from datkit.measure import MEASURES, measure_cohort, measure_prepared
from datkit.measure.normals import (
    ANY,
    compare_with_normals,
    fit_normals,
    load_normals,
    reconstruction_type,
)

SHIPPED = Path(datkit.__file__).parent / "resources" / "normals.json"
OSEM = "OSEM 4 x 6, 6 mm filter, attenuation (map), scatter"


def test_a_line_by_pencil():
    """Men of 55 and 75 years: 2.5 ± 10 % and 2.0 ± 10 %. Asymmetry: 1 ± 2 %, whatever the age.

    Women have the same. Eight exams less three fitted numbers leave five degrees of freedom.
    """
    ages, sexes = [55, 55, 75, 75] * 2, list("MMMMFFFF")
    table = {"putamen_left": [2.25, 2.75, 1.8, 2.2] * 2, "putamen_asymmetry": [-1, 3] * 4}
    resolutions = [9, 10, 11, np.nan] * 2
    fit = fit_normals(pd.DataFrame(table), ages, sexes, resolutions)
    assert (fit["n"], fit["ages"], fit["resolution"]) == (8, [55, 75], [9, 11])
    sbr = {"men": 2.25, "year": -0.025, "women": 0, "sd": 0.1 * np.sqrt(8 / 5)}
    assert fit["measures"]["putamen_left"] == pytest.approx(sbr, rel=1e-4, abs=1e-9)
    uneven = {"men": 1, "year": 0, "women": 0, "sd": 2 * np.sqrt(8 / 5)}
    assert fit["measures"]["putamen_asymmetry"] == pytest.approx(uneven, rel=1e-4, abs=1e-9)


def test_z_and_range_by_pencil():
    """A woman of 75: 2.0 − 0.1 + 0.1 = 2.0, of which SD is a tenth; asymmetry 1 ± 4 %."""
    fits = {
        "putamen_left": {"men": 2.0, "year": -0.01, "women": 0.1, "sd": 0.1},
        "putamen_asymmetry": {"men": 1.0, "year": 0.0, "women": 0.0, "sd": 4.0},
    }
    table = {ANY: {"n": 9, "ages": [50, 80], "resolution": [9, 11], "measures": fits}}
    exam = {"putamen_left": 1.5, "putamen_asymmetry": 11.0}
    found = compare_with_normals(exam, 75, "F", normals=table)
    assert found.loc["putamen_asymmetry", "z"] == pytest.approx(2.5)
    row = found.loc["putamen_left"]
    assert row["expected"] == pytest.approx(2.0 - 0.1 + 0.1)
    assert row["z"] == pytest.approx(-2.5)
    assert (row["low"], row["high"]) == pytest.approx((2.0 - 0.392, 2.0 + 0.392))


def test_the_range_of_an_asymmetry_without_a_sign_ends_at_0():
    """5 ± 4 %: −2.84 to 12.84; of one with a sign both ends stay."""
    fit = {"men": 5.0, "year": 0.0, "women": 0.0, "sd": 4.0}
    names = ("absolute_putamen_asymmetry", "putamen_asymmetry")
    table = {ANY: {"n": 9, "ages": [50, 80], "resolution": [9, 11]}}
    table[ANY]["measures"] = dict.fromkeys(names, fit)
    found = compare_with_normals(dict.fromkeys(names, 5.0), 60, "M", normals=table)
    assert list(found["low"]) == pytest.approx([0.0, -2.84])
    assert list(found["high"]) == pytest.approx([12.84, 12.84])


@pytest.mark.parametrize(
    ("age", "resolution", "codes", "compared"),
    [
        (60, None, [], True),
        (60, 11.9, [], True),
        (60, 12.1, ["resolution"], False),
        (60, 7.9, ["resolution"], False),
        (60, float("nan"), ["resolution"], False),
        (81, 10.0, ["age"], True),
        (49, 16.5, ["resolution", "age"], False),
    ],
)
def test_beyond_the_normals_is_said_and_other_blur_not_compared(age, resolution, codes, compared):
    fit = {"putamen_left": {"men": 2.0, "year": -0.01, "women": 0.1, "sd": 0.1}}
    table = {ANY: {"n": 9, "ages": [50, 80], "resolution": [9, 11], "measures": fit}}
    exam = {"putamen_left": 1.5}
    found = compare_with_normals(exam, age, "F", resolution=resolution, normals=table)
    assert [limit.code for limit in found.attrs["limits"]] == codes
    assert found.loc["putamen_left", "value"] == 1.5
    assert found.loc["putamen_left"].notna().all() == compared


def test_a_line_extrapolated_below_0_gives_no_range():
    fit = {"putamen_left": {"men": 1.0, "year": -0.1, "women": 0.0, "sd": 0.1}}
    table = {ANY: {"n": 20, "ages": [50, 70], "resolution": [9, 11], "measures": fit}}
    found = compare_with_normals({"putamen_left": 0.5}, 80, "M", normals=table)
    assert found.loc["putamen_left", ["low", "high", "z"]].isna().all()


def test_the_expected_exam_has_z_0():
    table = compare_with_normals(dict.fromkeys(MEASURES, 1.0), 70, "M", OSEM)
    again = compare_with_normals(table["expected"], 70, "M", OSEM)
    assert list(table.index) == list(MEASURES)
    assert list(table.columns) == ["value", "expected", "low", "high", "z"]
    np.testing.assert_allclose(again["z"], 0, atol=1e-12)
    assert table.attrs["reference"] == "OSEM, attenuation (map), scatter"


def test_the_old_bind_less():
    young, old = (compare_with_normals({"putamen_left": 1.0}, age, "M") for age in (45, 80))
    assert young.loc["putamen_left", "z"] < old.loc["putamen_left", "z"]


@pytest.mark.parametrize("unknown", [None, "something new", "", float("nan")])
def test_an_unknown_reconstruction_is_compared_with_all_types_together(unknown):
    measures = {"putamen_left": 1.0, "not a measure": 3.0}
    table = compare_with_normals(measures, 60, "F", unknown)
    assert table.attrs["reference"] == ANY and list(table.index) == ["putamen_left"]
    width = table["high"] - table["low"]
    single = compare_with_normals(measures, 60, "F", OSEM)
    assert (width > single["high"] - single["low"]).all()


@pytest.mark.parametrize(
    ("age", "sex", "words"),
    [
        (65, "female", 'sex "F" or "M"'),
        (17, "F", "18 and 110"),
        (111, "M", "18 and 110"),
        (float("nan"), "M", "18 and 110"),
        ("65", "M", "18 and 110"),
        (None, None, "2 problems"),
    ],
)
def test_people_who_cannot_be_are_refused(age, sex, words):
    with pytest.raises(UsageError, match=words):
        compare_with_normals({"putamen_left": 1.0}, age, sex)


def test_filters_and_iterations_make_no_type_of_their_own():
    assert reconstruction_type("OSEM 5 x 10, 4 mm filter, attenuation (map), scatter") == (
        reconstruction_type(OSEM)
    )


def test_a_word_that_is_not_known_is_not_passed_over():
    assert reconstruction_type("OSEM, attenuation (map), scatterr") not in load_normals()


def test_every_recipe_of_the_simulator_has_normals():
    assert set(load_normals()) == {ANY, *build_normals.protocols_by_type()}
    for fit in load_normals().values():
        assert set(fit["measures"]) == set(MEASURES)
        assert 4 < fit["resolution"][0] < fit["resolution"][1] < 20 and fit["ages"][0] < 45
        assert all(numbers["sd"] > 0 for numbers in fit["measures"].values())
    for kind in load_normals():  # a share of the expected value must be one of something
        oldest = compare_with_normals(dict.fromkeys(MEASURES, 1.0), 110, "F", kind)
        shares = [name for name in MEASURES if "asymmetry" not in name]
        assert (oldest.loc[shares, "expected"] > 0).all(), kind
    assert SHIPPED.stat().st_size < 60_000


def test_normal_patients_are_spread_over_age_and_sex_and_take_no_ssri():
    patients = [build_normals.draw_normal("FBP", index) for index in range(20)]
    assert [p.sex for p in patients] == list("FM") * 10
    assert not any(p.ssri for p in patients)
    assert min(p.age for p in patients) < 50 and max(p.age for p in patients) > 75
    assert build_normals.draw_normal("FBP", 3).healthy == patients[3].healthy
    assert build_normals.draw_normal("OSEM", 3).healthy != patients[3].healthy


def test_a_type_is_examined_at_the_centres_that_use_it():
    for name in build_normals.protocols_by_type():
        recipe = build_normals.draw_acquisition_of(name, 0).protocol.recipe
        assert reconstruction_type(recipe.in_words) == name


def test_the_command_writes_a_fit_for_each_type_and_for_all(monkeypatch, tmp_path):
    """Two types of four exams each, made up: what is simulated takes minutes for all."""
    rows = [
        {"type": kind, "age": 40.0 + index**2, "sex": "FM"[index % 2], "resolution": 9.0 + index}
        | {"putamen_left": 2.0 + index}
        for kind in ("FBP", "OSEM")
        for index in range(4)
    ]
    monkeypatch.setattr(build_normals, "_examine_all", lambda: rows)
    build_normals.main(str(tmp_path))
    table = json.loads((tmp_path / "normals.json").read_text())
    assert {kind: fit["n"] for kind, fit in table["types"].items()} == {ANY: 8, "FBP": 4, "OSEM": 4}
    assert table["types"][ANY]["resolution"] == [9, 12]
    assert table["first_exam"] == {"putamen_left": 2.0}


def test_the_shipped_table_belongs_to_this_code():
    """Its first exam is made again. If this fails, rebuild: see datkit/resources/README.md."""
    shipped = json.loads(SHIPPED.read_text())["first_exam"]
    first = next(iter(build_normals.protocols_by_type()))
    again = measure_prepared(build_normals.examine(first, 0))
    assert again == pytest.approx(shipped, rel=1e-3, abs=1e-3)


def test_normal_exams_lie_in_the_normal_range(prepared_tiny, tiny_cohort):
    exams, measures = prepared_tiny.table, measure_cohort(prepared_tiny)
    normal = tiny_cohort.truth.loc[exams.index, "pattern"] == "normal"
    z = pd.Series(
        [
            compare_with_normals(row, who.age, who.sex, who.reconstruction)["z"]["putamen_lowest"]
            for (_, row), who in zip(measures.iterrows(), exams.itertuples(), strict=True)
        ],
        exams.index,
    )
    assert z[normal].abs().median() < 1.5
    assert (z[exams["is_pathologic"] == 1] < -1.96).mean() > 0.6
