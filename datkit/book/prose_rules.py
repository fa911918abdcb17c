"""What the prose and the lessons of a committed notebook must be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datkit.book.code_rules import asserts, glued_names
from datkit.book.notebook import Cell, Notebook, Rulebook, Shelf

__all__ = ["ALT_LENGTH", "PROSE", "SHELF", "plain_prose"]

PROSE, SHELF = Rulebook(), Rulebook()
Findings = Iterator[tuple[int | None, str]]

OBJECTIVES = range(3, 6)  # how many of them
ALT_LENGTH = range(30, 301)  # characters: a sentence or two
MIN_EXERCISES = 2
EXERCISE = ("exercise", "hint", "solution", "check")
OVERVIEW = {
    "prerequisites": r"prerequisites?\b",
    "minutes for reading": r"reading\W+(?:about )?\d+ min",
    "minutes for exercises": r"exercises?\W+(?:about )?\d+ min",
}
VOLATILE = {"papermill", "execution", "ExecuteTime", "collapsed", "scrolled"}
# Verbs whose doing can be watched; nobody can watch someone understand or know.
VERBS = frozenset(re.findall(r"\w+", """
    align assess build calculate calibrate check choose classify compare compute contrast convert
    correct count defend define describe detect distinguish draw estimate evaluate explain fetch
    find fit fix identify interpret judge justify label list load locate make mark measure name
    open pack place plot point predict prepare quantify rank read recognise recognize reject report
    run say scale score select separate show simulate sketch sort split state submit summarise
    summarize tell test trace train translate validate verify weigh write"""))  # fmt: skip
# Words that an objective and a claim may share without meaning the same.
COMMON = frozenset(
    re.findall(
        r"\w+",
        """
    about does each every from have into only that their them then this what when which with""",
    )
)


def _items(cell: Cell | None) -> list[str]:
    return re.findall(r"^\s*(?:[-*+]|\d+[.)])\s+(.+)", cell.source, re.M) if cell else []


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", text)


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


@PROSE.rule("Begin with one `# Title`; use `##` for sections.")
def one_heading(notebook: Notebook) -> Findings:
    """The first cell holds the notebook's only `#` heading."""
    headings = [
        cell.number for cell in notebook.prose for _ in re.findall(r"^# \S", cell.source, re.M)
    ]
    if headings != [1]:
        yield None, f"Expected one `#` heading, in cell 1, found it in cells {headings}."


@PROSE.rule("Write **Prerequisites.** …, **Reading** 10 minutes. **Exercises** 15 minutes.")
def overview(notebook: Notebook) -> Findings:
    """A cell tagged `overview` names prerequisites and the minutes of reading and exercises."""
    text = "\n".join(cell.source for cell in notebook.tagged("overview"))
    for what, pattern in OVERVIEW.items():
        if not re.search(pattern, text, re.I):
            yield None, f"No cell tagged `overview` names {what}."


@PROSE.rule("List what the reader will be able to do: locate, compute, compare, explain …")
def objectives(notebook: Notebook) -> Findings:
    """A cell tagged `objectives` lists 3 to 5, each beginning with a verb that can be observed."""
    items = _items(cell := next(notebook.tagged("objectives"), None))
    if len(items) not in OBJECTIVES:
        yield cell and cell.number, f"Expected 3 to 5 objectives, found {len(items)}."
    for item in items:
        if (verb := (_words(item) or [""])[0]).lower() not in VERBS:
            yield cell.number, f"Objective begins with {verb!r}, which nobody can observe."


def _stems(text: str) -> set[str]:
    words = (word.lower() for word in _words(text))
    return {word[:5] for word in words if len(word) >= 4 and word not in COMMON}


@PROSE.rule("Close with one claim for each objective, in their order and words.")
def claims(notebook: Notebook) -> Findings:
    """A cell tagged `claims` lists what the reader can now defend, one to one with objectives."""
    goals = _items(next(notebook.tagged("objectives"), None))
    items = _items(cell := next(notebook.tagged("claims"), None))
    if not items or len(items) != len(goals):
        yield cell and cell.number, f"Expected {len(goals)} claims, found {len(items)}."
    for place, (goal, claim) in enumerate(zip(goals, items, strict=False), start=1):
        if not _stems(goal) & _stems(claim):
            yield cell.number, f"Claim {place} shares no word with objective {place}."


@PROSE.rule("Ask in a cell tagged `prediction` before the surprise, answer in one tagged `answer`.")
def prediction(notebook: Notebook) -> Findings:
    """The reader predicts before a surprising cell; the answer comes later."""
    asked = next(notebook.tagged("prediction"), None)
    if asked is None:
        yield None, "No cell is tagged `prediction`."
    elif not any(cell.number > asked.number for cell in notebook.tagged("answer")):
        yield asked.number, "The prediction has no answer."


@PROSE.rule("Write it as an admonition with `:class: dropdown`.")
def folded_answers(notebook: Notebook) -> Findings:
    """Answers and hints are folded."""
    for tag in ("answer", "hint"):
        for cell in notebook.tagged(tag):
            if ":class: dropdown" not in cell.source:
                yield cell.number, f"The {tag} is not folded."


@PROSE.rule(
    "Tag the cells of each exercise `exercise`, `hint`, `solution`, `check`, in this order."
)
def whole_exercises(notebook: Notebook) -> Findings:
    """There are two exercises or more, each with hint, solution and check."""
    steps = [(cell, tag) for cell in notebook.cells for tag in cell.tags if tag in EXERCISE]
    count = sum(tag == "exercise" for _, tag in steps)
    if count < MIN_EXERCISES:
        yield None, f"Expected {MIN_EXERCISES} exercises or more, found {count}."
    for place, (cell, tag) in enumerate(steps):
        if tag != (wanted := EXERCISE[place % len(EXERCISE)]):
            yield cell.number, f"Expected a cell tagged `{wanted}` before this one (`{tag}`)."
            return  # what follows is out of step only because of this
    if len(steps) % len(EXERCISE):
        yield steps[-1][0].number, f"Nothing follows the last `{steps[-1][1]}`."


@PROSE.rule("Write an {exercise} directive that holds a ```python block with `...` to fill.")
def stubs(notebook: Notebook) -> Findings:
    """Each exercise shows the blank that the reader fills."""
    for cell in notebook.tagged("exercise"):
        blocks = re.findall(r"```python\n(.*?)```", cell.source, re.S)
        if "{exercise}" not in cell.source or "..." not in "".join(blocks):
            yield cell.number, "The exercise shows no blank."


@PROSE.rule(
    'Write `assert …, "what is wrong"`; list plausible wrong code in cell metadata `wrong`.'
)
def checks(notebook: Notebook) -> Findings:
    """Each check says what is wrong, and lists wrong answers that it rejects."""
    for cell in notebook.tagged("check"):
        if not (found := asserts(cell)) or any(node.msg is None for node in found):
            yield cell.number, "The check has no assertion, or one without a message."
        if not cell.metadata.get("wrong"):
            yield cell.number, "The check lists no wrong answer."


@PROSE.rule("Show one way to go wrong, with its number, in a cell tagged `trap`.")
def trap(notebook: Notebook) -> Findings:
    """A cell tagged `trap` says when the method fails, with a number."""
    if not any(re.search(r"\d|\{glue", cell.source) for cell in notebook.tagged("trap")):
        yield None, "No cell tagged `trap` holds a number."


@PROSE.rule("Say what one sees in the figure, in 30 to 300 characters.")
def alt_texts(notebook: Notebook) -> Findings:
    """A figure's alt text has 30 to 300 characters."""
    for cell in notebook.code:
        if cell.alt and len(cell.alt) not in ALT_LENGTH:
            yield cell.number, f"The alt text has {len(cell.alt)} characters."


@PROSE.rule("Use glue(name, float(value), display=False) and {glue:text}`name:.2f`.")
def glued_numbers(notebook: Notebook) -> Findings:
    """Computed numbers come into the prose from the run: one at least, and none unknown."""
    made = glued_names(notebook)
    if not made:
        yield None, "No number is glued from the run into the prose."
    for cell in notebook.prose:
        for key in re.findall(r"\{glue:?\w*\}`([^`:]+)", cell.source):
            if key not in made:
                yield cell.number, f"{key!r} is used but never glued."


@PROSE.rule("Run `nbstripout` on the file; keep only kernelspec and language_info.")
def clean_copy(notebook: Notebook) -> Findings:
    """The committed file holds no outputs, counts or volatile metadata."""
    for cell in notebook.cells:
        if cell.outputs or cell.execution_count is not None:
            yield cell.number, "The cell holds outputs or an execution count."
        if found := VOLATILE & cell.metadata.keys():
            yield cell.number, f"The cell holds volatile metadata {sorted(found)}."
    if extra := notebook.metadata.keys() - {"kernelspec", "language_info"}:
        yield None, f"The notebook holds metadata {sorted(extra)}."


def _is_acronym(word: str) -> bool:
    capitals = sum(letter.isupper() for letter in word)
    return capitals >= 2 and 2 * capitals > len(word)


@SHELF.rule("Add it to a term line of book/glossary.md.")
def acronyms(notebook: Notebook, shelf: Shelf) -> Findings:
    """Every acronym is in the glossary."""
    seen = set(shelf.words)
    for cell in notebook.prose:
        for word in _words(plain_prose(cell.source)):
            word = re.sub(r"(?<=[A-Z])s$", "", word)  # SBRs
            if _is_acronym(word) and word not in seen:
                seen.add(word)
                yield cell.number, f"{word} is not in the glossary."


@SHELF.rule("Use a term of book/glossary.md, or write {term}`your words <term>`.")
def terms(notebook: Notebook, shelf: Shelf) -> Findings:
    """Every {term} is in the glossary."""
    known = {term.lower() for term in shelf.terms}
    for cell in notebook.prose:
        for text in re.findall(r"\{term\}`([^`]+)`", cell.source):
            term = re.sub(r".*<(.*)>$", r"\1", text, flags=re.S)
            if " ".join(term.split()).lower() not in known:
                yield cell.number, f"{term!r} is no term of the glossary."


@SHELF.rule("Cite with {cite}`key`; keep the source, with its DOI, in book/references.bib.")
def citations(notebook: Notebook, shelf: Shelf) -> Findings:
    """Claims are cited, and every citation resolves."""
    cited = [
        (cell.number, key.strip())
        for cell in notebook.prose
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", cell.source)
        for key in keys.split(",")
    ]
    if not cited:
        yield None, "Nothing is cited."
    for number, key in cited:
        if key not in shelf.citations:
            yield number, f"{key!r} is not in references.bib."
