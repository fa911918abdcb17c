"""A rule is one function: its code, what it says and where the book explains it are found there."""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import Path

import broken_archives  # noqa: F401  (it fills the corpus)
import broken_code  # noqa: F401
import pytest
from submissions import BROKEN

from datkit.inspect.page import all_rules
from datkit.rules import RULES, Found, RuleGroup, finding, plain

TESTS = Path(__file__).parents[1]
RULE_OF = {rule.code: rule for rule in all_rules()}
READ = ("The archive", "Where `main.py` lies", "What does not belong there", "The code")
BY_READING = {code for code, rule in RULE_OF.items() if rule.section in READ}


@pytest.mark.parametrize("code", RULE_OF)
def test_a_rule_is_grave_or_not_and_says_what_to_do(code):
    rule = RULE_OF[code]
    assert rule.severity in ("error", "warning") and re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
    assert rule.title.endswith(".") and rule.remedy.endswith(".") and len(rule.title) < 110
    assert "|" not in rule.title + rule.remedy, "it is a cell of a table"


def test_a_broken_submission_shows_each_rule_that_reads():
    caught = {code for one in BROKEN.values() for code in one.codes}
    # This one is found by an older Python only: tests/inspect/test_source.py.
    assert caught == BY_READING - {"syntax-unchecked"}


def test_a_test_of_runs_or_tables_expects_each_other_rule():
    expected = {code for one in BROKEN.values() for code in one.dynamic}
    for path in chain(*(TESTS.joinpath(room).glob("*.py") for room in ("replica", "submit"))):
        nodes = ast.walk(ast.parse(path.read_bytes()))
        expected |= {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert not RULE_OF.keys() - BY_READING - expected


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
def group(registry):
    return RuleGroup("A section", registry)


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
