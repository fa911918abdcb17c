"""Submissions: pack a zip, check it, and run it as the challenge's platform would.

The contract is the code-execution page of the challenge (DrivenData #311): `main.py` at the zip's
root, read-only data, no network, `submission.csv` in the order of `data/submission_format.csv`.
"""

from datkit.submit.check import check_submission
from datkit.submit.pack import PackReport, pack_submission, write_prior
from datkit.submit.predictions import check_predictions
from datkit.submit.problem import Problem
from datkit.submit.run import RunReport, run_submission
from datkit.submit.score import score_submission
from datkit.submit.trials import run_checks

__all__ = [
    "PackReport",
    "Problem",
    "RunReport",
    "check_predictions",
    "check_submission",
    "pack_submission",
    "run_checks",
    "run_submission",
    "score_submission",
    "write_prior",
]
