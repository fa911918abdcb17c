"""Every error that datkit raises on purpose.

A message is one or more sentences: what was expected, what was found, where, and what to do next.
A validator collects :class:`datkit.problems.Problem` and raises all together with
:meth:`DatkitError.raise_any`; an error that only says why a call cannot go on is raised with a
message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from datkit.problems import Problem

__all__ = [
    "ArchiveError",
    "ChecksumError",
    "CohortError",
    "DatkitError",
    "FetchError",
    "ManifestError",
    "ModelError",
    "NotebookError",
    "PrepareError",
    "ScanError",
    "SubmissionError",
    "UsageError",
    "problems_of",
]


class DatkitError(Exception):
    """Base class: catch it to catch everything that datkit raises on purpose.

    Attributes
    ----------
    problems : tuple of Problem
        What :meth:`of` was given; empty for an error that was raised with a message alone.
    """

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem], *, where: object) -> Self:
        """Make one error that lists every problem found in one place.

        Parameters
        ----------
        problems : iterable of Problem
            The problems, in the order in which a reader meets them.
        where : object
            The file or folder that holds them. A problem that lies right there does not repeat it.

        Examples
        --------
        >>> twice = Problem("uid-repeated", "exams.csv", "each uid once", "7 twice", "Keep one.")
        >>> absent = Problem("volume-missing", "demo", "a volume of 9", "none", "Add it.")
        >>> print(CohortError.of([twice, absent], where="demo"))
        2 problems in demo:
          - exams.csv: expected each uid once, found 7 twice. Keep one.
          - expected a volume of 9, found none. Add it.
        """
        problems = tuple(problems)
        texts = [str(problem).removeprefix(f"{where}: ") for problem in problems]
        if len(texts) == 1:
            error = cls(f"{where}: {texts[0]}")
        else:
            lines = "\n".join(f"  - {text}" for text in texts)
            error = cls(f"{len(texts)} problems in {where}:\n{lines}")
        error.problems = problems
        return error

    @classmethod
    def raise_any(cls, problems: Iterable[Problem], *, where: object) -> None:
        """Raise the error that lists the problems, if there are any.

        Raises
        ------
        DatkitError
            Of this class, as :meth:`of` makes it.

        Examples
        --------
        >>> CohortError.raise_any([], where="demo")
        """
        if problems := [*problems]:
            raise cls.of(problems, where=where)


class UsageError(DatkitError):
    """The call itself is wrong: an unknown name, a path that does not exist (exit code 2)."""


class ManifestError(DatkitError):
    """`data_manifest.yaml` breaks its own rules."""


class FetchError(DatkitError):
    """A file could not be fetched, or has not been fetched yet."""


class ChecksumError(FetchError):
    """A file's bytes are not those that the manifest or the cohort promises."""


class ArchiveError(FetchError):
    """An archive is damaged, or not safe to unpack."""


class ScanError(DatkitError):
    """A volume cannot be read, or holds what no reconstructed exam can hold."""


class CohortError(DatkitError):
    """A cohort folder breaks the layout: tables, uids or volumes do not fit together."""


class PrepareError(DatkitError):
    """A scan could not be brought into the canonical grid."""


class ModelError(DatkitError, ValueError):
    """A model was given what it cannot learn from, or stored weights are damaged.

    A ValueError too, since scikit-learn's own tools catch that.
    """


class SubmissionError(DatkitError):
    """A submission could not be packed or run."""


class NotebookError(DatkitError):
    """A notebook failed, or breaks the rules that the book sets."""


def problems_of(error: Exception, where: object) -> tuple[Problem, ...]:
    """Return the problems that an error carries, or its message as one of the file `where`.

    Examples
    --------
    >>> print(*problems_of(OSError("Permission denied"), "a.nii"))
    a.nii: expected a file that can be read, found Permission denied. Mend it or leave it out.
    """
    remedy = "Mend it or leave it out."
    expected = "a file that can be read"
    unreadable = Problem("unreadable", str(where), expected, str(error).rstrip("."), remedy)
    return getattr(error, "problems", ()) or (unreadable,)
