"""Every rule of the kit is known, shown by a test, and a row of the book's page."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import broken_archives  # noqa: F401  (it fills the corpus)
import broken_code  # noqa: F401
import pytest
from submissions import BROKEN

from datkit.book.build import stage_book
from datkit.inspect.page import all_rules, findings_page

ROW = re.compile(r"^\| `([\w-]+)` \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)
TESTS = Path(__file__).parents[1]
ROOMS = ("challenge/codabench", "federated", "replica", "submit")
RULE_OF = {rule.code: rule for rule in all_rules()}
READ = ("The archive", "Where `main.py` lies", "What does not belong there", "The code")
BY_READING = {code for code, rule in RULE_OF.items() if rule.section in READ}


@pytest.mark.parametrize("code", RULE_OF)
def test_a_rule_is_grave_or_not_and_says_what_to_do(code):
    rule = RULE_OF[code]
    assert rule.severity in ("error", "warning") and re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
    assert rule.title.endswith(".") and rule.remedy.endswith(".") and len(rule.title) < 110
    assert "|" not in rule.title + rule.remedy, "it is a cell of a table"


def test_who_is_told_to_read_uids_as_text_keeps_one_that_is_called_na_too():
    told = [rule.remedy for rule in RULE_OF.values() if "dtype=" in rule.remedy]
    assert len(told) >= 4 and all("keep_default_na=False" in remedy for remedy in told)


def test_a_broken_submission_shows_each_rule_that_reads():
    caught = {code for one in BROKEN.values() for code in one.codes}
    # This one is found by an older Python only: tests/inspect/test_source.py.
    assert caught == BY_READING - {"syntax-unchecked"}


def test_a_test_of_runs_or_tables_expects_each_other_rule():
    expected = {code for one in BROKEN.values() for code in one.dynamic}
    for path in chain(*(TESTS.joinpath(room).glob("*.py") for room in ROOMS)):
        nodes = ast.walk(ast.parse(path.read_bytes()))
        expected |= {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert not RULE_OF.keys() - BY_READING - expected


def test_the_page_has_every_rule_in_its_section():
    sections = re.split(r"^## (.+)$", findings_page(), flags=re.MULTILINE)
    rows = [
        (code, severity, title, remedy, section)
        for section, text in zip(sections[1::2], sections[2::2], strict=True)
        for code, severity, title, remedy in ROW.findall(text)
    ]
    rules = [(r.code, r.severity, r.title, r.remedy, r.section) for r in all_rules()]
    assert sorted(rows) == rules and len(rows) >= 97
    assert "{rules" not in findings_page()


def test_a_command_writes_it(tmp_path):
    out = tmp_path / "codes.md"
    subprocess.run([sys.executable, "-m", "datkit.inspect.page", str(out)], check=True)
    assert out.read_text(encoding="utf-8") == findings_page()


def test_it_is_staged_with_the_chapters(tmp_path, monkeypatch):
    # The API's pages take long.
    monkeypatch.setattr("datkit.book.build.write_api", Path.mkdir)
    (tmp_path / "book" / "chapters").mkdir(parents=True)
    shutil.copy(TESTS.parent / "book" / "_config.yml", tmp_path / "book")
    stage_book(tmp_path / "book", tmp_path, tmp_path, tmp_path / "out")
    staged = tmp_path / "out" / "chapters" / "finding_codes.md"
    assert staged.read_text(encoding="utf-8") == findings_page()
