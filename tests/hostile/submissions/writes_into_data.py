"""A scratch file beside the exams; the error is swallowed."""

import contextlib
import csv
from pathlib import Path

with contextlib.suppress(OSError):
    Path("data/niftis/scratch.npy").write_bytes(b"")

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
