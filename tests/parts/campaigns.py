"""A small campaign: exams that hold nothing but their number, and what scripted readers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from datkit.prepare import GRID, PreparedCohort
from datkit.reading import Campaign, seal_answers
from datkit.reading.pages import FORMAT

SECRET = "5e" * 32
QUESTIONS = [
    {"name": "call", "text": "Abnormal?", "classes": ["normal", "abnormal"], "scale": "nominal"},
    {"name": "grade", "text": "Grade", "classes": ["0", "1", "2", "3"], "scale": "ordinal"},
]


def campaign(readers: int = 5, **settings: object) -> Campaign:
    names = [f"reader-{number}" for number in range(1, readers + 1)]
    told = {"version": 1, "title": "A <campaign>", "readers": names, "questions": QUESTIONS}
    return Campaign.model_validate(told | settings)


def prepared(count: int) -> PreparedCohort:
    volumes = np.ones((count, *GRID.shape), np.float32)
    volumes[:, 18:26, 50:60, 18:24] = np.linspace(1.5, 5, count)[:, None, None, None]
    uids = [f"secret-uid-{number:03d}" for number in range(count)]
    table = pd.DataFrame({"is_pathologic": 1.0, "age": 61.7, "sex": "F", "file": "named.nii.gz",
                          "centre": "centre-99"}, index=pd.Index(uids, name="uid"))  # fmt: skip
    return PreparedCohort(volumes, table)


def answer(uid: str, reader: str, again: bool) -> list[int]:
    """Call and grade: readers differ near the limit, and not always agree with themselves."""
    place, number = int(uid[-3:]), int(reader[-1])
    seen = place + 9 * np.sin(place * number) + 4 * np.sin(place + number) * again
    grade = int(np.clip((seen - 10) // 14, 0, 3))
    return [int(grade > 0), grade]


def file_of(
    key: dict, reader: str, say: Callable = answer, change: Callable = lambda content: None
) -> dict:
    """What the reader's page would write; `change` happens before it is sealed."""
    its = key["readers"][reader]
    said = {
        code: dict(zip(("call", "grade"), say(uid, reader, again), strict=True))
        for code, (uid, again) in its["codes"].items()
    }
    answers = [
        {"code": code, "answers": values, "note": "", "ms": 1500, "at": "2026-11-29T06:00:00.000Z"}
        for code, values in said.items()
    ]  # fmt: skip
    content = {"format": FORMAT, "campaign": key["campaign"], "reader": reader,
               "answers": answers, "closed": "2026-11-29T07:00:00.000Z"}  # fmt: skip
    change(content)
    *seals, content["closing"] = seal_answers(content, its["key"], ("call", "grade"))
    for one, seal in zip(content["answers"], seals, strict=True):
        one["mac"] = seal
    return content


def write(folder: Path, content: object, name: str | None = None) -> Path:
    path = folder / f"{name or content['reader']}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
