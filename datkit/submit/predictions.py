"""Check `submission.csv` against `submission_format.csv`: every wrong row, not only the first."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datkit.errors import SubmissionError
from datkit.inspect.rules import RULES, finding, plain
from datkit.problems import Problem

__all__ = ["HEADER", "check_against", "check_predictions", "read_format", "read_predictions"]

HEADER = ("uid", "is_pathologic")


def read_format(path: str | os.PathLike[str]) -> list[str]:
    """Return the uids of a `submission_format.csv`, as text and in its order.

    Raises
    ------
    SubmissionError
        If the file is absent, is not UTF-8, or has no column `uid`.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return [row["uid"] for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise SubmissionError(
            f"{path}: Expected a table with the columns {','.join(HEADER)}, found none that can be "
            f"read ({error!r}). Take the challenge's own submission_format.csv."
        ) from error


def read_predictions(path: str | os.PathLike[str]) -> dict[str, float]:
    """Return {uid: probability} of a `submission.csv` that :func:`check_predictions` passes."""
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["uid"]: float(row["is_pathologic"]) for row in csv.DictReader(stream)}


def check_predictions(
    path: str | os.PathLike[str], format_path: str | os.PathLike[str]
) -> list[Problem]:
    """Return every problem of a `submission.csv`, each with its row (the header is row 1).

    Expected are UTF-8 without a byte order mark, the header `uid,is_pathologic`, and each uid of
    the format file once, in that file's order and spelling, with a finite probability in [0, 1].

    Parameters
    ----------
    path, format_path : path
        What was written, and the challenge's `submission_format.csv`.

    Raises
    ------
    SubmissionError
        If the format file itself cannot be read.
    """
    return check_against(path, read_format(format_path))


def check_against(path: str | os.PathLike[str], expected: list[str]) -> list[Problem]:
    """Do what :func:`check_predictions` does, for uids that are already at hand."""
    name = Path(path).name
    if not Path(path).is_file():
        return [finding("no-predictions", name, "a file", "none")]
    content = Path(path).read_bytes()
    problems = list(_check_bytes(name, content))
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at position {error.start}"
        return [*problems, finding("encoding", name, "UTF-8 text", found)]
    except csv.Error as error:
        return [*problems, finding("quoting", name, "plain rows", str(error))]
    problems += _check_header(name, rows[0] if rows else [])
    problems += _check_rows(name, rows[1:])
    uids = [row[0] if row else "" for row in rows[1:]]
    return problems + [*_check_uids(name, uids, expected)]


def _check_bytes(name: str, content: bytes) -> Iterator[Problem]:
    if content.startswith(b"\xef\xbb\xbf"):
        yield finding("bom", f"{name}, row 1", "no byte order mark", "one")
    for number, line in enumerate(content.splitlines(), start=1):
        if b'"' in line:
            where = f"{name}, row {number}"
            yield finding("quoting", where, "plain values", "quotation marks")


def _check_header(name: str, header: list[str]) -> Iterator[Problem]:
    if tuple(header) != HEADER:
        expected, found = repr(",".join(HEADER)), repr(",".join(header))
        yield finding("header", f"{name}, row 1", expected, found)


def _check_rows(name: str, rows: list[list[str]]) -> Iterator[Problem]:
    for number, row in enumerate(rows, start=2):
        where = f"{name}, row {number}"
        if len(row) != 2:
            found = f"{len(row)}: {','.join(row)[:60]!r}"
            yield finding("columns", where, "2 values", found)
        else:
            yield from _check_value(where, row[1])


def _check_value(where: str, text: str) -> Iterator[Problem]:
    expected = "a probability from 0 to 1"
    try:
        value = float("" if "_" in text else text)  # float() reads 1_0 as ten; other readers do not
    except ValueError:
        yield finding("not-a-number", where, expected, repr(text[:60]))
        return
    if not math.isfinite(value):
        yield finding("not-finite", where, expected, repr(text))
    elif not 0 <= value <= 1:
        yield finding("out-of-range", where, expected, text)


def _check_uids(name: str, uids: list[str], expected: list[str]) -> Iterator[Problem]:
    known, found = set(expected), set(uids)
    first = {uid: number for number, uid in reversed([*enumerate(uids, start=2)])}
    for uid in sorted(found - known, key=first.__getitem__):
        where, twin = f"{name}, row {first[uid]}", _find_twin(uid, known - found)
        remedy = plain(RULES["uid-as-number"].remedy) if twin else ""
        wanted = f"the uid {twin!r}" if twin else "a uid of submission_format.csv"
        yield finding("uid-unknown", where, wanted, repr(uid), remedy)
    for uid, count in Counter(uids).items():
        if count > 1 and uid in known:
            rows = [number for number, other in enumerate(uids, start=2) if other == uid]
            where = f"{name}, rows {', '.join(map(str, rows))}"
            yield finding("uid-duplicate", where, "each uid once", repr(uid))
    for row, uid in enumerate(expected, start=2):
        if uid not in found:
            yield finding("uid-missing", name, f"{uid!r} in row {row}", "no such row")
    if found == known and len(uids) == len(expected) and uids != expected:
        yield _describe_order(name, uids, expected)


def _describe_order(name: str, uids: list[str], expected: list[str]) -> Problem:
    wrong = [row for row, pair in enumerate(zip(uids, expected, strict=True)) if len(set(pair)) > 1]
    row, count = wrong[0] + 2, len(wrong)
    where = f"{name}, row {row}"
    found = f"{uids[wrong[0]]!r} ({count} of {len(uids)} rows are out of order)"
    return finding("order", where, f"{expected[wrong[0]]!r}", found)


def _find_twin(uid: str, missing: set[str]) -> str | None:
    """Find the missing uid that reads as the same number: '7' for '007', '100000.0' for '1e5'."""
    number = _as_number(uid)
    twins = (other for other in sorted(missing) if number == _as_number(other) is not None)
    return next(twins, None)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
