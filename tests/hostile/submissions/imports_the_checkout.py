"""The package was meant to be in the zip and is not: it must not be found in a checkout."""

import csv
import importlib

importlib.import_module("dat" + "kit")

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
