"""The committed notebooks keep the house rules, and a second execution repeats the first."""

from pathlib import Path

import yaml

from datkit.book.gate import main as gate
from datkit.book.run import run_notebooks

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def test_the_book_has_a_page_for_each_notebook():
    toc = yaml.safe_load((REPOSITORY / "book" / "_toc.yml").read_text(encoding="utf-8"))
    pages = [page.get("file", "") for part in toc["parts"] for page in part["chapters"]]
    named = [page for page in pages if page.startswith("notebooks/")]
    assert len(named) == len(set(named)) >= 9
    assert sorted(named) == [f"notebooks/{path.stem}" for path in NOTEBOOKS]


def test_every_notebook_keeps_the_rules(capsys):
    assert gate([str(path) for path in NOTEBOOKS]) == 0, capsys.readouterr().out


def test_two_executions_give_the_same_files(executed_notebooks, tmp_path, monkeypatch):
    """The first execution is that of `make book`; this is the second, in other folders."""
    monkeypatch.setenv("DATKIT_DATA", str(executed_notebooks.parent / "data"))
    again = run_notebooks(NOTEBOOKS, tmp_path / "run")
    first = [(executed_notebooks / path.name).read_bytes() for path in NOTEBOOKS]
    differing = [
        path.name
        for path, content in zip(again, first, strict=True)
        if path.read_bytes() != content
    ]
    assert not differing
    folders = (executed_notebooks / "work", tmp_path / "run" / "work")
    packed, packed_again = (
        next(f.glob("*_make_a_valid_submission/submission.zip")).read_bytes() for f in folders
    )
    assert packed == packed_again
