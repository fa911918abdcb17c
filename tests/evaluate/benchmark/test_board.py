"""The board: ties are ties, and what failed and what does not hold stands below it."""

import numpy as np

from datkit.evaluate import benchmark_lines, plot_benchmark
from datkit.evaluate.benchmark.board import HEAD, score_models


def test_equal_models_share_a_rank(board):
    ranks = {row["model"]: row["rank"] for row in board["scores"] if row["role"] == "model"}
    assert ranks == {"a": "1=", "also a": "1=", "blind": "3"}


def test_the_text_has_a_line_each_and_the_best_stands_first(board):
    out = board["controls"][1] | {"holds": False, "value": None}
    errors = {"b | grouped | fold 1": "ValueError: no"}
    lines = list(benchmark_lines(board | {"errors": errors, "controls": [out]}))
    assert lines[1] == "grouped: folds of whole centres, n = 200" and lines[3].split()[0] == "rank"
    losses = [float(line.split(" (")[0].split()[-1]) for line in lines[4:14]]
    assert losses == sorted(losses)
    assert lines[-1] == "b | grouped | fold 1: ValueError: no"
    assert "expected log loss" in lines[-2] and "found None" in lines[-2]


def test_what_is_not_better_than_the_constant_has_no_rank(exams):
    table = exams.table[["label"]].copy()
    table["constant"] = 0.5
    table["good"] = np.where(table["label"] == 1, 0.7, 0.3)
    table["guess"] = np.random.default_rng(0).uniform(0.3, 0.7, len(table))
    p = table.drop(columns="label")
    p.attrs["seconds"] = dict.fromkeys(p, 1.0)
    roles = {"constant": "control", "good": "model", "guess": "model"}

    def ranks(p):
        return {row["model"]: row["rank"] for row in score_models({"grouped": p}, roles, exams)}

    assert ranks(p) == {"constant": "", "good": "1", "guess": "none"}
    assert ranks(p.drop(columns="good")) == {"constant": "", "guess": "none"}
    assert ranks(p.drop(columns="constant")) == {"good": "1", "guess": "none"}


def test_few_exams_and_how_ranks_come_about_are_told(board):
    few = "Fewer than 100 exams: ranks can hardly be told apart."
    assert few not in [*benchmark_lines(board)]
    rows = [row | {"n": 24} for row in board["scores"]]
    lines = [*benchmark_lines(board | {"scores": rows})]
    assert lines.index(few) == 4 + len(rows) + 1
    said = "\n".join(lines)
    assert "share a rank (=)" in said and "not surely better than the constant has none" in said
    assert "may lose more than the constant: that is as it should be" in said


def test_the_picture_names_its_lines_and_a_file_without_its_folders(board):
    names = {"a": "/home/someone/my_model.py:Mine C=0.1"}
    rows = [row | {"model": names.get(row["model"], row["model"])} for row in board["scores"]]
    picture = plot_benchmark(board | {"scores": rows})
    labels = [one.get_text() for one in picture.axes[0].get_yticklabels()]
    assert "my_model.py:Mine C=0.1\nn = 200" in labels and "also a\nn = 200" in labels
    assert "dotted: constant and oracle" in picture.get_suptitle().replace("\n", " ")


def test_markdown_is_a_table(board):
    lines = list(benchmark_lines(board, markdown=True))
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(board["scores"])
    assert {line.count("|") for line in table} == {len(HEAD) + 1}


def test_the_picture_marks_oracle_and_constant_and_hides_what_has_other_labels(board):
    loss, auroc = plot_benchmark(board).axes
    rows = [label.get_text().split("\n")[0] for label in loss.get_yticklabels()]
    assert rows[0] in ("oracle", "panel of readers") and "leak" not in rows
    marks = [line.get_xdata()[0] for line in loss.lines if line.get_linestyle() == ":"]
    by_name = {row["model"]: row["log_loss"][0] for row in board["scores"]}
    assert sorted(marks) == sorted([by_name["oracle"], by_name["constant"]])
    assert auroc.get_xlabel().startswith("AUROC")
