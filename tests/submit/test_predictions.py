"""A table of predictions is checked against the format file: each wrong row has its line."""

from __future__ import annotations

import re
import time
from collections import Counter

import pandas as pd
import pytest

from datkit.errors import SubmissionError
from datkit.submit import check_predictions
from datkit.submit.predictions import PREDICTIONS

FORMAT = "uid,is_pathologic\n007,0.0\n1e5,0.0\nabc,0.0\n"
FINE = b"uid,is_pathologic\n007,0.5\n1e5,1\nabc,1e-3\n"
TABLES = {
    "fine": (FINE, []),
    "windows_line_ends": (FINE.replace(b"\n", b"\r\n"), []),
    "no_last_line_end": (FINE[:-1], []),
    "other_header": (FINE.replace(b"is_pathologic", b"probability"), [("header", 1)]),
    "spaces_in_the_header": (FINE.replace(b"uid,is", b"uid, is"), [("header", 1)]),
    "no_header": (FINE[18:], [("header", 1), ("uid-missing", None)]),
    "index_column": (
        b",uid,is_pathologic\n0,007,0.5\n1,1e5,1\n2,abc,0\n",
        [("header", 1), *[("columns", row) for row in (2, 3, 4)]]
        + [("uid-unknown", row) for row in (2, 3, 4)]
        + [("uid-missing", None)] * 3,
    ),
    "semicolons": (FINE.replace(b",", b";"), [("separator", 1)]),
    "of_a_french_spreadsheet": (
        b"\xef\xbb\xbf" + FINE.replace(b",", b";").replace(b"0.5", b"0,5"),
        [("separator", 1)],
    ),
    "decimal_comma": (FINE.replace(b"0.5", b"0,5"), [("columns", 2)]),
    "byte_order_mark": (b"\xef\xbb\xbf" + FINE, [("bom", 1)]),
    "utf_16": (FINE.decode().encode("utf-16"), [("encoding", None)]),
    "latin_1": (FINE.replace(b"abc", b"ab\xe9"), [("encoding", None)]),
    "quotes": (FINE.replace(b"007", b'"007"'), [("quoting", 2)]),
    "an_open_quote": (FINE.replace(b"007", b'"007'), [("quoting", 2), ("quoting", None)]),
    "empty": (b"", [("header", 1), *[("uid-missing", None)] * 3]),
    "an_empty_row": (FINE + b"\n", [("columns", 5), ("uid-unknown", 5)]),
    "nan": (FINE.replace(b"0.5", b"nan"), [("not-finite", 2)]),
    "infinity": (FINE.replace(b"0.5", b"-inf"), [("not-finite", 2)]),
    "nothing": (FINE.replace(b"0.5", b""), [("not-a-number", 2)]),
    "a_word": (FINE.replace(b"0.5", b"abnormal"), [("not-a-number", 2)]),
    "underscores": (FINE.replace(b"0.5", b"0_1"), [("not-a-number", 2)]),
    "digits_of_another_script": (FINE.replace(b"0.5", "٠.٥".encode()), [("not-a-number", 2)]),
    "per_cent": (FINE.replace(b"0.5", b"50"), [("out-of-range", 2)]),
    "a_logit": (FINE.replace(b"0.5", b"-0.2"), [("out-of-range", 2)]),
    "just_above_one": (FINE.replace(b"0.5", b"1.0000001"), [("out-of-range", 2)]),
    "another_order": (b"uid,is_pathologic\n1e5,1\n007,0\nabc,0\n", [("order", 2)]),
    "a_row_less": (FINE.replace(b"1e5,1\n", b""), [("uid-missing", None)]),
    "a_row_twice": (FINE + b"abc,0.2\n", [("uid-duplicate", 4)]),
    "an_unknown_row": (FINE + b"xyz,0.2\n", [("uid-unknown", 5)]),
    "a_uid_with_a_space": (
        FINE.replace(b"007", b" 007"),
        [("uid-unknown", 2), ("uid-missing", None)],
    ),
    "uids_as_numbers": (
        FINE.replace(b"007", b"7").replace(b"1e5", b"100000.0"),
        [("uid-unknown", 2), ("uid-unknown", 3), *[("uid-missing", None)] * 2],
    ),
    "all_at_once": (
        b"uid,is_pathologic\nabc,nan\n7,2\n",
        [("not-finite", 2), ("out-of-range", 3), ("uid-unknown", 3), *[("uid-missing", None)] * 2],
    ),
}


@pytest.fixture
def format_csv(tmp_path):
    path = tmp_path / "submission_format.csv"
    path.write_text(FORMAT)
    return path


@pytest.mark.parametrize("name", TABLES)
def test_each_wrong_row_is_named(name, tmp_path, format_csv):
    content, expected = TABLES[name]
    path = tmp_path / "submission.csv"
    path.write_bytes(content)
    problems = check_predictions(path, format_csv)
    assert [(problem.code, problem.line) for problem in problems] == expected
    assert {problem.where for problem in problems} <= {"submission.csv"}


def test_a_french_table_is_saved_again_as_it_is_told(tmp_path, format_csv):
    path = tmp_path / "submission.csv"
    path.write_bytes(FINE.replace(b",", b";").replace(b"0.5", b"0,5").replace(b"1e-3", b"0,001"))
    [problem] = check_predictions(path, format_csv)
    assert "expected commas between values, found semicolons. Save it with" in str(problem)
    how = re.search(r"read_csv\(.*?\)", problem.remedy)[0]
    table = eval(f"pd.{how}".replace("…", "path"), {"pd": pd, "path": path})
    table.to_csv(path, index=False)
    assert check_predictions(path, format_csv) == []


def test_a_uid_read_as_a_number_is_recognised(tmp_path, format_csv):
    path = tmp_path / "submission.csv"
    path.write_bytes(FINE.replace(b"007", b"7"))
    problem = check_predictions(path, format_csv)[0]
    assert "expected the uid '007', found '7'" in str(problem)
    assert "dtype={'uid': str}, keep_default_na=False" in problem.remedy


def test_no_file_is_a_problem_and_no_format_an_error(tmp_path, format_csv):
    [problem] = check_predictions(tmp_path / "submission.csv", format_csv)
    assert problem.code == "no-predictions"
    with pytest.raises(SubmissionError, match="submission_format"):
        check_predictions(tmp_path / "submission.csv", tmp_path / "absent.csv")
    format_csv.write_text("id\n007\n")
    with pytest.raises(SubmissionError, match="uid"):
        check_predictions(tmp_path / "submission.csv", format_csv)


def test_the_uids_do_as_well_as_the_format_file(tmp_path, format_csv):
    path = tmp_path / "submission.csv"
    path.write_bytes(FINE)
    assert check_predictions(path, ["007", "1e5", "abc"]) == []
    assert check_predictions(path, ["abc", "007", "1e5"]) != []


def test_a_large_table_of_unknown_uids_takes_no_longer_than_its_rows(tmp_path):
    path, count = tmp_path / "submission.csv", 20_000
    path.write_text("uid,is_pathologic\n" + "".join(f"{n}.0,0.5\n" * 2 for n in range(count)))
    started = time.process_time()
    problems = check_predictions(path, [f"0{n}" for n in range(count)])
    assert time.process_time() - started < 20  # each uid against each other: many minutes
    assert Counter(problem.code for problem in problems) == {
        "uid-unknown": count,
        "uid-missing": count,
    }
    assert problems[0].expected == "the uid '00'"


def test_every_rule_of_the_table_is_tried_here(tmp_path):
    shown = {code for _, expected in TABLES.values() for code, _ in expected}
    assert PREDICTIONS.codes - shown == set()
