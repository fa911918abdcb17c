"""Each rule of the gate finds its fault, names the cell, and leaves a good notebook alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datkit.book.gate import check_executed, check_sources, main
from datkit.book.imports import import_problem
from datkit.book.notebook import read_notebook
from datkit.errors import NotebookError, UsageError

TOY = Path(__file__).parents[1] / "golden" / "toy_book"
SOURCE = TOY / "notebooks" / "01_toy.ipynb"
BOOK = TOY / "book"


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


def imported(lines: str) -> Callable[[dict], None]:
    """Return an edit that adds lines to the first code cell after the parameters."""
    return swap("import numpy", "import numpy", f"{lines}\nimport numpy")


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
    "a magic": (code("%time 1"), "does not parse"),
    "a shell line": (code("!ls"), "does not parse"),
    "a long cell": (code("\n".join(f"a{n} = 1" for n in range(12))), "16 lines"),
    "an empty cell": (lambda raw: cell_of(raw, "solution").update(source=""), "0 lines"),
    "a long function": (
        code("def f():\n a = 1\n b = 1\n c = 1\n d = 1\n return a"),
        "6 lines in f",
    ),
    "a function twice": (
        code("f = 1\ndef g(): pass\ndef g(): pass"),
        "a second g, after that of 01_toy.ipynb, cell",
    ),
    "an undeclared import": (imported("import django"), "pyproject.toml does not declare"),
    "a network import": (imported("import requests"), "uses the network"),
    "a program": (imported("import subprocess"), "starts other programs"),
    "a private import": (
        imported("from datkit.files import _hidden"),
        "_hidden, which datkit.files does not list",
    ),
    "an unlisted import": (
        imported("from datkit.files import os"),
        "os, which datkit.files does not list",
    ),
    "a missing module": (imported("import datkit.nowhere"), "no page of the API reference"),
    "a relative import": (imported("from . import x"), "., which pyproject.toml"),
    "a late import": (code("import os"), "found an import"),
    "an internal module": (
        imported("from datkit.view.planes import draw_plane"),
        "no page of the API",
    ),
    "a shell call": (code("os.system('ls')"), "a call of os.system"),
    "a silenced warning": (code("warnings.filterwarnings('ignore')"), "warnings.filterwarnings"),
    "a silenced logger": (code("logging.disable()"), "logging.disable"),
    "an absolute path": (code("open('/etc/passwd')"), "'/etc/passwd'"),
    "a home path": (code("open('~/x')"), "'~/x'"),
    "a Windows path": (code(r"open('C:\\x')"), "found 'C:\\\\x'"),
    "a home folder": (code("Path.home()"), "a call of Path.home"),
    "a loud colour map": (code("cmap = 'jet'"), "found 'jet'"),
    "an unseeded generator": (code("np.random.default_rng()"), "without a seed"),
    "a global draw": (code("np.random.normal()"), "np.random.normal, which draws"),
    "a standard library draw": (code("random.random()"), "random.random, which draws"),
    "a torch draw": (code("torch.randn(3)"), "torch.randn, which draws"),
    "an unseeded split": (code("train_test_split(x)"), "train_test_split, which draws"),
    "an unseeded shuffle": (code("KFold(shuffle=True)"), "KFold, which draws"),
    "an unseeded sample": (code("table.sample(3)"), "table.sample, which draws"),
    "a legend anywhere": (code("axes.legend(['a'])"), "axes.legend without one"),
    "a late figure": (
        lambda raw: raw["cells"].insert(3, dict(raw["cells"][3])),
        "expected a figure in the first 3 code cells",
    ),
    "an unread figure": (
        lambda raw: raw["cells"].remove(cell_of(raw, "The left striatum shines")),
        "no sentence after the figure",
    ),
    "two headings": (prose("x\n\n# Again\n\n"), "found them in cells [1, "),
    "no minutes": (swap("overview", "15 minutes", "soon"), "no minutes for exercises"),
    "no prerequisites": (swap("overview", "Prerequisites", "Needs"), "no prerequisites"),
    "two objectives": (swap("objectives", "2. **compute**", "**compute**"), "2 objectives"),
    "a vague objective": (swap("objectives", "**compute**", "**understand**"), "'understand'"),
    "a missing claim": (swap("claims", "3. ", ""), "2 claims for 3 objectives"),
    "a claim of something else": (
        swap("claims", "Asymmetry is the difference over the mean; I can compute it", "Yes, so"),
        "claim 2, which shares no word",
    ),
    "no prediction": (untag("prediction"), "no cell tagged `prediction`"),
    "no answer": (untag("answer"), "no answer"),
    "an open answer": (swap("answer", ":class: dropdown", ""), "an open answer"),
    "an open hint": (swap("hint", ":class: dropdown", ""), "an open hint"),
    "one exercise": (drop("exercise", "hint", "solution", "check"), "1 exercises"),
    "no hint": (untag("hint"), "`solution` without `hint` before it"),
    "no check at the end": (drop("check"), "nothing after the last"),
    "no blank": (swap("exercise", "...", "1"), "an exercise without one"),
    "a mute check": (swap("check", ', "The sign is', '); str("The sign is'), "without a sentence"),
    "an assertion in a check": (swap("check", "print(", "assert True, print("), "or an assertion"),
    "no sentence for the blank": (swap("check", "Nothing is filled in", "Hm"), "the blank stub"),
    "no wrong answer": (mark("check", wrong={}), "0 wrong answers"),
    "two wrong answers": (mark("check", wrong={"x = 1": "no", "x = 2": "no"}), "2 wrong answers"),
    "one right way": (mark("check", right=[]), "no second right way"),
    "no trap": (untag("trap"), "no such cell"),
    "a short alt text": (mark("plt.subplots", **alt("A figure.")), "of 9 characters"),
    "an unknown glue": (prose("{glue:text}`nothing:.2f`"), "'nothing', which is never glued"),
    "no glue": (
        lambda raw: [
            c.update(source="".join(c["source"]).replace("glue(", "print(")) for c in raw["cells"]
        ],
        "no glued number",
    ),
    "an output": (
        lambda raw: cell_of(raw, "solution").update(execution_count=3),
        "outputs or an execution count",
    ),
    "a timing": (mark("solution", papermill={"duration": 1}), "['papermill']"),
    "widget state": (lambda raw: raw["metadata"].update(widgets={}), "['widgets']"),
    "an unknown acronym": (prose("Use PETs."), "PET, which is not in the glossary"),
    "an unknown term": (prose("{term}`ratios <no such term>`"), "'no such term', which is no term"),
    "an unknown citation": (prose("{cite:p}`doe2020,roe2021`"), "'roe2021', which is not in"),
    "no citation": (
        lambda raw: [
            c.update(source="".join(c["source"]).replace("{cite", "{citt")) for c in raw["cells"]
        ],
        "no citation",
    ),
}
ALLOWED = {
    "seeded draws": code("x = np.random.default_rng(seed), torch.manual_seed(1), torch.randn(2)"),
    "a generator's shuffle": code("rng.shuffle(x)"),
    "a legend in its place": code("axes.legend(loc='upper left')"),
    "a seeded split": code("train_test_split(x, random_state=seed), KFold(shuffle=False)"),
    "a data loader's generator": code("DataLoader(x, shuffle=True, generator=g)"),
    "public names": imported("from datkit import open_cohort; from datkit.view import plot_exam"),
    "a submodule": imported("from datkit import view; import datkit.files"),
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
    assert check_sources([SOURCE], BOOK) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_committed_notebook_is_found(fault: str, tmp_path: Path) -> None:
    edit, words = FAULTS[fault]
    problems = check_sources([faulty(tmp_path, edit)], BOOK)
    assert any(words in str(problem) for problem in problems), [*map(str, problems)]


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_stays_allowed(case: str, tmp_path: Path) -> None:
    assert check_sources([faulty(tmp_path, ALLOWED[case])], BOOK) == []


def test_a_problem_names_notebook_cell_and_remedy(tmp_path: Path) -> None:
    [problem] = check_sources([faulty(tmp_path, code("os.system('ls')"))], BOOK)
    place = next(c.number for c in read_notebook(SOURCE).cells if 'glue("left"' in c.source)
    assert str(problem) == (
        f"01_toy.ipynb, cell {place}: expected no shell, no other program, no code made from "
        "strings, found a call of os.system. A notebook runs as it stands: call Python, not the "
        "shell."
    )


def test_every_problem_is_listed_in_the_order_of_cells(tmp_path: Path) -> None:
    def edit(raw: dict) -> None:
        code("x = np.random.normal()")(raw)
        swap("hint", ":class: dropdown", "")(raw)
        mark("plt.subplots", **alt("short"))(raw)

    problems = check_sources([faulty(tmp_path, edit)], BOOK)
    cells = [int(problem.where.split()[-1]) for problem in problems]
    assert len(cells) == 3 and cells == sorted(cells)


def test_a_function_in_two_notebooks_is_found(tmp_path: Path) -> None:
    first = faulty(tmp_path, code("def f(): pass"))
    second = first.rename(tmp_path / "00_toy.ipynb")
    third = faulty(tmp_path, code("def f(): pass"))
    [problem] = check_sources([second, third], BOOK)
    assert problem.code == "short-functions"
    assert problem.found.startswith("a second f, after that of 00_toy.ipynb, cell ")


def test_without_a_book_every_word_and_key_is_missing(tmp_path: Path) -> None:
    found = [problem.found for problem in check_sources([SOURCE], tmp_path)]
    assert "DaT, which is not in the glossary" in found
    assert "'doe2020', which is not in references.bib" in found


def test_lazy_names_are_public() -> None:
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
        lambda raw: [
            c.update(execution_count=None, outputs=[])
            for c in raw["cells"]
            if c["cell_type"] == "code"
        ],
        "never executed",
    ),
    "half executed": (
        lambda raw: cell_of(raw, "check").update(execution_count=None),
        "run once, from top to bottom",
    ),
    "out of order": (
        lambda raw: cell_of(raw, "check").update(execution_count=40),
        "run once, from top to bottom",
    ),
    "saved with an error": (add(ERROR), "ValueError: no"),
    "a warning": (add(said("UserWarning: x", "stderr")), "on stderr 'UserWarning: x'"),
    "a figure without words": (add(IMAGE), "1 figures and an alt text of 0 characters"),
    "a short text": (
        mark("plt.subplots", **alt("Uptake.")),
        "1 figures and an alt text of 7 characters",
    ),
    "words without a figure": (
        mark("solution", **alt("x" * 40)),
        "0 figures and an alt text of 40 characters",
    ),
    "two figures": (
        lambda raw: cell_of(raw, "plt.subplots")["outputs"].append(IMAGE),
        "2 figures and",
    ),
    "no early figure": (
        lambda raw: cell_of(raw, "plt.subplots").update(outputs=[]),
        "0 figures and",
    ),
    "a path of this machine": (add(said(f"in {Path.cwd()}/x")), f"{Path.cwd()}/x"),
    "a home of another": (add(said("/home/anna/x.nii")), "'/home/anna/x.nii'"),
    "an address": (add(shown(text__plain="<Axes at 0x7f12ab34cd56>")), "at 0x7f12ab34cd56"),
    "a heavy output": (add(said("x" * 3_100_000)), "3.1 MB"),
    "a widget": (
        add({**shown(), "data": {"application/vnd.jupyter.widget-view+json": {}}}),
        "found 'application/vnd.jupyter.widget-view+json'",
    ),
    "a remote script": (
        add(shown(text__html="<script src='https://x.org/a'>")),
        'found "src=\'https://x.org/a"',
    ),
    "a NumPy glue": (
        add({**shown(), "data": {"application/papermill.record/text/plain": "np.float64(1)"}}),
        "found 'np.float64(1)'",
    ),
    "a typed number": (
        lambda raw: (add(said("mean 0.41237"))(raw), prose("It is 0.412.")(raw)),
        "0.412, which is typed",
    ),
}


def test_the_good_copy_passes(toy_book: Path) -> None:
    assert check_executed(toy_book / "run" / "01_toy.ipynb", SOURCE) == []


@pytest.mark.parametrize("fault", EXECUTED_FAULTS)
def test_each_fault_of_an_executed_copy_is_found(
    fault: str, toy_book: Path, tmp_path: Path
) -> None:
    edit, words = EXECUTED_FAULTS[fault]
    problems = check_executed(faulty(tmp_path, edit, toy_book / "run" / "01_toy.ipynb"))
    assert any(words in str(problem) for problem in problems), [*map(str, problems)]


def test_an_old_copy_is_found(toy_book: Path, tmp_path: Path) -> None:
    newer = faulty(tmp_path, prose("New."))
    [problem] = check_executed(toy_book / "run" / "01_toy.ipynb", newer)
    assert "an older notebook" in problem.found


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
    assert problem["code"] == "no-shell" and problem["where"].startswith("01_toy.ipynb, cell ")
    assert problem["found"] == "a call of os.system" and problem["severity"] == "error"


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
