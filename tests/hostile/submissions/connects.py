"""A download, by address; the failure is swallowed."""

import contextlib
import csv
import socket

with contextlib.suppress(OSError):
    socket.create_connection(("203.0.113.1", 80), timeout=1)

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
