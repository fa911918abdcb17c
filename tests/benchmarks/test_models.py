"""The benchmark of models: its tables and picture are made from the results file alone."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from benchmarks.common.run import RESULTS
from benchmarks.models import __main__ as models
from benchmarks.models.stack import NAME, predictions, stack_models
from benchmarks.models.targets import measure_board
from datkit.data.split import Fold
from datkit.evaluate import score_probabilities

BOARDS = sorted(RESULTS.glob("models-[0-9]*.json"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_tables_and_picture_in_the_checkout_are_those_of_its_results(board, tmp_path):
    (tmp_path / board.name).write_bytes(board.read_bytes())
    models.write_pages(tmp_path / board.name)
    for name in (f"{board.stem}.md", f"{board.stem}-distances.md"):
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes()
    assert (tmp_path / f"{board.stem}.png").read_bytes().startswith(b"\x89PNG")
    held = json.loads(board.read_text(encoding="utf-8"))
    assert all(band["holds"] for band in held["controls"]) and not held["errors"]


def test_the_table_of_aims_is_that_of_the_results(tmp_path):
    seeds = RESULTS / "models-seeds.json"
    (tmp_path / seeds.name).write_bytes(seeds.read_bytes())
    models.write_aims(tmp_path / seeds.name)
    made = (tmp_path / "models-aims.md").read_bytes()
    assert made == (RESULTS / "models-aims.md").read_bytes()
    rows = [line for line in made.decode().splitlines() if line.startswith("| ")][2:]
    assert all(row.rstrip(" |").endswith(("yes", "no**")) for row in rows if "**Gr" not in row
               and "**Pr" not in row)  # fmt: skip


def test_it_simulates_the_sizes_that_are_asked_for(monkeypatch):
    asked = []

    def simulate(folder, size, seed, *_, **__):
        asked.append((folder.name, models.SIZES[size], dict(models.TEST_SETS), seed))

    monkeypatch.setattr(models, "simulate_cohort", simulate)
    models.open_cohort(5, models.parse(["--exams", "48", "--tests", "24"]))
    assert asked == [("models-48-24-5", 48, {"public": 24, "private": 24}, 5)]
    assert models.SIZES["full"] == 1400


def test_networks_run_in_fewer_splits_than_the_cheap_models():
    plan = models.plan({"measures": "measures", "3-D network": "volume"}, ("centres", "tests"))
    assert plan == [({"measures": "measures"}, ("centres", "tests")),
                    ({"3-D network": "volume"}, ("tests",))]  # fmt: skip


class Exams:
    """400 exams in two folds, and 100 that no fold holds, of three centres."""

    table = pd.DataFrame({"label": np.tile([0, 1], 250), "centre": np.arange(500) % 3 * 1.0},
                         index=[f"{n:04d}" for n in range(500)])  # fmt: skip

    def folds(self, split, n_splits):
        uids = self.table.index
        halves = uids[:400:2].append(uids[1:400:4]), uids[3:400:4]
        names = ("all",) if split == "tests" else ("fold 1", "fold 2")
        sides = zip(names, (uids[400:],) if split == "tests" else halves, strict=True)
        return [Fold(name, tuple(uids[:400].drop(test, errors="ignore")), tuple(test))
                for name, test in sides]  # fmt: skip

    def scored(self, setting):
        tests = setting in ("public", "private", "unseen")
        return self.table[400:] if tests else self.table[:400]


def board_of(names):
    """Return cells of models that know the logit of an exam, each with noise of its own."""
    exams, rng = Exams(), np.random.default_rng(0)
    y, cells, scores = exams.table["label"], {}, []
    for name, noise in names.items():
        z = pd.Series(2 * (2 * y - 1) + rng.normal(0, noise, 500), y.index)
        for split in ("grouped", "tests"):
            for fold in exams.folds(split, 2):
                p = expit(z[list(fold.test)])
                cells[f"{name} | {split} | {fold.name}"] = {
                    "model": name, "role": "model", "split": split, "fold": fold.name,
                    "p": " ".join(f"{one:.6g}" for one in p)}  # fmt: skip
    cells |= stack_models(cells, [*names], exams, 2)
    for split, setting in (("grouped", "grouped"), ("tests", "private")):
        p = predictions(cells, split, exams, 2)
        for name in p:
            known = exams.scored(setting)
            row = {"model": name, "setting": setting, "role": "model", "n": len(known)}
            for key, one in score_probabilities(known["label"], p.loc[known.index, name]).items():
                row[key] = [one.value, one.low, one.high]
            scores.append(row)
    settings = {"grouped": {"folds": 2}, "tests": {"folds": 1}}
    return {"cells": cells, "scores": scores, "settings": settings}, exams


def test_the_blend_finds_its_slope_without_the_fold_that_it_predicts():
    board, exams = board_of({"projection": 2.0, "3-D network": 2.0})
    p = predictions(board["cells"], "grouped", exams, 2)
    one = board["cells"][f"{NAME} | grouped | fold 1"]
    held = list(exams.folds("grouped", 2)[0].test)
    z = logit(p.loc[held, ["projection", "3-D network"]].clip(1e-4, 1 - 1e-4)).mean(axis=1)
    np.testing.assert_allclose(p.loc[held, NAME], expit(one["slope"] * z), atol=2e-3)
    flipped = Exams()
    flipped.table = exams.table.copy()
    flipped.table.loc[held, "label"] = 1 - flipped.table.loc[held, "label"]
    again = stack_models(board["cells"], ["projection", "3-D network"], flipped, 2)
    assert again[f"{NAME} | grouped | fold 1"]["p"] == one["p"]
    assert again[f"{NAME} | tests | all"]["p"] != board["cells"][f"{NAME} | tests | all"]["p"]


def test_figures_stand_beside_the_aims_and_a_distance_is_that_of_pairs():
    board, exams = board_of({"projection": 2.0, "3-D network": 1.0, "oracle": 0.5})
    figures = measure_board(board, exams)
    named = {one.name: one for one in figures["grouped"]}
    loss = {row["model"]: row["log_loss"][0] for row in board["scores"]
            if row["setting"] == "grouped"}  # fmt: skip
    gap = named["3-D network minus projection"]
    assert gap.value == pytest.approx(loss["3-D network"] - loss["projection"], abs=1e-6)
    assert gap.interval[0] < gap.value < gap.interval[1] and gap.holds
    assert named["best single network minus projection"].note.startswith("3-D network")
    assert named[f"{NAME} minus oracle"].target == (None, 0.10)
    travelled = {one.name: one.value for one in figures["private"]}
    private = {row["model"]: row["log_loss"][0] for row in board["scores"]
               if row["setting"] == "private"}  # fmt: skip
    name = "oracle: private minus grouped"
    assert travelled[name] == pytest.approx(private["oracle"] - loss["oracle"], abs=1e-9)


def test_the_limit_of_the_same_seed_is_held_against_the_blend(tmp_path):
    board, exams = board_of({"projection": 2.0, "3-D network": 1.0})
    path = tmp_path / "limit-7.json"
    path.write_text(json.dumps({"fit": {"limit": [0.01, 0.0, 0.02]}}))
    named = {one.name: one for one in measure_board(board, exams, path)["grouped"]}
    loss = next(row["log_loss"][0] for row in board["scores"] if row["model"] == NAME)
    assert named[f"{NAME} minus the limit"].value == pytest.approx(loss - 0.01)
