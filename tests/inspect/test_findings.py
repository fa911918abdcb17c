"""What a person sees of a check: errors first, counts, places, remedies, the next step."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from datkit.inspect.findings import (
    count_findings,
    findings_table,
    group_findings,
    next_step,
    write_findings,
)
from datkit.inspect.page import all_rules
from datkit.rules import finding

all_rules()  # enters every code

LITTER = finding("litter", "member '.DS_Store'", "no litter", "it")
ROWS = [finding("uid-missing", "submission.csv", f"'{n}' in row {n}", "no row") for n in range(9)]
ODD = finding("pickle", "member '<script>alert(1)</script>.pkl'", "weights", "a & b")


def test_errors_come_first_and_each_code_once():
    groups = group_findings([LITTER, *ROWS, ODD])
    assert [(group.code, len(group.problems)) for group in groups] == [
        ("uid-missing", 9),
        ("pickle", 1),
        ("litter", 1),
    ]
    assert groups[0].remedies == [ROWS[0].remedy]


@pytest.mark.parametrize(
    ("problems", "said", "step"),
    [
        ([], "no problem found", "Next: run it"),
        ([LITTER], "1 warning", "look at each warning"),
        ([LITTER, LITTER], "2 warnings", "look at each warning"),
        ([LITTER, *ROWS], "9 errors, 1 warning", "mend the errors"),
        ([ODD], "1 error", "mend the errors"),
    ],
)
def test_counts_and_the_next_step_are_said(problems, said, step):
    assert count_findings(problems) == said
    assert findings_table(problems).splitlines()[0] == said
    assert step in next_step(problems)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_table_keeps_to_its_width_and_shows_a_few_of_many(width):
    table = findings_table([*ROWS, LITTER, ODD], width)
    assert max(map(len, table.splitlines())) <= max(width, 57)
    words = " ".join(table.split())
    assert "'4' in row 4" in words and "'5' in row 5" not in words
    assert "… and 4 more: --json lists them all" in words
    assert words.count(ROWS[0].remedy) == 1
    assert words.index("error uid-missing") < words.index("warning litter")


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "submission.zip"
    path.write_bytes(b"no zip")
    return path


def test_the_page_holds_every_finding_and_no_script(packed, tmp_path):
    path = write_findings([LITTER, *ROWS, ODD], packed, tmp_path / "findings.html")
    text = path.read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert not page.find("script") and "://" not in text
    assert page.h1.text == "Findings: submission.zip"
    assert [h.text for h in page.find_all("h2")] == [
        "! 10 errors, 1 warning",
        "✗ error: uid-missing (9)",
        "✗ error: pickle (1)",
        "! warning: litter (1)",
    ]
    assert len(page.select("tbody tr")) == 11
    assert "<script>alert(1)</script>.pkl" in page.text and ODD.remedy in page.text
    assert "Do not upload it as it is." in page.text


def test_the_same_findings_give_the_same_bytes(packed, tmp_path):
    first = write_findings([ODD], packed, tmp_path / "a.html").read_bytes()
    assert write_findings([ODD], packed, tmp_path / "b.html").read_bytes() == first


def test_a_page_of_nothing_says_so(packed, tmp_path):
    page = write_findings([], packed, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "✓ no problem found" in page and "datkit submit run" in page
