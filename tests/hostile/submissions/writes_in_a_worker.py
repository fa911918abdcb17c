"""A worker writes into data: it has the same hooks as main.py."""

import contextlib
import csv
import multiprocessing
from pathlib import Path


def cache(uid):
    with contextlib.suppress(OSError):
        Path(f"data/niftis/{uid}.npy").write_bytes(b"")


if __name__ == "__main__":
    with open("data/submission_format.csv", newline="") as stream:
        uids = [row["uid"] for row in csv.DictReader(stream)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(cache, uids[:1])
    with open("submission.csv", "w") as stream:
        stream.write("uid,is_pathologic\n")
        stream.writelines(f"{uid},0.5\n" for uid in uids)
