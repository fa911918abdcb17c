"""A helper that goes on when main.py has ended; its process id is noted for the test."""

import csv
import subprocess
import sys

with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\n")
    stream.writelines(f"{uid},0.5\n" for uid in uids)
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(helper.pid)
