"""What lies between two rows of the board, and what it is due to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["distance_lines"]


def distance_lines(board: dict[str, Any]) -> Iterator[str]:
    r"""Yield a Markdown table of distances in log loss; what the board does not hold is left out.

    Parameters
    ----------
    board : dict
        What :func:`datkit.evaluate.benchmark_cohort` returned, or wrote.

    Examples
    --------
    >>> row = {"model": "oracle", "role": "reference", "setting": "grouped", "log_loss": [0.2]}
    >>> print(*distance_lines({"scores": [row]}), sep="\n")
    | from | to | log loss | what lies between |
    | --- | --- | --- | --- |
    | certainty | oracle | 0.200 | label noise: the readers' own errors, which no image holds |
    """
    loss = {(row["setting"], row["model"]): row["log_loss"][0] for row in board["scores"]}
    models = {row["model"] for row in board["scores"] if row["role"] == "model"}
    ranked = sorted(models, key=lambda name: loss.get(("grouped", name), 9))
    best, last = (ranked[0], ranked[-1]) if ranked else ("", "")
    zero, oracle, base = ("", "certainty"), ("grouped", "oracle"), ("grouped", "constant")
    loss[zero] = 0.0
    grouped, random = ("grouped", best), ("random", best)
    rows = [
        (zero, oracle, "label noise: the readers' own errors, which no image holds"),
        (oracle, grouped, "image noise, sample size and model together"),
        (grouped, ("grouped", last), "the models, and what pretrained ones learnt elsewhere"),
        (random, grouped, "what random folds hide: the same model where it knows the centres"),
        (grouped, ("private", best), "other patients and labels, most at known centres"),
        (
            ("random", "scanner only"),
            ("grouped", "scanner only"),
            "what a scanner gains where its labels were seen, and loses elsewhere",
        ),
        (grouped, base, "all that the image tells this model"),
    ]
    yield from ("| from | to | log loss | what lies between |", "| --- | --- | --- | --- |")
    for start, end, words in rows:
        if start in loss and end in loss:
            names = [_name(*place) for place in (start, end)]
            yield f"| {names[0]} | {names[1]} | {loss[end] - loss[start]:.3f} | {words} |"


def _name(setting: str, model: str) -> str:
    return model if setting in ("", "grouped") else f"{model}, {setting}"
