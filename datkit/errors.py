"""Every error that datkit raises on purpose.

A message is one or more sentences: what was expected, what was found, where, and what to do next.
A validator collects all its problems and raises them together with :meth:`DatkitError.of`.
"""

from __future__ import annotations

from collections.abc import Iterable

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
]


class DatkitError(Exception):
    """Base class: catch it to catch everything that datkit raises on purpose.

    Attributes
    ----------
    problems : tuple of str
        The problems, one sentence or two each; a plain error has one.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (message,)

    @classmethod
    def of(cls, problems: Iterable[str], *, where: object) -> DatkitError:
        """Make one error that lists every problem found in one place.

        Parameters
        ----------
        problems : iterable of str
            The problems, in the order in which a reader meets them.
        where : object
            The file or folder that holds them.

        Examples
        --------
        >>> print(CohortError.of(["uid 7 is listed twice.", "uid 9 has no volume."], where="demo"))
        2 problems in demo:
          - uid 7 is listed twice.
          - uid 9 has no volume.
        """
        problems = tuple(problems)
        if len(problems) == 1:
            return cls(f"{where}: {problems[0]}", problems)
        lines = "\n".join(f"  - {problem}" for problem in problems)
        return cls(f"{len(problems)} problems in {where}:\n{lines}", problems)


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
