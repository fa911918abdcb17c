"""pandas writes its row numbers as a first column."""

import pandas as pd

table = pd.read_csv("data/submission_format.csv", dtype={"uid": str})
table.to_csv("submission.csv")
