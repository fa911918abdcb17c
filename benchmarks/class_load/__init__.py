"""What a class does to its server: ten submissions a team, good, broken, hostile and slow."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np

__all__ = ["EACH", "KINDS", "submission"]

#: Of each team, in this order. `good` is code, as are `hostile`, `slow` and `broken zip`.
KINDS = ("table", "table", "broken table", "table", "good", "hostile", "table", "slow",
         "broken zip", "table")  # fmt: skip
EACH = len(KINDS)

START = """
import os, sys, time
from pathlib import Path
rows = Path("data/submission_format.csv").read_text().split()
p = {p}
{more}
lines = [rows[0], *(f"{{row.split(',')[0]}},{{p}}" for row in rows[1:]), ""]
Path("submission.csv").write_text("\\n".join(lines))
"""
# Looks for labels and for the record, at their own place and everywhere, and for a network; answers
# 1 if it reaches any.
SNOOP = """
import socket
p = 0.5
for look in (lambda: open("{folder}/labels/public.csv"), lambda: open("{folder}/record.jsonl"),
             lambda: open("/proc/1/root{folder}/record.jsonl"),
             lambda: next(Path("/").glob("*/**/labels/public.csv")),
             lambda: socket.create_connection(("127.0.0.1", 8000), 1)):
    try:
        look()
        p = 1.0
    except (OSError, StopIteration):
        pass
"""


def submission(kind: str, team: int, number: int, uids: Sequence[str], folder: str) -> bytes:
    """Return the bytes of a team's submission; no two of a challenge are the same.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    team, number : int
        Whose it is, and the place among its own.
    uids : sequence of str
        The exams, in the format's order.
    folder : str
        Of the challenge, for a hostile one to look at.
    """
    draw = np.random.default_rng([team, number])
    p = 0.2 + 0.001 * team
    if kind == "broken table":
        return f"uid,p\n{uids[0]},2\nexam-9999,{p}\n".encode()
    if kind == "table":
        rows = (
            f"{uid},{value:.4f}" for uid, value in zip(uids, draw.random(len(uids)), strict=True)
        )
        return "\n".join(["uid,is_pathologic", *rows, ""]).encode()
    more = {"hostile": SNOOP.format(folder=folder), "slow": "time.sleep(3)"}.get(kind, "")
    name = "src/main.py" if kind == "broken zip" else "main.py"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, f"# team {team}, no. {number}\n" + START.format(p=p, more=more))
    return packed.getvalue()
