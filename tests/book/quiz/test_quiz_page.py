"""Questions on a built page, in a real browser from the disk: checked, kept, scored, readable."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
BOOK = REPOSITORY / "book"
# How far questions reach; the rest of the page is of a theme that the book does not use.
REACH = """Math.max(...[...document.querySelectorAll("[data-question] *")]
  .map((one) => one.getBoundingClientRect().right))"""
TEACH = "# Numbers\n\n## Odd and even\n\nEvery second number is odd.\n"
TEST = """# {title}

````{{selftest}} see {when}

```{{question}} {when}-one
:learn: teach#odd-and-even

Is *two* odd?

- [ ] Yes
  - Two is twice one.
- [x] No
  - It is even.

Odd and even take turns.
```

```{{question}} {when}-several
:learn: teach#odd-and-even

Which are odd?

- [x] One
  - One is odd.
- [ ] Two
  - Two is even.
- [x] Three
  - Three is odd.

Every second one is.
```

```{{question}} {when}-number
:learn: {learn}
:unit: mm

Half of five?

- [x] 2.5 ± 0.05
  - Two and a half.
- [ ] 10 ± 0.05
  - That is twice five.
- [ ] anything else
  - Divide by two.

Five over two.
```
````
"""


def build(folder: Path, learn: str = "teach#odd-and-even") -> tuple[Path, str]:
    """Build a book of two tests, the page that teaches and that of the gains; return its words."""
    from sphinx.application import Sphinx

    source = folder / "source"
    (source / "chapters").mkdir(parents=True)
    (source / "teach.md").write_text(TEACH, encoding="utf-8")
    for when in ("before", "after"):
        text = TEST.format(title=when, when=when, learn=learn)
        (source / "chapters" / f"{when}.md").write_text(text, encoding="utf-8")
    shutil.copy(BOOK / "chapters" / "what_you_gained.md", source / "chapters")
    pages = "teach\nchapters/before\nchapters/after\nchapters/what_you_gained"
    (source / "index.md").write_text(f"# Book\n\n```{{toctree}}\n{pages}\n```\n", encoding="utf-8")
    settings = {
        "extensions": ["myst_parser", "datkit.book.quiz.sphinx"],
        "html_static_path": [str(BOOK / "static")],
        "html_theme": "basic",
    }
    said, out = io.StringIO(), folder / "html"
    app = Sphinx(str(source), None, str(out), str(folder / "trees"), "html", settings,
                 status=None, warning=said)  # fmt: skip
    app.build()
    return out, said.getvalue()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, said = build(tmp_path_factory.mktemp("quiz"))
    assert "should lead" not in said
    return out


@pytest.fixture
def tab(browser: object) -> Iterator:
    context = browser.new_context(viewport={"width": 390, "height": 740})
    tab, errors = context.new_page(), []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(60_000)  # milliseconds, on a busy machine
    yield tab
    assert errors == []
    context.close()


def open_page(tab: object, html: Path, name: str) -> None:
    tab.goto((html / "chapters" / f"{name}.html").as_uri())


def verdict(tab: object, name: str) -> str:
    return tab.locator(f"[data-question='{name}'] .dat-verdict").inner_text()


def answer(tab: object, name: str, *given: str) -> None:
    part = tab.locator(f"[data-question='{name}']")
    for one in given:
        if name.endswith("number"):
            part.locator("input").fill(one)
        else:
            part.get_by_label(one, exact=True).check()
    part.get_by_role("button", name="Check").click()


def test_each_answer_is_checked_and_told_why(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    part = tab.locator("[data-question='before-one']")
    part.get_by_role("button", name="Check").click()
    assert verdict(tab, "before-one") == "Choose an answer first."
    assert not part.locator("details").is_visible()
    answer(tab, "before-one", "Yes")
    said = verdict(tab, "before-one")
    assert said.startswith("Not right. Two is twice one.") and "Odd and even take turns." in said
    assert part.locator("details").is_visible() and "Read: Numbers, “Odd and even”." in said
    target = part.locator(".dat-verdict a").get_attribute("href")
    assert target == "../teach.html#odd-and-even"
    answer(tab, "before-several", "One", "Two")
    said = verdict(tab, "before-several")
    assert "Not this one: Two. Two is even." in said
    assert "You missed: Three. Three is odd." in said and "One is odd" not in said
    answer(tab, "before-number", "10")
    assert verdict(tab, "before-number").startswith("Not right. That is twice five.")
    assert "0 of 3 right." in tab.locator(".dat-score").inner_text()


def test_a_number_may_have_a_comma_and_is_needed(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    answer(tab, "before-number", "two")
    assert verdict(tab, "before-number").startswith("Enter a number first")
    tab.locator("[data-question='before-number'] input").fill("2,5")
    tab.keyboard.press("Enter")
    assert verdict(tab, "before-number").startswith("Right. Two and a half.")


def test_it_goes_by_keyboard_and_a_reload_loses_nothing(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    tab.locator("[data-question='before-one'] input").first.focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert verdict(tab, "before-one").startswith("Right.")
    tab.reload()
    assert verdict(tab, "before-one").startswith("Right.")
    assert tab.get_by_label("No", exact=True).is_checked()
    assert tab.get_by_label("No", exact=True).is_disabled(), "the first answer counts"
    assert "1 of 3 answered." in tab.locator(".dat-score").inner_text()
    assert 200 < tab.evaluate(REACH) <= 390


def test_the_gain_is_told_in_the_test_and_in_the_table(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    answer(tab, "before-one", "Yes")
    answer(tab, "before-several", "One", "Three")
    answer(tab, "before-number", "3")
    open_page(tab, html, "after")
    answer(tab, "after-one", "No")
    answer(tab, "after-several", "One", "Three")
    answer(tab, "after-number", "2.52")
    score = tab.locator(".dat-score").inner_text()
    assert score == "3 of 3 right. Before this part: 1 of 3. A gain of 67 points in a hundred."
    open_page(tab, html, "what_you_gained")
    cells = tab.locator(".dat-gain[data-of='see']").all_inner_texts()
    assert cells == ["1 of 3", "3 of 3", "A gain of 67 points in a hundred."]
    assert tab.locator(".dat-gain[data-of='model']").all_inner_texts() == ["not yet"] * 2 + ["–"]
    kept = json.loads(tab.evaluate("localStorage.getItem('dat-quiz')"))
    assert kept["tests"]["see before"] == {"right": 1, "of": 3}
    tab.once("dialog", lambda dialog: dialog.dismiss())
    tab.get_by_role("button", name="Forget all").click()
    assert tab.locator(".dat-gain[data-of='see']").first.inner_text() == "1 of 3"
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Forget all").click()
    assert tab.locator(".dat-gain[data-of='see']").first.inner_text() == "not yet"
    asked: list = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    tab.get_by_role("button", name="Forget all").click()
    assert len(asked) == 1, "it asks once, however often one forgets"
    open_page(tab, html, "after")
    assert tab.locator(".dat-score").inner_text() == "0 of 3 answered."


KEPT = {"given": ["1"], "right": True}
DAMAGED = [
    "{",
    "null",
    '"text"',
    {"answers": None, "tests": 3},
    {"answers": "x", "tests": {"see before": {}, "see after": {"right": 1}}},
    {"answers": {"before-one": None, "before-several": True, "before-number": {"given": 2}}},
    {"answers": {"before-one": {"given": None, "right": True}, "before-several": {"right": True},
                 "before-number": {"given": [2.5], "right": True}}},
    {"tests": {"see before": {"right": "1", "of": 3}, "see after": {"right": 4, "of": 0}}},
]  # fmt: skip


@pytest.mark.parametrize("damaged", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_answers_are_left_out(tab: object, html: Path, damaged: str | dict) -> None:
    text = damaged if isinstance(damaged, str) else json.dumps(damaged)
    open_page(tab, html, "what_you_gained")
    tab.evaluate("text => localStorage.setItem('dat-quiz', text)", text)
    tab.reload()
    cells = tab.locator(".dat-gain[data-of='see']").all_inner_texts()
    assert cells == ["not yet", "not yet", "–"]
    open_page(tab, html, "before")
    assert tab.locator(".dat-score").inner_text() == "0 of 3 answered."
    assert tab.get_by_role("button", name="Check").count() == 3
    answer(tab, "before-one", "No")
    tab.reload()
    assert tab.locator(".dat-score").inner_text() == "1 of 3 answered."


def test_what_is_whole_is_kept_beside_what_is_not(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    kept = {"answers": {"before-one": KEPT, "before-several": {"given": 1}}, "tests": {"a": None}}
    tab.evaluate("text => localStorage.setItem('dat-quiz', text)", json.dumps(kept))
    tab.reload()
    assert verdict(tab, "before-one").startswith("Right.")
    assert verdict(tab, "before-several") == ""
    assert tab.locator(".dat-score").inner_text() == "1 of 3 answered."


def test_a_test_can_be_started_again(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    answer(tab, "before-one", "Yes")
    tab.get_by_role("button", name="Start again").click()
    assert verdict(tab, "before-one") == ""
    assert not tab.get_by_label("Yes", exact=True).is_checked()
    answer(tab, "before-one", "No")
    assert verdict(tab, "before-one").startswith("Right.")


def test_without_scripts_the_answers_are_folded_and_there(browser: object, html: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_page(page, html, "before")
    part = page.locator("[data-question='before-several'] details")
    assert part.is_visible() and not part.get_by_text("Two is even.").is_visible()
    part.locator("summary").click()
    assert part.locator("li").all_inner_texts() == [
        "Right: One. One is odd.", "Not right: Two. Two is even.", "Right: Three. Three is odd.",
    ]  # fmt: skip
    context.close()


def test_every_field_has_a_name(tab: object, html: Path) -> None:
    open_page(tab, html, "before")
    names = tab.eval_on_selector_all(
        "fieldset input", "all => all.map(one => one.labels[0].textContent)"
    )
    assert len(names) == 6 and all(name.strip() for name in names)
    legends = tab.locator("legend").all_inner_texts()
    assert legends == ["Is two odd?", "Which are odd?", "Half of five?"]


def test_a_link_to_nowhere_is_a_warning(tmp_path: Path) -> None:
    _, said = build(tmp_path, learn="teach#gone")
    assert len(re.findall("should lead to a page and its section, found 'teach#gone'", said)) == 2
