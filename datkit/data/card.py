"""Data described for people: a card of an entry or a cohort, Markdown.

A card of a cohort holds counts of groups, and nothing of single exams.
"""

from __future__ import annotations

from typing import Any

from datkit import NOT_CLINICAL
from datkit.data import Cohort, Entry, infer_families

__all__ = ["card_of_cohort", "card_of_entry"]


def card_of_entry(entry: Entry) -> str:
    """Write a data card of an entry, Markdown.

    Examples
    --------
    >>> from datkit.data import load_manifest
    >>> card_of_entry(load_manifest().entry("ppmi")).splitlines()[0]
    "# Parkinson's Progression Markers Initiative, DaT SPECT"
    """
    facts = {
        "name": f"`{entry.name}`, version {entry.version}",
        "modality and tracer": f"{entry.modality}, {entry.tracer}",
        "people": f"{entry.n or 'not stated'}; {entry.subjects}",
        "format": entry.format,
        "space, resolution": f"{entry.space}; {entry.resolution}",
        "orientation": entry.orientation,
        "access": entry.access,
        "licence": f"[{entry.licence.name}]({entry.licence.url})",
        "opened by": f"`{entry.loader}`" if entry.loader else "nothing in the kit",
    }
    checked = f"Checked on {entry.checked.date}. {entry.checked.how}"
    files = [
        f"`{file.name}`, {f'{file.size} bytes' if file.size else 'size not published'}, "
        f"{file.digest[0]} `{file.digest[1]}`"
        for file in entry.files
    ]
    return _card(
        entry.title,
        entry.summary,
        facts,
        {
            "What it may be used for": [f"**{use}**: {text}" for use, text in entry.uses],
            "Files": files or [str(entry.no_files)],
            "How to obtain it": list(entry.steps),
            "What surprises people": list(entry.traps),
            "How this was checked": [checked],
            "What could not be verified": list(entry.checked.not_verified),
            "To cite": [f"{paper.text} {paper.link}" for paper in entry.citations],
        },
    )


def card_of_cohort(cohort: Cohort) -> str:
    """Write a data card of a cohort, Markdown: counts of groups, nothing of single exams.

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
        "columns": ", ".join(f"`{column}`" for column in cohort.exams),
    }
    groups = {"Acquisition families": infer_families(cohort)}
    if "centre" in cohort.exams:
        groups["Centres"] = cohort.exams["centre"].fillna("not stated")
    sections = {
        title: [
            f"{name}: {len(part)} exams, {_share(part)} abnormal"
            for name, part in labels.groupby(group)
        ]
        for title, group in groups.items()
    }
    return _card(
        cohort.name,
        "DaT SPECT exams, described by datkit from their tables and headers.",
        facts,
        sections,
    )


def _share(labels: Any) -> str:
    known = labels.dropna()
    return f"{known.mean():.0%}" if len(known) else "unknown share"


def _card(title: str, summary: str, facts: dict[str, str], sections: dict[str, list[str]]) -> str:
    lines = [f"# {title}", "", summary, "", f"**{NOT_CLINICAL}**", "", "| | |", "| --- | --- |"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in facts.items()]
    for heading, items in sections.items():
        if items:
            lines += ["", f"## {heading}", "", *(f"- {' '.join(item.split())}" for item in items)]
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
