"""A normal range of one's own: fitted, refused with all that is wrong, and read as a stranger's."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from datkit.data import Cohort
from datkit.errors import CohortError, UsageError
from datkit.files import write_json
from datkit.measure import MEASURES, compare_with_normals, own_normals
from datkit.measure.normals import ANY
from datkit.measure.own_normals import read_normals
from datkit.prepare.cohort import PreparedCohort
from datkit.prepare.grid import GRID, load_regions

UIDS = [f"{number:03}" for number in range(25)]
AGES = [45 + 1.5 * number for number in range(25)]
SEXES = ["FM"[number % 2] for number in range(25)]


@pytest.fixture(scope="module")
def prepared():
    """25 exams: flat heads whose striata bind 2 to 3 times as much, less in the old."""
    rng, striata = np.random.default_rng(3), load_regions()
    volumes = np.ones((25, *GRID.shape), np.float32)
    for volume, age in zip(volumes, AGES, strict=True):
        for side in ("left", "right"):
            for name in (f"caudate_{side}", f"putamen_{side}"):
                volume[striata[name]] = 4.0 - 0.02 * age + rng.normal(0, 0.1)
        volume += rng.normal(0, 0.05, GRID.shape)
    table = pd.DataFrame({"is_pathologic": np.nan, "similarity": 0.97, "scale": 0.9}, index=UIDS)
    return PreparedCohort(volumes, table.assign(resolution=np.linspace(9, 10, 25)))


def fit(folder, prepared, rows=None, uids=UIDS):
    """Fit normals to prepared exams, by a table of some rows."""
    rows = rows or list(zip(UIDS, AGES, SEXES, strict=True))
    lines = [f"{uid},{age},{sex},a note" for uid, age, sex in rows]
    (folder / "ages.csv").write_text("\n".join(["uid,age,sex,note", *lines]))
    cohort = Cohort("mine", folder, pd.DataFrame({"is_pathologic": np.nan}, index=uids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_normals, "prepare_cohort", lambda *_, **__: prepared)
        return own_normals.fit_own_normals(cohort, folder / "ages.csv")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, prepared):
    """Their normals, as they are written."""
    return json.dumps(fit(tmp_path_factory.mktemp("mine"), prepared)[0])


@pytest.fixture
def saved(tmp_path, fitted):
    """Those normals in a file, and as it was written."""
    write_json(tmp_path / "mine.json", json.loads(fitted))
    return tmp_path / "mine.json", json.loads(fitted)


def changed(prepared, failures=(), **columns):
    """Prepared exams with other figures: column to {uid: value}; some failed."""
    table = prepared.table.copy()
    for name, values in columns.items():
        for uid, value in values.items():
            table.loc[uid, name] = value
    kept = [uid not in failures for uid in UIDS]
    return PreparedCohort(prepared.volumes[kept], table[kept], dict.fromkeys(failures, "no head"))


def test_the_fit_says_what_it_was_made_from_and_no_uid(saved):
    path, normals = saved
    fitted = normals["normals"]
    assert (fitted["n"], fitted["ages"], fitted["resolution"]) == (25, [45, 81], [9.025, 9.975])
    assert set(fitted["measures"]) == set(MEASURES)
    assert -0.03 < fitted["measures"]["putamen_left"]["year"] < -0.01
    assert "not for diagnosis" in normals["about"] and "one camera" in normals["assumes"]
    assert normals["settings"]["reading"] == {}
    assert set(normals["sha256"]) == {"table", "exams", "template", "regions"}
    assert not any(f'"{uid}"' in path.read_text() for uid in UIDS)


def test_the_same_exams_give_the_same_bytes(saved, prepared, tmp_path):
    path, _ = saved
    write_json(tmp_path / "again.json", fit(tmp_path, prepared)[0])
    assert path.read_bytes() == (tmp_path / "again.json").read_bytes()


def test_a_report_can_be_compared_with_them(saved):
    path, _ = saved
    normals = own_normals.read_normals(path)
    lost = dict.fromkeys(MEASURES, 0.5)
    table = compare_with_normals(lost, 60, "F", resolution=9.5, normals=normals)
    assert table.loc["putamen_left", "z"] < -3 and table.attrs["limits"] == []
    assert (table.attrs["source"], table.attrs["n"]) == ("normal exams of mine.json", 25)
    blurred = compare_with_normals(lost, 30, "F", resolution=12, normals=normals)
    assert [limit.code for limit in blurred.attrs["limits"]] == ["resolution", "age"]


def test_exams_that_are_not_good_or_abnormal_are_left_out_with_a_reason(prepared, tmp_path):
    change = {"similarity": {"003": 0.5}, "is_pathologic": {"004": 1.0, "005": 0.0}}
    normals, left_out = fit(tmp_path, changed(prepared, failures=["007"], **change))
    assert list(left_out) == ["007", "003", "004"] and normals["normals"]["n"] == 22
    assert left_out["007"] == "no head" and "similarity" in left_out["003"]
    assert "abnormal" in left_out["004"]


def test_every_problem_of_the_table_is_told_at_once(tmp_path):
    rows = list(zip(UIDS, AGES, SEXES, strict=True))
    rows[0], rows[1], rows[2] = ("000", "", "F"), ("001", 60, "woman"), ("002", 170, "F")
    rows[3], rows[4] = ("absent", 60, "F"), ("005", 60, "F")
    with pytest.raises(CohortError) as told:
        fit(tmp_path, None, rows)
    codes = [problem.code for problem in told.value.problems]
    assert codes == ["age", "sex", "uid-repeated", "person-missing", "exam-missing"]
    text = str(told.value)
    assert "000: ''" in text and "002: '170'" in text and "001: 'woman'" in text
    assert "none for 003, 004" in text and "none for absent" in text


@pytest.mark.parametrize(
    ("keep", "age", "sex", "said"),
    [
        (19, AGES, SEXES, ["20 good normal exams or more, better 120, found 19"]),
        (25, AGES, ["F"] * 25, ["5 women and men or more, found 25 women and 0 men"]),
        (25, [60] * 25, SEXES, ["ages over 15 years or more, found 0 years"]),
        (4, [60] * 25, ["M"] * 25, ["found 4.", "found 0 women and 4 men", "found 0 years"]),
    ],
)
def test_what_is_too_little_for_a_fit_is_refused_before_anything_is_prepared(
    tmp_path, keep, age, sex, said
):
    with pytest.raises(CohortError) as told:
        fit(tmp_path, None, list(zip(UIDS, age, sex, strict=True))[:keep], UIDS[:keep])
    assert all(words in str(told.value) for words in said)


def test_too_few_that_are_good_and_one_image_twice_are_refused(tmp_path, prepared):
    few = changed(prepared, similarity=dict.fromkeys(UIDS[:6], 0.5))
    volumes = few.volumes.copy()
    volumes[10] = volumes[11]
    with pytest.raises(CohortError, match="found 19") as told:
        fit(tmp_path, PreparedCohort(volumes, few.table))
    assert "the same under 010, 011" in str(told.value)
    said = "expected a good normal exam, found one that is left out. Similarity to the template"
    assert all(f"  - {uid}: {said} is 0.50" in str(told.value) for uid in UIDS[:6])


def test_the_reason_of_each_exam_that_failed_is_a_sentence_of_its_own(prepared, tmp_path):
    with pytest.raises(CohortError) as told:
        fit(tmp_path, changed(prepared, failures=UIDS[:6]))
    assert "- 003: expected a good normal exam, found one that is left out. No head." in str(
        told.value
    )


def test_resolutions_of_several_cameras_are_warned_of(prepared, tmp_path):
    assert fit(tmp_path, prepared)[0]["warnings"] == []
    blur = dict(zip(UIDS, np.linspace(6.8, 15.4, 25), strict=True))
    normals, _ = fit(tmp_path, changed(prepared, resolution=blur))
    (warning,) = normals["warnings"]
    assert (warning["code"], warning["severity"]) == ("resolution", "warning")
    assert warning["found"] == "7.0 to 15.2 mm (middle 95 %)"
    write_json(tmp_path / "wide.json", normals)
    source = read_normals(tmp_path / "wide.json")[ANY]["source"]
    assert source == "normal exams of wide.json, whose resolutions spread as several cameras’"


NOT_NORMALS = {
    "nothing": lambda text: "",
    "no JSON": lambda text: text[:-20],
    "no object": lambda _: "[1, 2]",
    "deep": lambda _: "[" * 100_000,
    "huge": lambda text: text[:-2] + " " * 2_000_000 + text[-2:],
    "no hash": lambda text: text.replace('"template"', '"other"'),
}


@pytest.mark.parametrize("fault", NOT_NORMALS)
def test_a_file_that_is_no_normals_is_refused(saved, fault):
    path, _ = saved
    path.write_text(NOT_NORMALS[fault](path.read_text()))
    with pytest.raises(UsageError, match="'datkit normals fit' wrote"):
        own_normals.read_normals(path)


NAN = float("nan")
OTHER_FILE = "expected normals that"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("n",), NAN, "expected n from 20 to 1e+06, found nan"),
        (("n",), 0, "expected n from 20 to 1e+06, found 0"),
        (("n",), "25", "expected n from 20 to 1e+06, found '25'"),
        (("ages",), [80, 45], "the least before the most, found [80, 45]"),
        (("ages",), [1, 2, 3], OTHER_FILE),
        (("ages",), [45, 170], "expected ages from 18 to 110, found up to 170"),
        (("resolution",), [9, float("inf")], "expected resolution from 0 to 50, found up to inf"),
        (("resolution",), ["9", "10"], "found '9', up to '10'"),
        (("measures",), [1], OTHER_FILE),
        (("measures",), {"another": {"men": 2, "year": 0, "women": 0, "sd": 0.1}}, OTHER_FILE),
        (("measures", "putamen_left", "sd"), 1e-9, "sd from 0.001 to 1e+06, found putamen_left"),
        (("measures", "putamen_left", "men"), 1e9, "men from -1e+06 to 1e+06, found putamen_left"),
        (("measures", "putamen_left", "year"), NAN, "found putamen_left nan"),
        (("measures", "putamen_left"), {"men": 2}, OTHER_FILE),
    ],
)
def test_numbers_that_cannot_be_are_refused(saved, place, value, said):
    path, normals = saved
    inner = normals["normals"]
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(normals))
    with pytest.raises(UsageError, match=re.escape(said)):
        own_normals.read_normals(path)


def test_all_that_is_wrong_with_forged_normals_is_told_at_once(saved):
    path, normals = saved
    forged = normals["normals"]
    forged |= {"n": 0, "ages": [NAN, 80], "resolution": [12, 9]}
    for line in forged["measures"].values():
        line["sd"] = 1e-9
    normals["sha256"]["regions"] = "0" * 64
    path.write_text(json.dumps(normals))
    with pytest.raises(UsageError) as told:
        own_normals.read_normals(path)
    codes = [problem.code for problem in told.value.problems]
    assert codes == ["number", "number", "number", "order", "resources"]
    assert f"1e-09 and {len(MEASURES) - 3} more" in str(told.value)


def test_measures_that_this_version_lacks_are_left_out_and_another_template_is_refused(saved):
    path, normals = saved
    fitted = normals["normals"]["measures"]
    fitted["<script>"] = fitted["putamen_left"]
    path.write_text(json.dumps(normals))
    assert set(own_normals.read_normals(path)["any"]["measures"]) == set(MEASURES)
    normals["sha256"]["template"] = "0" * 64
    path.write_text(json.dumps(normals))
    with pytest.raises(UsageError, match="this version's template and regions"):
        own_normals.read_normals(path)
    with pytest.raises(UsageError, match="No such file"):
        own_normals.read_normals(path.with_name("gone.json"))
