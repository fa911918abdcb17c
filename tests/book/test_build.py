"""A bad notebook or page turns the build red, and does so again at the second try."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell

from datkit.book.build import _is_machinery, build_book, main, stage_book
from datkit.errors import NotebookError, UsageError

UNLINKED = re.compile(r"\{py:obj\}`(\w+) <[\w.]+>`")  # takes back what links a name to its page
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


def code_cells(raw: dict) -> list[dict]:
    return [cell for cell in raw["cells"] if cell["cell_type"] == "code"]


def unexecuted(raw: dict) -> None:
    for cell in code_cells(raw):
        cell.update(execution_count=None, outputs=[])


def without_words(raw: dict) -> None:
    for cell in code_cells(raw):
        cell["metadata"].pop("mystnb", None)


FAULTS: dict[str, tuple[Callable[[dict], object], str]] = {
    "saved with an error output": (
        lambda raw: code_cells(raw)[0]["outputs"].append(ERROR), "ValueError: no"),
    "never executed": (unexecuted, "never executed"),
    "a figure without alt text": (without_words, "an alt text of 0 characters"),
    "an older copy": (
        lambda raw: code_cells(raw)[0].update(source="seed = 1"), "an older notebook"),
}  # fmt: skip


@pytest.fixture
def parts(toy_book: Path, tmp_path: Path) -> dict[str, Path]:
    """Copies of a book's parts, to be broken, by the option that names each."""
    for name in ("book", "notebooks", "run"):
        shutil.copytree(toy_book / name, tmp_path / name)
    return {
        "--book": tmp_path / "book",
        "--sources": tmp_path / "notebooks",
        "--notebooks": tmp_path / "run",
        "--out": tmp_path / "out",
    }


def build(parts: dict[str, Path]) -> int:
    return main([str(word) for pair in parts.items() for word in pair])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_notebook_turns_the_build_red_twice(
    fault: str, parts: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    edit, words = FAULTS[fault]
    path = parts["--notebooks"] / "01_toy.ipynb"
    raw = json.loads(path.read_text(encoding="utf-8"))
    edit(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")
    for _ in range(2):
        assert build(parts) == 1
        assert words in capsys.readouterr().err
    assert not parts["--out"].exists(), "nothing may be staged"


def test_a_notebook_that_raised_leaves_no_copy_and_no_book(parts: dict[str, Path]) -> None:
    (parts["--notebooks"] / "01_toy.ipynb").unlink()  # what a failed run leaves
    for _ in range(2):
        with pytest.raises(NotebookError, match="01_toy.ipynb: expected an executed copy in"):
            stage_book(*parts.values())


def test_a_warning_turns_the_build_red_twice(
    parts: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(parts["--sources"])  # two pages of text: the notebook has its own tests
    parts["--sources"].mkdir()
    toc = "format: jb-book\nroot: index\nchapters: [{file: glossary}]\n"
    (parts["--book"] / "_toc.yml").write_text(toc)
    with (parts["--book"] / "index.md").open("a", encoding="utf-8") as page:
        page.write("\n{term}`nonsense` [gone](gone.md) {cite}`nobody1900`\n")
    # The second build starts from what the first left: a page that is not read anew still fails.
    for attempt in (lambda: build(parts), lambda: build_book(parts["--out"])):
        assert attempt() == 1
        said = capfd.readouterr().err
        assert "nonsense" in said and "gone.md" in said and "nobody1900" in said
        assert "The book is not built" in said


def test_solutions_are_folded_and_the_rest_is_left_alone(
    parts: dict[str, Path],
) -> None:
    stage_book(*parts.values())
    staged = json.loads((parts["--out"] / "notebooks" / "01_toy.ipynb").read_text("utf-8"))
    executed = json.loads((parts["--notebooks"] / "01_toy.ipynb").read_text("utf-8"))
    assert "{py:obj}`VolumeView <datkit.view.VolumeView>`" in json.dumps(staged)
    offer = "".join(staged["cells"].pop(1)["source"])
    assert 'href="../_static/student/01_toy.ipynb" download' in offer
    for after, before in zip(staged["cells"], executed["cells"], strict=True):
        if "solution" in before["metadata"].get("tags", []):
            assert after["metadata"]["tags"] == ["solution", "hide-cell"]
            assert after["metadata"]["mystnb"]["code_prompt_show"] == "Show one solution"
        elif before["cell_type"] == "markdown":
            assert UNLINKED.sub(r"`\1`", "".join(after.pop("source"))) == "".join(
                before.pop("source")
            )
            assert after == before
        else:
            tags = after["metadata"].pop("tags", [])
            was = before["metadata"].pop("tags", [])
            assert after == before and tags in (was, [*was, "hide-input"])


def test_set_up_drawing_and_checks_are_folded() -> None:
    def folded(source: str, **metadata: object) -> bool:
        return _is_machinery(new_code_cell(source, metadata=metadata))

    drawing = "figure, axes = plt.subplots()\naxes.plot(x)\naxes.set_xlabel('x')\naxes.grid()"
    figure = {"image": {"alt": "What one sees."}}
    assert folded("import numpy as np") and folded("glue('x', 1)\nglue('y', x)")
    assert folded("seed = 1", tags=["parameters"]) and folded("check(x)", tags=["check"])
    assert folded(drawing, mystnb=figure) and not folded("plot_exam(volume)", mystnb=figure)
    assert not folded("left = measure(volume)\nprint(left)\nglue('left', left)")
    assert not folded("import numpy as np", tags=["solution"])


def test_only_what_was_staged_is_ever_deleted(parts: dict[str, Path]) -> None:
    parts["--out"].mkdir()
    (parts["--out"] / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no staged book"):
        stage_book(*parts.values())
    assert build(parts) == 2
    assert (parts["--out"] / "thesis.txt").read_text() == "mine"


def test_stale_pages_do_not_stay(parts: dict[str, Path]) -> None:
    stage_book(*parts.values())
    (parts["--out"] / "old.md").write_text("# Old")
    stage_book(*parts.values())
    assert not (parts["--out"] / "old.md").exists()
