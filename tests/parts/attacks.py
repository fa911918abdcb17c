"""Programs that mean harm, run in the sandbox with small limits.

Each attack is the beginning of a `main.py`. What it could not do it prints as "held"; what it could
do, as "LEAK".
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from zips import save_zip

from datkit.replica import Limits, RunReport, run_submission

__all__ = ["ANSWER", "SMALL", "attack", "codes", "processes_with"]

SMALL = Limits(memory=2**29, processes=64, disk=2**25)
ANSWER = """
import csv
with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\\n")
    stream.writelines(f"{uid},0.5\\n" for uid in uids)
"""


def attack(cohort_folder: Path, tmp_path: Path, code: str, *, limit: float = 60) -> RunReport:
    """Run `code`, then a plain answer, with small limits."""
    return run_submission(
        save_zip(tmp_path / "attack.zip", {"main.py": dedent(code) + ANSWER}),
        cohort_folder,
        time_limit=limit,
        limits=SMALL,
        isolation="bubblewrap",
        progress=False,
    )


def codes(report: RunReport) -> set[str]:
    return {problem.code for problem in report.problems}


def processes_with(word: str) -> list[str]:
    """Name every process of this machine whose command line holds `word`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in command:
            found.append(command.decode("utf-8", "replace"))
    return found
