"""The page of the book is made from the rules: a row for each, in its section."""

from __future__ import annotations

import re
import subprocess
import sys

from datkit.book.build import stage_book
from datkit.inspect.page import all_rules, findings_page

ROW = re.compile(r"^\| `([\w-]+)` \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)


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


def test_it_is_staged_with_the_chapters(tmp_path):
    (tmp_path / "book" / "chapters").mkdir(parents=True)
    stage_book(tmp_path / "book", tmp_path, tmp_path, tmp_path / "out")
    staged = tmp_path / "out" / "chapters" / "finding_codes.md"
    assert staged.read_text(encoding="utf-8") == findings_page()
