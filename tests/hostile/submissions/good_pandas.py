"""pandas, uids as text, rows in the format's order, a temporary file on the way."""

import tempfile
from pathlib import Path

import pandas as pd

table = pd.read_csv("data/submission_format.csv", dtype={"uid": str})
with tempfile.NamedTemporaryFile("w") as stream:
    stream.write("scratch")
sizes = [Path("data/niftis", f"{uid}.nii.gz").stat().st_size for uid in table["uid"]]
table["is_pathologic"] = [0.2 + 0.6 * size / max(sizes) for size in sizes]
print(f"{len(table)} exams")
table.to_csv("submission.csv", index=False)
