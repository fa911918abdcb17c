"""Check a submission before it is uploaded: every problem at once, without running any of it."""

from __future__ import annotations

import csv
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from datkit.submit.archive import UNREADABLE, archive_problems, members_of
from datkit.submit.imports import imports_of
from datkit.submit.predictions import check_predictions
from datkit.submit.problem import Problem
from datkit.submit.runtime import PYTHON, is_in_runtime
from datkit.submit.weights import find_pickle, find_weight_damage

__all__ = ["check_predictions", "check_submission"]

# One volume may be a template; a folder of them is a data set, which no submission may carry.
MAX_VOLUMES = 5
_VOLUMES = (".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd", ".hdr", ".img")


def check_submission(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem that can be found in a submission's zip without running it.

    The archive (whole, safe to unpack, `main.py` at its root), then each member: Python that
    parses and imports only what the platform has, weights that can be read and are no pickles, and
    nothing that does not belong there: notebooks, exams, tables of exams. An empty list means that
    :func:`datkit.submit.run_submission` is the next step.

    Parameters
    ----------
    path : path
        The zip file.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    problems = archive_problems(path)
    if any(problem.code in UNREADABLE for problem in problems):
        return problems
    with zipfile.ZipFile(path) as archive:
        members = members_of(archive)
        names = [info.filename for info in members]
        bundled = _bundled(names)
        problems += [problem for name in names for problem in _check_name(name)]
        problems += _find_volumes(names)
        for info in members:
            problems += _check_content(info.filename, archive.read(info), bundled)
    return problems


def _bundled(names: list[str]) -> set[str]:
    """Every name that a submission could import from itself, whatever it adds to `sys.path`."""
    parts = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    return parts | {PurePosixPath(name).stem.partition(".")[0] for name in names}


def _check_name(name: str) -> Iterator[Problem]:
    where, path = f"member {name!r}", PurePosixPath(name)
    if path.suffix == ".ipynb":
        remedy = "Leave it out: notebooks carry outputs, and outputs carry exams."
        yield Problem("notebook", where, "no notebook", "one", remedy)
    if path.parts[:1] == ("data",):
        remedy = "Move it: the platform mounts the exams at data/, over whatever is there."
        yield Problem("data-folder", where, "nothing under data/", "a member there", remedy)
    if name == "submission.csv":
        remedy = "Leave it out: main.py writes it, and an old one would hide that it did not."
        yield Problem("old-predictions", where, "no predictions", "a submission.csv", remedy)


def _find_volumes(names: list[str]) -> Iterator[Problem]:
    volumes = [name for name in names if name.lower().endswith(_VOLUMES)]
    exams = [name for name in volumes if name.lower().endswith(".dcm") or "niftis/" in name]
    if exams or len(volumes) > MAX_VOLUMES:
        found = f"{len(volumes)}, such as {(exams or volumes)[0]!r}"
        remedy = "Leave exams out: the rules forbid to share them. A template may stay."
        expected = f"no exams, and at most {MAX_VOLUMES} volumes"
        yield Problem("volumes", "the archive", expected, found, remedy)


def _check_content(name: str, content: bytes, bundled: set[str]) -> Iterator[Problem]:
    where, suffix = f"member {name!r}", PurePosixPath(name).suffix.lower()
    if pickle := find_pickle(name, content):
        expected = "weights as safetensors, NPZ or JSON"
        remedy = "A pickle breaks with another version of its library and can run code: save again."
        yield Problem("pickle", where, expected, pickle, remedy)
    elif damage := find_weight_damage(suffix, content):
        yield Problem("weights", where, "readable weights", damage, "Save the model again.")
    if suffix == ".py":
        yield from _check_python(where, content, bundled)
    if suffix in (".csv", ".tsv"):
        yield from _check_table(where, content)


def _check_python(where: str, content: bytes, bundled: set[str]) -> Iterator[Problem]:
    try:
        found = imports_of(content, where)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        remedy = f"Checked with Python {here}; the platform runs {PYTHON}."
        place = f"{where}, line {line}" if line else where
        yield Problem("syntax", place, "Python", getattr(error, "msg", str(error)), remedy)
        return
    for one in found:
        top = one.module.partition(".")[0]
        if not (one.level or one.optional or top in bundled or is_in_runtime(top)):
            remedy = "Do without it, or put it into the zip: the platform installs nothing."
            place, expected = f"{where}, line {one.line}", "a package that the platform has"
            yield Problem("absent-package", place, expected, f"import {one.module}", remedy)


def _check_table(where: str, content: bytes) -> Iterator[Problem]:
    first = content[:10_000].decode("utf-8", "replace").lstrip("\ufeff").splitlines()[:1]
    header = next(csv.reader(first, delimiter="\t" if "\t" in "".join(first) else ","), [])
    if "uid" in [column.strip().lower() for column in header]:
        remedy = "Leave it out: the rules forbid to share labels or anything else of single exams."
        yield Problem("exam-table", where, "no table of exams", "a column 'uid'", remedy)
