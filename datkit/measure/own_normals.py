"""A normal range of one's own: fitted to a folder of normal exams, kept as JSON, checked when read.

What it takes: normal exams of one camera and one reconstruction, of both sexes and over the ages
that are to be compared. :data:`FEWEST` exams are accepted; the guideline for reference intervals
asks for 120 (CLSI EP28-A3c). A limit is then known to about ``sqrt(1/n + 1.96²/2(n−1))`` SD, 0.4
with 20 exams and 0.16 with 120. Assumed are a straight line in age, the same for both sexes, and
residuals from it that are normally distributed.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datkit import NOT_CLINICAL, __version__
from datkit.data.cohort import Cohort
from datkit.data.folder import read_table
from datkit.errors import CohortError, UsageError
from datkit.files import RESOURCES, read_sealed, sha256_file
from datkit.measure.definitions import DEFINITIONS
from datkit.measure.exam import measure_cohort
from datkit.measure.normals import AGES, ANY, NORMAL_95, NUMBERS, fit_normals
from datkit.prepare.align import PrepareSettings
from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.problems import Problem, found_instead, repeated

__all__ = ["fit_own_normals", "limit_error", "read_normals"]

FEWEST, FEWEST_OF_A_SEX, LEAST_SPAN = 20, 5, 15.0  # exams, and years that the ages span; design
# mm that the middle 95 % of resolutions span. Simulated exams of one camera and reconstruction have
# an SD of 1.0 mm, so they span 4; of the kit's own types, which pool cameras, the median spans 4.9.
WIDEST = 5.0
MOST_BYTES, MOST = 1_000_000, 1e6  # a file of all measures takes 10 kB; no measure is larger
# A smaller SD is no one's: healthy people differ by a tenth of a binding ratio and more.
LEAST_SD = 0.001
COLUMNS = "uid", "age", "sex"
ASSUMES = (
    "exams that you have read as normal, since the fit cannot know it; one camera and one "
    "reconstruction; a straight line in age, the same for women and men; residuals that are "
    "normally distributed"
)


def fit_own_normals(
    cohort: Cohort,
    table: str | os.PathLike[str],
    *,
    n_jobs: int | None = None,
    progress: bool = True,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Fit a normal range to one's own normal exams.

    Parameters
    ----------
    cohort : Cohort
        Normal exams of one camera and reconstruction.
    table : path
        CSV with the columns uid, age (years) and sex (F or M), a row for each exam; other columns
        are not looked at.
    n_jobs, progress
        As for :func:`datkit.prepare.prepare_cohort`.

    Returns
    -------
    normals : dict
        What :func:`datkit.files.write_sealed` writes and :func:`read_normals` reads: the fit, what
        it assumes, settings, versions and hashes; no uid, no exam. The same exams give the same.
        ``warnings`` says if resolutions spread as those of several cameras.
    left_out : dict
        Exams that were not used, as they are not good: uid to reason.

    Raises
    ------
    UsageError
        If there is no such table.
    CohortError
        With every problem found: exams or ages that are missing or stand twice, ages and sexes that
        cannot be, fewer than 20 good exams, fewer than 5 of a sex, ages within 15 years.
    """
    path, folder = Path(table), str(cohort.folder)
    people = _read_people(path, cohort.uids)
    prepared = prepare_cohort(cohort, n_jobs=n_jobs, progress=progress)
    left_out = prepared.failures | _not_good(prepared)
    people = people.drop(index=list(left_out))
    exams = _hashes(prepared, people.index)
    twice = [", ".join(uids) for uids in exams.groupby(exams).groups.values() if len(uids) > 1]
    problems = found_instead("image-repeated", folder, "each image once",
                             twice, "Keep one of them.", "the same under ")  # fmt: skip
    if few := _too_few(people, folder):
        problems += [*few, *_tell(left_out)]
    CohortError.raise_any(problems, where=folder)
    measures = measure_cohort(prepared).loc[people.index]
    blur = prepared.table["resolution"].reindex(people.index)
    hashes = {"table": sha256_file(path), "exams": _hash("".join(sorted(exams)).encode())}
    fit = fit_normals(measures, people["age"], people["sex"], blur)
    return {
        "about": f"Normal range of {len(people)} exams. {NOT_CLINICAL}",
        "assumes": ASSUMES,
        "warnings": [problem.to_dict() for problem in _too_wide(*fit["resolution"])],
        "settings": PrepareSettings().to_dict() | {"reading": dict(cohort.reading)},
        "versions": {"datkit": __version__, "numpy": np.__version__},
        "sha256": hashes | _resources(),
        "normals": fit,
    }, left_out


def _read_people(path: Path, uids: list[str]) -> pd.DataFrame:
    """Read age and sex of every exam, indexed by uid in the exams' order; or say all that lacks."""
    problems: list[Problem] = []
    table, name = read_table(path, COLUMNS, problems), str(path)
    problems = [replace(one, where=name) for one in problems]
    if table is None:
        error = CohortError if path.exists() else UsageError
        raise error.of(problems, where=name)
    known = set(table["uid"])
    ages = pd.to_numeric(table["age"], errors="coerce")
    told = (table["uid"] + ": " + table["age"].map(repr))[~ages.between(*AGES)]
    sexes = (table["uid"] + ": " + table["sex"].map(repr))[~table["sex"].isin(["F", "M"])]
    absent = [uid for uid in uids if uid not in known]
    unknown = [uid for uid in table["uid"] if uid not in set(uids)]
    for code, expected, found, remedy in (
        ("age", "an age from {:g} to {:g} years".format(*AGES), told, "Correct or remove the row."),
        ("sex", "the sex F or M", sexes, "Correct or remove the row."),
        ("uid-repeated", "each uid once", repeated(table["uid"]), "Keep one row for each exam."),
        ("person-missing", "a row for each exam", absent, "Add these, or move the exams away."),
        ("exam-missing", "an exam for each row", unknown, "Remove the rows, or add the exams."),
    ):
        lead = "none for " if code.endswith("missing") else ""
        problems += found_instead(code, name, expected, found, remedy, lead)
    people = table.assign(age=ages).set_index("uid")
    CohortError.raise_any([*problems, *_too_few(people, name)], where=name)
    return people.loc[uids]


def _too_few(people: pd.DataFrame, where: str) -> list[Problem]:
    """Say what is lacking for a fit."""
    count, women = len(people), int((people["sex"] == "F").sum())
    span = people["age"].max() - people["age"].min()
    remedy = f"Add normal exams of the same camera; a fit assumes {ASSUMES}."
    men, few = count - women, FEWEST_OF_A_SEX
    told = (
        (f"{FEWEST} good normal exams or more, better 120", f"{count}", count < FEWEST),
        (f"{few} women and men or more", f"{women} women and {men} men", min(women, men) < few),
        (f"ages over {LEAST_SPAN:g} years or more", f"{span:.0f} years", span < LEAST_SPAN),
    )
    return [Problem("too-few", where, what, found, remedy) for what, found, wrong in told if wrong]


def _too_wide(least: float, most: float) -> list[Problem]:
    """Warn of resolutions that one camera and one reconstruction hardly give."""
    wide, where = most - least > WIDEST, "the effective resolutions"
    expected = f"a span of {WIDEST:g} mm or less, as one camera and one reconstruction give"
    remedy = "Fit each camera and each reconstruction apart: a range of several tells less."
    found = f"{least:.1f} to {most:.1f} mm (middle 95 %)"
    return [Problem("resolution", where, expected, found, remedy, "warning")] if wide else []


def _tell(left_out: dict[str, str]) -> list[Problem]:
    """Return the exams that a fit does without, each with the reason, a sentence of its own."""
    expected, found = "a good normal exam", "one that is left out"
    return [
        Problem("left-out", uid, expected, found, f"{why[0].upper()}{why[1:].rstrip('.')}.")
        for uid, why in left_out.items()
    ]


def _not_good(prepared: PreparedCohort) -> dict[str, str]:
    """Return why exams are no part of a normal range: a reason to look at them, or their label."""
    abnormal = prepared.labels.index[prepared.labels == 1]
    return prepared.advice | dict.fromkeys(abnormal, "it is labelled abnormal")


def _hashes(prepared: PreparedCohort, uids: pd.Index) -> pd.Series[str]:
    """Return the sha256 of exams' prepared volumes: equal for equal images."""
    rows = prepared.table.index.get_indexer(uids)
    return pd.Series([_hash(prepared.volumes[row].tobytes()) for row in rows], uids, dtype=str)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _resources() -> dict[str, str]:
    """Return what decides where measures are taken: the sha256 of template and regions."""
    return {name: sha256_file(RESOURCES / f"{name}.nii.gz") for name in ("template", "regions")}


def limit_error(n: int) -> float:
    """Return the standard error of a 95 % limit that n exams give, in SD of the exams.

    Examples
    --------
    >>> [round(limit_error(n), 2) for n in (20, 120)]
    [0.39, 0.16]
    """
    return float(np.sqrt(1 / n + NORMAL_95**2 / (2 * (n - 1))))


def read_normals(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Read normals of :func:`fit_own_normals`, which may come from a stranger, and check them.

    Returns
    -------
    dict
        For `normals` of :func:`datkit.measure.compare_with_normals`.

    Raises
    ------
    UsageError
        If there is no such file, it is larger than 1 MB or no normals, holds impossible numbers, or
        was fitted with another template or other regions.
    """
    path = Path(path)
    try:
        file = read_sealed(path, needed=False, most=MOST_BYTES)
        fit = _known(file["normals"])
        problems = _wrong_numbers(fit, str(path))
        own, theirs = _resources(), {name: file["sha256"][name] for name in ("template", "regions")}
    except OSError as error:
        raise UsageError(f"Expected normals at {path}, found {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        expected = f"{path}: expected normals that 'datkit normals fit' wrote"
        found = f"another file ({type(error).__name__}: {str(error)[:200]})"
        raise UsageError(f"{expected}, found {found}; make them anew.") from error
    if theirs != own:
        found = "others: places and sizes of the measures differ"
        expected = "normals measured with this version's template and regions"
        problems.append(Problem("resources", str(path), expected, found, "Fit them again."))
    UsageError.raise_any(problems, where=path)
    doubt = ", whose resolutions spread as several cameras’" if file.get("warnings") else ""
    return {ANY: fit | {"source": f"normal exams of {path.name}{doubt}"}}


def _known(fit: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a stranger wrote
    """Return what of a fit this version knows, as it is written."""
    lines = {name: line for name, line in fit["measures"].items() if name in DEFINITIONS}
    if not lines:
        raise ValueError("it has no measure that this version knows")
    known = {name: {key: line[key] for key in NUMBERS} for name, line in lines.items()}
    return {key: fit[key] for key in ("n", "ages", "resolution")} | {"measures": known}


def _wrong_numbers(fit: dict[str, Any], where: str) -> list[Problem]:
    """Return what cannot be in a fit, one problem for each kind of number."""
    (youngest, oldest), (least, most), lines = fit["ages"], fit["resolution"], fit["measures"]
    told = {key: {f"{name} ": line[key] for name, line in lines.items()} for key in NUMBERS}
    told |= {"n": {"": fit["n"]}, "ages": {"": youngest, "up to ": oldest}}
    told |= {"resolution": {"": least, "up to ": most}}
    limits = {"n": (FEWEST, MOST), "ages": AGES, "resolution": (0, 50), "sd": (LEAST_SD, MOST)}
    problems, remedy = [], "Make the file anew with 'datkit normals fit'."
    for kind, values in told.items():
        low, high = limits.get(kind, (-MOST, MOST))
        wrong = [
            f"{name}{value!r:.40}"
            for name, value in values.items()
            if not (isinstance(value, int | float) and low <= value <= high)
        ]
        expected = f"{kind} from {low:g} to {high:g}"
        problems += found_instead("number", where, expected, wrong, remedy)
    falling = [pair for pair in (fit["ages"], fit["resolution"]) if pair[0] > pair[1]]
    return problems + found_instead("order", where, "the least before the most", falling, remedy)
