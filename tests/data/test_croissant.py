"""Croissant: what the manifest or a cohort's tables say, and valid by MLCommons' own tool."""

from __future__ import annotations

import importlib
import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from exams import save_small

from datkit.cli import main
from datkit.data import load_manifest, open_path
from datkit.data.croissant import croissant_of_cohort, croissant_of_entry
from datkit.errors import CohortError

ENTRIES = load_manifest().datasets


@pytest.fixture
def valid(needed, caplog: pytest.LogCaptureFixture, tmp_path: Path):
    """Judge a description by mlcroissant: it raises on errors and logs warnings."""
    needed(find_spec("mlcroissant"), "mlcroissant is not installed: pip install -e '.[dev]'")
    import mlcroissant

    def judge(described: dict[str, Any]) -> list[str]:
        path = tmp_path / "croissant.json"
        path.write_text(json.dumps(described), encoding="utf-8")
        with caplog.at_level(logging.WARNING):
            dataset = mlcroissant.Dataset(jsonld=path)
        assert not dataset.metadata.issues.errors
        return sorted(dataset.metadata.issues.warnings)

    return judge


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_valid_croissant(valid, entry):
    warnings = valid(croissant_of_entry(entry))
    # What nobody publishes is left out, and mlcroissant only recommends it.
    assert all("datePublished" in said or "version" in said for said in warnings)


def test_a_cohort_is_valid_croissant(valid, tiny_cohort):
    valid(croissant_of_cohort(tiny_cohort))


def test_a_hospitals_own_folder_is_valid_croissant(valid, tmp_path):
    folder = tmp_path / "mes examens é"
    for number, uid in enumerate("ab"):
        save_small(folder / "niftis" / f"{uid}.nii.gz", number)
    (folder / "train_labels.csv").write_text("uid,is_pathologic\na,0\nb,1\n")
    (folder / "exams.csv").write_text('uid,"age, years",centre/site,âge\na,3,x,3\nb,4,y,4\n')
    described = croissant_of_cohort(open_path(folder))
    assert all("recommended" in said for said in valid(described))
    path = folder / "croissant.json"  # where it belongs, its tables can be read by it
    path.write_text(json.dumps(described), encoding="utf-8")
    rows = list(importlib.import_module("mlcroissant").Dataset(jsonld=path).records("exams"))
    assert [row["exams/column-2"] for row in rows] == [3.0, 4.0]
    assert [row["exams/column-3"] for row in rows] == [b"x", b"y"]
    fields = {f["@id"]: f["source"]["extract"] for f in described["recordSet"][1]["field"]}
    assert fields["exams/column-2"] == {"column": "age, years"} and "exams/âge" in fields


def test_an_entry_keeps_its_addresses_hashes_and_terms():
    described = croissant_of_entry(load_manifest().entry("fpcit-hc174"))
    [file] = described["distribution"]
    assert file["sha256"].startswith("4e257461") and file["contentSize"] == "1086884 B"
    assert described["license"] == "https://creativecommons.org/licenses/by-nc-sa/4.0/"
    assert "10.1038/s41598-018-22444-0" in described["citeAs"]
    [file] = croissant_of_entry(load_manifest().entry("fepe2i-hc6"))["distribution"]
    assert "md5" in file and "sha256" not in file and "contentSize" not in file


def test_what_may_not_be_downloaded_has_no_distribution():
    for name in ("ppmi", "dat-park", "dat-park-open", "simulated"):
        assert "distribution" not in croissant_of_entry(load_manifest().entry(name))


def test_a_cohort_is_described_by_columns_and_names_no_exam(tiny_cohort):
    described = croissant_of_cohort(tiny_cohort)
    text = json.dumps(described)
    assert not any(uid in text for uid in tiny_cohort.uids)
    names = {field["@id"] for one in described["recordSet"] for field in one["field"]}
    assert {"train_labels/is_pathologic", "exams/centre", "truth/pattern"} <= names
    types = {f["@id"]: f["dataType"] for one in described["recordSet"] for f in one["field"]}
    assert types["exams/age"] == "sc:Float" and types["exams/uid"] == "sc:Text"
    assert types["exams/centre"] == types["truth/pattern"] == "sc:Text"
    assert described["license"].startswith("https://creativecommons.org/publicdomain/zero/")


def test_only_the_challenges_layout_is_described(tmp_path):
    save_small(tmp_path / "a.nii.gz")
    with pytest.raises(CohortError, match="expected train_labels.csv, found none"):
        croissant_of_cohort(open_path(tmp_path))


def test_the_command_writes_a_file_or_prints(capsys, tmp_path, tiny_cohort):
    out = tmp_path / "croissant.json"
    assert main(["data", "croissant", str(tiny_cohort.folder), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["name"] == tiny_cohort.name
    capsys.readouterr()
    assert main(["data", "croissant", "ppmi"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "ppmi"
    assert main(["data", "croissant", "fpcit-hc147"]) == 2
