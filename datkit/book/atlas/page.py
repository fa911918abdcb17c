"""The atlas's Markdown: a card an entry, and the worked cases of the chapter on reporting."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from datkit.book.atlas.entries import GROUPS, Entry, load_cases, load_entries
from datkit.book.atlas.exams import Shown, show
from datkit.book.atlas.pictures import alt_text, draw, draw_colour_scales, draw_shapes
from datkit.files import replace_atomically
from datkit.prepare.quality import advise
from datkit.view.surface import VolumeView

__all__ = ["card", "case", "write_atlas"]

ROWS = {"caudate": "caudate", "putamen": "putamen", "posterior_putamen": "posterior putamen"}
SIDES = ("left", "right")


def write_atlas(folder: str | os.PathLike[str], n_jobs: int = 2) -> list[Path]:
    """Make all that the atlas shows, and return the files.

    ``cards.md`` and ``cases.md``, which chapters include, and a PNG for each entry, for the colour
    scales and for comma, egg and dot.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = load_entries()
    parts = np.array_split(list(entries), 2 * n_jobs)
    made = Parallel(n_jobs=n_jobs)(delayed(_make)(list(map(str, part)), folder) for part in parts)
    exams = {key: shown for part in made for key, shown in part.items()}
    cases = (case(exams[key], number) for number, key in enumerate(load_cases(), start=1))
    return [
        *(folder / f"{key}.png" for key in entries),
        draw_shapes(exams).save(folder / "comma_egg_dot.png"),
        draw_colour_scales(exams["atypical"]).save(folder / "colour_scales.png"),
        _write(folder / "cards.md", _cards(exams)),
        _write(folder / "cases.md", "\n".join(cases)),
    ]


def card(shown: Shown, beside: Shown | None = None) -> str:
    """Return an entry's part of the page, in Markdown."""
    entry, reading = shown.entry, shown.reading
    look = "trap" if entry.group == "trap" else _agreement(sum(reading.votes))
    return "\n".join([
        f"(atlas-{entry.key})=",
        f"### {entry.title}",
        "",
        _html(f'<div class="atlas-card" data-group="{entry.group}" data-readers="{look}"></div>'),
        _image(shown, alt_text(shown)),
        "",
        entry.says.strip(),
        "",
        *_table(shown, beside),
        "",
        *(f"- {line}" for line in _lines(shown, beside)),
        "",
        _html(_volume(shown)),
    ])  # fmt: skip


def case(shown: Shown, number: int = 1) -> str:
    """Return a worked case: the question, the figures, the report, the truth."""
    told = load_cases()[shown.entry.key]
    return "\n".join([
        f"### Case {number}",
        "",
        f"**{told['question']}**",
        "",
        _image(shown, alt_text(shown, tell=False)),
        "",
        *_table(shown, None),
        "",
        "```{admonition} Findings and conclusion",
        ":class: dropdown tip",
        f"**Findings.** {told['findings']}",
        "",
        f"**Conclusion.** {told['conclusion']}",
        "",
        f"**The truth:** {told['truth']} Of five simulated readers "
        f"{sum(shown.reading.votes)} called it abnormal.",
        "```",
        "",
    ])  # fmt: skip


def _make(keys: list[str], folder: Path) -> dict[str, Shown]:
    """Simulate and draw some entries."""
    entries, made = load_entries(), {}
    for key in keys:
        shown, beside = show(entries[key]), _beside(entries[key])
        draw(shown, beside).save(folder / f"{key}.png")
        made[key] = shown
    return made


def _beside(entry: Entry) -> Shown | None:
    return show(load_entries()[entry.beside]) if entry.beside else None


def _cards(exams: Mapping[str, Shown]) -> str:
    """Return the cards under the headings of their groups."""
    lines = []
    for group, title in GROUPS.items():
        lines += [f"## {title}", ""]
        for shown in (one for one in exams.values() if one.entry.group == group):
            lines += [card(shown, exams.get(shown.entry.beside)), ""]
    return "\n".join(lines)


def _table(shown: Shown, beside: Shown | None) -> list[str]:
    """Return the ratios with z; of a trap those of the exam as it should be too."""
    columns = [("left", shown, "left"), ("right", shown, "right")]
    if beside:
        columns += [(f"{side}, as it should be", beside, side) for side in SIDES]
    heads = [f"{head} (z)" for head, _, _ in columns]
    lines = [f"| ratio | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(columns)]
    for name, label in ROWS.items():
        cells = [_cell(exam, f"{name}_{side}") for _, exam, side in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _cell(shown: Shown, name: str) -> str:
    """Write a measure with its z, if it has one.

    An exam that is too blurred or too noisy for the normal exams is not compared, nor one whose
    reference is another than theirs.
    """
    value = f"{shown.measures[name]:.2f}"
    z = float(shown.normals["z"].get(name, np.nan))
    same = shown.prepared.quality["reference_region"] == "occipital"
    return f"{value} ({signed(z)})" if same and np.isfinite(z) else f"{value} (not compared)"


def signed(value: float) -> str:
    """Write a number with its sign.

    Examples
    --------
    >>> signed(-1.26), signed(0.04)
    ('−1.3', '0.0')
    """
    text = f"{value:+.1f}".replace("-", "−")
    return text[1:] if text[1:] == "0.0" else text


def _lines(shown: Shown, beside: Shown | None) -> Iterator[str]:
    """Say what is true of an exam, what readers call it, and what preparation says."""
    entry, reading, seen = shown.entry, shown.reading, shown.seen
    yield (
        f"**Truth**: the weaker posterior putamen holds {seen['fraction']:.0%} of what is expected "
        f"at {entry.age:.0f} years, the other {seen['other']:.0%}, the caudate on the weaker side "
        f"{seen['caudate']:.0%}."
    ).replace("%", " %")
    if beside is None:
        word = f", Benamer grade {reading.benamer}, “{reading.pattern}”" if reading.benamer else ""
        yield f"**Five readers**: {sum(reading.votes)} of 5 call it abnormal{word}."
    else:
        yield "**Readers** are told the truth, not the picture: a trap does not reach them."
    yield f"**Preparation says**: {_verdict(shown)}"
    if entry.note:
        yield f"**Unlike its label**: {entry.note.strip()}"


def _verdict(shown: Shown) -> str:
    reasons = shown.prepared.reasons
    if not reasons:
        return "good; no check failed."
    said = (advise(reason) for reason in reasons)
    return "look at it. " + " ".join(text[0].upper() + text[1:] for text in said)


def _agreement(votes: int) -> str:
    return {0: "normal", 5: "abnormal"}.get(votes, "divided")


def _volume(shown: Shown) -> str:
    """Return what the page's script draws when a reader opens it."""
    title = shown.entry.title.removeprefix("Trap: ")
    content = VolumeView.of_striatum(np.asarray(shown.prepared.volume)).payload()
    body = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    label = f"The striata of the exam “{title}” in space; mouse or finger turns them."
    return (
        f'<details class="atlas-volume" hidden><summary>Turn it in space: {title}</summary>'
        f'<div class="atlas-live" role="img" aria-label="{label}"></div>'
        f'<script type="application/json">{body}</script></details>'
    )


def _image(shown: Shown, alt: str) -> str:
    return f"```{{image}} ../atlas/{shown.entry.key}.png\n:alt: {alt}\n:width: 560px\n```"


def _html(text: str) -> str:
    return f"```{{raw}} html\n{text}\n```\n"


def _write(path: Path, text: str) -> Path:
    with replace_atomically(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
