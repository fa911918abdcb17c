"""The BIAS form: every item once, filled in from what challenge.yaml says, text that stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.myst_blocks import myst_block_plugin

from datkit.challenge import Challenge, bias_form, load_challenge
from datkit.challenge.bias import ITEMS
from datkit.challenge.description import EXAMPLES
from datkit.errors import ChallengeError

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
OPEN = "To be filled by the organisers."
HOSTILE = [
    "<script>alert(1)</script>",
    "# A heading",
    "- a list",
    "1. a list",
    "2) a list",
    "---",
    "===",
    "[a link](https://example.org)",
    "![a picture](https://example.org/a.png)",
    "<https://example.org>",
    "`code` and **bold**, _slanted_, ~~struck~~ &lt;b&gt;",
    "one\n\n## Two\n\n| a | b |\n| - | - |",
    "{{ organisers }} {% for x in y %} {left}",
    "> a quotation",
    "~~~ fenced",
    "% a remark of MyST",
    "(target)=",
    "+++",
    ":::{note}",
    "https://example.org/a and www.example.org, or a@example.org",
    "{{ a }} and {b}`c` and $d$",
]


def written(tmp_path: Path, name: str = "class", **fields: Any) -> Path:
    """An example with other fields, as a file."""
    raw = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump(raw | fields, allow_unicode=True), encoding="utf-8")
    return path


def answers(challenge: Challenge) -> dict[str, str]:
    """What stands under each item."""
    form, _ = bias_form(challenge)
    found = re.findall(r"^\*\*(\d+[a-f]?) [^\n]+\n\n([^\n]+)\n", form, re.M)
    assert len(found) == len(ITEMS)
    return dict(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_item_appears_once_in_order(name):
    form, left = bias_form(load_challenge(name))
    numbers = re.findall(r"^\*\*(\d+[a-f]?) ", form, re.M)
    assert numbers == [*ITEMS] and len(numbers) == 57
    assert f"{len(left)} of 57 are left to the organisers" in form
    given = answers(load_challenge(name))
    assert left == [number for number, answer in given.items() if answer == OPEN]


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("dat-park", "9", "2026-07-22 00:00 UTC, to 2026-09-16 23:59 UTC."),
        ("dat-park", "7a", "Fully automatic"),
        (
            "dat-park",
            "8a",
            "at most 10800 seconds on all exams of a set, with Python 3.12, 220 GiB",
        ),
        ("dat-park", "27a", "all submissions of a team"),  # its own, not what datkit does
        ("dat-park", "22b", "Public: about 8 % of the exams; private: about 25 %"),
        ("class", "8b", "at most 1 in all. At most 10 submissions a day."),
        ("class", "22d", "All exams of one centre stand in one set only."),
        ("class", "7a", OPEN),  # a table may have been written by hand
        ("class", "9", OPEN),
        ("class", "10", "Simulated exams are nobody's"),
        ("grades", "26a", "0.0, 0.1, 0.7, 1.0; 0.1, 0.0, 0.3, 0.7;"),
        ("grades", "15", "One grade is answered, counted from 0."),
        ("grades", "10", OPEN),
    ],
)
def test_an_example_is_filled_in_with_what_its_file_says(name, number, said):
    assert said in answers(load_challenge(name))[number]


def test_a_challenge_that_is_made_tells_how_many_exams_it_has():
    form, _ = bias_form(load_challenge("class"), {"train": 40, "public": 20, "private": 22})
    assert "\ntrain: 40 exams; public: 20 exams; private: 22 exams.\n" in form


def test_what_the_design_says_of_an_item_goes_first(tmp_path):
    design = {10: "Approved, 2026-17.", "4b": "Ask at the desk."}  # YAML reads 10 as a number
    challenge = load_challenge(written(tmp_path, design=design))
    assert challenge.design == {"10": "Approved, 2026-17.", "4b": "Ask at the desk."}
    assert answers(challenge)["10"] == "Approved, 2026-17."
    assert answers(challenge)["4b"] == "Ask at the desk." and answers(challenge)["5"] == OPEN


@pytest.mark.parametrize("number", ["30", 30, "16", "ethics", "10\n", 1.5])
def test_an_unknown_item_is_told_with_where_to_look(tmp_path, number):
    with pytest.raises(ChallengeError) as caught:
        load_challenge(written(tmp_path, design={number: "x", "10": "y"}))
    [problem] = caught.value.problems
    assert problem.where == f"design.{number}"
    assert "an item that `datkit class export bias` lists" in problem.expected


def test_an_item_without_text_is_told_by_its_number(tmp_path):
    with pytest.raises(ChallengeError, match=r"design\.10: expected some text, found ''"):
        load_challenge(written(tmp_path, design={"10": ""}))


class Seen(HTMLParser):
    """What a browser would find in the page that is made of a form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        reader = MarkdownIt("commonmark", {"linkify": True})
        reader.enable(["table", "strikethrough", "linkify"]).use(myst_block_plugin)
        self.feed(reader.render(form))

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markup_is_text(text, tmp_path):
    def seen(words: str) -> Seen:
        given = {"title": words, "design": {"4b": words}}
        return Seen(bias_form(load_challenge(written(tmp_path, **given)))[0])

    assert seen(text).tags == seen("Plain words").tags
    assert seen(text).text.count(" ".join(text.split())) == 3  # in the title, under 1a and 4b


def test_what_a_terminal_would_obey_is_written_out(tmp_path):
    form, _ = bias_form(load_challenge(written(tmp_path, title="a\x1b[2J\u202e")))
    assert "\x1b" not in form and "\u202e" not in form
