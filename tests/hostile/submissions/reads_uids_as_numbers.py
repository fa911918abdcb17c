"""pandas guesses: 007 becomes 7, 1e5 becomes 100000."""

import pandas as pd

table = pd.read_csv("data/submission_format.csv")
table["is_pathologic"] = 0.5
table.to_csv("submission.csv", index=False)
