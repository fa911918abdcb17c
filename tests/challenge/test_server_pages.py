"""The server's pages in a browser, on a phone and on a desk: nobody is kept out."""

from __future__ import annotations

import io
import json

import pytest
from accessible import check_sizes

from datkit.challenge import board_page, make_board, receive
from datkit.challenge.sharing import share

LONG = "A_team_of_a_name_that_nothing_breaks_off"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": "# Our idea\n<script>document.title = 'run'</script>"},
        {"cell_type": "code", "source": "x = 1  # " + "a long line " * 40},
    ]
}


@pytest.fixture
def busy(served, hand_in, tmp_path):
    """A challenge in which there is something of everything that a page may show."""
    room = served.room
    for seed, team in enumerate((LONG, "<b>beta</b>", "gamma")):
        hand_in(room, team, 0.3 + 0.2 * seed, seed)
    bad = tmp_path / "bad.csv"
    bad.write_text("uid,p\nexam-9999,2\n")
    receive(room, "gamma", bad, "a file whose name is long " + "and_has_no_end" * 4)
    served.mark()
    hand_in(room, "gamma", 0.9, 9)
    asked = room.record.add("asked", team="gamma", text="May we\nask " + "x" * 200 + "?")
    room.record.add("said", text="Yes.", answers=asked["number"])
    room.record.add("said", text="The final test opens on Friday.", answers=None)
    share(room, "gamma", io.BytesIO(json.dumps(NOTEBOOK).encode()), "idea.ipynb")
    return served


def test_the_pages_of_a_team_and_of_a_stranger(busy, tab):
    token = busy.room.issue_token("gamma")
    tab.goto(busy.base)
    check_sizes(tab, "before entering")
    tab.get_by_label("token").fill("wrong")
    tab.get_by_role("button", name="Enter").click()
    assert "That was refused" in tab.content()
    check_sizes(tab, "refused")
    tab.get_by_role("link", name="Back").click()
    tab.get_by_label("token").fill(token)
    tab.get_by_role("button", name="Enter").click()
    assert tab.get_by_text("waiting, place 1 of 1").is_visible()
    check_sizes(tab, "a team's own page")
    tab.get_by_role("link", name="Findings of no.").nth(1).click()
    assert tab.get_by_role("heading", name="uid-missing").is_visible()
    check_sizes(tab, "findings")
    tab.go_back()
    tab.get_by_role("link", name="Findings of no.").first.click()
    assert tab.get_by_role("heading", name="Not marked yet").is_visible()
    check_sizes(tab, "waiting")
    tab.goto(busy.base)
    tab.get_by_role("link", name="idea.ipynb").click()
    assert "<script>" in tab.locator("pre").first.inner_text() and tab.title() == "idea.ipynb"
    check_sizes(tab, "a shared notebook")
    tab.goto(busy.base)
    tab.get_by_role("button", name="Leave").click()
    assert tab.get_by_label("token").is_visible()


def test_a_file_is_handed_in_by_keyboard_and_hand(busy, tab, content):
    tab.goto(busy.base)
    tab.get_by_label("token").fill(busy.room.issue_token("delta"))
    tab.keyboard.press("Enter")
    tab.get_by_text("You have handed in nothing yet.").wait_for()
    file = {"name": "ours.csv", "mimeType": "text/csv", "buffer": content(busy.room)}
    tab.get_by_label("Submission").set_input_files(file)
    tab.get_by_role("button", name="Hand in").press("Enter")
    tab.get_by_role("heading", name="Not marked yet").wait_for()
    busy.mark()
    tab.get_by_role("link", name="Look again").click()
    assert tab.get_by_role("heading", name="no problem found").is_visible()
    check_sizes(tab, "no problem found")


def test_the_board_during_and_after_and_as_a_page_that_stays(busy, tab, hand_in, tmp_path):
    tab.goto(f"{busy.base}/board")
    assert tab.get_by_role("row", name=LONG).is_visible()
    check_sizes(tab, "during")
    busy.room.close()
    hand_in(busy.room, "gamma", 0.9, 1)
    busy.mark()
    busy.room.close()
    tab.reload()
    assert "Final" in tab.get_by_role("heading", level=2).first.inner_text()
    check_sizes(tab, "after")
    page = tmp_path / "board.html"
    page.write_text(board_page(make_board(busy.room)), encoding="utf-8")
    tab.goto(page.as_uri())
    assert not tab.get_by_role("link").count(), "it stands alone"
    check_sizes(tab, "the page that stays")


def test_on_a_phone_every_value_of_a_row_is_in_sight(busy, tab):
    tab.goto(f"{busy.base}/board")
    places = tab.eval_on_selector_all(
        ".board tbody td:not(:empty), .board tbody th",
        "all => all.map(one => one.getBoundingClientRect()).map(({left, right}) => [left, right])",
    )
    assert len(places) > 20 and all(0 <= left < right <= 360 for left, right in places)


def test_a_table_of_costs_keeps_nobody_out(run, graded, tab):
    tab.goto((served := run(graded)).base)
    tab.get_by_label("token").fill(served.room.issue_token("alpha"))
    tab.keyboard.press("Enter")
    tab.get_by_role("table", name="mean cost of an error").wait_for()
    check_sizes(tab, "a table of costs")
