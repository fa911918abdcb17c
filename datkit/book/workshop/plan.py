"""The plans of the workshop: slots of minutes, what is used in each, and whether that fits."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from datkit.book.workshop.lessons import Lesson
from datkit.problems import Problem

__all__ = ["PLANS", "Day", "Part", "Plan", "Use", "find_misfits", "read_plans", "uses"]

PLANS = Path(__file__).with_name("plans.toml")


class Part(BaseModel, frozen=True, extra="forbid"):
    """A slot: its minutes, what the group does, and with which notebook or page, if any."""

    minutes: int
    what: str
    teacher: str = ""  # what the slides do not show
    notebook: str = ""
    sections: tuple[str, ...] = ()  # none: the whole notebook, with all exercises
    exercises: tuple[str, ...] = ()
    claim: int = 1  # of the notebook's claims, the one that the handout repeats; 0: none
    page: str = ""


class Day(BaseModel, frozen=True, extra="forbid"):
    """The slots of a day, and the minutes that they fill."""

    minutes: int
    part: tuple[Part, ...]


class Plan(BaseModel, frozen=True, extra="forbid"):
    """A plan of one day or more."""

    name: str
    title: str
    summary: str
    day: tuple[Day, ...]


class Use(BaseModel, frozen=True):
    """What a slot uses of a notebook.

    Attributes
    ----------
    sections, exercises : list of str
        By their names.
    stated : float
        Minutes that the notebook states for them.
    cells : tuple of int
        The first and the last code cell that run, by the numbers in their brackets.
    seconds : float or None
        What these cells took, if it was measured.
    """

    sections: list[str]
    exercises: list[str]
    stated: float
    cells: tuple[int, int]
    seconds: float | None


def read_plans(path: Path = PLANS) -> list[Plan]:
    """Return the plans of a file."""
    written = tomllib.loads(path.read_text(encoding="utf-8"))["plan"]
    return [Plan.model_validate(plan) for plan in written]


def _use(part: Part, lesson: Lesson, has_run: set[str]) -> Use:
    """Return what a slot uses; cells that ran in an earlier one are not run again."""
    sections = [*part.sections] or [*lesson.sections]
    exercises = [*part.exercises]
    if not part.sections:
        exercises = [name for one in lesson.sections.values() for name in one.exercises]
    code = [cell for cell in lesson.code(sections[-1]) if cell not in has_run]
    has_run.update(code)
    numbers = [lesson.numbers[cell] for cell in code]
    seconds = sum(lesson.seconds.get(cell, 0.0) for cell in code) if lesson.seconds else None
    return Use(
        sections=sections,
        exercises=exercises,
        stated=lesson.need(sections, exercises),
        cells=(min(numbers), max(numbers)),
        seconds=seconds,
    )


def uses(plan: Plan, lessons: Mapping[str, Lesson]) -> Iterator[tuple[Day, Part, Use | None]]:
    """Yield the slots of a plan, each with what it uses of a notebook."""
    has_run: dict[str, set[str]] = {}
    for day in plan.day:
        for part in day.part:
            run = has_run.setdefault(part.notebook, set())
            use = _use(part, lessons[part.notebook], run) if part.notebook else None
            yield day, part, use


def find_misfits(plans: Sequence[Plan], lessons: Mapping[str, Lesson]) -> list[Problem]:
    """Return what is wrong with plans: names that no notebook has, minutes that do not fit."""
    problems: list[Problem] = []
    for plan in plans:
        unknown = [*_unknown(plan, lessons)]
        problems += unknown or _misfits(plan, lessons)
    return problems


def _unknown(plan: Plan, lessons: Mapping[str, Lesson]) -> Iterator[Problem]:
    for part in (part for day in plan.day for part in day.part if part.notebook):
        if part.notebook not in lessons:
            yield _problem(plan, part, "a notebook", part.notebook)
            continue
        sections = lessons[part.notebook].sections
        for name in part.sections:
            if name not in sections:
                yield _problem(plan, part, f"a section of {part.notebook}", name)
        used = [sections[name].exercises for name in part.sections if name in sections]
        for name in sorted({*part.exercises}.difference(*used)):
            yield _problem(plan, part, "an exercise of the sections used", name)


def _misfits(plan: Plan, lessons: Mapping[str, Lesson]) -> Iterator[Problem]:
    for number, day in enumerate(plan.day, start=1):
        if (filled := sum(part.minutes for part in day.part)) != day.minutes:
            where, expected = f"{plan.title}, day {number}", f"slots of {day.minutes} minutes"
            yield Problem("plan", where, expected, f"{filled}", "Change a slot.")
    for _, part, use in uses(plan, lessons):
        if use and use.stated > part.minutes:
            expected = f"{use.stated:.1f} minutes or more, as the notebook states for what is used"
            yield _problem(plan, part, expected, f"{part.minutes}")


def _problem(plan: Plan, part: Part, expected: str, found: str) -> Problem:
    return Problem("plan", f"{plan.title}: {part.what}", expected, found, "See plans.toml.")
