"""Data described for people: a card of an entry or a cohort.

A card of a cohort holds counts of groups, and nothing of single exams.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from datkit import NOT_CLINICAL
from datkit.data.cohort import Cohort
from datkit.data.groups import infer_families
from datkit.data.manifest import Entry
from datkit.problems import list_some

__all__ = ["Card", "card_of_cohort", "card_of_entry"]


@dataclass(frozen=True)
class Card:
    """What a reader should know of data first; ``str()`` of it is Markdown.

    Attributes
    ----------
    title, summary : str
    facts : dict of str to str
        One line each, such as the licence.
    sections : dict of str to (list of str, or dict of str to str)
        Longer parts by heading: items, or named items. An empty one is not shown.
    notice : str
        That no card is a clinical statement.
    """

    title: str
    summary: str
    facts: dict[str, str]
    sections: dict[str, list[str] | dict[str, str]]
    notice: str = NOT_CLINICAL

    def to_dict(self) -> dict[str, object]:
        """Return the card as plain data, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        cells = {key: _line(fact).replace("|", r"\|") for key, fact in self.facts.items()}
        facts = [f"| {key} | {cell} |" for key, cell in cells.items()]
        lines = [f"# {self.title}", self.summary, f"**{self.notice}**"]
        lines.append("\n".join(["| | |", "| --- | --- |", *facts]))
        for heading, items in self.sections.items():
            if isinstance(items, dict):
                items = [f"**{key}**: {item}" for key, item in items.items()]
            if items:
                lines += [f"## {heading}", "\n".join(f"- {_line(item)}" for item in items)]
        return "\n\n".join(lines) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def card_of_entry(entry: Entry) -> Card:
    """Return the data card of an entry.

    Examples
    --------
    >>> from datkit.data import load_manifest
    >>> print(card_of_entry(load_manifest().entry("ppmi")).title)
    Parkinson's Progression Markers Initiative, DaT SPECT
    """
    facts = {
        "name": f"{entry.name}, version {entry.version}",
        "modality and tracer": f"{entry.modality}, {entry.tracer}",
        "people": f"{entry.n or 'not stated'}; {entry.subjects}",
        "format": entry.format,
        "space, resolution": f"{entry.space}; {entry.resolution}",
        "orientation": entry.orientation,
        "access": entry.access,
        "licence": f"{entry.licence.name}, {entry.licence.url}",
        "opened by": entry.loader or "nothing in the kit",
    }
    files = [
        f"{file.name}, {f'{file.size} bytes' if file.size else 'size not published'}, "
        f"{' '.join(file.digest)}"
        for file in entry.files
    ]
    sections: dict[str, list[str] | dict[str, str]] = {
        "What it may be used for": dict(entry.uses),
        "Files": files or [str(entry.no_files)],
        "How to obtain it": [*entry.steps],
        "What surprises people": [*entry.traps],
        "How this was checked": [f"Checked on {entry.checked.date}. {entry.checked.how}"],
        "What could not be verified": [*entry.checked.not_verified],
        "To cite": [f"{paper.text} {paper.link}" for paper in entry.citations],
    }
    return Card(entry.title, entry.summary, facts, sections)


def card_of_cohort(cohort: Cohort) -> Card:
    """Return the data card of a cohort: counts of groups, nothing of single exams.

    Raises
    ------
    CohortError
        If a volume's geometry cannot be read.
    """
    labels = cohort.labels
    facts = {
        "exams": f"{len(cohort)}: {int((labels == 0).sum())} normal, "
        f"{int((labels == 1).sum())} abnormal, {int(labels.isna().sum())} unknown",
        "licence": str(cohort.info.get("licence", "not stated")),
        "source": str(cohort.info.get("source", "not stated")),
        "columns": ", ".join(map(str, cohort.exams)),
    }
    settings = cohort.info.get("settings")
    if isinstance(settings, dict) and (added := settings.get("added_centres")):
        names = (row.get("name") for row in added if isinstance(row, dict))
        facts["centres added by its maker"] = list_some(names)
    groups = {"Acquisition families": infer_families(cohort)}
    if "centre" in cohort.exams:
        groups["Centres"] = cohort.exams["centre"].fillna("not stated")
    sections: dict[str, list[str] | dict[str, str]] = {
        title: {
            str(name): f"{len(part)} exams, {_share(part)} abnormal"
            for name, part in labels.groupby(group)
        }
        for title, group in groups.items()
    }
    summary = "DaT SPECT exams, described by datkit from their tables and headers."
    return Card(cohort.name, summary, facts, sections)


def _share(labels: pd.Series) -> str:
    known = labels.dropna()
    return f"{known.mean():.0%}" if len(known) else "unknown share"
