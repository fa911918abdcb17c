"""What the prose and the lessons of a committed notebook must be."""

from __future__ import annotations

import ast
import re

from datkit.book.notebook import COMMITTED, LISTS, Cell, Findings, Notebook
from datkit.book.patterns import calls
from datkit.rules import Found

__all__ = ["ALT_LENGTH", "plain_prose"]

OBJECTIVES = range(3, 6)  # how many of them
ALT_LENGTH = range(30, 301)  # characters: a sentence or two
MIN_EXERCISES = 2
MIN_WRONG = 3  # answers that a check is tried with
BLANK = "Nothing is filled in yet"
EXERCISE = ("exercise", "hint", "solution", "check")


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", text)


def _list(notebook: Notebook, tag: str) -> tuple[str, list[str]]:
    """Return the place of the cell with a tag, and the items of its list."""
    for cell in notebook.tagged(tag):
        return cell.place, re.findall(r"^\s*(?:[-*+]|\d+[.)])\s+(.+)", cell.source, re.M)
    return notebook.name, []


def _roles(notebook: Notebook, pattern: str) -> list[tuple[Cell, str]]:
    """Return what a role in the prose is given, each with its cell."""
    pattern = rf"\{{{pattern}\}}`([^`]+)`"
    return [(c, given) for c in notebook.prose for given in re.findall(pattern, c.source)]


def plain_prose(text: str) -> str:
    """Return Markdown without code, formulas, addresses, options and roles that point elsewhere.

    Examples
    --------
    >>> plain_prose("The {term}`SBR` of `x` {cite}`a2013` is {glue:text}`sbr:.2f` [here](x.md).")
    'The SBR of     is   [here .'
    """
    text = re.sub(r"^( *)(`{3,})(?!\{).*?^\1\2", " ", text, flags=re.M | re.S)  # fenced code
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.S)
    text = re.sub(r"\{(?:term|abbr)\}`([^`]*)`", r"\1", text)
    text = re.sub(r"\{[\w:-]+\}`[^`]*`|`[^`]*`", " ", text)
    text = re.sub(r"\]\([^)]*\)|<[^>]*>|https?://\S+", " ", text)
    return re.sub(r"^\s*:\w+:.*$|^\(.*\)=$", " ", text, flags=re.M)


@COMMITTED.rule("one-heading", expected="one `#` heading, in cell 1")
def one_heading(notebook: Notebook) -> Findings:
    """The title is missing, or not alone.

    Begin with one `# Title`; use `##` for sections.
    """
    headings = [c.number for c in notebook.prose for _ in re.findall(r"^# \S", c.source, re.M)]
    if headings != [1]:
        yield Found(notebook.name, f"them in cells {headings}")


@COMMITTED.rule("objectives", expected="3 to 5, each with a verb that can be observed")
def objectives(notebook: Notebook) -> Findings:
    """Objectives are missing, or vague.

    List in a cell tagged `objectives` what the reader will be able to do: locate, compute …
    """
    place, goals = _list(notebook, "objectives")
    if len(goals) not in OBJECTIVES:
        yield Found(place, f"{len(goals)} objectives")
    for goal in goals:
        if (verb := (_words(goal) or [""])[0]).lower() not in LISTS["verbs"]:
            yield Found(place, f"an objective that begins with {verb!r}")


def _stems(text: str) -> set[str]:
    words = (word.lower() for word in _words(text))
    return {word[:5] for word in words if len(word) >= 4 and word not in LISTS["common"]}


@COMMITTED.rule("claims", expected="a claim for each objective in a cell tagged `claims`")
def claims(notebook: Notebook) -> Findings:
    """The claims do not answer the objectives.

    Close with what the reader can now defend, in the objectives' order and words.
    """
    _, goals = _list(notebook, "objectives")
    place, found = _list(notebook, "claims")
    if not found or len(found) != len(goals):
        yield Found(place, f"{len(found)} claims for {len(goals)} objectives")
    for n, (goal, claim) in enumerate(zip(goals, found, strict=False), start=1):
        if not _stems(goal) & _stems(claim):
            yield Found(place, f"claim {n}, which shares no word with objective {n}")


@COMMITTED.rule("prediction", expected="a cell tagged `prediction` and a later one tagged `answer`")
def prediction(notebook: Notebook) -> Findings:
    """Nothing is asked before it is shown.

    Let the reader predict before a surprising cell, and answer after it.
    """
    asked = next(notebook.tagged("prediction"), None)
    if asked is None:
        yield Found(notebook.name, "no cell tagged `prediction`")
    elif not any(cell.number > asked.number for cell in notebook.tagged("answer")):
        yield Found(asked.place, "no answer")


@COMMITTED.rule("whole-exercises", expected="two or more, each with hint, solution and check")
def whole_exercises(notebook: Notebook) -> Findings:
    """Exercises are few, or lack a part.

    Tag the cells of each `exercise`, `hint`, `solution`, `check`, in this order.
    """
    steps = [(cell.place, t) for cell in notebook.cells for t in cell.tags if t in EXERCISE]
    if (count := sum(tag == "exercise" for _, tag in steps)) < MIN_EXERCISES:
        yield Found(notebook.name, f"{count} exercises")
    for n, (place, tag) in enumerate(steps):
        if tag != (wanted := EXERCISE[n % len(EXERCISE)]):
            yield Found(place, f"`{tag}` without `{wanted}` before it")
            return  # what follows is out of step only because of this
    if len(steps) % len(EXERCISE):
        yield Found(steps[-1][0], f"nothing after the last `{steps[-1][1]}`")


@COMMITTED.rule("checks", expected="calls of check_answer, and the answers that try them")
def checks(notebook: Notebook) -> Findings:
    """A check is mute or untested.

    Call check_answer(test, "what is wrong"), first for the blank stub: "Nothing is filled in yet:
    …". List in cell metadata `wrong` three answers or more, each with words of what the check must
    say to it, and in `right` another right way.
    """
    for cell in notebook.tagged("check"):
        said = [c for c in cell.nodes(ast.Call) if ast.unparse(c.func) == "check_answer"]
        if not said or any(len(call.args) != 2 for call in said) or cell.nodes(ast.Assert):
            yield Found(cell.place, "no check_answer, one without a sentence, or an assertion")
        elif BLANK not in ast.unparse(said[0].args[1]):
            yield Found(cell.place, "no sentence for the blank stub")
        wrong = cell.metadata.get("wrong", {})
        if len(wrong) < MIN_WRONG or not all(isinstance(words, str) for words in wrong.values()):
            yield Found(cell.place, f"{len(wrong)} wrong answers")
        if not cell.metadata.get("right"):
            yield Found(cell.place, "no second right way")


@COMMITTED.rule("alt-texts", expected="an alt text of 30 to 300 characters")
def alt_texts(notebook: Notebook) -> Findings:
    """A figure is not described.

    Say what one sees in the figure.
    """
    for cell in notebook.code:
        if cell.alt and len(cell.alt) not in ALT_LENGTH:
            yield Found(cell.place, f"one of {len(cell.alt)} characters")


@COMMITTED.rule("glued-numbers", expected="numbers that come into the prose from the run")
def glued_numbers(notebook: Notebook) -> Findings:
    """A number is not glued, or not computed.

    Call glue(name, float(value), display=False), and use the role glue:text.
    """
    glued = [call.args[0] for _, name, call in calls(notebook) if name == "glue" and call.args]
    made = {key.value for key in glued if isinstance(key, ast.Constant)}
    if not made:
        yield Found(notebook.name, "no glued number")
    for cell, given in _roles(notebook, r"glue:?\w*"):
        if (key := given.partition(":")[0]) not in made:
            yield Found(cell.place, f"{key!r}, which is never glued")


@COMMITTED.rule("clean-copy", expected="no outputs, counts or volatile metadata")
def clean_copy(notebook: Notebook) -> Findings:
    """The file holds traces of a run.

    Run `nbstripout` on it; keep only kernelspec and language_info.
    """
    for cell in notebook.cells:
        if cell.outputs or cell.execution_count is not None:
            yield Found(cell.place, "outputs or an execution count")
        if found := LISTS["volatile"] & cell.metadata.keys():
            yield Found(cell.place, f"metadata {sorted(found)}")
    if extra := notebook.metadata.keys() - {"kernelspec", "language_info"}:
        yield Found(notebook.name, f"metadata {sorted(extra)}")


def _is_acronym(word: str) -> bool:
    capitals = sum(letter.isupper() for letter in word)
    return capitals >= 2 and 2 * capitals > len(word)


@COMMITTED.rule("acronyms", expected="every acronym in the glossary")
def acronyms(notebook: Notebook) -> Findings:
    """An acronym is not explained.

    Add it to a term line of book/glossary.md.
    """
    seen = set(_words(" ".join(notebook.terms)))
    for cell in notebook.prose:
        for word in _words(plain_prose(cell.source)):
            word = re.sub(r"(?<=[A-Z])s$", "", word)  # SBRs
            if _is_acronym(word) and word not in seen:
                seen.add(word)
                yield Found(cell.place, f"{word}, which is not in the glossary")


@COMMITTED.rule("terms", expected="a term of the glossary")
def terms(notebook: Notebook) -> Findings:
    """A term is not in the glossary.

    Use one of book/glossary.md; other words for it stand before <the term>.
    """
    known = {term.lower() for term in notebook.terms}
    for cell, text in _roles(notebook, "term"):
        term = re.sub(r".*<(.*)>$", r"\1", text, flags=re.S)
        if " ".join(term.split()).lower() not in known:
            yield Found(cell.place, f"{term!r}, which is no term of the glossary")


@COMMITTED.rule("citations", expected="claims cited from book/references.bib")
def citations(notebook: Notebook) -> Findings:
    """A citation is missing, or leads nowhere.

    Cite by key with the role cite; keep the source, with its DOI, in that file.
    """
    cited = _roles(notebook, r"cite(?::\w+)?")
    if not cited:
        yield Found(notebook.name, "no citation")
    for cell, keys in cited:
        for key in map(str.strip, keys.split(",")):
            if key not in notebook.citations:
                yield Found(cell.place, f"{key!r}, which is not in references.bib")
