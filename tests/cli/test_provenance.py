"""`datkit trace`, after the commands that write records."""

import pytest

from datkit.cli import main
from datkit.data import open_folder
from datkit.provenance import read_record


@pytest.fixture
def made(tiny_cohort, prepared_tiny, tmp_path, monkeypatch, capsys):
    """A model trained, and a submission and predictions made of it, by commands alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cohort").symlink_to(tiny_cohort.folder)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prepared").symlink_to(prepared_tiny.folder.parent)
    words = ["train", "--model", "constant", "--folds", "0", "--cohort", "cohort", "--out", "model"]
    assert main(words) == 0
    assert main(["submit", "pack", "model"]) == 0
    main(["predict", "model", "cohort", "--out", "predictions.csv"])
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize("product", ["submission.zip", "predictions.csv", "model"])
def test_the_chain_of_a_product_is_drawn(product, made, capsys, tiny_cohort):
    assert main(["trace", product]) == 0
    said = capsys.readouterr().out
    for uid in tiny_cohort.uids:
        assert f"{uid}  read by simulated-reader-of-" in said
    assert "The chain is whole" in said


def test_a_break_is_named_and_sets_the_exit_code(made, capsys, run_json):
    (made / "model" / "prior.json").write_text("{}")
    assert main(["trace", "submission.zip"]) == 1
    assert "changed: prior.json of model model" in capsys.readouterr().out
    code, found = run_json("trace", "submission.zip")
    assert code == 1 and found["inputs"][0]["kind"] == "model"
    assert main(["trace", "nothing.zip"]) == 2


def test_the_record_of_predictions_names_those_alone_that_were_predicted(made):
    told = read_record(made / "predictions.csv.record.json")
    rows = (made / "predictions.csv").read_text().splitlines()[1:]
    cohort = told.inputs[-1]
    assert len(cohort.exams) == len(rows) < len(open_folder(made / "cohort"))


def test_a_report_says_where_its_numbers_come_from(tiny_cohort, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scan = tiny_cohort.path_of(tiny_cohort.uids[0])
    assert main(["report", str(scan), "--age", "67", "--sex", "F", "--out", "page.html"]) == 0
    settings = read_record(tmp_path / "page.html.record.json").settings
    assert not {"age", "sex"} & {*settings} and "67" not in str(settings)
    assert "Where these numbers come from" in (tmp_path / "page.html").read_text()
    assert main(["trace", "page.html", "--in", str(scan.parent)]) == 0
    assert "scan  read by unknown" in capsys.readouterr().out


def test_a_chain_is_written_for_other_tools(made, capsys):
    pytest.importorskip("prov", reason="the extra 'provenance' is not installed")
    words = ["--html", "chain.html", "--prov", "prov.json", "--crate", "crate"]
    assert main(["trace", "submission.zip", *words]) == 0
    told = capsys.readouterr().out.splitlines()[-3:]
    assert told == [f"Written: {name}" for name in words[1::2]]
    for name in ("chain.html", "prov.json", "crate/ro-crate-metadata.json", "crate/submission.zip"):
        assert (made / name).is_file()
