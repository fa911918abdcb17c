"""Workers in processes of their own, started afresh, and a socket between them on this machine."""

import csv
import multiprocessing
import socket


def predict(uid):
    with open(f"data/niftis/{uid}.nii.gz", "rb") as stream:
        return len(stream.read()) % 7 / 7


if __name__ == "__main__":
    left, right = socket.socketpair()
    left.close(), right.close()
    with open("data/submission_format.csv", newline="") as stream:
        uids = [row["uid"] for row in csv.DictReader(stream)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(predict, uids)
    with open("submission.csv", "w") as stream:
        stream.write("uid,is_pathologic\n")
        stream.writelines(f"{uid},{p}\n" for uid, p in zip(uids, found, strict=True))
