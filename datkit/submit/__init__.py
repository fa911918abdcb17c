"""Submissions: pack a zip, check it, and run it as the challenge's platform would.

The contract is the code-execution page of the challenge (DrivenData #311): `main.py` at the zip's
root, read-only data, no network, `submission.csv` in the order of `data/submission_format.csv`.

Which modules belong together:

* :mod:`pack` (`template/main.py`): from trained models to a zip
* :mod:`check`: what reading a zip shows: :mod:`archive`, :mod:`content`, :mod:`weights`, and of
  each source, :mod:`python` with :mod:`habits`, :mod:`outward`, :mod:`prints`, :mod:`assets` and
  :mod:`imports`, on the syntax tree of :mod:`source`
* :mod:`run`: one run, in a :mod:`replica` behind an :mod:`isolation`, by :mod:`process` with
  :mod:`launch` and :mod:`guard` inside, judged by :mod:`judge` and :mod:`predictions`
* :mod:`trials`: several runs, on the mounts of :mod:`mount` and beside the exams of :mod:`hostile`
* :mod:`codes`: every :mod:`problem` that can be found; :mod:`findings` and :mod:`report` show them
* :mod:`score`: what a table of predictions is worth; :mod:`runtime`: what the platform has
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
