"""Cohorts: exams, their labels and where their volumes lie, simulated or real.

`model` is the cohort in memory, `folder` the challenge's layout and `layouts` all others, `check`
looks into every volume, `geometry` infers who acquired it, `groups` and `split` divide exams so
that nothing leaks. All belong to the inference path: opening needs numpy, pandas and nibabel only.
"""

from datkit.cohort.check import check_cohort, find_problems
from datkit.cohort.folder import open_folder
from datkit.cohort.geometry import family_of, infer_families
from datkit.cohort.groups import grouped_folds
from datkit.cohort.layouts import open_path
from datkit.cohort.model import Cohort
from datkit.cohort.split import (
    Fold,
    Split,
    grouped_split,
    leave_one_out_split,
    official_split,
    random_split,
    read_split,
)

__all__ = [
    "Cohort",
    "Fold",
    "Split",
    "check_cohort",
    "family_of",
    "find_problems",
    "grouped_folds",
    "grouped_split",
    "infer_families",
    "leave_one_out_split",
    "official_split",
    "open_folder",
    "open_path",
    "random_split",
    "read_split",
]
