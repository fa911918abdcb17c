"""What describes a challenge: the examples are sound, and every fault is told at once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from datkit.challenge import load_challenge
from datkit.challenge.description import EXAMPLES
from datkit.errors import ChallengeError, UsageError

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def description(name: str = "class") -> dict[str, Any]:
    return yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))


def changed(place: str, value: object, name: str = "class") -> dict[str, Any]:
    """A copy with one value put where the dots lead."""
    raw = inner = copy.deepcopy(description(name))
    *steps, last = (int(step) if step.isdecimal() else step for step in place.split("."))
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return raw


def problems_of(tmp_path, raw: object) -> list[str]:
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ChallengeError) as caught:
        load_challenge(path)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_sound_and_says_which_it_is(name):
    challenge = load_challenge(name)
    assert challenge == load_challenge(EXAMPLES / f"{name}.yaml")
    assert challenge.phases[-1].scored_on[-1] == "private"
    assert challenge.metrics[0].better == "low"


def test_the_competition_ran_when_it_ran():
    [phase] = load_challenge("dat-park").phases
    assert (phase.end - phase.start).days == 56
    assert load_challenge("dat-park").dated and not load_challenge("class").dated


def test_a_class_learns_on_one_set_and_is_tested_once_on_another():
    learning, final = load_challenge("class").phases
    assert (learning.scored_on, final.scored_on) == (("public",), ("private",))
    assert (learning.submissions, final.submissions) == (None, 1)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (changed("title", ""), "title: expected some text"),
        (changed("phase", []), "phase: expected keys that are known, found the key 'phase'."),
        (changed("task.colour", "blue"), "task.colour: expected keys that are known, found the k"),
        (changed("phases", []), "phases: expected at least one"),
        (changed("phases.0.start", "soon"), "learning.start: expected a valid datetime"),
        (
            changed("phases.0.start", "2026-01-01T10:00:00"),
            "learning.start: expected a time with its zone, such as 2026-09-16T22:00:00Z",
        ),
        (changed("phases.1.name", "learning"), "phases: expected each name once"),
        (changed("phases.1.scored_on", ["public"]), "the last phase, final, to be scored on priv"),
        (
            changed("phases.1.start", "2026-01-01T10:00:00Z"),
            "phases: expected an end of learning, since final has a start",
        ),
        (
            changed("phases.0.end", "2026-07-21T00:00:00Z", "dat-park")
            | {"phases": [changed("phases.0.end", "2026-07-21", "dat-park")["phases"][0]]},
            "competition.end: expected a time with its zone",
        ),
        (
            changed("phases.0.end", "2026-07-21T00:00:00Z", "dat-park"),
            "competition: expected an end after the start",
        ),
        (changed("metrics.0.name", "accuracy"), "accuracy.name: expected a metric among log_loss"),
        (
            changed("metrics.0.name", "calibration_slope"),
            "metrics: expected a first metric that can rank",
        ),
        (changed("metrics.1.name", "log_loss"), "metrics: expected each name once"),
        (changed("metrics.0.costs", [[0.0]]), "log_loss: expected costs for the metric 'cost'"),
        (changed("metrics.0.costs", None, "grades"), "cost: expected costs for the metric 'cost'"),
        (
            changed("metrics.0.costs.1", [0.1, 0.0, 0.3], "grades"),
            "cost.costs: expected as many columns as rows",
        ),
        (changed("metrics.0.costs.1.1", 0.2, "grades"), "and 0 where the class is right"),
        (changed("metrics.0.costs.0.1", -0.1, "grades"), "costs.0.1: expected greater than or"),
        (changed("metrics.0.costs.0.1", float("inf"), "grades"), "costs.0.1: expected a finite"),
        (changed("task.classes", ["a", "b"], "grades"), "expected costs of 2 classes, found 4"),
        (
            changed("metrics.0.name", "brier", "grades")
            | {"metrics": [{"name": "brier", "title": "Brier"}]},
            "metrics: expected metrics of a grade, found brier",
        ),
        (changed("task.classes", ["a", "b", "c"]), "task: expected two classes for a probability"),
        (changed("task.column", "a b"), "task.column: expected the name of a column"),
        (changed("task.column", "uid"), "task: expected another column beside uid, found uid."),
        (changed("task.classes", ["a", "a"]), "task.classes: expected each name once, found 'a' t"),
        (changed("phases.0.scored_on", ["public"] * 2), "scored_on: expected each name once"),
        (changed("runtime.takes", ["code"] * 2), "runtime.takes: expected each name once"),
        (changed("runtime.seconds", 10**7), "runtime.seconds: expected less than or equal to"),
        (changed("phases.0.start", "0001-01-01T00:00:00+23:00"), "learning.start: expected great"),
        (changed("data.seed", -1), "data.seed: expected greater than or equal to 0"),
        (changed("metrics.0.costs.0.1", 1e300, "grades"), "costs.0.1: expected less than or equal"),
        (changed("teams", {"names": ["a\tb", "a b"]}), "teams.names: expected each name once"),
        (
            changed("teams", {"names": ["a\u202eb"]}),
            "teams.names: expected a team's name of 1 to 40",
        ),
        (
            changed("teams", {"names": ["Ｃonstant"]}),
            "teams.names: expected a team's own name, found that of a control, 'Constant'.",
        ),
        (changed("data.public", 0.8), "data: expected shares of public and private below 1"),
        (changed("limits.a_day", 0), "limits.a_day: expected greater than 0"),
        (changed("limits.step", float("nan")), "limits.step: expected a finite number"),
        (changed("data.licence.url", "http://example.org"), "licence.url: expected an https://"),
    ],
)
def test_one_fault_is_one_sentence_that_says_where_it_is(tmp_path, raw, said):
    [problem] = problems_of(tmp_path, raw)
    assert said in problem and problem.endswith(".") and problem.count("found") == 1


def test_a_step_that_no_score_can_be_divided_by_shows_all(tmp_path):
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump(changed("limits.step", 1e-320)), encoding="utf-8")
    assert load_challenge(path).limits.step == 0.0
    path.write_text(yaml.safe_dump(changed("limits.step", 2e-6)), encoding="utf-8")
    assert load_challenge(path).limits.step == 2e-6


def test_faults_are_all_told_at_once(tmp_path):
    raw = changed("phases.1.scored_on", ["public"])
    raw["metrics"][0]["name"], raw["limits"]["a_day"], raw["title"] = "cost", -1, 7
    problems = problems_of(tmp_path, raw)
    assert [problem.split(":")[0] for problem in problems] == [
        "title", "phases", "cost", "limits.a_day",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("seed: 1" + "0" * 400, "which cannot be read as int, in line 2."),
        ('ends: !!timestamp ""', "'', which cannot be read as timestamp, in line 2."),
        ('"\\ud800": 1', "which cannot be read as str, in line 2."),
        ("a: *b", "an alias, to be written out, in line 2."),
        ("a: [1", "expected ',' or ']'"),
        ("a: {b: 1, b: 2}", "the key 'b' twice in the block of line 2."),
    ],
)
def test_what_is_no_plain_yaml_is_one_sentence_with_its_line(tmp_path, line, told):
    path = tmp_path / "challenge.yaml"
    path.write_text(f"version: 1\n{line}\n", encoding="utf-8")
    with pytest.raises(ChallengeError) as caught:
        load_challenge(path)
    assert told in str(caught.value) and str(caught.value).count(str(path)) == 1


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"a description of a challenge at .*none\.yaml, found"):
        load_challenge(tmp_path / "none.yaml")
