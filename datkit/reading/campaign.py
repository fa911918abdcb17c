"""What ``campaign.yaml`` must say, as pydantic models: one file describes a campaign of readers.

It is read as `data_manifest.yaml` is: plain YAML, no key that is not known, every problem at once.
``campaign.yaml`` beside this module is an example, and what ``datkit readers init example`` uses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo
from pydantic.functional_validators import AfterValidator, field_validator

from datkit.data.manifest import AtLeastOne, Model, Name, Text, distinct
from datkit.data.manifest_reader import read_checked
from datkit.errors import ReadingError

__all__ = ["Campaign", "Question", "load_campaign"]

EXAMPLE = Path(__file__).with_name("campaign.yaml")
DIGITS = 9  # choices of a question: each has a key
EACH_ONCE = AfterValidator(distinct)
# Columns that merged tables have beside those of questions and readers.
TAKEN = {"uid", "reader", "again", "note", "seconds", "at", "votes", "readers", "share", "notes"}


class Question(Model):
    """What readers are asked of each exam.

    Attributes
    ----------
    name : str
        A column of the result.
    text : str
        As it is asked.
    classes : tuple of str
        The answers to choose from, by the keys 1, 2, …; in their order, if there is one.
    scale : {"nominal", "ordinal"}
        Whether classes further apart disagree more.
    """

    name: Name
    text: Text
    classes: Annotated[tuple[Text, ...], Field(strict=False, min_length=2, max_length=DIGITS),
                       EACH_ONCE]  # fmt: skip
    scale: Literal["nominal", "ordinal"]


class Campaign(Model):
    """The whole file.

    Attributes
    ----------
    version : 1
        Of this format.
    title : str
        What readers see above each exam.
    exams : tuple of str or None
        Uids of the cohort; None for all of them.
    readers : tuple of str
        Names that only the organiser can put to persons, such as ``reader-1``.
    questions : tuple of Question
        The first one gives the label.
    normal : int
        How many classes of the first question, from its first on, count as normal.
    note : int
        The most letters of a free note on each exam; 0 for none.
    repeated : float
        The share of exams that each reader is shown a second time, under another code.
    shown : tuple of {"age", "sex"}
        What readers know of a person, from ``exams.csv``; nothing by default.
    seed : int
        Of the order of exams, another one for each reader, and of the choice of those repeated.
    """

    version: Literal[1]
    title: Text
    exams: Annotated[tuple[Text, ...], AtLeastOne, EACH_ONCE] | None = None
    readers: Annotated[tuple[Name, ...], AtLeastOne, EACH_ONCE]
    questions: Annotated[tuple[Question, ...], AtLeastOne, EACH_ONCE]
    normal: Annotated[int, Field(ge=1)] = 1
    note: Annotated[int, Field(ge=0, le=1000)] = 0
    repeated: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    shown: Annotated[tuple[Literal["age", "sex"], ...], Field(strict=False), EACH_ONCE] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @field_validator("readers", "questions")
    @classmethod
    def _leaves_columns(cls, named: tuple[Any, ...]) -> tuple[Any, ...]:
        if taken := TAKEN & {getattr(one, "name", one) for one in named}:
            raise ValueError(f"expected names that no table has yet, found {sorted(taken)[0]!r}")
        return named

    @field_validator("normal")
    @classmethod
    def _leaves_abnormal_ones(cls, normal: int, info: ValidationInfo) -> int:
        if (questions := info.data.get("questions")) and normal >= len(questions[0].classes):
            raise ValueError(f"expected fewer than {len(questions[0].classes)} normal classes")
        return normal


def load_campaign(path: str | os.PathLike[str] = EXAMPLE) -> Campaign:
    """Read and check a ``campaign.yaml``, by default the example of the kit.

    Raises
    ------
    UsageError
        If there is no such file.
    ReadingError
        If it is no plain YAML or breaks a rule; every problem is listed.

    Examples
    --------
    >>> campaign = load_campaign()
    >>> campaign.questions[0].classes, campaign.repeated
    (('normal', 'abnormal'), 0.2)
    """
    return read_checked(Path(path), Campaign, ReadingError, "a campaign of readers")
