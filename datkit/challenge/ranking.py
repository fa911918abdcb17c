"""The board: scores with intervals, ranks where ties are ties, and how sure a rank is.

It is made from the record and the labels, and from nothing else; what is drawn has a fixed seed.

*Public* scores are shown by the Ladder (Blum and Hardt, 2015, arXiv 1502.04585): a team's score is
that of its first submission, and moves only to one that is better by at least a step; it is rounded
to steps. A step is at least what one exam's label can move, for which the log loss has to have an
end: its probabilities are kept within 0.05 and 0.95. So a table tells about one label,
not six, and guessing through the board is slow; it is not prevented: any score tells something.
Order, ranks and places of a public board come from rounded scores too, and *first in* from tenths.
It has the metric that ranks alone: any other tells more, and a slope, which one label moves without
end, tells most labels at once.
*Private* scores have no cap; they are shown when the challenge is over: each team's best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from scipy.stats import rankdata

from datkit.challenge.classroom import Classroom
from datkit.challenge.description import Challenge, ChallengeMetric
from datkit.challenge.marking import waiting
from datkit.challenge.record import Entry
from datkit.evaluate.intervals import bound, draw_exams
from datkit.evaluate.metrics import find_metric
from datkit.evaluate.scores import share_ranks
from datkit.view.pages.page import render_page

__all__ = ["Board", "Marks", "Row", "climb", "make_board", "score_draws"]

DRAWS = 1000
CAP = 0.05  # of public scores: how far probabilities are kept from 0 and 1
FEWEST = 5  # exams of a class in each centre; with fewer, draws within centres vary too little
Scores = np.ndarray  # of each draw


def score_draws(
    metric: ChallengeMetric, y: np.ndarray, values: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return a metric's score in every draw of exams.

    Parameters
    ----------
    metric : ChallengeMetric
    y : array of int, shape (n,)
        Labels.
    values : array, shape (n,)
        Probabilities or grades. The log loss keeps them 1e-6 from 0 and 1.
    counts : array, shape (draws, n)
        How often each draw has each exam.

    Examples
    --------
    Grade 3 read as 1 costs 0.7, grade 0 as 1 costs 0.1:

    >>> from datkit.challenge import load_challenge
    >>> cost = load_challenge("grades").metrics[0]
    >>> score_draws(cost, np.array([3, 0]), np.array([1, 1]), np.ones((1, 2))).round(3)
    array([0.4])
    """
    if metric.costs:
        return counts @ np.array(metric.costs)[y, values.astype(int)] / len(y)
    return find_metric(metric.name).draws(y, values, counts)


@dataclass(frozen=True)
class Row:
    """What stands in a row.

    Attributes
    ----------
    name : str
        Of a team, or of a control, which has no rank.
    rank : str
        Such as ``"3"``, or ``"1="`` where it is shared.
    scores : list of (value, low, high)
        Of each metric of :attr:`Marks.metrics`, with its 95 % interval; a score that the ladder
        rounded has the interval rounded too.
    submissions : int
    first : float
        The share of draws of the exams in which it is first, or one of the first.
    places : list of int
        Where it stands in the middle 95 % of the draws.
    moved : int or None
        Of a private board: places gained since the public one.
    """

    name: str
    rank: str = ""
    scores: list[tuple[float, ...]] = field(default_factory=list)
    submissions: int = 0
    first: float = 0.0
    places: list[int] = field(default_factory=list)
    moved: int | None = None


class Marks:
    """One test set's labels and draws, and what teams and controls say of it.

    What a submission scores in every draw is kept, so that a board that has grown by one submission
    costs the draws of one.
    """

    def __init__(self, room: Classroom, part: str) -> None:
        table, self.public = room.labels[part], part == "public"
        self.uids, self.metrics = table.index, room.challenge.metrics[: 1 if self.public else None]
        self.sign = 1 if self.metrics[0].better == "low" else -1
        self.fewest = table["label"].value_counts().min()  # exams of a class
        self.least = room.challenge.limits.step
        self.step = self.step_of(self.metrics[0])
        self.by_centre = table.groupby(["centre", "label"]).size().min() >= FEWEST
        strata = table["centre"] if self.by_centre else None
        self.draws = draw_exams(table["label"].to_numpy(), strata, 0, DRAWS)
        self.values: dict[int | str, np.ndarray] = {}  # of a submission's number, or a control
        self.tries: dict[str, dict[int, float]] = {}  # each team's scores, less is better
        self._spread: dict[tuple[int | str, str], Scores] = {}
        self._read = 0
        self.update(room.record.entries)

    def update(self, entries: list[Entry]) -> None:
        """Take in what the record has more."""
        for entry in entries[self._read :]:
            said = entry.get("predictions", {})
            if {*self.uids} <= {*said}:
                marked = entry["kind"] == "marked"
                key = entry["of"] if marked else entry["name"]
                self.values[key] = np.array([said[uid] for uid in self.uids])
                if marked:
                    own = self.tries.setdefault(entries[key]["team"], {})
                    own[key] = self.sign * self.spread(key, self.metrics[0])[0]
        self._read = len(entries)

    def spread(self, key: int | str, metric: ChallengeMetric) -> Scores:
        """Return its score in every draw; the first of them is all exams."""
        place, draws = (key, metric.name), self.draws
        if place not in self._spread:
            cap = CAP if self.public and metric.name == "log_loss" else 0
            values = np.clip(self.values[key], cap, 1 - cap) if cap else self.values[key]
            self._spread[place] = score_draws(metric, draws.y, values, draws.counts)
        return self._spread[place]

    def step_of(self, metric: ChallengeMetric) -> float:
        """Return what its public scores move by: at least what one label can move; 0 of private."""
        name, _, at = metric.name.partition("@")
        most = {"log_loss": float(logit(1 - CAP)), "cost": float(np.max(metric.costs or 0))}
        most |= {"brier": 1.0, "net_benefit": 1 / (1 - float(at or 0))}
        count = len(self.uids) if name in most else self.fewest
        return max(self.least, most.get(name, 1.0) / count) if self.public else 0.0

    def shown(self, team: str) -> dict[int, int]:
        """Return, of each submission of a team, the one whose score was shown after it."""
        own = self.tries.get(team, {})
        numbers = [*own]
        return {numbers[n]: numbers[k] for n, k in enumerate(climb(own.values(), self.step))}

    def rounded(self, scores: npt.ArrayLike) -> Scores:
        """Return scores to steps, where there are steps."""
        return np.round(np.divide(scores, self.step)) * self.step if self.step else np.array(scores)

    def rows(self) -> list[Row]:
        """Return a row for each team, the best first, and then the controls."""
        main = self.metrics[0]
        chosen = {team: [*self.shown(team).values()][-1] for team in self.tries}
        first = {t: self.sign * self.rounded(self.spread(n, main)) for t, n in chosen.items()}
        places = rankdata([*first.values()], "min", axis=0)[:, 1:] if first else np.empty((0, 0))
        where = dict(zip(first, places, strict=True))
        order = sorted(first, key=lambda team: (first[team][0], team))
        shared = [*share_ranks(order, lambda one, best: bound(first[one] - first[best])[1] <= 0)]
        tied = Counter(rank for rank, _ in shared)

        def scores(key: int | str) -> list[tuple[float, ...]]:
            spreads = [self.spread(key, metric) for metric in self.metrics]
            return [tuple(self.rounded(bound(one)).tolist()) for one in spreads]

        return [
            Row(
                name=team,
                rank=f"{rank}{'=' * (tied[rank] > 1)}",
                scores=scores(chosen[team]),
                submissions=len(self.tries[team]),
                first=round(float((where[team] == 1).mean()), 1 if self.public else 3),
                places=[int(end) for end in np.percentile(where[team], [2.5, 97.5])],
            )
            for rank, team in shared
        ] + [Row(name, scores=scores(name)) for name in self.values if isinstance(name, str)]


@dataclass(frozen=True)
class Board:
    """What may be shown now.

    Attributes
    ----------
    challenge : Challenge
    rows, exams, marks : dict
        Of each set, ``"public"`` and at the end ``"private"``: its rows, the best first; the number
        of exams; what it was made from.
    waiting : int
        Submissions that are not marked yet.
    head : str
        The sha256 of the record's last line.
    described : str
        That of challenge.yaml, as the record has it.
    broken : int
        Lines of the record that broke off.
    draws : int
        Of the exams, for every interval.
    """

    challenge: Challenge
    rows: dict[str, list[Row]]
    exams: dict[str, int]
    waiting: int
    head: str
    described: str
    broken: int
    marks: dict[str, Marks] = field(compare=False, repr=False)
    draws: int = DRAWS


def climb(scores: Iterable[float], step: float) -> list[int]:
    """Return, after each of a team's scores, which one is shown: it moves only by a step down.

    Examples
    --------
    >>> climb([0.50, 0.495, 0.48, 0.60, 0.465], step=0.01)
    [0, 0, 2, 2, 4]
    """
    shown: list[int] = []
    held = [*scores]
    for n, score in enumerate(held):
        best = shown[-1] if shown else n
        shown.append(n if score < held[best] - step else best)
    return shown


def make_board(room: Classroom, marks: dict[str, Marks] | None = None) -> Board:
    """Make the board that may be shown now: the public one, and at the end the private one too.

    Parameters
    ----------
    room : Classroom
    marks : dict, optional
        What an older board of this process was made from, to be brought up to date.
    """
    marks = {} if marks is None else marks
    parts, entries = ("public", "private")[: 1 + room.is_over()], room.record.entries
    for part in parts:
        if part not in marks:
            marks[part] = Marks(room, part)
        marks[part].update(entries)
    rows = {part: marks[part].rows() for part in parts}
    before = {row.name: place for place, row in enumerate(rows["public"]) if row.rank}
    for place, row in enumerate(rows.get("private", ())):
        if row.rank and row.name in before:
            rows["private"][place] = replace(row, moved=before[row.name] - place)
    exams = {part: len(room.labels[part]) for part in parts}
    broken, head = sum(one["kind"] == "broken" for one in entries), entries[-1]["hash"]
    told = len(waiting(entries)), head, room.described, broken
    return Board(room.challenge, rows, exams, *told, marks)


def board_page(board: Board, *, served: bool = False) -> str:
    """Return a board as one page without script, which stays after the class.

    Parameters
    ----------
    board : Board
    served : bool
        Whether it leads back to the server's first page.
    """
    title = f"{board.challenge.title}: the board"
    return render_page("class_board.html", title=title, board=board, served=served)


def board_lines(board: Board) -> Iterator[str]:
    """Yield a board as text, a table for each set."""
    for part, rows in board.rows.items():
        yield f"{part}: {board.exams[part]} exams"
        for row in rows:
            told = zip(board.marks[part].metrics, row.scores, strict=True)
            form = "{1} {2:.{0}f} ({3:.{0}f} to {4:.{0}f})"
            scores = [form.format(one.digits, one.title, *score) for one, score in told]
            if row.rank:
                scores.append(f"first in {row.first:.0%} of draws")
                scores.append("place {} to {}".format(*row.places))
            yield f"  {row.rank or '-':4} {row.name:24} {', '.join(scores)}"
    yield f"{board.waiting} waiting; the record ends in {board.head}"
    yield f"challenge.yaml: {board.described}"
    if board.broken:
        yield f"lines of the record that broke off: {board.broken}; it holds what was left of them"
