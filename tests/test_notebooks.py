"""The committed notebooks keep the house rules, and a second execution repeats the first."""

from pathlib import Path

from datkit.book.gate import main as gate
from datkit.book.run import run_notebooks

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def test_there_is_a_notebook_for_each_number():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, 10)]


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
    packed, packed_again = (next(f.glob("07_*/submission.zip")).read_bytes() for f in folders)
    assert packed == packed_again
