"""Every error that datkit raises on purpose.

A message is one or more sentences: what was expected, what was found, where, and what to do next.
A validator collects :class:`datkit.problems.Problem` and raises all together with
:meth:`DatkitError.raise_any`; an error that only says why a call cannot go on is raised with a
message.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from datkit.problems import Problem, shown

__all__ = [
    "AnswerError",
    "ArchiveError",
    "ChallengeError",
    "ChecksumError",
    "CohortError",
    "DatkitError",
    "FetchError",
    "ManifestError",
    "ModelError",
    "NotebookError",
    "PrepareError",
    "ReadingError",
    "ScanError",
    "SubmissionError",
    "UsageError",
    "as_datkit_error",
    "check_answer",
    "is_numeric",
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
        problems, where = tuple(problems), shown(where)
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


class ChallengeError(DatkitError):
    """`challenge.yaml` breaks its own rules, or a challenge refuses what is asked of it."""


class ReadingError(DatkitError):
    """A campaign of readers, or what one of them handed in, breaks its rules."""


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


class AnswerError(DatkitError):
    """An answer to an exercise is not right yet: IPython shows its sentence, and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def check_answer(holds: object, otherwise: str) -> None:
    """Tell a reader what is wrong with an answer, in one sentence.

    Parameters
    ----------
    holds : object
        True, or anything that counts as true, if the answer passes this test; or a function
        without arguments that makes the test, where the answer may stop with an error.
    otherwise : str
        What is wrong if it does not.

    Raises
    ------
    AnswerError
        With that sentence, or with the error of an answer that does not run.

    Examples
    --------
    >>> ratio = 3.0  # target over reference
    >>> check_answer(ratio > 0, "A ratio is positive.")
    >>> check_answer(ratio == 2.0, "This is SBR + 1: subtract the reference first.")
    Traceback (most recent call last):
        ...
    datkit.errors.AnswerError: This is SBR + 1: subtract the reference first.
    >>> check_answer(lambda: ratio.mean() == 3, "Take the mean.")
    Traceback (most recent call last):
        ...
    datkit.errors.AnswerError: Your answer stops with AttributeError("'float' object has no \
attribute 'mean'"). The hint may help.
    """
    try:
        right = holds() if callable(holds) else holds
    except Exception as error:
        raise AnswerError(f"Your answer stops with {error!r}. The hint may help.") from error
    if not right:
        raise AnswerError(otherwise)


def is_numeric(answer: object, *shape: int) -> bool:
    """Return whether an answer holds real numbers, in a list, an array, a series or alone.

    Parameters
    ----------
    answer : object
        Whatever a reader wrote.
    *shape : int
        How many numbers along each axis; nothing if one number is wanted.

    Examples
    --------
    >>> is_numeric(0.4), is_numeric([0.4, 3], 2), is_numeric([0.4, 3])
    (True, True, False)
    >>> is_numeric(None), is_numeric("40 %"), is_numeric({0.4}), is_numeric([[0.4, 3], [1]], 2)
    (False, False, False, False)
    """
    import numpy as np

    with suppress(ValueError):  # rows of unequal length
        return np.array(answer, object).shape == shape and np.array(answer).dtype.kind in "iuf"
    return False


def problems_of(error: Exception, where: object) -> tuple[Problem, ...]:
    """Return the problems that an error carries, or what it is as one of the file `where`.

    Examples
    --------
    >>> print(*problems_of(OSError("Permission denied"), "a.nii"))
    a.nii: expected a file that can be read, found Permission denied. Mend it or leave it out.
    >>> print(*problems_of(ValueError("bad"), "a.nii"))  # doctest: +NORMALIZE_WHITESPACE
    a.nii: expected a file that can be read, found ValueError: bad; please report it. Mend it or
    leave it out.
    """
    found = str(error).rstrip(".")
    if not isinstance(error, DatkitError | OSError):
        found = f"{type(error).__name__}: {found}; please report it"
    expected, remedy = "a file that can be read", "Mend it or leave it out."
    unforeseen = Problem("unreadable", str(where), expected, found, remedy)
    return getattr(error, "problems", ()) or (unforeseen,)


def as_datkit_error(error: Exception, where: object) -> DatkitError:
    """Return an error itself if it says what is wrong, else one that does, of the file `where`.

    What works through several files catches `Exception` of each and keeps this, so that whatever is
    in one of them never stops the others.
    """
    if isinstance(error, DatkitError):
        return error
    return DatkitError.of(problems_of(error, where), where=where)
