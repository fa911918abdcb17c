"""The board: ties are ties, and what failed and what does not hold stands below it."""

from datkit.evaluate import benchmark_lines, plot_benchmark
from datkit.evaluate.benchmark.board import HEAD


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
