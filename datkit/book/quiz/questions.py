r"""A question in Markdown: what is asked, choices with feedback, and what there is to know.

::

    What fades first in Parkinson's disease?

    - [ ] The caudate
      - It goes last: the loss runs from the back of the putamen to the front.
    - [x] The back of the putamen
      - So it does, mostly on one side.

    The loss runs from back to front.

One ``x`` makes radio buttons, several make tick boxes. Where the answer is a number, each choice is
a value with its tolerance, and the last one is ``anything else``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from datkit.errors import DatkitError
from datkit.problems import Problem

__all__ = ["Choice", "Question", "read_question"]

CHOICE = re.compile(r"- \[(?P<mark>[ x])\] (?P<text>.+)")
FEEDBACK = re.compile(r"  - (?P<text>.+)")
NUMBER = re.compile(r"(?P<value>[−-]?\d+(?:\.\d+)?) ± (?P<within>\d+(?:\.\d+)?)")
ELSE = "anything else"


@dataclass(frozen=True)
class Choice:
    """A choice, in Markdown, with the sentence that a reader gets who took it."""

    text: str
    feedback: str
    right: bool

    @property
    def number(self) -> tuple[float, float] | None:
        """The value and its tolerance, where the choice is a number."""
        match = NUMBER.fullmatch(self.text)
        return match and (float(match["value"].replace("−", "-")), float(match["within"]))


@dataclass(frozen=True)
class Question:
    """A question: what is asked, its choices, and the sentence that explains it."""

    asked: str
    choices: tuple[Choice, ...]
    why: str

    @property
    def kind(self) -> str:
        """How it is answered: ``"number"``, by ``"one"`` choice, or by ``"several"``."""
        if any(one.number for one in self.choices):
            return "number"
        return "several" if sum(one.right for one in self.choices) > 1 else "one"


def read_question(text: str, where: str = "a question") -> Question:
    r"""Read a question from its Markdown.

    Raises
    ------
    DatkitError
        If there is no question, no explanation, fewer than two choices, no right one, a choice
        without feedback, or a number without ``anything else``; all problems.

    Examples
    --------
    >>> read_question("Odd?\n\n- [ ] 2\n  - It is 2 · 1.\n- [x] 3\n  - 2 · 1 + 1.\n\nOdd.").kind
    'one'
    """
    asked: list[str] = []
    why: list[str] = []
    choices: list[list[str]] = []  # mark, text, feedback
    here = asked
    for line in text.splitlines():
        if match := CHOICE.match(line):
            choices.append([match["mark"], match["text"], ""])
        elif choices and (match := FEEDBACK.match(line)):
            choices[-1][2] = match["text"]
        elif choices and line.startswith("    ") and choices[-1][2]:
            choices[-1][2] += f" {line.strip()}"
        elif choices and line.startswith("  ") and line.strip():
            choices[-1][1] += f" {line.strip()}"
        else:
            here = why if choices else asked
            here.append(line)
    found = tuple(Choice(words.strip(), said.strip(), mark == "x") for mark, words, said in choices)
    question = Question("\n".join(asked).strip(), found, "\n".join(why).strip())
    if problems := list(_problems(question, where)):
        raise DatkitError.of(problems, where=where)
    return question


def _problems(question: Question, where: str) -> list[Problem]:
    choices, numbers = question.choices, question.kind == "number"
    least = 2  # a choice
    last = choices[-1] if choices else None
    silent = [one.text for one in choices if not one.feedback]
    twice = len({one.text for one in choices}) < len(choices)
    strange = [one.text for one in choices[:-1] if numbers and not one.number]
    faults = [
        (not question.asked, "a question before its choices", "none"),
        (not question.why, "a sentence after the choices that explains", "none"),
        (len(choices) < least, f"at least {least} choices '- [ ] …'", str(len(choices))),
        (not any(one.right for one in choices), "a right choice, '- [x] …'", "none"),
        (bool(silent), "feedback '  - …' under each choice", f"none under {silent}"),
        (twice, "choices that differ", "two alike"),
        (bool(strange), "numbers as '2.0 ± 0.1'", str(strange)),
        (
            numbers and last is not None and (last.text != ELSE or last.right),
            f"'- [ ] {ELSE}' as the last choice of a number",
            last.text if last else "none",
        ),
    ]
    remedy = "See datkit.book.quiz.questions."
    return [Problem("question", where, what, found, remedy) for bad, what, found in faults if bad]
