"""A rule is one function: its code, what it says and where the book explains it are found there."""

from __future__ import annotations

import pytest

from datkit.inspect.page import all_rules
from datkit.rules import RULES, Found, RuleGroup, finding, plain

all_rules()  # enters every code


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
    return RuleGroup("A section", {})


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
    assert (group.registry["new-code"].title, group.codes) == ("The text is short.", {"new-code"})
    assert group.registry["new-code"].section == "A section"
