"""Where the board's models would stand: log loss beside the challenge's published ranks.

The cohorts differ, so that a place on one scale is no rank on the other; distances can be compared.
"""

from __future__ import annotations

from typing import Any

from datkit.evaluate.benchmark.board import SHUFFLED
from datkit.view.canvas import ABNORMAL, NORMAL, Picture, house_style, new_picture

__all__ = ["RANKS", "plot_ladder"]

#: Private log loss by rank, of 378 (DrivenData #311, as entrants published; see the book's chapter
#: on the challenge), and of the constant in cross-validation.
RANKS = {"1": 0.2532, "6": 0.2732, "25": 0.2944, "59": 0.3054, "160": 0.3436, "254": 0.4471}
CONSTANT = 0.688
SETTINGS = ("grouped", "private")
ROW = 0.3  # inches


@house_style()
def plot_ladder(board: dict[str, Any]) -> Picture:
    """Plot each row's log loss in two settings, and the challenge's ranks below.

    Parameters
    ----------
    board : dict
        What :func:`datkit.evaluate.benchmark_cohort` returned, or wrote.

    Examples
    --------
    >>> row = {"model": "constant", "role": "control", "setting": "grouped", "n": 9}
    >>> picture = plot_ladder({"scores": [row | {"log_loss": [0.69, 0.68, 0.70]}]})
    >>> [label.get_text() for label in picture.axes[0].get_yticklabels()]
    ['constant']
    """
    rows = [row for row in board["scores"] if row["model"] not in SHUFFLED]
    panels = [(setting, [row for row in rows if row["setting"] == setting]) for setting in SETTINGS]
    panels = [(setting, sorted(here, key=_loss)) for setting, here in panels if here]
    heights = [*(len(here) for _, here in panels), len(RANKS) + 1]
    height = ROW * (sum(heights) + 2.5 * len(heights))
    figure, grid = new_picture(len(heights), 1, height, "", height_ratios=heights)
    for axes, (setting, here) in zip(grid[:, 0], panels, strict=False):
        for place, row in enumerate(here):
            value, low, high = row["log_loss"]
            colour = NORMAL if row["role"] == "model" else "0.35"
            axes.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.5)
            axes.plot(value, place, "o" if row["role"] == "model" else "D", color=colour)
        _finish(axes, [row["model"] for row in here], f"simulated, {setting}, n = {here[0]['n']}")
    axes = grid[-1, 0]
    places = [*RANKS.values(), CONSTANT]
    axes.plot(places, range(len(places)), "^", color=ABNORMAL)
    names = [*(f"rank {rank} of 378" for rank in RANKS), "constant (cross-validation)"]
    _finish(axes, names, "the challenge, private test set")
    axes.set_xlabel("log loss (lower is better), with 95 % interval")
    return figure


def _loss(row: dict[str, Any]) -> float:
    return row["log_loss"][0]


def _finish(axes: Any, names: list[str], title: str) -> None:  # noqa: ANN401 - matplotlib's axes
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1), title=title)
