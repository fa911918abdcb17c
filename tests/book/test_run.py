"""Notebooks run in their own folders, give the same bytes twice, and say which cell failed."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from datkit.book.execution import remove_volatile
from datkit.book.run import _pair, main, run_notebooks
from datkit.errors import NotebookError, UsageError


def write(folder: Path, name: str, *cells: str | nbformat.NotebookNode) -> Path:
    """Write a notebook of code cells and return its path."""
    made = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=made), path)
    return path


def tagged(source: str, tag: str, **metadata: object) -> nbformat.NotebookNode:
    return new_code_cell(source, metadata={"tags": [tag], **metadata})


def exercise(stub: str) -> nbformat.NotebookNode:
    text = f":::{{exercise}} One\n```python\n{stub}\n```\n:::"
    return new_markdown_cell(text, metadata={"tags": ["exercise"]})


def check(*tests: str, wrong: dict[str, str] | None = None, right: tuple[str, ...] = ()):
    """Return a check cell of such tests, with the answers that try it."""
    lines = ["from datkit.errors import check_answer", *(f"check_answer({test})" for test in tests)]
    return tagged("\n".join(lines), "check", wrong=wrong or {}, right=list(right))


def quiet(_: str) -> None:
    """Take a line of progress and leave it."""


def test_two_executions_give_the_same_bytes(toy_book: Path, tmp_path: Path) -> None:
    source = toy_book / "notebooks" / "01_toy.ipynb"
    [second] = run_notebooks([source], tmp_path, report=quiet)
    assert second.read_bytes() == (toy_book / "run" / "01_toy.ipynb").read_bytes()


def test_an_executed_copy_tells_nothing_of_when_and_where(toy_book: Path) -> None:
    executed = nbformat.read(toy_book / "run" / "01_toy.ipynb", as_version=4)
    assert set(executed.metadata) == {"kernelspec", "language_info"}
    assert not any(set(cell.metadata) & {"papermill", "execution"} for cell in executed.cells)
    assert "_names" not in nbformat.writes(executed)
    counts = [cell.execution_count for cell in executed.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]


def test_parameters_folder_and_unchanged_notebooks(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        "steps",
        tagged("size = 'small'\nseed = 1", "parameters"),
        "from pathlib import Path\nprint(size, seed, [p.name for p in Path().iterdir()])",
        "Path('made.txt').write_text(size);",
    )
    lines: list[str] = []

    def run(**values: object) -> str:
        [copy] = run_notebooks(
            [source], tmp_path / "out", values, if_changed=True, report=lines.append
        )
        cells = nbformat.read(copy, as_version=4).cells
        assert cells[1].id == "injected-parameters" and "remove-cell" in cells[1].metadata.tags
        return cells[2].outputs[0].text

    # The folder is empty at the start of each run, whatever the run before left there.
    assert run(size="tiny") == "tiny 1 []\n"
    assert run(size="tiny", seed=2) == "tiny 2 []\n"
    assert (tmp_path / "out" / "work" / "steps" / "made.txt").read_text() == "tiny"
    assert run(size="tiny", seed=2) == "tiny 2 []\n"
    assert [line.split(":")[1].split()[0] for line in lines] == [
        "running", "done", "running", "done", "unchanged"]  # fmt: skip


def test_a_copy_is_made_anew_once_a_map_was_fetched(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "data"))
    source, lines = write(tmp_path, "one", "1"), []
    entry = tmp_path / "data" / "open" / "a-map"
    entry.mkdir(parents=True)
    for name in (".map.nii.part", "map.nii", "map.nii"):
        (entry / name).write_bytes(b"bytes")
        run_notebooks([source], tmp_path / "out", if_changed=True, report=lines.append)
    said = [line.split(":")[1].split()[0] for line in lines]
    assert said == ["running", "done", "running", "done", "unchanged"]


def test_failures_are_told_together_with_notebook_cell_and_error(tmp_path: Path) -> None:
    words = new_markdown_cell("Words.")
    sources = [
        write(tmp_path, "raises", words, "x = 1", "\nfigure = 1 / 0\nx = 2"),
        write(
            tmp_path,
            "accepts_a_wrong_answer",
            "asymmetry = 20",
            check(
                "asymmetry > 0, 'sign'", wrong={"asymmetry = -1": "sign", "asymmetry = 9": "half"}
            ),
        ),
    ]  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    (out / "raises.ipynb").write_text("an older copy that no longer holds")
    for _ in range(2):  # red, and red again
        with pytest.raises(NotebookError) as failure:
            run_notebooks(sources, out, report=quiet)
        raised, accepted = failure.value.problems
        assert str(raised) == (
            f"{sources[0]}, cell 3: expected every cell to run, found ZeroDivisionError: division "
            "by zero, in `figure = 1 / 0`. Mend the cell."
        )
        assert accepted.where == f"{sources[1]}, cell 2"
        assert "The check accepts a wrong answer: asymmetry = 9" in accepted.found
        assert [path.name for path in out.iterdir()] == ["work"], "no copy, whole or half"


def test_a_notebook_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    source = write(tmp_path, "waits", new_markdown_cell("Words."), "import time\ntime.sleep(3600)")
    with pytest.raises(NotebookError) as failure:
        run_notebooks([source], tmp_path / "out", budget=1, report=quiet)
    [late] = failure.value.problems
    assert late.where == f"{source}, cell 2"
    assert late.expected == "at most 1 s for the notebook"
    assert late.found == "more, in `import time`"
    assert not (tmp_path / "out" / "waits.ipynb").exists()


def test_notebooks_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other: one after the other, neither would end within its budget."""
    wait = (
        "from pathlib import Path\nimport time\nPath('../{own}.here').touch()\n"
        "while not Path('../{other}.here').exists():\n    time.sleep(0.1)"
    )
    first = write(tmp_path, "first", wait.format(own="first", other="second"))
    second = write(tmp_path, "second", wait.format(own="second", other="first"))
    lines: list[str] = []
    assert len(run_notebooks([first, second], tmp_path / "out", report=lines.append)) == 2
    assert [line.split(": ")[1].split()[0] for line in lines] == ["running"] * 2 + ["done"] * 2


def test_a_wrong_answer_leaves_the_right_one_in_place(tmp_path: Path) -> None:
    blank = "value is not ..., 'Nothing is filled in yet: fill it in.'"
    tried = check(
        blank, "value == 1, 'not one'", wrong={"value = 2": "not"}, right=("value = 1.0",)
    )
    last = "print(value, [n for n in ('_names', '_answer', '_said', '_wanted') if n in dir()])"
    source = write(tmp_path, "good", exercise("value = ..."), "value = 1", tried, last)
    [copy] = run_notebooks([source], tmp_path / "out", report=quiet)
    cells = nbformat.read(copy, as_version=4).cells
    assert len(cells) == 4 and cells[3].outputs[0].text == "1 []\n"


BLANK = "value is not ..., 'Nothing is filled in yet: fill it in.'"
FAULTY_CHECKS = {
    "rejects a right answer": (
        check(BLANK, "value == 1, 'not one'", right=("value = 1.5",)),
        "rejects a right answer: value = 1.5: not one",
    ),
    "says something else": (
        check(BLANK, "value == 1, 'not one'", wrong={"value = 2": "too large"}),
        "says to value = 2: not one Not: too large",
    ),
    "leaves the blank to another sentence": (check("value == 1, 'not one'"), "says to value = ..."),
    "crashes on the blank": (check("value > 0, 'sign'"), "TypeError"),
    "accepts the blank": (check("value, 'zero'"), "accepts a wrong answer: value = ..."),
}


@pytest.mark.parametrize("name", FAULTY_CHECKS)
def test_a_check_with_a_fault_fails_its_notebook(tmp_path: Path, name: str) -> None:
    faulty, found = FAULTY_CHECKS[name]
    source = write(tmp_path, "faulty", exercise("value = ..."), "value = 1", faulty)
    with pytest.raises(NotebookError) as failure:
        run_notebooks([source], tmp_path / "out", report=quiet)
    [problem] = failure.value.problems
    assert problem.where == f"{source}, cell 3" and found in problem.found


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path: Path) -> None:
    source = write(tmp_path, "steps", tagged("size = 1", "parameters"))
    with pytest.raises(UsageError, match="no|No notebook has a parameter 'sise'.*: size"):
        run_notebooks([source], tmp_path / "out", {"sise": 2})
    assert not (tmp_path / "out").exists()


def test_a_live_widget_leaves_its_still_picture() -> None:
    view = "application/vnd.jupyter.widget-view+json"
    outputs = [
        new_output("display_data", {view: {}, "text/plain": "Widget()"}),
        new_output("display_data", {view: {}, "image/png": "iVBORw0KGgo="}),
    ]
    notebook = new_notebook(cells=[new_code_cell("", outputs=outputs)], metadata={"widgets": {}})
    remove_volatile(notebook)
    [left] = notebook.cells[0].outputs
    assert left.data == {"image/png": "iVBORw0KGgo="} and not notebook.metadata


def test_values_on_the_command_line_are_literals_or_words() -> None:
    assert _pair("size=tiny") == ("size", "tiny")
    assert _pair("seed=7") == ("seed", 7)
    assert _pair("at=[1, 2]") == ("at", [1, 2])


def test_exit_codes_tell_failure_from_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path, "raises", "raise KeyError('x')")
    out = ["--out", str(tmp_path / "out")]
    assert main([str(source), *out]) == 1
    said = capsys.readouterr()
    assert "cell 1: expected every cell to run, found KeyError: 'x', in `raise" in said.err
    assert said.out.splitlines() == ["raises.ipynb: running", "raises.ipynb: FAILED"]
    assert main([str(tmp_path / "none.ipynb"), *out]) == 2
    assert main([str(source), *out, "-p", "nothing=1"]) == 2
    for wrong in (["-p", "nothing"], ["--budget", "soon"]):
        with pytest.raises(SystemExit) as stop:
            main([str(source), *out, *wrong])
        assert stop.value.code == 2


def test_the_executed_copy_is_valid(toy_book: Path) -> None:
    raw = json.loads((toy_book / "run" / "01_toy.ipynb").read_text(encoding="utf-8"))
    nbformat.validate(raw)
