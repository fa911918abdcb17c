"""One thing that is wrong with a submission, told so that its author can mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """What was expected, what was found instead, where, and what to do next.

    Parameters
    ----------
    code : str
        A short, stable name of the fault, such as ``"main-nested"``: for tests and scripts.
    where : str
        The file, and the line or row in it.
    expected, found : str
        Two phrases that continue "expected …" and "found …".
    remedy : str
        A sentence: what to do next.
    severity : {"error", "warning"}
        An error makes a submission fail, or breaks a rule; a warning may be right, look at it.

    Examples
    --------
    >>> print(Problem("header", "submission.csv, row 1", "'uid,is_pathologic'", "'id,p'",
    ...               "Write the header exactly so."))
    submission.csv, row 1: expected 'uid,is_pathologic', found 'id,p'. Write the header exactly so.
    """

    code: str
    where: str
    expected: str
    found: str
    remedy: str
    severity: str = "error"

    @property
    def is_error(self) -> bool:
        """Whether the submission must not be uploaded as it is."""
        return self.severity == "error"

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}. {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """Return the fields as a plain dictionary, for JSON."""
        return asdict(self)
