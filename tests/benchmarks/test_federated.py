"""What is compared in federated training: who takes part, what is kept, and how it is scored."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.curves import exam_loss
from benchmarks.common.run import RESULTS
from benchmarks.federated import __main__ as federated
from benchmarks.federated import arms
from benchmarks.federated.scores import Scorer
from datkit.prepare import PreparedCohort


@pytest.fixture(scope="module")
def prepared():
    """Noise at four centres, one of which has but normal exams."""
    rng = np.random.default_rng(0)
    volumes = rng.uniform(0.5, 3, (16, 64, 80, 48)).astype(np.float32)
    centres = [*"badcbbadcbabbabb"]
    labels = [float(i % 2) if centre != "d" else 0.0 for i, centre in enumerate(centres)]
    table = pd.DataFrame({"centre": centres, "is_pathologic": labels})
    return PreparedCohort(volumes, table.set_index(np.array([*"ponmlkjihgfedcba"])))


@pytest.fixture(scope="module")
def exams(prepared):
    return arms.Exams(prepared)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(arms, "SETTINGS", {"width": 2, "batch_size": 8, "learning_rate": 1e-3})
    monkeypatch.setattr(arms, "ROUNDS", 2)


def test_hospitals_hold_the_exams_in_the_order_in_which_they_are_scored(exams, prepared):
    labels = np.concatenate([one.labels for one in exams.hospitals.values()])
    assert labels.tolist() == exams.y.tolist()
    known = prepared.table.loc[exams.uids]
    assert known["is_pathologic"].tolist() == exams.y.tolist()
    assert known["centre"].tolist() == exams.centres.tolist()
    first = exams.others(exams.centres[0])
    assert exams.centres[0] not in first and len(first) == len(exams.hospitals) - 1


def test_exams_dealt_at_random_stay_the_same_exams_in_hospitals_of_the_same_sizes(exams):
    before = [*exams.hospitals.values()]
    after = arms.dealt(before)
    sizes = [[len(one.labels) for one in hospitals] for hospitals in (before, after)]
    assert sizes[0] == sizes[1]
    boxes = [np.concatenate([one.boxes for one in hospitals]) for hospitals in (before, after)]
    assert not (boxes[0] == boxes[1]).all()
    sums = [np.sort(each.sum(axis=(1, 2, 3))) for each in boxes]
    np.testing.assert_allclose(*sums, rtol=1e-6)


def test_a_broken_hospital_is_away_or_refused_and_one_with_swapped_labels_is_neither(exams, small):
    unseen = exams.centres[0]
    ways = arms.FEDERATED | arms.TROUBLES
    found = {name: way.train(unseen, exams) for name, way in ways.items()}
    told = {name: (row["absent"], row["refused"]) for name, row in found.items()}
    assert told.pop("largest away every second round") == (1, 0)
    assert told.pop("largest sends nonsense") == (0, 2)
    assert {*told.values()} == {(0, 0)}
    assert {len(row["logits"]) for row in found.values()} == {len(exams.rows(unseen))}
    assert all(row["bytes"] > 0 for row in found.values())


def test_a_centre_alone_is_also_trained_for_as_many_steps_as_all(exams, small, monkeypatch):
    asked = []
    monkeypatch.setattr(arms, "alone", lambda *given: asked.append(given[-1]))
    arms.alone_longer("c", exams)
    assert asked == [2 * 2 // 1]  # 2 rounds; all 16 exams are two batches, those of c are one


ALL = np.array([True, True])


def test_the_median_network_of_other_centres_is_taken_at_each_centre():
    # Networks of a, b and c pay 9, 1 and 3 at the exam of a, and 2, 9 and 6 at that of b.
    loss = np.array([[9.0, 2], [1, 9], [3, 6]])
    logits = np.log(np.expm1(loss)) * [1, -1]  # of labels 0 and 1
    scorer = Scorer(np.array([0, 1]), np.array(["a", "b"]), ["a", "b", "c"])
    assert scorer.draw(logits, ALL)[0] == pytest.approx((2 + 4) / 2)
    assert scorer.draw(logits[1], ALL)[0] == pytest.approx((1 + 9) / 2)
    assert scorer.by_centre(logits) == {"a": [9, 1, 3], "b": [2, 9, 6]}


def test_ways_are_compared_on_the_exams_that_both_have_and_intervals_are_paired():
    y, centres = np.tile([0, 1], 20), np.repeat([*"abcd"], 10)
    logits = np.random.default_rng(0).normal(0, 2, 40)
    part = np.where(centres == "a", logits + 1e-6, np.nan)
    found = Scorer(y, centres, []).describe("part", {"all": logits, "part": part}, ["all", "none"])
    assert found["n"] == 10 and "minus none" not in found
    assert found["log_loss"][0] == pytest.approx(exam_loss(y, logits)[:10].mean(), abs=1e-3)
    assert found["log_loss"][2] - found["log_loss"][1] > 0.1
    assert found["minus all"] == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_run_goes_on_where_it_was_stopped(exams, small, tmp_path, capsys):
    ways = [*federated.parse(["--only", "alone, longer"]).only]
    path = tmp_path / "federated.json"
    found = federated.measure(exams, federated.Rows(path, {"of": "some"}), ways)
    assert [row["name"] for row in found["ways"]] == ["pooled", "alone", "alone, longer", "fedavg"]
    assert found["ways"][0]["minus pooled"] == [0, 0, 0] and found["trained_alone"] == [*"abc"]
    assert [*found["trainings"]][:5] == [*(f"pooled | {one}" for one in "abcd"), "alone | a"]
    assert capsys.readouterr().out.count(" s\n") == len(found["trainings"]) == 4 + 3 + 3 + 4
    kept = {name: row for name, row in found["trainings"].items() if name != "alone | b"}
    path.write_text(json.dumps(found | {"trainings": kept}), encoding="utf-8")
    again = federated.measure(exams, federated.Rows(path, {"of": "some"}), ways)
    assert capsys.readouterr().out.startswith("alone | b: ")
    assert [row["log_loss"] for row in again["ways"]] == [row["log_loss"] for row in found["ways"]]
    assert federated.Rows(path, {"of": "others"}).rows == {}


def test_the_tables_that_are_in_the_book_are_those_of_the_results():
    found = json.loads((RESULTS / "federated-2026.json").read_text(encoding="utf-8"))
    lines = (RESULTS / "federated-2026.md").read_text(encoding="utf-8").splitlines()
    assert lines == [*federated.lines_of(found)]
    assert (RESULTS / "federated-2026.png").is_file()
