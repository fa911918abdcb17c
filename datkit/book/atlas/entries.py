"""The table of the atlas, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from datkit.simulate.patient.loss import Defect, Loss, Side, keep_evenly

__all__ = ["GROUPS", "Entry", "load_cases", "load_entries"]

TABLE = Path(__file__).with_name("entries.yaml")
GROUPS = {
    "normal": "Normal, by age",
    "degenerative": "Degenerative disease",
    "other": "Other causes",
    "trap": "Traps",
}


@dataclass(frozen=True)
class Entry:
    """One exam of the atlas; ``entries.yaml`` says what each field means.

    Examples
    --------
    >>> load_entries()["grade-1"].loss.sides["right"].back
    0.3
    """

    key: str
    title: str
    group: str
    says: str
    age: float
    sex: str = "M"
    keeps: Any = 1.0
    defect: Any = None
    ssri: bool = False
    glands: float = 1.0
    camera: dict[str, Any] = field(default_factory=dict)
    noise: int = 0
    shown: str = "straightened"
    note: str = ""
    beside: str = ""

    @property
    def loss(self) -> Loss:
        """What is left of the healthy binding."""
        if isinstance(self.keeps, dict):
            return Loss({side: Side(**parts) for side, parts in self.keeps.items()})
        defect = Defect(tuple(self.defect[0]), self.defect[1]) if self.defect else None
        return Loss(keep_evenly(self.keeps), defect)


@cache
def load_entries() -> dict[str, Entry]:
    """Return the entries of the atlas by their keys, in the page's order.

    Examples
    --------
    >>> list(load_entries())[:2]
    ['normal-45', 'normal-55']
    """
    rows = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {row["key"]: Entry(**row) for row in rows}


@cache
def load_cases() -> dict[str, dict[str, str]]:
    """Return the worked cases by the keys of their exams.

    Examples
    --------
    >>> load_cases()["grade-1"]["truth"]
    'the right posterior putamen keeps 40 % of its binding, the left one 86 %.'
    """
    return yaml.safe_load(TABLE.with_name("cases.yaml").read_text(encoding="utf-8"))
