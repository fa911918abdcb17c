"""The chain from a submission to its exams: whole, and with each of its files changed in turn."""

import hashlib
import shutil
import zipfile

import pytest

from datkit.errors import UsageError
from datkit.files import read_sealed, write_sealed
from datkit.provenance import trace


def flip(path, at=0.5):
    """Change one bit of a file; return what it held."""
    whole = path.read_bytes()
    place = int(at * (len(whole) - 1))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    return whole


def states(step):
    return {part.state for one in step.walk() for part in one.parts}


def test_a_submission_leads_to_each_exam_and_reader(chain, tiny_cohort):
    step = trace(chain / "submission.zip")
    assert [one.kind for one in step.walk()] == ["submission", "model", "prepared", "cohort"]
    assert states(step) == {"sound"} and step.breaks == []
    exams = {part.name: part for part in [*step.walk()][-1].parts if part.reader}
    assert {*exams} == {*tiny_cohort.uids}
    for uid, centre in tiny_cohort.exams["centre"].items():
        assert exams[uid].reader == f"simulated-reader-of-{centre}"
        assert len(exams[uid].sha256) == 64


def test_one_flipped_bit_in_any_file_of_the_chain_is_found(chain):
    files = [path for path in chain.rglob("*") if path.is_file()]
    assert len(files) == 24 + 4 + 2 + 3 + 2 + 1  # exams, tables, prepared, model, zip, the list
    for path in files:
        whole = flip(path)
        broken = trace(chain / "submission.zip").breaks
        path.write_bytes(whole)
        name = "list of exams" if path.parent.name == "exams" else path.name
        found = {part.name for _, part in broken if part.state == "changed"}
        assert found & {name, name.removesuffix(".nii.gz")}, path
    assert trace(chain / "submission.zip").breaks == []


@pytest.mark.parametrize("at", [0, 0.1, 0.9, 1])
def test_any_place_of_a_zip_counts(at, chain):
    path = chain / "submission.zip"
    whole = flip(path, at)
    broken = trace(path).breaks
    path.write_bytes(whole)
    assert [(part.name, part.state) for _, part in broken] == [("submission.zip", "changed")]


def test_what_is_gone_is_named(chain):
    exam = next((chain / "cohort" / "niftis").iterdir())
    away = exam.rename(chain / "away")
    broken = trace(chain / "submission.zip").breaks
    away.rename(exam)
    uid = exam.name.removesuffix(".nii.gz")
    assert [(part.name, part.state) for _, part in broken] == [(uid, "missing")]


def test_elsewhere_a_submission_still_lists_exams_and_readers(chain, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "nothing"))
    alone = shutil.copy(chain / "submission.zip", tmp_path)
    step = trace(alone)
    exams = [part for one in step.walk() for part in one.parts if part.reader]
    assert len(exams) == 24 and {part.name for part in exams} == {"an exam"}
    assert {part.state for part in exams} == {"unknown"}
    model = step.inputs[0]
    assert model.state == "sound" and "its models bring theirs" in step.note


def test_who_holds_the_cohort_can_check_the_marks(chain, tmp_path, monkeypatch, tiny_cohort):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "nothing"))
    alone = shutil.copy(chain / "submission.zip", tmp_path)
    *_, cohort = trace(alone, [chain]).walk()
    assert {part.name for part in cohort.parts if part.reader} == {*tiny_cohort.uids}
    assert cohort.state == "sound"


def test_a_model_changed_inside_a_zip_is_told(chain, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "nothing"))
    with (
        zipfile.ZipFile(chain / "submission.zip") as old,
        zipfile.ZipFile(tmp_path / "other.zip", "w") as new,
    ):
        for name in old.namelist():
            its = old.read(name)
            new.writestr(name, its + b" " if name == "weights/model.json" else its)
    step = trace(tmp_path / "other.zip")
    assert ("model.json", "changed") in [(part.name, part.state) for _, part in step.breaks]


def test_a_record_that_is_rewritten_and_sealed_again_is_another_file(chain):
    place = chain / "model" / "record.json"
    whole, told = place.read_bytes(), read_sealed(place)
    told["inputs"][-1]["exams"] = [[mark, "r1"] for mark, _ in told["inputs"][-1]["exams"]]
    write_sealed(place, {name: its for name, its in told.items() if name != "document_sha256"})
    broken = trace(chain / "submission.zip").breaks
    place.write_bytes(whole)
    assert ("model", "record.json", "changed") in [(s.kind, p.name, p.state) for s, p in broken]


def test_a_cohort_is_its_own_record(chain):
    step = trace(chain / "cohort")
    assert step.kind == "cohort" and step.state == "sound" and len(step.parts) == 24 + 4
    whole = flip(chain / "cohort" / "train_labels.csv")
    broken = trace(chain / "cohort" / "cohort.json").breaks
    (chain / "cohort" / "train_labels.csv").write_bytes(whole)
    assert [part.name for _, part in broken] == ["train_labels.csv"]


def test_a_file_without_a_record_is_told(tmp_path):
    (tmp_path / "numbers.csv").write_text("1\n")
    step = trace(tmp_path / "numbers.csv")
    assert step.state == "missing" and "no record" in step.note
    with pytest.raises(UsageError, match="name what was made"):
        trace(tmp_path / "none.zip")


def test_records_in_a_circle_end_in_a_sentence(chain, tmp_path):
    for one, other in ("ab", "ba"):
        shutil.copytree(chain / "model", folder := tmp_path / one)
        (folder / "x").write_text(one)
        made_of = {"kind": "model", "files": {"x": hashlib.sha256(other.encode()).hexdigest()}}
        told = read_sealed(folder / "record.json") | {"inputs": [made_of]}
        write_sealed(folder / "record.json", told)
    with pytest.raises(UsageError, match="in a circle"):
        trace(tmp_path / "a")
