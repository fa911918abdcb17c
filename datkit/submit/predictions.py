"""Check `submission.csv` against `submission_format.csv`: every wrong row, not only the first."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from datkit.errors import SubmissionError
from datkit.problems import Problem
from datkit.rules import Found, RuleGroup, finding

__all__ = ["HEADER", "PREDICTIONS", "check_predictions", "read_format", "read_predictions"]

HEADER = ("uid", "is_pathologic")


def read_format(path: str | os.PathLike[str]) -> list[str]:
    """Return the uids of a `submission_format.csv`, as text and in its order.

    Raises
    ------
    SubmissionError
        If the file is absent, is not UTF-8, or has no column `uid`.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            return [row["uid"] for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise SubmissionError(
            f"{path}: Expected a table with the columns {','.join(HEADER)}, found none that can be "
            f"read ({error!r}). Take the challenge's own submission_format.csv."
        ) from error


def read_predictions(path: str | os.PathLike[str], *, column: str = HEADER[1]) -> dict[str, float]:
    """Return {uid: probability} of a `submission.csv` that :func:`check_predictions` passes."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return {row["uid"]: float(row[column]) for row in csv.DictReader(stream)}


def check_predictions(
    path: str | os.PathLike[str],
    expected: str | os.PathLike[str] | list[str],
    *,
    column: str = HEADER[1],
    grades: int = 0,
) -> list[Problem]:
    """Return every problem of a `submission.csv`, each with its row (the header is line 1).

    Expected are UTF-8 without a byte order mark, the header `uid,is_pathologic`, and each uid of
    the format file once, in that file's order and spelling, with a finite probability in [0, 1].

    Parameters
    ----------
    path : path
        What was written.
    expected : path or list of str
        The challenge's `submission_format.csv`, or its uids.
    column : str
        What stands beside `uid`, in a challenge of one's own.
    grades : int
        If it is not 0, a grade is expected in place of a probability, a whole number below it.

    Raises
    ------
    SubmissionError
        If the format file itself cannot be read.
    """
    path = Path(path)
    if isinstance(expected, str | os.PathLike):
        expected = read_format(expected)
    if not path.is_file():
        return [finding("no-predictions", path.name, "a file", "none")]
    content = path.read_bytes()
    bytes_only = Table(path.name, content, [], [], column, grades)
    bytes_alone = [*PREDICTIONS.problems(bytes_only, ("bom", "quoting"))]
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at position {error.start}"
        return [*bytes_alone, finding("encoding", path.name, "UTF-8 text", found)]
    except csv.Error as error:
        return [*bytes_alone, finding("quoting", path.name, "plain rows", str(error))]
    if rows and ";" in ",".join(rows[0]):  # all else would follow from it
        return [finding("separator", path.name, "commas between values", "semicolons", line=1)]
    return [*PREDICTIONS.problems(replace(bytes_only, rows=rows, expected=expected))]


@dataclass(frozen=True)
class Table:
    """What the rules look at: a table's bytes, its rows of text, the uids that it must have."""

    name: str
    content: bytes
    rows: list[list[str]]
    expected: list[str]
    column: str = HEADER[1]
    grades: int = 0

    @property
    def wanted(self) -> str:
        """What a value is, where that is no probability."""
        return f"a grade from 0 to {self.grades - 1}" if self.grades else ""

    @cached_property
    def uids(self) -> list[str]:
        """The uid of each row below the header."""
        return [row[0] if row else "" for row in self.rows[1:]]

    @cached_property
    def lines(self) -> dict[str, list[int]]:
        """The lines of each uid."""
        found: dict[str, list[int]] = {}
        for line, uid in enumerate(self.uids, start=2):
            found.setdefault(uid, []).append(line)
        return found

    @cached_property
    def values(self) -> list[tuple[int, str, float | None]]:
        """Line, text and number of each probability; None where it is no number."""
        rows = enumerate(self.rows[1:], start=2)
        return [(line, row[1], _as_number(row[1])) for line, row in rows if len(row) == 2]


def _as_number(text: str) -> float | None:
    try:
        # float() reads 1_0 as ten, and digits of any script; other readers do not.
        return float(text if text.isascii() and "_" not in text else "")
    except ValueError:
        return None


PREDICTIONS: RuleGroup[Table] = RuleGroup("The table that it wrote")
PREDICTIONS.declare(
    "no-predictions",
    "No `submission.csv` was written.",
    "Write it into the working directory, beside the folder `data`.",
)
PREDICTIONS.declare("encoding", "The table is not UTF-8.", "Write it with `encoding='utf-8'`.")
PREDICTIONS.declare(
    "separator",
    "Values stand between semicolons, as a spreadsheet in French or German saves them.",
    "Save it with commas between values and points in numbers: from a spreadsheet set to English, "
    "or by `to_csv(…, index=False)` of what pandas' `read_csv(…, sep=';', decimal=',', "
    "dtype={'uid': str}, keep_default_na=False)` reads.",
)
_PROBABILITY = "a probability from 0 to 1"


@PREDICTIONS.rule("bom", expected="no byte order mark")
def has_a_mark(table: Table) -> Iterator[Found]:
    """The table begins with a byte order mark.

    Write it with `encoding='utf-8'`, not `'utf-8-sig'`.
    """
    if table.content.startswith(codecs.BOM_UTF8):
        yield Found(table.name, "one", line=1)


@PREDICTIONS.rule("quoting", expected="plain values")
def is_quoted(table: Table) -> Iterator[Found]:
    """Values stand in quotation marks.

    Leave quoting at its default, `csv.QUOTE_MINIMAL`: no value needs it.
    """
    for line, text in enumerate(table.content.splitlines(), start=1):
        if b'"' in text:
            yield Found(table.name, "quotation marks", line=line)


@PREDICTIONS.rule("header")
def has_another_header(table: Table) -> Iterator[Found]:
    """The first line is not `uid,is_pathologic`.

    Write exactly this line first; with pandas, `to_csv(…, index=False)`.
    """
    header, wanted = table.rows[0] if table.rows else [], [HEADER[0], table.column]
    if header != wanted:
        yield Found(table.name, repr(",".join(header)), repr(",".join(wanted)), line=1)


@PREDICTIONS.rule("columns", expected="2 values")
def has_other_columns(table: Table) -> Iterator[Found]:
    """A row has more or fewer than two values.

    Write uid and probability only, with a decimal point, and no empty rows.
    """
    for line, row in enumerate(table.rows[1:], start=2):
        if len(row) != 2:
            yield Found(table.name, f"{len(row)}: {','.join(row)[:60]!r}", line=line)


@PREDICTIONS.rule("not-a-number", expected=_PROBABILITY)
def is_no_number(table: Table) -> Iterator[Found]:
    """A probability is no number.

    Write a plain number, such as 0.25.
    """
    for line, text, value in table.values:
        if value is None:
            yield Found(table.name, repr(text[:60]), table.wanted, line=line)


@PREDICTIONS.rule("not-finite", expected=_PROBABILITY)
def is_not_finite(table: Table) -> Iterator[Found]:
    """A probability is NaN or infinite.

    Find the exam that gave it; fall back to the training prevalence.
    """
    for line, text, value in table.values:
        if value is not None and not math.isfinite(value):
            yield Found(table.name, repr(text), table.wanted, line=line)


@PREDICTIONS.rule("out-of-range", expected=_PROBABILITY)
def is_no_probability(table: Table) -> Iterator[Found]:
    """A probability lies outside 0 to 1.

    Write the probability of abnormal, not a logit or a percentage.
    """
    for line, text, value in table.values:
        if value is not None and math.isfinite(value):
            fits = value in range(table.grades) if table.grades else 0 <= value <= 1
            if not fits:
                yield Found(table.name, text, table.wanted, line=line)


@PREDICTIONS.rule("uid-unknown", expected="a uid of submission_format.csv")
def has_unknown_uids(table: Table) -> Iterator[Found]:
    """A row's uid is not in the format file.

    Predict the uids of `submission_format.csv` and no others, and read them as text:
    `pandas.read_csv(…, dtype={'uid': str}, keep_default_na=False)`.
    """
    # Of the missing ones, that which reads as the same number: '007' for '7', '1e5' for '100000.0'.
    missing = sorted({*table.expected} - table.lines.keys(), reverse=True)
    twins = {_as_number(uid): uid for uid in missing} | {None: None}
    known = {*table.expected}
    for uid, lines in table.lines.items():
        if uid not in known:
            twin = twins.get(_as_number(uid))
            wanted = f"the uid {twin!r}" if twin else ""
            yield Found(table.name, repr(uid), wanted, line=lines[0])


@PREDICTIONS.rule("uid-duplicate", expected="each uid once")
def repeats_uids(table: Table) -> Iterator[Found]:
    """A uid has several rows.

    Write it once.
    """
    for uid in dict.fromkeys(table.expected):
        if len(lines := table.lines.get(uid, [])) > 1:
            found = f"{uid!r} in lines {', '.join(map(str, lines))}"
            yield Found(table.name, found, line=lines[0])


@PREDICTIONS.rule("uid-missing", expected="")
def lacks_uids(table: Table) -> Iterator[Found]:
    """An exam has no row.

    Write a row for each exam; one that fails gets the training prevalence.
    """
    for line, uid in enumerate(table.expected, start=2):
        if uid not in table.lines:
            yield Found(table.name, "no such row", f"{uid!r} in line {line}")


@PREDICTIONS.rule("order")
def is_out_of_order(table: Table) -> Iterator[Found]:
    """Rows stand in another order than in the format file.

    Loop over `submission_format.csv`; do not sort, and do not list the folder.
    """
    if sorted(table.uids) == sorted(table.expected):
        pairs = enumerate(zip(table.uids, table.expected, strict=True), start=2)
        wrong = [(line, uid, wanted) for line, (uid, wanted) in pairs if uid != wanted]
        if wrong:
            line, uid, wanted = wrong[0]
            found = f"{uid!r} ({len(wrong)} of {len(table.uids)} rows are out of order)"
            yield Found(table.name, found, repr(wanted), line=line)
