"""A rule is one function: its code, what it says and where the book explains it are found there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from datkit.inspect.page import all_rules
from datkit.rules import RULES, Found, RuleGroup, finding, plain

REPOSITORY = Path(__file__).parents[2]
CODES = [rule.code for rule in all_rules()]


@pytest.fixture(scope="module")
def tested() -> set[str]:
    """Every text that stands in a test, each file parsed once."""
    trees = (ast.parse(path.read_bytes()) for path in (REPOSITORY / "tests").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str)}


@pytest.mark.parametrize("code", CODES)
def test_a_rule_is_grave_or_not_says_what_to_do_and_a_test_expects_it(code, tested):
    rule = RULES[code]
    assert rule.severity in ("error", "warning") and re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
    assert rule.title.endswith(".") and rule.remedy.endswith(".") and len(rule.title) < 110
    assert "|" not in rule.title + rule.remedy, "it is a cell of a table"
    assert code in tested


def test_a_finding_is_as_its_rule_says():
    problem = finding("litter", "member 'a'", "none", "one", line=3)
    assert (problem.severity, problem.is_error, problem.line) == ("warning", False, 3)
    assert problem.remedy == plain(RULES["litter"].remedy)
    assert finding("bom", "row 1", "a", "b", "Do so.").to_dict() == {
        "code": "bom",
        "where": "row 1",
        "expected": "a",
        "found": "b",
        "remedy": "Do so.",
        "severity": "error",
        "line": None,
    }
    with pytest.raises(KeyError):
        finding("no-such-code", "here", "a", "b")


@pytest.fixture
def group():
    before = dict(RULES)
    yield RuleGroup("A section")
    RULES.clear()
    RULES.update(before)


def test_a_code_is_declared_once(group):
    group.declare("new-code", "Something is new.", "Look at it.")
    with pytest.raises(ValueError, match="'new-code' twice"):
        group.declare("new-code", "Something else is new.", "Look away.")


def test_a_function_is_a_rule(group):
    @group.rule("new-code", expected="a long text", severity="warning", remedy="Write `more`.")
    def too_short(text):
        """The text is
        short.
        """
        if len(text) < 5:
            yield Found("the text", "a short one", line=1)
            yield Found("the text", "a short one", expected="five letters")

    assert [str(problem) for problem in group.problems("abc")] == [
        "the text, line 1: expected a long text, found a short one. Write more.",
        "the text: expected five letters, found a short one. Write more.",
    ]
    assert [*group.problems("abcdef")] == []
    assert (RULES["new-code"].title, group.codes) == ("The text is short.", {"new-code"})
    assert RULES["new-code"].section == "A section"
