"""A picture a lesson: its figures with their intervals, one panel for each unit."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from benchmarks.common.figures import Figure, shorten
from datkit.view.canvas import ABNORMAL, NORMAL, Picture, house_style, new_picture

ROW = 0.27  # inches


@house_style()
def plot_lesson(figures: list[Figure]) -> Picture:
    """Plot the figures of a lesson: dots with 95 % intervals, and each value beside its dot.

    Differences stand beside a line at zero; those whose interval does not hold zero are red.

    Examples
    --------
    >>> one = Figure("a minus b", 0.02, interval=(0.01, 0.03), unit="difference in log loss")
    >>> [text.get_text() for text in plot_lesson([one]).axes[0].get_yticklabels()]
    ['a minus b']
    """
    panels = [(unit, list(part)) for unit, part in groupby(figures, lambda one: one.unit)]
    heights = [len(part) + 1.6 for _, part in panels]
    picture, grid = new_picture(len(panels), 1, ROW * (sum(heights) + len(panels)), "",
                                height_ratios=heights)  # fmt: skip
    for axes, (unit, part) in zip(grid[:, 0], panels, strict=True):
        for place, figure in enumerate(part):
            value = np.nan if figure.value is None else figure.value
            low, high = figure.interval or (value, value)
            apart = any(word in unit for word in ("minus", "difference", "gain"))
            colour = ABNORMAL if apart and (low > 0 or high < 0) else NORMAL
            axes.plot([low, high], [place, place], color=colour, linewidth=2.5, alpha=0.5)
            axes.plot(value, place, "o", color=colour)
            said, right = shorten(figure.value).replace("-", "−"), axes.get_yaxis_transform()
            axes.text(1.02, place, said, va="center", size="small", transform=right)
        if apart:
            axes.axvline(0, color="0.4", linewidth=0.8)
        if unit == "slope":
            axes.axvline(1, color="0.4", linewidth=0.8)
        axes.set_yticks(range(len(part)), [figure.name for figure in part])
        axes.set(ylim=(len(part) - 0.4, -0.6), xlabel=unit)
    return picture
