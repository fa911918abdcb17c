"""Records: what they hold, what never enters one, and that each byte of them counts."""

import getpass
import json
import platform
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exams import save_dicom, small

from datkit.data import open_folder, open_path
from datkit.errors import UsageError
from datkit.files import data_folder, sha256_file, write_sealed
from datkit.provenance import Record, read_record, record
from datkit.provenance.record import exam_marks, record_place


def test_a_model_says_what_it_was_made_of(chain, tiny_cohort):
    told = read_record(chain / "model" / "record.json")
    assert told.kind == "model" and told.settings == {"seed": 0, "folds": 0}
    assert told.files["model.json"] == sha256_file(chain / "model" / "model.json")
    prepared, cohort = told.inputs
    assert [prepared.kind, cohort.kind] == ["prepared", "cohort"]
    assert {*prepared.files} == {"prepared.json", "volumes.npy"}
    assert cohort.files["cohort.json"] == sha256_file(tiny_cohort.folder / "cohort.json")
    readers = sorted(reader for _, reader in cohort.exams)
    assert readers == sorted("simulated-reader-of-" + tiny_cohort.exams["centre"])


def test_a_model_holds_no_uid_and_no_hash_of_an_exam(chain, tiny_cohort):
    text = (chain / "model" / "record.json").read_text()
    for uid in tiny_cohort.uids:
        assert uid not in text
        assert sha256_file(tiny_cohort.path_of(uid)) not in text
    listed = json.loads(next((chain / "data" / "exams").glob("*.json")).read_text())
    assert {*tiny_cohort.uids} <= {*listed}, "the list on this machine leads back to them"


def test_marks_need_all_exams():
    listed = {uid: {"path": uid, "sha256": uid * 64} for uid in "abc"}
    _, marks = exam_marks(listed)
    _, fewer = exam_marks({uid: listed[uid] for uid in "ab"})
    assert len({*marks.values()}) == 3
    assert {*marks.values()}.isdisjoint(fewer.values())
    assert exam_marks(dict(reversed(listed.items())))[1] == marks, "their order does not matter"


def test_no_person_enters_a_record(pydicom, tmp_path, monkeypatch):
    person = tmp_path / "home" / "somebody"
    monkeypatch.setattr("pathlib.Path.home", lambda: person)
    folder = person / "DOE_JANE"
    for number, name in enumerate(["JANE", "scan"]):
        who = {"PatientName": "Doe^Jane", "PatientBirthDate": "19500131"}
        save_dicom(folder / name / "IM1", small(number), np.diag([5.0, 5.0, 6.0, 1.0]), **who)
    exams = open_path(folder)
    out = folder / "predictions.csv"
    out.write_text("uid,is_pathologic\n")
    record(out, "predictions", cohort=exams)
    text = record_place(out).read_text()
    assert len(read_record(record_place(out)).inputs[0].exams) == len(exams)
    for word in (
        "DOE",
        "JANE",
        "Doe",
        "1950",
        "somebody",
        str(tmp_path),
        platform.node(),
        *exams.uids,
    ):
        assert word not in text
    assert getpass.getuser() not in asdict(read_record(record_place(out)))["who"]


@pytest.mark.parametrize("path", ["/data/DOE_JANE", "C:\\scans\\jane", "~/scans", "\\\\nas\\jane"])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [{"of": one}], lambda one: {one: 1}])
def test_a_path_is_no_setting(path, wrap, tmp_path):
    (tmp_path / "out.csv").touch()
    with pytest.raises(UsageError, match="without paths"):
        record(tmp_path / "out.csv", "predictions", settings={"scans": wrap(path)})
    assert not record_place(tmp_path / "out.csv").exists()


def test_who_is_an_id_that_was_given(tmp_path, monkeypatch):
    (tmp_path / "out.csv").touch()
    assert record(tmp_path / "out.csv", "predictions").who == ""
    monkeypatch.setenv("DATKIT_WHO", "https://orcid.org/0000-0002-1825-0097")
    told = record(tmp_path / "out.csv", "predictions")
    assert told.who == "https://orcid.org/0000-0002-1825-0097"
    assert read_record(record_place(tmp_path / "out.csv")) == told
    for name in ("Jane Doe", "jane@hospital.org"):
        monkeypatch.setenv("DATKIT_WHO", name)
        with pytest.raises(UsageError, match="ORCID"):
            record(tmp_path / "out.csv", "predictions")


@pytest.mark.parametrize(("column", "reader"), [("r7", "r7"), ("Jane Doe", "unknown")])
def test_a_reader_is_an_id_too(column, reader, chain, tmp_path):
    cohort = open_folder(chain / "cohort")
    cohort.exams["reader"] = column
    (tmp_path / "out.csv").touch()
    told = record(tmp_path / "out.csv", "predictions", cohort=cohort)
    assert {one for _, one in told.inputs[0].exams} == {reader}


def test_several_readers_of_a_merge_stand_together(chain, tmp_path):
    cohort = open_folder(chain / "cohort")
    rows = [(uid, reader) for uid in cohort.uids for reader in ("r2", "r1", "r1")]
    table = chain / "cohort" / "readings.csv"
    pd.DataFrame(rows, columns=["uid", "reader"]).to_csv(table, index=False)
    (tmp_path / "out.csv").touch()
    try:
        told = record(tmp_path / "out.csv", "predictions", cohort=cohort)
    finally:
        table.unlink()
    assert {one for _, one in told.inputs[0].exams} == {"r1+r2"}


def test_each_byte_of_a_record_counts(chain):
    place = chain / "model" / "record.json"
    whole = place.read_bytes()
    try:
        for at in [*range(0, len(whole), 61), len(whole) - 1]:
            place.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(ValueError, match=r"."):
                read_record(place)
        place.write_bytes(whole.replace(b"\n ", b"\n\t", 1))  # a blank says nothing, and counts
        with pytest.raises(ValueError, match="as they were written"):
            read_record(place)
    finally:
        place.write_bytes(whole)


@pytest.mark.parametrize("name", ["/dev/zero", "../../secret", "a/../../b", "..\\up", "C:up"])
def test_a_record_of_a_stranger_names_no_file_elsewhere(name, tmp_path):
    told = Record("model", {name: "0" * 64}, [], {}, {}, {}, "2026-01-01T00:00:00Z")
    write_sealed(tmp_path / "record.json", asdict(told))
    with pytest.raises(ValueError, match="outside a folder"):
        read_record(tmp_path / "record.json")


def test_nothing_is_kept_where_no_exams_are(tmp_path):
    (tmp_path / "out.csv").touch()
    record(tmp_path / "out.csv", "predictions")
    assert not Path(data_folder(), "exams").exists()
