"""What a run of a submission showed, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from datkit.inspect.findings import findings_table
from datkit.problems import Problem

__all__ = ["RunReport"]


@dataclass(frozen=True)
class RunReport:
    """What a run showed.

    Attributes
    ----------
    zip_path : str
    problems : list of Problem
        Of the zip, of the run and of its predictions, warnings too; empty if all is well.
    exams : int
        How many exams were to be predicted; 0 if the zip could not be run at all.
    seconds : float
        Wall time of `main.py`.
    exit_code : int or None
        Its exit code; None if it was stopped, or never started.
    isolation : str
        What stood between it and this machine.
    log : tuple of str
        What it printed.
    log_loss : float or None
        Of the exams whose labels are known: a figure to look at, not a measure of the model.
    predictions : dict
        {uid: probability}, if they have no problem.
    versions : dict
        {package: (version here, version on the platform)} where they differ.
    """

    zip_path: str
    problems: list[Problem]
    exams: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    isolation: str = "not run"
    log: tuple[str, ...] = ()
    log_loss: float | None = None
    predictions: dict[str, float] = field(default_factory=dict)
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no error was found; there may be warnings."""
        return not any(problem.is_error for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and ``ok`` as plain data, for JSON."""
        return {"ok": self.ok, **asdict(self)}

    def __str__(self) -> str:
        lines = [f"{self.zip_path}: {self.exams} exams in {self.seconds:.1f} s ({self.isolation})"]
        if self.log_loss is not None:
            lines.append(f"log loss {self.log_loss:.3f}, for information")
        lines += findings_table(self.problems).splitlines()
        if self.exit_code and self.log:
            lines += ["The end of its log:", *(f"  | {line}" for line in self.log[-15:])]
        return "\n".join(lines)
