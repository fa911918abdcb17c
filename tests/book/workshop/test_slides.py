"""Slides, handout and answers: what the notebooks hold, in one file each, with no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from accessible import find_barriers
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell

from datkit.book.student import Markdown, Pages
from datkit.book.workshop.handout import answers_page, handout_page
from datkit.book.workshop.lessons import Lesson, read_lessons, tags, title_of
from datkit.book.workshop.plan import Plan, read_plans, uses
from datkit.book.workshop.slides import plan_slides, slides_page
from datkit.book.workshop.text import body_html, plain_math, to_html

REPOSITORY = Path(__file__).resolve().parents[3]
PLANS = {plan.name: plan for plan in read_plans()}
DESK, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages(*(REPOSITORY / name for name in ("book", "notebooks", "benchmarks/results")))


@pytest.fixture(scope="module")
def lessons(pages: Pages) -> dict[str, Lesson]:
    """The masters, executed if the book was built."""
    executed = REPOSITORY / "build" / "notebooks"
    return {lesson.name: lesson for lesson in read_lessons(pages, executed)}


@pytest.fixture(scope="module")
def toy(toy_book: Path) -> tuple[Plan, dict[str, Lesson]]:
    """A plan of one slot, with the executed notebook of the book of two pages."""
    place = Pages(toy_book / "book", toy_book / "notebooks", toy_book)
    slots = [
        {"minutes": 5, "what": "Hello?", "teacher": "Show two scans."},
        {"minutes": 35, "what": "A toy.", "notebook": "01_toy"},
    ]
    day = {"minutes": 40, "part": slots}
    plan = Plan.model_validate({"name": "x", "title": "A toy", "summary": "x", "day": [day]})
    return plan, {one.name: one for one in read_lessons(place, toy_book / "run")}


@pytest.fixture(scope="module")
def written(pages, toy, lessons, tmp_path_factory) -> Path:
    """All pages of the plans, and the deck of the executed toy."""
    out = tmp_path_factory.mktemp("workshop")
    for plan in PLANS.values():
        for kind, make in (("slides", slides_page), ("handout", handout_page),
                           ("answers", answers_page)):  # fmt: skip
            (out / f"{kind}-{plan.name}.html").write_text(make(plan, lessons, pages), "utf-8")
    (out / "slides-toy.html").write_text(slides_page(*toy, pages), "utf-8")
    return out


def test_a_slot_opens_with_its_first_figure_and_answers_bring_theirs(toy):
    plan, lessons = toy
    slides = [*plan_slides(plan, lessons)]
    assert [slide.kind for slide in slides[:3]] == ["part", "part", "question"]
    assert slides[0].title == "Hello?" and "minutes 0 to 5" in slides[0].label
    cover = slides[1]
    cells = lessons["01_toy"].notebook.cells
    first = next(cell for cell in cells if "mystnb" in cell.metadata)
    assert cover.figure and cover.alt == first.metadata.mystnb["image"]["alt"]
    assert "minutes 5 to 40" in cover.label
    kinds = [slide.kind for slide in slides]
    assert kinds.count("question") == kinds.count("answer") >= 1
    assert kinds.count("exercise") == sum("exercise" in tags(cell) for cell in cells)


def test_what_whoever_teaches_should_know_is_not_projected(lessons):
    for plan in PLANS.values():
        shown = " ".join(slide.title + slide.text for slide in plan_slides(plan, lessons))
        notes = [one.teacher for day in plan.day for one in day.part if one.teacher]
        assert notes and not any(note in shown for note in notes)


@pytest.mark.parametrize("name", PLANS)
def test_a_deck_asks_all_that_its_sections_ask_and_no_answer_comes_first(name, lessons):
    slides = [*plan_slides(PLANS[name], lessons)]
    asked = answered = 0
    for slide in slides:
        asked += slide.kind == "question"
        answered += slide.kind == "answer"
        assert answered <= asked
    wanted = [
        cell
        for _, part, use in uses(PLANS[name], lessons)
        if use
        for section in use.sections
        for cell in lessons[part.notebook].sections[section].cells
    ]
    assert asked == sum("prediction" in tags(cell) for cell in wanted) == answered
    exercises = [
        title for _, _, use in uses(PLANS[name], lessons) if use for title in use.exercises
    ]
    assert [slide.title for slide in slides if slide.kind == "exercise"] == exercises


def test_each_page_is_one_file_with_words_for_each_picture(written):
    for path in written.glob("*.html"):
        text = path.read_text("utf-8")
        soup = BeautifulSoup(text, "html.parser")
        assert not re.search(r"(?:src|href)=[\"'](?!data:)|url\(|@import", text), path.name
        assert "for education and research, not for diagnosis" in soup.get_text().lower()
        assert all(len(one["alt"]) >= 30 for one in soup.find_all("img")), path.name
        assert len(soup.find_all("h1")) == 1 and soup.html["lang"] == "en"
        assert not re.search(r"\{[\w:-]+\}`|:::|\$", soup.main.get_text()), path.name


@pytest.mark.parametrize("name", PLANS)
def test_the_answers_hold_every_question_and_exercise_of_the_plans_notebooks(
    name, lessons, written
):
    text = (written / f"answers-{name}.html").read_text("utf-8")
    titles = {one.get_text() for one in BeautifulSoup(text, "html.parser").find_all("h3")}
    for notebook in {part.notebook for _, part, use in uses(PLANS[name], lessons) if use}:
        lesson = lessons[notebook]
        for cell in lesson.notebook.cells:
            if "exercise" in tags(cell):
                assert any(title_of(cell) in title for title in titles)
    soup = BeautifulSoup(text, "html.parser")
    assert all(pre.get_text().strip() for pre in soup.find_all("pre"))
    assert all("..." not in pre.get_text() for pre in soup.select("pre.answer"))
    assert all("..." in pre.get_text() for pre in soup.select("pre.stub"))


def test_a_formula_that_nobody_taught_is_refused():
    assert plain_math(r"$a_v = \frac{\operatorname{cov}(x_v, s)}{\ln 2}$") == (
        "<i>a<sub>v</sub> = (cov(x<sub>v</sub>, s)) / (ln 2)</i>"
    )
    with pytest.raises(ValueError, match="cannot write this formula"):
        plain_math(r"$\int x$")


def test_links_become_words(pages):
    markdown = Markdown(pages, {"n": "3"})
    text = to_html("{doc}`a page <../index>`: {glue:text}`n` of [x](y.html)", markdown)
    assert text == "<p>a page: 3 of x</p>\n"
    cell = new_markdown_cell(
        ":::{exercise} Add\n:label: ex-1\nOne.\n\n```python\nx = ...\n```\n:::"
    )
    assert body_html(cell, markdown) == "<p>One.</p>\n"


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport=DESK)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PLANS)
def test_a_handout_is_one_page_of_a4(tab, written, name):
    tab.goto((written / f"handout-{name}.html").as_uri())
    printed = tab.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    width, height = map(float, re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed).groups())
    assert (round(width), round(height)) in [(595, 842), (595, 841), (596, 842)]


def test_slides_print_a_page_each(tab, written):
    tab.goto((written / "slides-toy.html").as_uri())
    slides = tab.locator("section").count()
    printed = tab.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == slides > 4


def test_keys_and_buttons_turn_the_slides(tab, written):
    tab.goto((written / "slides-90-minutes.html").as_uri())
    place = tab.locator("#place")
    for key, expected in [("ArrowRight", "2 /"), ("PageDown", "3 /"), (" ", "4 /"),
                          ("ArrowLeft", "3 /"), ("Home", "1 /"), ("PageUp", "1 /")]:  # fmt: skip
        tab.keyboard.press(key)
        tab.wait_for_function(
            "e => document.getElementById('place').value.startsWith(e)", arg=expected
        )
    tab.keyboard.press("End")
    last = tab.locator("section").count()
    tab.wait_for_function(
        "e => document.getElementById('place').value === e", arg=f"{last} / {last}"
    )
    tab.click("#back")
    tab.wait_for_function(
        "e => document.getElementById('place').value === e", arg=f"{last - 1} / {last}"
    )
    assert tab.url.endswith(f"#slide-{last - 1}") and place.is_visible()


def test_the_reader_chooses_dark_or_light(tab, written):
    tab.goto((written / "slides-90-minutes.html").as_uri())
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab.evaluate(paper)
    tab.emulate_media(color_scheme="dark")
    dark = tab.evaluate(paper)
    tab.click("#theme")
    assert light == "rgb(255, 255, 255)" == tab.evaluate(paper) != dark


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_fit_and_every_slide_can_be_read_to_its_end(tab, written, size):
    tab.set_viewport_size(size)
    for path in sorted(written.glob("*.html")):
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
        if path.name.startswith("slides") and size is DESK:
            heights = "[...document.querySelectorAll('section')].map((one) => one.offsetHeight)"
            assert set(tab.evaluate(heights)) == {720}, path.name


@pytest.mark.parametrize("name", ["slides-toy", "handout-two-days", "answers-90-minutes"])
def test_no_barrier_is_left(tab, written, name):
    tab.goto((written / f"{name}.html").as_uri())
    assert find_barriers(tab) == []
