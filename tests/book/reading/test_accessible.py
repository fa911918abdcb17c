"""The reading trainer and the instructor's page of the built book keep nobody out, at each step."""

from __future__ import annotations

import json
from pathlib import Path

from accessible import check_sizes

PRESENTED = "window.datReadingSet.presentations"


def readings(tab: object) -> str:
    """What a reader has answered who says `rather abnormal` to the second half of the exams."""
    order = tab.evaluate(PRESENTED)
    given = [(2, 1, "left") if place > len(order) / 2 else (-1, 0, "none") for place in
             range(len(order))]  # fmt: skip
    answers = [
        one | {"likert": likert, "benamer": grade, "side": side, "seconds": 9, "read_at": ""}
        for one, (likert, grade, side) in zip(order, given, strict=True)
    ]
    head = {"format": "datkit-reading-1", "set": tab.evaluate("window.datReadingSet.name")}
    return json.dumps(head | {"reader": "A", "answers": answers})


def bring(tab: object, *files: tuple[str, str]) -> None:
    contents = [
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in files
    ]
    tab.locator("input[type=file]").set_input_files(contents)


def test_each_step_of_the_trainer(tab: object, built_book: Path) -> None:
    tab.goto((built_book / "chapters" / "reading.html").as_uri())
    main = tab.locator(".dr-main")
    main.wait_for()
    check_sizes(tab, "before the first exam")
    main.press("Enter")
    tab.wait_for_selector("form.dr-form")
    check_sizes(tab, "asked")
    tab.locator(".dr-form input").first.focus()
    for key in ("5", "2", "l", "Enter"):
        tab.keyboard.press(key)
    tab.wait_for_selector(".dr-lesson")
    check_sizes(tab, "answered")
    tab.get_by_role("button", name="Pause").press("Enter")
    tab.on("dialog", lambda dialog: dialog.accept())
    bring(tab, ("a.json", readings(tab)))
    tab.wait_for_function("document.querySelector('.dr-said').textContent.includes('imported')")
    check_sizes(tab, "at the end")
    tab.get_by_role("button", name="Results").press("Enter")
    tab.wait_for_selector(".dr-chart")
    check_sizes(tab, "results")


def test_the_page_of_a_group(tab: object, built_book: Path) -> None:
    tab.goto((built_book / "chapters" / "reading_group.html").as_uri())
    tab.wait_for_selector(".dr-drop")
    check_sizes(tab, "no file")
    bring(tab, ("a.json", readings(tab)), ("broken.csv", "no answers"))
    tab.wait_for_selector(".dr-chart")
    check_sizes(tab, "one reader and a broken file")
