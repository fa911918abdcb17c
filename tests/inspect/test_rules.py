"""One list holds every code: what the package reports, what tests catch, what the book explains."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from datkit.inspect.rules import CODES, finding

REPOSITORY = Path(__file__).parents[2]
PACKAGE = [
    *(REPOSITORY / "datkit" / "submit").glob("*.py"),
    REPOSITORY / "datkit" / "archive.py",
]
PAGE = REPOSITORY / "book" / "chapters" / "finding_codes.md"
ROW = re.compile(r"^\| `([\w-]+)` \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def texts_in(path: Path) -> set[str]:
    nodes = ast.walk(tree_of(path))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def reported() -> dict[str, list[ast.Call]]:
    """Return the calls that make a finding of a code that is written out."""
    found: dict[str, list[ast.Call]] = {}
    for path in PACKAGE:
        for node in ast.walk(tree_of(path)):
            maker = isinstance(node, ast.Call) and getattr(node.func, "id", "")
            if maker in ("Problem", "Fault", "finding") and isinstance(node.args[0], ast.Constant):
                found.setdefault(node.args[0].value, []).append(node)
    return found


def plain(text: str) -> str:
    """Strip what only a page has: code marks and links to the glossary."""
    return re.sub(r"\{term\}|[`']", "", text)


def test_every_code_that_the_package_reports_is_in_the_list():
    assert len(reported()) > 60
    assert reported().keys() <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_used_and_a_test_catches_it(code):
    used = (path for path in PACKAGE if path.name != "codes.py")
    assert any(code in texts_in(path) for path in used), "no module reports it"
    tests = [path for path in (REPOSITORY / "tests").rglob("*.py") if is_about_findings(path)]
    assert any(code in texts_in(path) for path in tests), "no test expects it"


def is_about_findings(path: Path) -> bool:
    return path.name.startswith("broken_") or "datkit.submit" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_grave_or_not_and_says_what_to_do(code):
    severity, title, remedy = CODES[code]
    assert severity in ("error", "warning") and re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
    assert title.endswith(".") and remedy.endswith(".") and len(title) < 110
    plainly = [call for call in reported().get(code, []) if call.func.id == "Problem"]
    assert severity == "error" or not plainly, "Problem alone is an error: use finding"


def test_a_finding_is_as_its_row_says():
    problem = finding("litter", "member 'a'", "none", "one")
    assert (problem.severity, problem.is_error) == ("warning", False)
    assert problem.remedy == CODES["litter"].remedy
    assert finding("bom", "row 1", "a", "b", "Do so.").to_dict() == {
        "code": "bom",
        "where": "row 1",
        "expected": "a",
        "found": "b",
        "remedy": "Do so.",
        "severity": "error",
    }
    with pytest.raises(KeyError):
        finding("no-such-code", "here", "a", "b")


def test_the_page_of_the_book_is_the_list():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    written = {code: (severity, plain(title), plain(how)) for code, severity, title, how in rows}
    listed = {code: (c.severity, plain(c.title), plain(c.remedy)) for code, c in CODES.items()}
    assert written == listed
    assert [row[0] for row in rows] == list(CODES), "in the same order"
