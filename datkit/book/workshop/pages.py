"""The page of plans, and beside it what a workshop prints and projects.

::

    python -m datkit.book.workshop.pages --notebooks build/notebooks --out build/workshop

The book's build calls the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from datkit.book.student import Pages
from datkit.book.workshop.handout import answers_page, handout_page
from datkit.book.workshop.lessons import OPENING, Lesson, read_lessons
from datkit.book.workshop.plan import Day, Part, Plan, Use, find_misfits, read_plans, uses
from datkit.book.workshop.slides import slides_page
from datkit.errors import DatkitError, NotebookError, UsageError

__all__ = ["FOLDER", "PLANS_PAGE", "main", "plans_page", "write_workshop"]

PLANS_PAGE = "workshop_plans.md"
FOLDER = "static/workshop"  # in the staged book; _static/workshop in the built one
LONG = 10  # seconds: start such a cell, then talk
HEAD = """\
# Plans for a workshop, by cell

The plans of {{doc}}`workshop`, slot by slot. *Cells* are those that must have run by the end of
the slot, by the number that JupyterLab shows in brackets when a notebook is run from top to
bottom. *Stated* is what the notebook's own minutes come to for the sections and exercises used:
reading shared out by words, exercises alike. *Running* was measured while this book was
built{measured}.

For education and research, not for diagnosis.
"""
COLUMNS = """
| minutes | what the group does, and with what | stated | running |
| ---: | --- | ---: | ---: |
"""
LONGEST = f"""
## What a notebook waits for

Exams simulated and prepared (`make warm`), solutions filled in. The cells that take over {LONG}
seconds are best started before you talk.

| notebook | running | cells over {LONG} s |
| --- | ---: | --- |
"""


def clock(seconds: float | None) -> str:
    """Return seconds as a reader says them.

    Examples
    --------
    >>> clock(7.4), clock(125), clock(None)
    ('7 s', '2 min 5 s', '–')
    """
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _with(part: Part, use: Use | None) -> str:
    """Return with what a slot is filled, on a line of its own in the table's cell."""
    if use is None:
        return f"<br>{{doc}}`{part.page}`" if part.page else ""
    named = [f"*{name}*" for name in use.sections if name != OPENING]
    tried = "".join(f"; exercise *{name}*" for name in use.exercises)
    sections = f": {', '.join(['its opening', *named])}{tried}" if part.sections else ", all of it"
    cells = f"; cells [{use.cells[0]}]–[{use.cells[1]}]"
    return f"<br>{{doc}}`../notebooks/{part.notebook}`{sections}{cells}"


def _rows(plan: Plan, lessons: Mapping[str, Lesson]) -> Iterator[str]:
    """Yield the lines of a plan's tables, each day's sum after its last slot."""
    today: Day | None = None
    for day, part, use in uses(plan, lessons):
        if day is not today:
            today, start, stated, seconds = day, 0, 0.0, 0.0
            yield f"\n**Day {plan.day.index(day) + 1}**\n" if len(plan.day) > 1 else ""
            yield COLUMNS.strip("\n")
        end = start + part.minutes
        said = (f"{use.stated:.0f} min", clock(use.seconds)) if use else ("", "")
        what = f"{part.what} {part.teacher}".strip() + _with(part, use)
        yield f"| {start}–{end} | {what} | {said[0]} | {said[1]} |"
        start, stated = end, stated + (use.stated if use else 0)
        seconds += (use.seconds or 0) if use else 0
        if part is day.part[-1]:
            slots = sum(one.minutes for one in day.part if one.notebook)
            ran = f", running: {clock(seconds)}" if seconds else ""
            hand = f"In hand: {slots - stated - seconds / 60:.0f} minutes."
            told = f"Stated: {stated:.0f} minutes{ran}. {hand}"
            yield f"\nSlots with notebooks: {slots} minutes. {told}"


def plans_page(plans: list[Plan], lessons: Mapping[str, Lesson]) -> str:
    """Return the page of all plans, as Markdown for jupyter-book."""
    was_measured = any(lesson.seconds for lesson in lessons.values())
    measured = "" if was_measured else "; here it was not"
    lines = [HEAD.format(measured=measured)]
    for plan in plans:
        used = [(part.notebook, use) for _, part, use in uses(plan, lessons) if use]
        exercises = sum(len(use.exercises) for _, use in used)
        count = f"{len({name for name, _ in used})} notebooks, {exercises} exercises."
        lines += [f"## {plan.title}\n", f"{plan.summary} {count}", *_rows(plan, lessons), ""]
    if was_measured:
        lines.append(LONGEST.rstrip("\n"))
        lines += [_longest(lesson) for lesson in lessons.values() if lesson.seconds]
    return "\n".join(lines) + "\n"


def _longest(lesson: Lesson) -> str:
    long = [
        f"[{lesson.numbers[cell]}] {clock(seconds)}"
        for cell, seconds in lesson.seconds.items()
        if seconds > LONG and cell in lesson.numbers
    ]
    return (
        f"| {{doc}}`../notebooks/{lesson.name}` | {clock(sum(lesson.seconds.values()))} "
        f"| {', '.join(long) or 'none'} |"
    )


def write_workshop(pages: Pages, executed: Path, out: Path, plans_file: Path) -> None:
    """Write the page of plans, and slides, handout and answers of each plan.

    Parameters
    ----------
    pages : Pages
        The folders of masters, chapters and pictures.
    executed : Path
        The folder of the executed copies: their figures, numbers and seconds are shown.
    out : Path
        Takes ``slides-*.html``, ``handout-*.html`` and ``answers-*.html``.
    plans_file : Path
        Takes the page of plans.

    Raises
    ------
    NotebookError
        If a plan names what no notebook has, or its minutes do not fit; all problems.
    """
    plans = read_plans()
    lessons = {lesson.name: lesson for lesson in read_lessons(pages, executed)}
    if problems := find_misfits(plans, lessons):
        raise NotebookError.of(problems, where="the plans of the workshop")
    out.mkdir(parents=True, exist_ok=True)
    plans_file.write_text(plans_page(plans, lessons), encoding="utf-8")
    for plan in plans:
        for kind, page in (
            ("slides", slides_page(plan, lessons, pages)),
            ("handout", handout_page(plan, lessons, pages)),
            ("answers", answers_page(plan, lessons, pages)),
        ):
            (out / f"{kind}-{plan.name}.html").write_text(page, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write the workshop's pages from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.workshop.pages",
        description="Write the workshop's plans, slides, handouts and answers.",
        epilog="Exit codes: 0 written, 1 a plan does not fit, 2 wrong use.",
    )
    for name, default, what in [
        ("--sources", "notebooks", "folder of the masters"),
        ("--notebooks", "build/notebooks", "folder of their executed copies"),
        ("--book", "book", "folder of the chapters"),
        ("--results", "benchmarks/results", "folder of the pictures that pages show"),
        ("--out", "build/workshop", "folder to write"),
    ]:
        parser.add_argument(name, type=Path, default=Path(default), help=f"{what} ({default})")
    given = parser.parse_args(arguments)
    pages = Pages(given.book, given.sources, given.results)
    try:
        write_workshop(pages, given.notebooks, given.out, given.out / PLANS_PAGE)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    print(f"Workshop: {given.out.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
