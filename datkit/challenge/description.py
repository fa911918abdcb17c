"""What ``challenge.yaml`` must say, as pydantic models: one file describes a challenge.

It is read as `data_manifest.yaml` is: plain YAML, no key that is not known, every problem at once.
``examples/`` holds three: ``dat-park`` (the rules of the DaT-Park challenge of 2026), ``class``
(the same task with the two phases of the French programme: learning with a provisional ranking,
then a short final test of one submission) and ``grades`` (another metric: a table of what each
error between grades costs).
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationInfo
from pydantic.functional_validators import AfterValidator, field_validator, model_validator

from datkit.challenge.bias import ITEMS
from datkit.data.manifest import AtLeastOne, Licence, Model, Name, Text, Texts, distinct, like
from datkit.data.manifest_reader import read_checked
from datkit.errors import ChallengeError, DatkitError
from datkit.evaluate.metrics import find_metric
from datkit.problems import shown

__all__ = ["Challenge", "ChallengeData", "ChallengeMetric", "Phase", "Runtime", "Task",
           "TeamLimits", "Teams", "find_description", "load_challenge", "team_name"]  # fmt: skip

EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 9999))  # zones add hours
EXAMPLES = Path(__file__).with_name("examples")
LONGEST_NAME = 40  # of a team
COSTS = "cost"  #: the metric that is a table of costs; all others are `datkit.evaluate.METRICS`

EACH_ONCE = AfterValidator(distinct)
Kind = Literal["probability", "grade"]
Part = Literal["public", "private"]
Column = Annotated[str, like("^[A-Za-z_][A-Za-z0-9_]*$", "the name of a column")]
Share = Annotated[float, Field(gt=0, lt=1)]
Number = Annotated[int, Field(gt=0, le=10**6)]  # seconds of eleven days, MiB of a terabyte
Moment = Annotated[AwareDatetime, Field(strict=False, ge=EARLIEST, le=LATEST)]
Cost = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]
Row = Annotated[tuple[Cost, ...], AtLeastOne]
Table = Annotated[tuple[Row, ...], AtLeastOne]
Item = Annotated[
    str,
    Field(strict=False, coerce_numbers_to_str=True),  # YAML reads 10 as a number
    like(f"^({'|'.join(ITEMS)})$", "an item that `datkit class export bias` lists, such as 16a"),
]


class Task(Model):
    """What is asked of each exam.

    Attributes
    ----------
    question : str
    predicts : {"probability", "grade"}
        A number from 0 to 1, that of the second class; or the number of a class, counted from 0.
    column : str
        Where predictions and labels stand: beside ``uid`` in a table of predictions, and in
        ``train_labels.csv``, ``exams.csv`` or ``truth.csv`` of the cohort.
    classes : tuple of str
        What the numbers 0, 1, … mean, in that order.
    """

    question: Text
    predicts: Kind
    column: Column
    classes: Annotated[tuple[Text, ...], Field(strict=False, min_length=2), EACH_ONCE]

    @model_validator(mode="after")
    def _has_two_sides(self) -> Task:
        if self.column == "uid":
            raise ValueError("expected another column beside uid, found uid")
        if self.predicts == "probability" and len(self.classes) != 2:
            raise ValueError(f"expected two classes for a probability, found {len(self.classes)}")
        return self

    @property
    def table(self) -> dict[str, Any]:
        """What :func:`datkit.submit.predictions.check_predictions` is to look for."""
        grades = len(self.classes) if self.predicts == "grade" else 0
        return {"column": self.column, "grades": grades}


class ChallengeData(Model):
    """The exams: what they are, under which terms, and how they are shared out.

    Attributes
    ----------
    summary, source, labels : str
        What they are; who collected them, where and how; who said what the label is, and how.
    licence : Licence
    ethics : str or None
        Approval, anonymisation, and what law they stand under.
    together : {"centre", "family"} or None
        What stands on one side only, training, public or private; None where only people do.
    public, private : float
        The shares of exams in the two test sets, as near as whole groups allow; the rest is
        for training.
    seed : int
        Of the draw, where exams are drawn.
    """

    summary: Text
    source: Text
    labels: Text
    licence: Licence
    ethics: Text | None = None
    together: Literal["centre", "family"] | None
    public: Share
    private: Share
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _leaves_some_to_learn_from(self) -> ChallengeData:
        if self.public + self.private >= 1:
            raise ValueError("expected shares of public and private below 1 together")
        return self


class Phase(Model):
    """A time in which submissions are taken.

    Attributes
    ----------
    name, title : str
    scored_on : tuple of {"public", "private"}
        The sets that its submissions are run and scored on. Public scores are shown at once,
        private ones when the challenge is closed.
    start, end : datetime or None
        With their zone. Without a start a phase follows the one before; without an end it lasts
        until it is closed by hand.
    submissions : int or None
        How many a team may make in it, over all days.
    """

    name: Name
    title: Text
    scored_on: Annotated[tuple[Part, ...], AtLeastOne, EACH_ONCE]
    start: Moment | None = None
    end: Moment | None = None
    submissions: Number | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Phase:
        if self.start and self.end and self.end <= self.start:
            raise ValueError("expected an end after the start")
        return self


class ChallengeMetric(Model):
    """A score; the first of a challenge's ranks.

    Attributes
    ----------
    name : str
        One of :data:`datkit.evaluate.METRICS`, such as ``log_loss`` or ``sensitivity@0.5``, or
        ``cost``: the mean cost of an exam.
    title : str
        As it is printed.
    digits : int
        After the decimal point, where it is printed.
    costs : tuple of tuples of float, or None
        Of ``cost`` alone: a row for each true class, a column for each predicted one.
    """

    name: Text
    title: Text
    digits: Annotated[int, Field(ge=0, le=6)] = 3
    costs: Table | None = None

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name != COSTS:
            _ask(find_metric, name)
        return name

    @field_validator("costs")
    @classmethod
    def _is_square(cls, costs: Table | None) -> Table | None:
        if costs and any(len(row) != len(costs) or row[n] for n, row in enumerate(costs)):
            raise ValueError("expected as many columns as rows, and 0 where the class is right")
        return costs

    @model_validator(mode="after")
    def _has_costs_if_it_is_one(self) -> ChallengeMetric:
        if (self.name == COSTS) != (self.costs is not None):
            raise ValueError(f"expected costs for the metric '{COSTS}', and for no other")
        return self

    @property
    def better(self) -> str:
        """``"low"`` or ``"high"``; ``""`` where one value is right, such as a slope of 1."""
        return "low" if self.name == COSTS else find_metric(self.name).better


class Runtime(Model):
    """What a submission is, and what it may use.

    Attributes
    ----------
    takes : tuple of {"code", "table"}
        ``code`` is a zip with main.py, run in the sandbox; ``table``, a CSV of predictions.
    python : str
    image : str or None
        The Docker image, if there is one.
    seconds : int
        For all exams of a set.
    memory_gib, disk_gib, processes, gpus : int
    """

    takes: Annotated[tuple[Literal["code", "table"], ...], AtLeastOne, EACH_ONCE]
    python: Text
    image: Text | None = None
    seconds: Number
    memory_gib: Number
    disk_gib: Number = 4
    processes: Number = 1024
    gpus: Annotated[int, Field(ge=0)] = 0


class TeamLimits(Model):
    """What keeps a challenge fair.

    Attributes
    ----------
    a_day : int or None
        Submissions of a team in a calendar day, UTC.
    upload_mib : int
        The largest upload.
    step : float
        The public score that is shown moves only if a submission is better than the one shown by
        at least that much (the Ladder of Blum and Hardt, 2015, arXiv 1502.04585); 0 shows all.
    """

    a_day: Number | None
    upload_mib: Number
    step: Annotated[Cost, AfterValidator(lambda step: round(step, 6))] = 0.0  # 1e-320 divides none


class Teams(Model):
    """Who takes part: the largest team, if there is a limit; the names, if they are known."""

    largest: Number | None = None
    names: Texts = ()

    @field_validator("names")
    @classmethod
    def _can_be_told_apart(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return distinct(tuple(_ask(team_name, name) for name in names))


class Challenge(Model):
    """The whole file.

    Attributes
    ----------
    version : 1
        Of this format.
    name, title, summary : str
    organisers : tuple of str
    task : Task
    data : ChallengeData
    phases : tuple of Phase
        In the order of time. The last one scores on the private set.
    metrics : tuple of ChallengeMetric
        The first one ranks.
    limits : TeamLimits
    rules : tuple of str
        A sentence each, as teams read them.
    runtime : Runtime
    teams : Teams
    prizes, afterwards : str or None
        What there is to win; what becomes of data, models and results.
    design : dict
        What :func:`datkit.challenge.bias_form` is to say of an item, by its number, such as 16a.
    """

    version: Literal[1]
    name: Name
    title: Text
    summary: Text
    organisers: Annotated[tuple[Text, ...], AtLeastOne]
    task: Task
    data: ChallengeData
    phases: Annotated[tuple[Phase, ...], AtLeastOne, EACH_ONCE]
    metrics: Annotated[tuple[ChallengeMetric, ...], AtLeastOne, EACH_ONCE]
    limits: TeamLimits
    rules: Annotated[tuple[Text, ...], AtLeastOne]
    runtime: Runtime
    teams: Teams
    prizes: Text | None = None
    afterwards: Text | None = None
    design: dict[Item, Text] = Field(default_factory=dict)

    @field_validator("phases")
    @classmethod
    def _follow_each_other(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        if wrong := [*_disorder(phases)]:
            raise ValueError("expected " + "; ".join(wrong))
        return phases

    @field_validator("metrics")
    @classmethod
    def _fit_the_task(
        cls, metrics: tuple[ChallengeMetric, ...], info: ValidationInfo
    ) -> tuple[ChallengeMetric, ...]:
        if not metrics[0].better:
            raise ValueError(f"expected a first metric that can rank, found {metrics[0].name}")
        if (task := info.data.get("task")) is None:
            return metrics
        for one in metrics:
            if (one.name == COSTS) != (task.predicts == "grade"):
                raise ValueError(f"expected metrics of a {task.predicts}, found {one.name}")
            if one.costs and len(one.costs) != (count := len(task.classes)):
                found = f"{len(one.costs)} rows of costs"
                raise ValueError(f"expected costs of {count} classes, found {found}")
        return metrics

    @property
    def dated(self) -> bool:
        """Whether a clock opens and closes its phases; if not, its organiser does."""
        return any(phase.start or phase.end for phase in self.phases)


def _ask(rule: Callable[[str], Any], name: str) -> Any:  # noqa: ANN401
    """Return what a function of the kit makes of a name; tell pydantic why, if it refuses it."""
    try:
        return rule(name)
    except DatkitError as error:
        raise ValueError(str(error)[0].lower() + str(error)[1:].rstrip(".")) from None


def _disorder(phases: tuple[Phase, ...]) -> Iterator[str]:
    """Yield what is wrong with the order of phases, each as a phrase after "expected"."""
    if "private" not in phases[-1].scored_on:
        yield f"the last phase, {phases[-1].name}, to be scored on private"
    for first, second in pairwise(phases):
        if second.start and first.end is None:
            yield f"an end of {first.name}, since {second.name} has a start"
        elif first.end and second.start and second.start < first.end:
            yield f"{second.name} to start after {first.name} has ended"


def load_challenge(path: str | os.PathLike[str]) -> Challenge:
    """Read and check a ``challenge.yaml``, or one of the examples by its name.

    Parameters
    ----------
    path : path or str
        A file, or ``"dat-park"``, ``"class"`` or ``"grades"``.

    Raises
    ------
    UsageError
        If there is no such file.
    ChallengeError
        If it is no plain YAML or breaks a rule; every problem is listed.

    Examples
    --------
    >>> challenge = load_challenge("dat-park")
    >>> challenge.metrics[0].title, [phase.name for phase in challenge.phases]
    ('log loss', ['competition'])
    >>> load_challenge("grades").metrics[0].costs[3]  # the highest grade, read as 0, 1, 2, 3
    (1.0, 0.7, 0.3, 0.0)
    """
    return read_checked(
        find_description(path), Challenge, ChallengeError, "a description of a challenge"
    )


def team_name(text: str) -> str:
    """Return a team's name in its one spelling.

    Raises
    ------
    ChallengeError
        If it is empty, long, holds what cannot be seen, or is that of a control on the board.

    Examples
    --------
    >>> team_name("  The  <b>Putamina</b> ")
    'The <b>Putamina</b>'
    """
    from datkit.evaluate.benchmark.entrants import CONTROLS

    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not 0 < len(name) <= LONGEST_NAME or shown(name) != name:
        raise ChallengeError(
            f"Expected a team's name of 1 to {LONGEST_NAME} letters that can be seen, found "
            f"{name[:LONGEST_NAME]!r}; choose another one."
        )
    if name.casefold() in {control.name for control in CONTROLS}:
        raise ChallengeError(f"Expected a team's own name, found that of a control, {name!r}.")
    return name


def find_description(path: str | os.PathLike[str]) -> Path:
    """Return the file that a path or the name of an example stands for."""
    example = EXAMPLES / f"{path}.yaml"
    return example if example.is_file() else Path(path)
