"""Tables as spreadsheets leave them: opened to the letter, or one sentence with file and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from exams import save_small

from datkit.data import open_folder
from datkit.errors import CohortError

HEADER = "uid,is_pathologic\n"
OPENED = {
    "a BOM": ("\ufeff" + HEADER + "a,0\nb,1\n", ["a", "b"]),
    "quotes": (HEADER + '"a",0\n"b","1"\n', ["a", "b"]),
    "carriage returns": ((HEADER + "a,0\nb,1\n").replace("\n", "\r\n"), ["a", "b"]),
    "empty lines": (HEADER + "\na,0\n\nb,1\n\n", ["a", "b"]),
    "no last newline": (HEADER + "a,0\nb,1", ["a", "b"]),
    "more columns": ("uid,reader,is_pathologic\na,x,0\nb,y,1\n", ["a", "b"]),
    "zeros in front": (HEADER + "007,0\nb,1\n", ["007", "b"]),
    "what looks like a number": (HEADER + "1e5,0\n1.0,1\n", ["1e5", "1.0"]),
    "what looks like nothing": (HEADER + "NA,0\nnull,1\n", ["NA", "null"]),
    "what looks like a truth": (HEADER + "True,0\nFALSE,1\n", ["True", "FALSE"]),
    "what looks like a date": (HEADER + "2026-01-02,0\n1-2,1\n", ["2026-01-02", "1-2"]),
    "what looks like a formula's value": (HEADER + "0x1F,0\ninf,1\n", ["0x1F", "inf"]),
}
REFUSED = {
    "semicolons": ("uid;is_pathologic\na;0\n", "the separator is ','"),
    "tabs": ("uid\tis_pathologic\na\t0\n", "the separator is ','"),
    "decimal commas": (HEADER + "a,0,0\nb,1,0\n", "expected 2 values in each line, found 3"),
    "a space in front of a uid": (HEADER + " a,0\nb,1\n", "expected uids of letters"),
    "a space behind a uid": (HEADER + "a ,0\nb,1\n", "expected uids of letters"),
    "a space in a uid": (HEADER + "a b,0\nb,1\n", "expected uids of letters"),
    "a no-break space": (HEADER + "a\u00a0,0\nb,1\n", "expected uids of letters"),
    "a hidden joiner": (HEADER + "a\u200b,0\nb,1\n", "expected uids of letters"),
    "letters of another alphabet": (HEADER + "а,0\nb,1\n", "expected uids of letters"),
    "a path": (HEADER + "../a,0\nb,1\n", "expected uids of letters"),
    "a formula": (HEADER + "=1+1,0\nb,1\n", "expected uids of letters"),
    "an option": (HEADER + "-rf,0\nb,1\n", "expected uids of letters"),
    "no uid": (HEADER + ",0\nb,1\n", "expected uids of letters"),
    "a very long uid": (HEADER + "a" * 5000 + ",0\nb,1\n", "expected uids of letters"),
    "007 eaten": (HEADER + "7,0\nb,1\n", "a spreadsheet turns 007 into 7"),
    "one uid twice": (HEADER + "a,0\na,1\nb,1\n", "several rows for 'a'"),
    "words for labels": (HEADER + "a,normal\nb,1\n", "found 'normal' for 'a'"),
    "a third label": (HEADER + "a,0\nb,2\n", "found '2' for 'b'"),
    "NaN": (HEADER + "a,nan\nb,1\n", "found 'nan' for 'a'"),
    "infinity": (HEADER + "a,inf\nb,1\n", "found 'inf' for 'a'"),
    "no label": (HEADER + "a,\nb,1\n", "found '' for 'a'"),
    "columns in capitals": ("UID,is_pathologic\na,0\n", "uid and is_pathologic among them"),
    "a space in the header": ("uid, is_pathologic\na,0\n", "uid and is_pathologic among them"),
    "a column twice": ("uid,is_pathologic,uid\na,0,b\n", "expected distinct columns"),
    "no header": ("a,0\nb,1\n", "expected distinct columns"),
    "nothing": ("", "expected distinct columns"),
    "an open quote": (HEADER + '"a,0\nb,1\n', "expected CSV in UTF-8"),
    "a web page": ("<html><body>404</body></html>", "expected distinct columns"),
}
BYTES = {
    "Latin-1": HEADER.encode() + "é,0\n".encode("latin-1"),
    "UTF-16": (HEADER + "a,0\n").encode("utf-16"),
    "a NUL": HEADER.encode() + b"a\0,0\nb,1\n",
    "a workbook": b"PK\x03\x04" + bytes(range(256)),
    "a field of 200 kB": HEADER.encode() + b'"' + b"a" * 200_000 + b'",0\n',
}


def folder_with(tmp_path: Path, table: bytes, uids: list[str]) -> Path:
    (tmp_path / "niftis").mkdir()
    for number, uid in enumerate(uids):
        save_small(tmp_path / "niftis" / f"{uid}.nii.gz", number)
    (tmp_path / "train_labels.csv").write_bytes(table)
    return tmp_path


@pytest.mark.parametrize("case", OPENED)
def test_it_opens_to_the_letter(tmp_path, case):
    text, uids = OPENED[case]
    cohort = open_folder(folder_with(tmp_path, text.encode(), uids))
    assert cohort.uids == uids and cohort.labels.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("case", [*REFUSED, *BYTES])
def test_it_is_refused_in_sentences(tmp_path, case):
    text, said = REFUSED.get(case, ("", "train_labels.csv: expected"))
    table = BYTES.get(case, text.encode())
    with pytest.raises(CohortError) as caught:
        open_folder(folder_with(tmp_path, table, ["a", "b"]))
    problems = [str(problem) for problem in caught.value.problems]
    assert any(said in problem for problem in problems)
    assert all(problem.endswith(".") for problem in problems)
    assert len(str(caught.value)) < 20_000
