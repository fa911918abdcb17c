"""What teams say to all: questions, and notebooks: the text of their cells, nothing that runs.

Outputs, attachments and metadata are left out, since they may hold scripts, pictures of exams or a
person's name. What is left is shown as text, never as markup, and can be downloaded.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, BinaryIO

from datkit.challenge.classroom import Classroom
from datkit.challenge.record import Entry
from datkit.errors import ChallengeError
from datkit.files import replace_atomically
from datkit.problems import shown

__all__ = ["ask", "clean_notebook", "notebooks", "share"]

LARGEST = 8 * 2**20  #: bytes, before outputs are left out
MOST, MOST_CELLS = 10, 1000  # of a team, of a notebook
MOST_QUESTIONS, LONGEST_QUESTION = 20, 2000  # of a team in a day, letters
NOT_RUN: dict[str, object] = {"execution_count": None, "outputs": []}
KINDS = {"code": NOT_RUN, "markdown": {}, "raw": {}}


def clean_notebook(content: bytes) -> dict[str, Any]:
    """Return a notebook with the text of its cells and nothing else.

    Raises
    ------
    ChallengeError
        If it is none of the format's version 4.

    Examples
    --------
    >>> cell = {"cell_type": "markdown", "source": ["a", "b"], "attachments": {"x.png": {}}}
    >>> clean_notebook(json.dumps({"cells": [cell], "metadata": {"author": "A"}}).encode())["cells"]
    [{'cell_type': 'markdown', 'metadata': {}, 'source': 'ab'}]
    """
    try:
        cells = [
            {"cell_type": one["cell_type"], "metadata": {}, "source": "".join(one["source"])}
            | KINDS[one["cell_type"]]
            for one in json.loads(content)["cells"][: MOST_CELLS + 1]
        ]
        if len(cells) > MOST_CELLS:
            raise ValueError("too many cells")
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ChallengeError(
            f"Expected a notebook with cells, at most {MOST_CELLS}, found none that can be read. "
            "Save it in JupyterLab, and hand in the .ipynb."
        ) from None
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def ask(room: Classroom, team: str, text: str) -> Entry:
    """Put a question to who organises, and return its line.

    Raises
    ------
    ChallengeError
        If it is empty or long, or the team has asked all that it may today.
    """
    text = "\n".join(text.strip().splitlines())  # a browser sends \r\n
    if not 0 < len(text) <= LONGEST_QUESTION:
        raise ChallengeError(f"Expected a question of 1 to {LONGEST_QUESTION} letters.")
    with room.record.lock:
        if len(room.record.today("asked", team)) >= MOST_QUESTIONS:
            raise ChallengeError(f"Expected at most {MOST_QUESTIONS} questions a day, found more.")
        return room.record.add("asked", team=team, text=shown(text, "\n"))


def share(room: Classroom, team: str, file: BinaryIO, name: str) -> Entry:
    """Keep a notebook that a team shares, and return the line that says so.

    Raises
    ------
    ChallengeError
        If it is no notebook, or the team has shared all that it may.
    """
    with room.record.lock:  # one after the other: a small file may need much memory to be read
        text = json.dumps(clean_notebook(file.read()), indent=1)
        digest = hashlib.sha256(text.encode()).hexdigest()
        own = [one for one in room.record.of("shared") if one["team"] == team]
        for entry in own:
            if entry["sha256"] == digest:
                return entry
        if len(own) >= MOST:
            raise ChallengeError(f"Expected at most {MOST} notebooks of a team, found as many.")
        with replace_atomically(room.folder / "kept" / digest / "notebook.ipynb") as part:
            part.write_text(text, encoding="utf-8")
        return room.record.add("shared", team=team, name=shown(name)[:80], sha256=digest)


def notebooks(room: Classroom) -> dict[str, Entry]:
    """Return what is shared, by number, and where it lies; what was deleted there is not."""
    kept = room.folder / "kept"
    found = [
        one | {"path": kept / one["sha256"] / "notebook.ipynb"} for one in room.record.of("shared")
    ]
    return {str(one["number"]): one for one in found if one["path"].exists()}
