"""Notebooks that teams share: what they wrote, and nothing that runs or tells more."""

from __future__ import annotations

import json

import pytest

from datkit.challenge.sharing import LARGEST, clean_notebook
from datkit.errors import ChallengeError

CELLS = [
    {"cell_type": "markdown", "source": ["# Idea\n", "<script>alert(1)</script>"],
     "attachments": {"exam.png": {"image/png": "c2VjcmV0"}}},
    {"cell_type": "code", "source": "print(1)", "execution_count": 7, "metadata": {"tags": ["x"]},
     "outputs": [{"output_type": "display_data", "data": {"text/html": "<script>secret"}}]},
]  # fmt: skip
NOTEBOOK = {"cells": CELLS, "metadata": {"authors": ["secret"]}, "nbformat": 4, "nbformat_minor": 5}


def upload(team, content: bytes, name: str = "idea.ipynb"):
    return team.post("/notebooks", files={"file": (name, content)})


def test_all_see_the_cells_and_no_more(served):
    alpha, content = served.team("alpha"), json.dumps(NOTEBOOK).encode()
    place = upload(alpha, content).headers["location"]
    assert upload(alpha, content).headers["location"] == place, "sent again it is the same"
    stranger = served.team("beta").session
    page = stranger.get(served.base + place, timeout=10)
    assert "&lt;script&gt;alert(1)" in page.text and "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    sent = stranger.get(f"{served.base}{place}.ipynb", timeout=10)
    assert "attachment" in sent.headers["content-disposition"]
    for one in (page, sent):
        assert "secret" not in one.text and "c2VjcmV0" not in one.text
    assert [cell["source"] for cell in sent.json()["cells"]] == [
        "# Idea\n<script>alert(1)</script>", "print(1)",
    ]  # fmt: skip
    assert "idea.ipynb" in stranger.get(served.base, timeout=10).text


def test_a_downloaded_notebook_is_one(served):
    import nbformat

    place = upload(served.team("alpha"), json.dumps(NOTEBOOK).encode()).headers["location"]
    sent = served.team("beta").get(f"{place}.ipynb").text
    nbformat.validate(nbformat.reads(sent, as_version=4))


def test_it_takes_a_token_and_has_limits(served):
    alpha = served.team("alpha")
    assert alpha.session.post(f"{served.base}/notebooks", timeout=10).status_code == 403
    assert upload(alpha, b"x" * (LARGEST + 2**17)).status_code == 413
    contents = [json.dumps(NOTEBOOK | {"cells": CELLS[:1] * n}).encode() for n in range(11)]
    assert [upload(alpha, one).status_code for one in contents] == [303] * 10 + [409]
    assert alpha.get("/notebooks/../record.jsonl").status_code == 404
    assert alpha.get("/notebooks/0.ipynb").status_code == 404


def test_what_the_organiser_deletes_is_gone(served):
    alpha = served.team("alpha")
    place = upload(alpha, json.dumps(NOTEBOOK).encode()).headers["location"]
    next((served.room.folder / "kept").rglob("notebook.ipynb")).unlink()
    assert alpha.get(place).status_code == 404 and "idea.ipynb" not in alpha.get("/").text


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"[]", b"{}", b'{"cells": 1}', b'{"cells": [1]}', b'{"cells": [{}]}',
     b'{"cells": [{"cell_type": "code", "source": 7}]}', b"[" * 100_000, b"\xff\xfe",
     b'{"cells": [{"cell_type": "heading", "source": ""}]}',
     b'{"cells": [{"cell_type": ["code"], "source": ""}]}'],
)  # fmt: skip
def test_what_is_no_notebook_is_refused(content):
    with pytest.raises(ChallengeError, match="Expected a notebook with cells"):
        clean_notebook(content)


def test_a_notebook_has_no_end_of_cells(served):
    cell = {"cell_type": "raw", "source": ""}
    for count, status in ((1000, 303), (1001, 409)):
        content = json.dumps({"cells": [cell] * count}).encode()
        assert upload(served.team("alpha"), content).status_code == status


def test_its_page_says_where_it_lies(served):
    place = upload(served.team("alpha"), json.dumps(NOTEBOOK).encode()).headers["location"]
    [kept] = (served.room.folder / "kept").iterdir()
    assert kept.name in served.team("beta").get(place).text


def test_halves_of_letters_are_shown_and_break_nothing(served):
    cell = {"cell_type": "markdown", "source": "\ud800 \u202e"}
    place = upload(served.team("alpha"), json.dumps({"cells": [cell]}).encode()).headers["location"]
    page = served.team("beta").get(place)
    assert page.status_code == 200 and "\\ud800" in page.text and "\u202e" not in page.text
