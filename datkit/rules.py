"""A registry of rules: each is one function that finds a fault and carries all that is said of it.

A group holds the rules that look at one thing (a zip, a source, a finished run) and hands each of
them that thing. A rule's code stands in its decorator, its title and its remedy in its docstring,
as Markdown; it yields what it found, and the group makes the :class:`datkit.problems.Problem`:

>>> SCAN: RuleGroup[bytes] = RuleGroup("A scan")
>>> @SCAN.rule("scan-empty", expected="bytes")
... def is_empty(scan):
...     '''A scan is empty.
...
...     Copy it again with `cp`.
...     '''
...     if not scan:
...         yield Found("scan.nii", "none")
>>> print(*SCAN.problems(b""))
scan.nii: expected bytes, found none. Copy it again with cp.

Where a table or one walk finds faults of several codes, :meth:`RuleGroup.declare` enters a code
without a function, and :func:`finding` makes its problem:

>>> late = SCAN.declare("scan-late", "A scan came late.", "Be patient.", "warning")
>>> finding("scan-late", "scan.nii", "it today", "it tomorrow").severity
'warning'

Nobody lists the rules anywhere else: :func:`datkit.inspect.page.all_rules` imports the modules
that hold them, and the book's page of codes is made from what it finds.

>>> del RULES["scan-empty"], RULES["scan-late"]
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Generic, NamedTuple, TypeVar

from datkit.problems import Problem

__all__ = ["RULES", "Found", "Rule", "RuleGroup", "finding", "plain"]

Context = TypeVar("Context")
Check = Callable[[Context], Iterable["Found"]]


class Found(NamedTuple):
    """What a rule yields: where, what was found there, and what its decorator does not say."""

    where: str
    found: str
    expected: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Rule:
    """What a code stands for.

    Attributes
    ----------
    code : str
    severity : {"error", "warning"}
    title, remedy : str
        What is wrong, and what to do: two sentences of Markdown.
    section : str
        The heading in the book under which it is explained.
    """

    code: str
    severity: str
    title: str
    remedy: str
    section: str


RULES: dict[str, Rule] = {}  # of all the groups that were imported so far


class RuleGroup(Generic[Context]):
    """The rules that look at one thing, and the section of the book that explains them.

    Parameters
    ----------
    section : str
        The heading.
    registry : dict of str to Rule
        Where the codes stand: those of findings, unless another is given.
    """

    def __init__(self, section: str, registry: dict[str, Rule] = RULES) -> None:
        self.section, self.registry = section, registry
        self.checks: list[tuple[str, str, Check[Context]]] = []

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the rules that have a function."""
        return frozenset(code for code, _, _ in self.checks)

    def declare(self, code: str, title: str, remedy: str, severity: str = "error") -> Rule:
        """Enter a code that :func:`finding` reports.

        Raises
        ------
        ValueError
            If the code is taken.
        """
        if code in self.registry:
            raise ValueError(f"Expected a new code, found {code!r} twice. Name one otherwise.")
        self.registry[code] = Rule(code, severity, title, remedy, self.section)
        return self.registry[code]

    def rule(
        self, code: str, *, expected: str = "", severity: str = "error", remedy: str = ""
    ) -> Callable[[Check[Context]], Check[Context]]:
        """Return a decorator that enters a function as a rule.

        Parameters
        ----------
        code : str
            A short, stable name.
        expected : str
            What each of its problems expects, unless it yields another.
        severity : {"error", "warning"}
        remedy : str
            In place of the docstring's second paragraph, where several rules share one.
        """

        def enter(check: Check[Context]) -> Check[Context]:
            title, _, text = cleandoc(check.__doc__ or "").partition("\n\n")
            title, mend = " ".join(title.split()), remedy or " ".join(text.split())
            self.enter(check, code, expected, title=title, remedy=mend, severity=severity)
            return check

        return enter

    def enter(self, check: Check[Context], code: str, expected: str = "", **told: str) -> None:
        """Enter a function as a rule; `told`, as of :meth:`declare`, may come from a table."""
        self.declare(code, **told)
        self.checks.append((code, expected, check))

    def problems(self, context: Context, codes: Container[str] | None = None) -> Iterator[Problem]:
        """Yield what the rules find, rule by rule; those of some codes only, if any are given."""
        for code, expected, check in self.checks:
            rule, wants = self.registry[code], codes is None or code in codes
            for where, found, other, line in check(context) if wants else ():
                wanted, remedy = other or expected, plain(rule.remedy)
                yield Problem(code, where, wanted, found, remedy, rule.severity, line)


def finding(
    code: str, where: str, expected: str, found: str, remedy: str = "", line: int | None = None
) -> Problem:
    """Return the problem of a code, as grave as its rule says and, by default, mended as it says.

    Raises
    ------
    KeyError
        If no rule has that code: each has one, so that every finding can be looked up.
    """
    rule = RULES[code]
    remedy = remedy or plain(rule.remedy)
    return Problem(code, where, expected, found, remedy, rule.severity, line)


def plain(markdown: str) -> str:
    """Strip marks of code and links to the glossary; two marks of code leave a quotation mark.

    Examples
    --------
    >>> plain("{term}`TorchScript` beside `main.py`: run ``python main.py``.")
    "TorchScript beside main.py: run 'python main.py'."
    """
    return markdown.replace("{term}", "").replace("``", "'").replace("`", "")
