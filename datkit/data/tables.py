"""Tables exactly as written: a uid is text, and '007' and '1e5' stay what they are."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from datkit.data.problems import Problems, repeated
from datkit.errors import ScanError
from datkit.io.scan import check_uid

__all__ = ["by_uid", "is_safe", "read_table", "typed"]

# Codes even where they look like numbers: hospital "01" is not hospital "1".
TEXT_COLUMNS = ("centre", "camera", "sex", "subject", "session", "tracer")
SEPARATORS = {",": "comma", "\t": "tab"}
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"  # no leading zeros: "007" is a code


def read_table(
    path: Path, needed: tuple[str, ...], problems: Problems, separator: str = ","
) -> pd.DataFrame | None:
    """Read a CSV file as text, exactly as written, so that '007' and '1e5' stay what they are."""
    if not path.is_file():
        columns = " and ".join(needed)
        problems.append(
            f"{path.name}: expected CSV with the columns {columns}, found no such file; add it."
        )
        return None
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets write a BOM
            reader = csv.reader(stream, delimiter=separator, strict=True)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f"{path.name}: expected CSV in UTF-8, found {error}; save it again.")
        return None
    if not set(needed) <= set(header) or len(set(header)) < len(header):
        problems.append(
            f"{path.name}: expected distinct columns, {' and '.join(needed)} among them, found "
            f"{header}; correct the first line (the separator is a {SEPARATORS[separator]})."
        )
        return None
    uneven = [f"{len(row)} in line {line}" for line, row in rows if len(row) != len(header)]
    problems.expect(path.name, f"{len(header)} values in each line", uneven, "correct those lines")
    return pd.DataFrame([row for _, row in rows if len(row) == len(header)], columns=header)


def by_uid(table: pd.DataFrame, name: str, problems: Problems) -> pd.DataFrame:
    """Check the uids and make them the index; what is repeated or unsafe is left out."""
    safe = np.array([is_safe(uid) for uid in table["uid"]], dtype=bool)
    problems.expect(
        name,
        "uids of letters, digits, '_', '-' and '.'",
        map(repr, table["uid"][~safe]),
        "rename those exams here and on disk",
    )
    twice = repeated(table["uid"])
    problems.expect(name, "each uid once", twice, "keep one per exam", "several rows for ")
    return table[safe].drop_duplicates("uid").set_index("uid")


def is_safe(uid: str) -> bool:
    """Tell whether a uid may name a file; see :func:`datkit.io.scan.check_uid`."""
    try:
        check_uid(uid)
    except ScanError:
        return False
    return True


def typed(text: pd.Series) -> pd.Series:
    """Give a column numbers if all its filled cells are numbers; an empty cell is NaN."""
    filled = text.where(text != "")
    known = filled.dropna()
    is_code = text.name in TEXT_COLUMNS or known.empty or not known.str.fullmatch(NUMBER).all()
    return filled if is_code else pd.to_numeric(filled)
