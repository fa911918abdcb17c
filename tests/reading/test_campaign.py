"""``campaign.yaml``: what it must say, and all that is wrong at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaigns import campaign
from pydantic import ValidationError

from datkit.errors import ReadingError, UsageError
from datkit.reading import Campaign, load_campaign

BROKEN = """
version: 1
title: "  "
readers: [a, a]
questions: [{name: call, text: Abnormal, classes: ["no", "yes"], scale: ratio}]
normal: 2
repeated: 0.9
shown: [name]
colour: red
"""


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(ReadingError) as raised:
        load_campaign(path)
    places = {problem.where for problem in raised.value.problems}
    assert places >= {"title", "readers", "repeated", "shown.0", "colour"}
    assert any("scale" in place for place in places)


def test_some_class_is_left_to_be_abnormal(tmp_path: Path) -> None:
    text = BROKEN.replace("ratio", "nominal").replace('"  "', "One").replace("[a, a]", "[a]")
    text = text.replace("0.9", "0.1").replace("[name]", "[age]").replace("colour: red", "")
    path = tmp_path / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReadingError, match="normal: expected fewer than 2 normal classes"):
        load_campaign(path)


@pytest.mark.parametrize("name", ["uid", "reader", "again", "note", "seconds", "at", "votes",
                                  "readers", "share", "notes"])  # fmt: skip
def test_no_reader_or_question_has_the_name_of_another_column(name: str) -> None:
    good = campaign().model_dump(mode="json")
    question = good["questions"][0] | {"name": name}
    for other in ({"readers": [name]}, {"questions": [question]}):
        with pytest.raises(ValidationError, match=f"no table has yet, found '{name}'"):
            Campaign.model_validate(good | other, strict=False)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a campaign of readers"):
        load_campaign(tmp_path / "none.yaml")
