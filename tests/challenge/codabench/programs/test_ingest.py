"""Code is run on the exams, a table is taken as it is, and what is neither is told."""

from __future__ import annotations

import pytest

from datkit.challenge.codabench.programs.ingest import main


@pytest.fixture
def places(tmp_path):
    for name in ("data", "program", "output"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "submission_format.csv").write_text("uid,is_pathologic\n1,0.5\n")
    return [tmp_path / name for name in ("data", "program", "output")]


def test_a_table_is_taken(places):
    (places[1] / "submission.csv").write_text("uid,is_pathologic\n1,0.9\n")
    assert main(*places) == 0
    assert (places[2] / "submission.csv").read_text() == "uid,is_pathologic\n1,0.9\n"


def test_code_finds_the_exams_and_leaves_its_own_folder_as_it_is(places):
    (places[1] / "main.py").write_text(
        "text = open('data/submission_format.csv').read()\n"
        "open('submission.csv', 'w').write(text)\n"
    )
    assert main(*places) == 0
    assert (places[2] / "submission.csv").read_text().endswith("1,0.5\n")
    assert [path.name for path in places[1].iterdir()] == ["main.py"]


def test_an_old_table_is_not_taken_for_that_of_code(places):
    (places[1] / "submission.csv").write_text("old")
    (places[1] / "main.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SystemExit, match="found no submission.csv"):
        main(*places)
    assert not (places[2] / "submission.csv").exists()


def test_the_exit_code_is_that_of_the_code(places):
    (places[1] / "main.py").write_text("open('submission.csv', 'w')\nraise SystemExit(3)\n")
    assert main(*places) == 3


def test_what_holds_neither_is_told(places):
    with pytest.raises(SystemExit, match="Expected main.py or submission.csv"):
        main(*places)
