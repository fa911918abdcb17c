"""One way to tell a fault: what was expected, what was found, where, and what to do next."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

__all__ = ["Problem", "found_instead", "list_some", "repeated", "shown"]

# What a terminal or a browser obeys and does not show: control characters (C0 but tab and newline,
# DEL, C1), halves of surrogate pairs, and the format characters, fillers and separators of Unicode
# that turn round, hide or break a text. Joiners and variation selectors stay: Persian, Hindi, names
# in Japanese and emoji are written with them.
_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f]"
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, a cohort, a table, a submission or a notebook.

    Parameters
    ----------
    code : str
        A short, stable name of the fault, such as ``"main-nested"``: for tests and scripts.
    where : str
        The file, folder, member, exam or cell that holds it.
    expected, found : str
        Two phrases that continue "expected …" and "found …".
    remedy : str
        A sentence: what to do next.
    severity : {"error", "warning"}
        An error must be mended; a warning may be right, look at it.
    line : int, optional
        The line of the file, or the row of the table, counted from 1.

    Examples
    --------
    >>> print(Problem("header", "submission.csv", "'uid,is_pathologic'", "'id,p'",
    ...               "Write the header exactly so.", line=1))
    submission.csv, line 1: expected 'uid,is_pathologic', found 'id,p'. Write the header exactly so.
    """

    code: str
    where: str
    expected: str
    found: str
    remedy: str
    severity: str = "error"
    line: int | None = None

    @property
    def is_error(self) -> bool:
        """Whether it must be mended; a warning may be right."""
        return self.severity == "error"

    @property
    def place(self) -> str:
        """Where it is, with the line if one is known."""
        return self.where if self.line is None else f"{self.where}, line {self.line}"

    def __str__(self) -> str:
        text = f"{self.place}: expected {self.expected}, found {self.found}. {self.remedy}"
        return shown(text)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as a plain dictionary, for JSON."""
        return asdict(self)


def found_instead(
    code: str, where: str, expected: str, wrong: Iterable[object], remedy: str, lead: str = ""
) -> list[Problem]:
    """Return the problem that names what was found instead, or nothing if nothing was.

    Examples
    --------
    >>> found_instead("label-unknown", "train_labels.csv", "0 or 1", [], "Correct the labels.")
    []
    >>> print(*found_instead("volume-missing", "niftis", "every volume", ["'7'", "'9'"],
    ...                      "Add the files.", lead="none for "))
    niftis: expected every volume, found none for '7', '9'. Add the files.
    """
    found = list_some(wrong)
    return [Problem(code, where, expected, f"{lead}{found}", remedy)] if found else []


def list_some(items: Iterable[object], most: int = 3) -> str:
    """Write the first few of many things, and how many more there are.

    Examples
    --------
    >>> list_some(range(8))
    '0, 1, 2 and 5 more'
    """
    texts = [str(item) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def repeated(names: Iterable[str]) -> list[str]:
    """Return those that stand more than once, in quotes.

    Examples
    --------
    >>> repeated(["a", "b", "a"])
    ["'a'"]
    """
    return [repr(name) for name, count in Counter(names).items() if count > 1]


def shown(text: object, newline: str = r"\n") -> str:
    r"""Return a text as it may be shown, whatever a file's name, a table or a server put into it.

    What a terminal or a browser would obey is written as an escape: those below U+0020 as Python
    writes them, the others as JSON does, so that shown JSON stays JSON. Letters of any script,
    marks and emoji stay.

    Parameters
    ----------
    text : str, or what becomes one
    newline : str
        What stands for the end of a line: by default an escape too, since a second line could pass
        for one of the kit's own; an end of line where the text has several.

    Examples
    --------
    >>> print(shown("Zoë\x1b[2J\u202e.nii"), shown("7\nno problem found"))
    Zoë\x1b[2J\u202e.nii 7\nno problem found
    """
    return _OBEYED.sub(_escape, str(text)).replace("\n", newline)


def _escape(found: re.Match[str]) -> str:
    return (ascii if found[0] < " " else json.dumps)(found[0])[1:-1]
