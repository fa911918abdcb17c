"""Findings for people: a table in the terminal and a page that opens offline, errors first."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datkit.problems import Problem
from datkit.rules import RULES, finding, plain

__all__ = ["Group", "capped", "count_findings", "findings_table", "group_findings", "next_step",
           "write_findings"]  # fmt: skip

_SHOWN = 5  # findings of one code that a terminal shows; a test set has thousands of rows
_MOST, _LONGEST = 100, 500  # findings of one code, and characters of a text, that are kept
_INDENT = 27  # of the third column: severity, code, what was found


@dataclass(frozen=True)
class Group:
    """All findings of one code, in the order in which they were found."""

    code: str
    severity: str
    title: str
    problems: tuple[Problem, ...]

    @property
    def remedies(self) -> list[str]:
        """What to do next, each once."""
        return [*dict.fromkeys(problem.remedy for problem in self.problems)]


def capped(problems: Iterable[Problem]) -> Iterator[Problem]:
    r"""Yield at most 100 problems of each code, and then one that counts the others.

    Examples
    --------
    >>> from datkit.inspect import names
    >>> from datkit.rules import finding
    >>> many = [finding("litter", f"member '{n}'", "no litter", "it") for n in range(2000)]
    >>> print(*[*capped(many)][-2:], sep="\n")
    member '99': expected no litter, found it. Leave it out: it does no work.
    elsewhere: expected none of the kind, found 1,900 more. Leave it out: it does no work.
    """
    count: Counter[str] = Counter()
    for one in problems:
        count[one.code] += 1
        if count[one.code] <= _MOST:
            texts = {key: getattr(one, key)[:_LONGEST] for key in ("where", "expected", "found")}
            yield replace(one, **texts)
    for code, number in count.items():
        if number > _MOST:
            yield finding(code, "elsewhere", "none of the kind", f"{number - _MOST:,} more")


def group_findings(problems: Iterable[Problem]) -> list[Group]:
    """Group findings by code, errors before warnings.

    Examples
    --------
    >>> from datkit.inspect import names  # declares the codes
    >>> from datkit.rules import finding
    >>> found = [finding("litter", "a", "b", "c"), finding("notebook", "d", "e", "f")]
    >>> [group.code for group in group_findings(found)]
    ['notebook', 'litter']
    """
    groups: dict[tuple[bool, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((not problem.is_error, problem.code), []).append(problem)
    return [
        Group(code, found[0].severity, plain(RULES[code].title), tuple(found))
        for (_, code), found in sorted(groups.items(), key=lambda item: item[0][0])
    ]


def count_findings(problems: Iterable[Problem]) -> str:
    """Say how many errors and warnings there are.

    Examples
    --------
    >>> count_findings([])
    'no problem found'
    """
    counts = Counter(problem.severity for problem in problems)
    kinds = [(word, counts[word]) for word in ("error", "warning") if counts[word]]
    return ", ".join(f"{n} {word}{'s' * (n > 1)}" for word, n in kinds) or "no problem found"


def findings_table(problems: list[Problem], width: int = 100) -> str:
    """Return findings as lines of at most `width` characters, the number of each kind first.

    Examples
    --------
    >>> from datkit.inspect import names
    >>> from datkit.rules import finding
    >>> print(findings_table([finding("litter", "member 'Thumbs.db'", "no litter", "it")]))
    1 warning
    <BLANKLINE>
    warning  litter            member 'Thumbs.db': expected no litter, found it
                               -> Leave it out: it does no work.
    """
    lines = [count_findings(problems)]
    for group in group_findings(problems):
        lines += ["", *_lines_of(group, width)]
    return "\n".join(lines)


def write_findings(
    problems: list[Problem], zip_path: str | os.PathLike[str], page: str | os.PathLike[str]
) -> Path:
    """Write findings as one HTML file without script or address; return its path.

    The same submission gives the same bytes.

    Parameters
    ----------
    problems : list of Problem
    zip_path, page : path
        The submission, named with its sha256, and where the page goes.

    Raises
    ------
    OSError
        If the submission cannot be read, or the page not be written.
    """
    from datkit.files import sha256_file
    from datkit.view.pages.page import render_page, write_page

    text = render_page(
        "findings.html",
        title=Path(zip_path).name,
        counts=count_findings(problems),
        groups=group_findings(problems),
        next_step=next_step(problems),
        sha256=sha256_file(zip_path),
    )
    return write_page(text, page)


def next_step(problems: list[Problem]) -> str:
    """Say what to do after a check.

    Examples
    --------
    >>> next_step([])
    'Next: run it on exams with datkit submit run.'
    """
    if any(problem.is_error for problem in problems):
        return "Next: mend the errors and check again. Do not upload it as it is."
    if problems:
        return "Next: look at each warning, then run it on exams with datkit submit run."
    return "Next: run it on exams with datkit submit run."


def _lines_of(group: Group, width: int) -> list[str]:
    places = [f"{one.place}: expected {one.expected}, found {one.found}" for one in group.problems]
    more = f"… and {len(places) - _SHOWN} more: --json lists them all"
    places = places if len(places) <= _SHOWN else [*places[:_SHOWN], more]
    indent = " " * _INDENT
    wrapper = textwrap.TextWrapper(
        max(width, 57), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    blocks = [*places, *(f"-> {remedy}" for remedy in group.remedies[:_SHOWN])]
    first, *more_lines = [line for block in blocks for line in wrapper.wrap(block)]
    return [f"{group.severity:8} {group.code:17} {first.lstrip()}", *more_lines]
