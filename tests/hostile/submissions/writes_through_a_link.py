"""A link in the working directory points into data."""

import contextlib
import csv
import os
from pathlib import Path

os.symlink("data/niftis", "scratch")
with contextlib.suppress(OSError):
    Path("scratch/cache.npy").write_bytes(b"")

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
