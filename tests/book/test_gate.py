"""Each rule of the gate finds its fault, names the cell, and leaves a good notebook alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datkit.book.gate import check_executed, check_source, check_sources, main
from datkit.book.imports import import_problem
from datkit.book.notebook import Shelf, read_notebook
from datkit.errors import NotebookError, UsageError

TOY = Path(__file__).parents[1] / "golden" / "toy_book"
SOURCE = TOY / "notebooks" / "01_toy.ipynb"
SHELF = Shelf.read(TOY / "book")


def cell_of(raw: dict, word: str) -> dict:
    """Return the first cell that carries a tag, or else holds a text."""
    tagged = [cell for cell in raw["cells"] if word in cell["metadata"].get("tags", [])]
    return (tagged or [cell for cell in raw["cells"] if word in "".join(cell["source"])])[0]


def swap(word: str, old: str, new: str) -> Callable[[dict], None]:
    """Return an edit that replaces a text in one cell."""

    def edit(raw: dict) -> None:
        cell = cell_of(raw, word)
        text = "".join(cell["source"])
        assert old in text, f"the toy notebook no longer holds {old!r}"
        cell["source"] = text.replace(old, new)

    return edit


def code(line: str) -> Callable[[dict], None]:
    """Return an edit that adds one line of code to the cell of the glued numbers."""
    return swap('glue("left"', "left =", f"{line}\nleft =")


def prose(sentence: str) -> Callable[[dict], None]:
    return swap("The left striatum shines", "The left", f"{sentence} The left")


def untag(tag: str) -> Callable[[dict], None]:
    return lambda raw: cell_of(raw, tag)["metadata"].pop("tags")


def drop(*tags: str) -> Callable[[dict], None]:
    """Return an edit that takes the last cell of each tag away."""

    def edit(raw: dict) -> None:
        for tag in tags:
            last = [cell for cell in raw["cells"] if tag in cell["metadata"].get("tags", [])][-1]
            raw["cells"].remove(last)

    return edit


def mark(word: str, **metadata: object) -> Callable[[dict], None]:
    return lambda raw: cell_of(raw, word)["metadata"].update(metadata)


def alt(text: str) -> dict:
    return {"mystnb": {"image": {"alt": text}}}


FAULTS = {
    "a magic": (code("%time 1"), "plain Python"),
    "a shell line": (code("!ls"), "plain Python"),
    "a long cell": (code("\n".join(f"a{n} = 1" for n in range(12))), "1 to 15 lines"),
    "an empty cell": (lambda raw: cell_of(raw, "solution").update(source=""), "found 0"),
    "a long function": (code("def f():\n a = 1\n b = 1\n c = 1\n d = 1\n return a"), "has 6 lines"),
    "a function twice": (code("f = 1\ndef g(): pass\ndef g(): pass"), "defined twice"),
    "an undeclared import": (code("import django"), "pyproject.toml does not declare"),
    "a network import": (code("import requests"), "uses the network"),
    "a program": (code("import subprocess"), "starts other programs"),
    "a private import": (code("from datkit.files import _hidden"), "private name"),
    "an unlisted import": (code("from datkit.files import os"), "does not list os"),
    "a missing module": (code("import datkit.nowhere"), "does not exist"),
    "a relative import": (code("from . import x"), "Import of ."),
    "a shell call": (code("os.system('ls')"), "Call of os.system"),
    "a silenced warning": (code("warnings.filterwarnings('ignore')"), "warnings.filterwarnings"),
    "a silenced logger": (code("logging.disable()"), "logging.disable"),
    "an absolute path": (code("open('/etc/passwd')"), "'/etc/passwd'"),
    "a home path": (code("open('~/x')"), "'~/x'"),
    "a Windows path": (code(r"open('C:\\x')"), "Absolute path"),
    "a home folder": (code("Path.home()"), "Call of Path.home"),
    "a loud colour map": (code("cmap = 'jet'"), "Colour map 'jet'"),
    "an unseeded generator": (code("np.random.default_rng()"), "without a seed"),
    "a global draw": (code("np.random.normal()"), "np.random.normal draws"),
    "a standard library draw": (code("random.random()"), "random.random draws"),
    "a torch draw": (code("torch.randn(3)"), "torch.randn draws"),
    "an unseeded split": (code("train_test_split(x)"), "train_test_split draws"),
    "an unseeded shuffle": (code("KFold(shuffle=True)"), "KFold draws"),
    "an unseeded sample": (code("table.sample(3)"), "table.sample draws"),
    "a late figure": (lambda raw: raw["cells"].insert(3, dict(raw["cells"][3])), "hold no figure"),
    "an unread figure": (
        lambda raw: raw["cells"].remove(cell_of(raw, "The left striatum shines")), "No sentence"),
    "two headings": (prose("x\n\n# Again\n\n"), "one `#` heading"),
    "no minutes": (swap("overview", "15 minutes", "soon"), "minutes for exercises"),
    "no prerequisites": (swap("overview", "Prerequisites", "Needs"), "names prerequisites"),
    "two objectives": (swap("objectives", "2. **compute**", "**compute**"), "found 2"),
    "a vague objective": (swap("objectives", "**compute**", "**understand**"), "'understand'"),
    "a missing claim": (swap("claims", "3. ", ""), "Expected 3 claims, found 2"),
    "a claim of something else": (
        swap("claims", "Asymmetry is the difference over the mean; I can compute it", "Yes, so"),
        "Claim 2 shares no word",
    ),
    "no prediction": (untag("prediction"), "tagged `prediction`"),
    "no answer": (untag("answer"), "no answer"),
    "an open answer": (swap("answer", ":class: dropdown", ""), "answer is not folded"),
    "an open hint": (swap("hint", ":class: dropdown", ""), "hint is not folded"),
    "one exercise": (drop("exercise", "hint", "solution", "check"), "2 exercises or more"),
    "no hint": (untag("hint"), "tagged `hint` before"),
    "no check at the end": (drop("check"), "Nothing follows"),
    "no blank": (swap("exercise", "...", "1"), "shows no blank"),
    "a mute check": (swap("check", ', "The sign', '  # "The sign'), "without a message"),
    "no wrong answer": (mark("check", wrong=[]), "lists no wrong answer"),
    "no trap": (untag("trap"), "tagged `trap`"),
    "a short alt text": (mark("plt.subplots", **alt("A figure.")), "has 9 characters"),
    "an unknown glue": (prose("{glue:text}`nothing:.2f`"), "'nothing' is used but never glued"),
    "no glue": (
        lambda raw: [c.update(source="".join(c["source"]).replace("glue(", "print("))
                     for c in raw["cells"]],
        "No number is glued",
    ),
    "an output": (lambda raw: cell_of(raw, "solution").update(execution_count=3), "holds outputs"),
    "a timing": (mark("solution", papermill={"duration": 1}), "['papermill']"),
    "widget state": (lambda raw: raw["metadata"].update(widgets={}), "['widgets']"),
    "an unknown acronym": (prose("Use PETs."), "PET is not in the glossary"),
    "an unknown term": (prose("{term}`ratios <no such term>`"), "'no such term' is no term"),
    "an unknown citation": (prose("{cite:p}`doe2020,roe2021`"), "'roe2021' is not in"),
    "no citation": (
        lambda raw: [c.update(source="".join(c["source"]).replace("{cite", "{citt"))
                     for c in raw["cells"]],
        "Nothing is cited",
    ),
}  # fmt: skip
ALLOWED = {
    "seeded draws": code("x = np.random.default_rng(seed), torch.manual_seed(1), torch.randn(2)"),
    "a generator's shuffle": code("rng.shuffle(x)"),
    "a seeded split": code("train_test_split(x, random_state=seed), KFold(shuffle=False)"),
    "a data loader's generator": code("DataLoader(x, shuffle=True, generator=g)"),
    "public names": code("from datkit import open_cohort; from datkit.view import plot_exam"),
    "a submodule": code("from datkit import view; import datkit.files"),
    "a term in other words": prose("{term}`ratios <SBR>` and {term}`sbr`."),
    "code in prose": prose("`PET`, $PET$, <PET>, [x](PET.md), {doc}`/PET`, {cite}`doe2020`."),
    "names": prose("JupyterLab, PyTorch and GitHub in version 2.0; I, A."),
    "a fraction as a string": code("unit = 'a/b'"),
}


def faulty(tmp_path: Path, edit: Callable[[dict], object], source: Path = SOURCE) -> Path:
    raw = json.loads(source.read_text(encoding="utf-8"))
    edit(raw)
    path = tmp_path / source.name
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def test_the_good_notebook_keeps_every_rule() -> None:
    assert check_sources([SOURCE], TOY / "book") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_committed_notebook_is_found(fault: str, tmp_path: Path) -> None:
    edit, words = FAULTS[fault]
    problems = check_source(faulty(tmp_path, edit), SHELF)
    assert any(words in problem.found for problem in problems), [*map(str, problems)]


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_stays_allowed(case: str, tmp_path: Path) -> None:
    assert check_source(faulty(tmp_path, ALLOWED[case]), SHELF) == []


def test_a_problem_names_notebook_cell_and_remedy(tmp_path: Path) -> None:
    [problem] = check_source(faulty(tmp_path, code("os.system('ls')")), SHELF)
    place = next(c.number for c in read_notebook(SOURCE).cells if 'glue("left"' in c.source)
    assert str(problem) == (
        f"01_toy.ipynb, cell {place}: Call of os.system. "
        "A notebook runs as it stands: call Python, not the shell."
    )


def test_every_problem_is_listed_in_the_order_of_cells(tmp_path: Path) -> None:
    def edit(raw: dict) -> None:
        code("x = np.random.normal()")(raw)
        swap("hint", ":class: dropdown", "")(raw)
        mark("plt.subplots", **alt("short"))(raw)

    cells = [problem.cell for problem in check_source(faulty(tmp_path, edit), SHELF)]
    assert len(cells) == 3 and cells == sorted(cells)


def test_a_function_in_two_notebooks_is_found(tmp_path: Path) -> None:
    first = faulty(tmp_path, code("def f(): pass"))
    second = first.rename(tmp_path / "00_toy.ipynb")
    third = faulty(tmp_path, code("def f(): pass"))
    [problem] = check_sources([second, third], TOY / "book")
    assert problem.found == "Function f is also defined in 00_toy.ipynb."


def test_without_a_book_every_word_and_key_is_missing(tmp_path: Path) -> None:
    found = [problem.found for problem in check_sources([SOURCE], tmp_path)]
    assert "DaT is not in the glossary." in found
    assert "'doe2020' is not in references.bib." in found


def test_datkit_names_are_read_without_importing() -> None:
    assert import_problem("datkit", ["open_cohort", "load_scan"]) is None
    assert "does not list" in import_problem("datkit", ["import_module"])


# --- executed copies -------------------------------------------------------------------------

IMAGE = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo="}}


def said(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: object) -> dict:
    mime = {key.replace("__", "/").replace("_", "."): value for key, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": mime}


def add(output: dict) -> Callable[[dict], None]:
    return lambda raw: cell_of(raw, "solution")["outputs"].append(output)


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
EXECUTED_FAULTS = {
    "never executed": (
        lambda raw: [c.update(execution_count=None, outputs=[])
                     for c in raw["cells"] if c["cell_type"] == "code"],
        "never executed",
    ),
    "half executed": (lambda raw: cell_of(raw, "check").update(execution_count=None), "each run"),
    "out of order": (lambda raw: cell_of(raw, "check").update(execution_count=40), "each run"),
    "saved with an error": (add(ERROR), "raised ValueError: no"),
    "a warning": (add(said("UserWarning: x", "stderr")), "wrote to stderr: 'UserWarning: x'"),
    "a figure without words": (add(IMAGE), "alt text has 0 characters"),
    "a short text": (mark("plt.subplots", **alt("Uptake.")), "alt text has 7 characters"),
    "words without a figure": (mark("solution", **alt("x" * 40)), "yet shows no figure"),
    "two figures": (
        lambda raw: cell_of(raw, "plt.subplots")["outputs"].append(IMAGE), "2 figures share"),
    "no early figure": (
        lambda raw: cell_of(raw, "plt.subplots").update(outputs=[]), "show no figure"),
    "a path of this machine": (add(said(f"in {Path.cwd()}/x")), "names this machine"),
    "a home of another": (add(said("/home/anna/x.nii")), "'/home/anna/x.nii'"),
    "an address": (add(shown(text__plain="<Axes at 0x7f12ab34cd56>")), "changes with every run"),
    "a heavy output": (add(said("x" * 3_100_000)), "3.1 MB"),
    "a widget": (
        add({**shown(), "data": {"application/vnd.jupyter.widget-view+json": {}}}), "is a widget"),
    "a remote script": (add(shown(text__html="<script src='https://x.org/a'>")), "the network"),
    "a NumPy glue": (
        add({**shown(), "data": {"application/papermill.record/text/plain": "np.float64(1)"}}),
        "Glued 'np.float64(1)'",
    ),
    "a typed number": (
        lambda raw: (add(said("mean 0.41237"))(raw), prose("It is 0.412.")(raw)),
        "0.412 is typed",
    ),
}  # fmt: skip


def test_the_good_copy_passes(toy_book: Path) -> None:
    assert check_executed(toy_book / "run" / "01_toy.ipynb", SOURCE) == []


@pytest.mark.parametrize("fault", EXECUTED_FAULTS)
def test_each_fault_of_an_executed_copy_is_found(
    fault: str, toy_book: Path, tmp_path: Path
) -> None:
    edit, words = EXECUTED_FAULTS[fault]
    problems = check_executed(faulty(tmp_path, edit, toy_book / "run" / "01_toy.ipynb"))
    assert any(words in problem.found for problem in problems), [*map(str, problems)]


def test_an_old_copy_is_found(toy_book: Path, tmp_path: Path) -> None:
    newer = faulty(tmp_path, prose("New."))
    [problem] = check_executed(toy_book / "run" / "01_toy.ipynb", newer)
    assert "older than the notebook" in problem.found


# --- from the command line -------------------------------------------------------------------


def test_exit_codes_tell_fine_from_faulty_from_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = ["--book", str(TOY / "book")]
    assert main([str(SOURCE), *book]) == 0
    assert main([str(faulty(tmp_path, code("os.system('ls')"))), *book]) == 1
    assert "Problems found: 1." in capsys.readouterr().out
    assert main([str(tmp_path / "none.ipynb"), *book]) == 2
    assert "There is no notebook" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2


def test_json_holds_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = faulty(tmp_path, code("os.system('ls')"))
    assert main([str(path), "--json", "--book", str(TOY / "book")]) == 1
    [problem] = json.loads(capsys.readouterr().out)
    assert problem["notebook"] == "01_toy.ipynb" and problem["found"] == "Call of os.system."


def test_the_rules_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 35 and "None" not in "".join(lines)


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [{}]}', "[]", "\x00"])
def test_what_is_no_notebook_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(text)
    with pytest.raises(NotebookError, match="x.ipynb cannot be read as a notebook"):
        read_notebook(tmp_path / "x.ipynb")
    with pytest.raises(UsageError):
        read_notebook(tmp_path / "y.ipynb")
