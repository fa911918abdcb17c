"""Plans: slots that fill their day, and the notebooks' own minutes fitting into them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datkit.book.execution import TIMES
from datkit.book.student import Pages
from datkit.book.workshop.lessons import Lesson, read_lessons
from datkit.book.workshop.pages import clock, plans_page
from datkit.book.workshop.plan import Part, Plan, find_misfits, read_plans, uses

REPOSITORY = Path(__file__).resolve().parents[3]
PLANS = read_plans()


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lesson]:
    """The masters, none of them executed here."""
    folders = (REPOSITORY / name for name in ("book", "notebooks", "benchmarks/results"))
    none = tmp_path_factory.mktemp("none")
    return {lesson.name: lesson for lesson in read_lessons(Pages(*folders), none)}


def edited(plan: Plan, edit: Callable[[dict], object]) -> Plan:
    written = json.loads(plan.model_dump_json())
    edit(written)
    return Plan.model_validate(written)


def part(written: dict, notebook: str) -> dict:
    return next(one for one in written["day"][0]["part"] if one["notebook"].startswith(notebook))


def test_the_three_plans_fit(lessons):
    assert [plan.name for plan in PLANS] == ["90-minutes", "half-day", "two-days"]
    assert find_misfits(PLANS, lessons) == []
    minutes = [[sum(one.minutes for one in day.part) for day in plan.day] for plan in PLANS]
    assert minutes == [[90], [240], [450, 450]]


def test_what_the_notebooks_state_is_counted_in_full(lessons):
    """The whole of a notebook needs all of its minutes; nothing is used twice in a plan."""
    for plan in PLANS:
        seen: dict[str, float] = {}
        for _, one, use in uses(plan, lessons):
            if use:
                seen[one.notebook] = seen.get(one.notebook, 0) + use.stated
                if not one.sections:
                    assert use.stated == pytest.approx(sum(lessons[one.notebook].minutes))
        assert all(need <= sum(lessons[name].minutes) for name, need in seen.items())


def test_the_two_days_end_in_a_challenge_of_the_class():
    last = [one.page for one in PLANS[2].day[-1].part[-4:]]
    assert last == ["class_challenge", "", "class_challenge", "class_challenge"]
    assert (REPOSITORY / "book" / "chapters" / "class_challenge.md").is_file()


def test_every_page_of_a_plan_is_a_chapter():
    parts = [one for plan in PLANS for day in plan.day for one in day.part]
    for page in {one.page for one in parts} - {""}:
        assert (REPOSITORY / "book" / "chapters" / f"{page}.md").is_file(), page
    assert not any(one.page and one.notebook for one in parts)


FAULTS = {
    "a slot too short": (
        lambda plan: part(plan, "04").update(minutes=10),
        ["slots of 90 minutes, found 82", "15.0 minutes or more, as the notebook states"]),
    "a day not filled": (
        lambda plan: plan["day"][0].update(minutes=95), ["slots of 95 minutes, found 90"]),
    "no such notebook": (
        lambda plan: part(plan, "04").update(notebook="44"), ["a notebook, found 44"]),
    "no such section": (
        lambda plan: part(plan, "04").update(sections=["In time"], exercises=[]),
        ["a section of 04_see_the_striatal_pattern, found In time"]),
    "an exercise of another section": (
        lambda plan: part(plan, "04").update(exercises=["A z-map"]),
        ["an exercise of the sections used, found A z-map"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plan_that_cannot_be_given_is_told(lessons, fault):
    edit, words = FAULTS[fault]
    found = [str(problem) for problem in find_misfits([edited(PLANS[0], edit)], lessons)]
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found, strict=True))


def test_a_field_that_no_plan_has_is_refused():
    with pytest.raises(ValueError, match="minute\n"):
        Part.model_validate({"minute": 5, "minutes": 5, "what": "x"})


def test_cells_are_those_down_to_the_last_section_used(lessons):
    """A cell in brackets is what JupyterLab shows once the notebook ran from the top."""
    first = next(use for _, one, use in uses(PLANS[0], lessons) if one.notebook.startswith("01"))
    assert first.cells[0] == 2  # [1] is the set-up, which installs the kit where it is missing
    whole = next(use for _, one, use in uses(PLANS[1], lessons) if one.notebook.startswith("01"))
    assert (
        first.cells[1]
        < whole.cells[1]
        == max(lessons[PLANS[1].day[0].part[1].notebook].numbers.values())
    )


def test_what_ran_in_one_slot_is_not_run_again_in_the_next(lessons):
    slots = [
        Part(minutes=9, what="a", notebook="04_see_the_striatal_pattern", sections=("opening",)),
        Part(minutes=9, what="b", notebook="04_see_the_striatal_pattern", sections=("In space",)),
    ]
    day = {"minutes": 18, "part": [slot.model_dump() for slot in slots]}
    plan = Plan.model_validate({"name": "x", "title": "x", "summary": "x", "day": [day]})
    first, second = (use for _, _, use in uses(plan, lessons))
    assert second.cells[0] == first.cells[1] + 1


@pytest.fixture
def timed(toy_book: Path, tmp_path: Path) -> Path:
    """The executed copies of the book of two pages."""
    return Path(shutil.copytree(toy_book / "run", tmp_path / "run"))


def test_a_run_says_how_long_each_cell_took(toy_book: Path, timed: Path):
    pages = Pages(toy_book / "book", toy_book / "notebooks", toy_book)
    [lesson] = read_lessons(pages, timed)
    code = [cell.id for cell in lesson.notebook.cells if cell.cell_type == "code"]
    assert set(lesson.seconds) == set(code)
    assert all(0 <= seconds < 60 for seconds in lesson.seconds.values())


def test_the_page_adds_up_measured_seconds(toy_book: Path, timed: Path):
    pages = Pages(toy_book / "book", toy_book / "notebooks", toy_book)
    [lesson] = read_lessons(pages, timed)
    ids = list(lesson.seconds)
    times = dict.fromkeys(ids, 1.0) | {ids[0]: 61.0}
    (timed / "work" / f"01_toy{TIMES}").write_text(json.dumps(times))
    lessons = {one.name: one for one in read_lessons(pages, timed)}
    slot = {"minutes": 40, "what": "Toy.", "notebook": "01_toy"}
    day = {"minutes": 40, "part": [slot]}
    plan = Plan.model_validate({"name": "x", "title": "A toy", "summary": "x", "day": [day]})
    page = plans_page([plan], lessons)
    assert f"| {clock(60 + len(lesson.numbers) - 1)} |" in page
    assert f"[{lesson.numbers[ids[0]]}] 1 min 1 s" in page
    last = max(lesson.numbers.values())
    assert f"| 0–40 | Toy.<br>{{doc}}`../notebooks/01_toy`, all of it; cells [2]–[{last}] |" in page


def test_without_a_run_the_page_says_that_nothing_was_measured(lessons):
    page = plans_page(PLANS, lessons)
    assert "here it was not" in page and "What a notebook waits for" not in page
    assert "For education and research, not for diagnosis." in page
    assert "6 notebooks, 3 exercises." in page and "In hand: 13 minutes." in page
    assert page.count("| 0–5 |") == 1 and "**Day 2**" in page and "| 425–450 |" in page
