"""The caller's environment holds secrets; none of it may be seen here."""

import csv
import os

if "DATKIT_TEST_SECRET" in os.environ:
    raise SystemExit("the caller's environment is visible")

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
