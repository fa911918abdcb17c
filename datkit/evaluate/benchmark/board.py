"""The board: scores with intervals, ranks where ties are ties; as text, Markdown and a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from datkit.evaluate.benchmark.exams import SETTINGS, BenchmarkExams
from datkit.evaluate.scores import Score, paired_difference, rank_models, score_probabilities

if TYPE_CHECKING:
    from datkit.view.canvas import Picture

__all__ = ["benchmark_lines", "plot_benchmark", "score_models"]

HEAD = ("rank", "model", "log loss (95 % CI)", "AUROC (95 % CI)", "Brier", "wall time (s)")
PLOTTED = ("log_loss", "auroc")
SHUFFLED = ("shuffled labels", "leak")  # what learns and is scored with labels in another order
NOTES = """Models share a rank (=) if the interval of their paired difference in log loss to the \
best of it holds 0; a model that is not surely better than the constant has none.
Controls that know nothing (shuffled labels, scanner or age only) may lose more than the constant: \
that is as it should be. Each band stands under "controls" in the JSON.\n"""

Board = dict[str, Any]


def score_models(
    predicted: dict[str, pd.DataFrame], roles: dict[str, str], exams: BenchmarkExams
) -> list[Board]:
    """Return a row for each setting and model: its scores, and its rank among the models.

    A model whose paired difference to the constant does not say that it is better has no rank.
    Parameters as in :func:`~datkit.evaluate.benchmark.bands.check_controls`.
    """
    rows = []
    for setting, p in predicted.items():
        scored, here = exams.scored(setting), [name for name in roles if name in p]
        y, centres = scored["label"], scored["centre"].to_numpy()
        ranks = {name: "none" for name in here if roles[name] == "model"}
        constant = p.get("constant", pd.Series(0.5, p.index))  # 0.5 if it failed
        gaps = {name: paired_difference(y, p[name], constant, strata=centres) for name in ranks}
        if better := {name: p[name] for name, gap in gaps.items() if gap.high < 0}:
            table = rank_models(y, better, strata=centres).set_index("model")
            tied = table["rank"].duplicated(keep=False)
            ranks |= {name: f"{table['rank'][name]}{'=' if tied[name] else ''}" for name in better}
        for name in here:
            labels = scored["shuffled" if name in SHUFFLED else "label"]
            scores = score_probabilities(labels, p[name], strata=centres)
            row = {"setting": setting, "model": name, "role": roles[name], "n": len(scored)}
            row |= {"rank": ranks.get(name, ""), "seconds": p.attrs["seconds"][name]}
            rows.append(row | {key: [round(end, 4) for end in (one.value, one.low, one.high)]
                               for key, one in scores.items()})  # fmt: skip
    return rows


def benchmark_lines(board: Board, *, markdown: bool = False) -> Iterator[str]:
    """Yield a table for each setting, the best first, then what failed and what the controls say.

    Parameters
    ----------
    board : dict
        What :func:`~datkit.evaluate.benchmark_cohort` returned, or wrote.
    markdown : bool
        Whether as Markdown.
    """
    for setting, words in SETTINGS.items():
        rows = [row for row in board["scores"] if row["setting"] == setting]
        if rows:
            title = f"{setting}: {words}, n = {rows[0]['n']}"
            yield from ["", f"**{title}**" if markdown else title, ""]
            rows.sort(key=lambda row: row["log_loss"][0])
            yield from _lay_out([HEAD, *map(_texts, rows)], markdown)
            if rows[0]["n"] < 100:  # of each class, Collins 2016 asks for that (10.1002/sim.6787)
                yield from ["", "Fewer than 100 exams: ranks can hardly be told apart."]
    bands, out = board["controls"], [one for one in board["controls"] if not one["holds"]]
    yield from ["", f"{len(bands) - len(out)} of {len(bands)} bands of the controls hold."]
    yield from NOTES.splitlines()
    lines = [f"{cell}: {error}" for cell, error in board["errors"].items()]
    yield from ("- " * markdown + line for line in [*map(_told, out), *lines])


def _texts(row: Board) -> tuple[str, ...]:
    scores = ["{:.3f} ({:.3f}–{:.3f})".format(*row[key]) for key in PLOTTED]
    return (row["rank"] or row["role"], row["model"], *scores, f"{row['brier'][0]:.3f}",
            f"{row['seconds']:.1f}")  # fmt: skip


def _told(band: Board) -> str:
    ends = [f"{word} {band[key]:.3f}" for key, word in (("low", "at least"), ("high", "at most"))
            if band[key] is not None]  # fmt: skip
    expected = f"expected {band['what']} of {' and '.join(ends)} ({band['source']})"
    found = f"found {band['value']}; until it holds, trust no row of this setting."
    return f"{band['control']}, {band['setting']}: {expected}, {found}"


def _lay_out(rows: list[tuple[str, ...]], markdown: bool) -> Iterator[str]:
    if markdown:
        rows.insert(1, ("---",) * len(HEAD))
        return (f"| {' | '.join(row)} |" for row in rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def plot_benchmark(board: Board, setting: str = "grouped") -> Picture:
    """Plot log loss and AUROC of each model with intervals; lines mark oracle and constant.

    Parameters
    ----------
    board : dict
        What :func:`~datkit.evaluate.benchmark_cohort` returned, or wrote.
    setting : str
        One of :data:`SETTINGS`.

    Raises
    ------
    UsageError
        If nothing was scored in that setting.
    """
    from datkit.view.charts import plot_scores

    rows = [row for row in board["scores"] if row["setting"] == setting]
    shown = {
        row["model"]: {key: Score(key, *[*row[key], row["n"], 0]) for key in PLOTTED}
        for row in sorted(rows, key=lambda row: row["log_loss"][0])
        if row["model"] not in SHUFFLED
    }
    marks = sorted({"oracle", "constant"} & {*shown})
    picture = plot_scores(shown, f"{setting}: {SETTINGS[setting]}\ndotted: {' and '.join(marks)}")
    loss = picture.axes[0]  # a file's folders are left out of its model's name
    names = [re.sub(r"^\S*[/\\]", "", one.get_text()) for one in loss.get_yticklabels()]
    loss.set_yticks(loss.get_yticks(), names)
    for axes, key in zip(picture.axes, PLOTTED, strict=True):
        for mark in marks:
            axes.axvline(shown[mark][key].value, color="black", linestyle=":")
    return picture
