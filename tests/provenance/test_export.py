"""A chain in PROV and as an RO-Crate, read back by their own libraries; and its page."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from datkit.files import sha256_file
from datkit.provenance import chain_page, to_prov, trace, write_crate

model = pytest.importorskip("prov.model", reason="the extra 'provenance' is not installed")
rocrate = pytest.importorskip("rocrate.rocrate", reason="the extra 'provenance' is not installed")


@pytest.fixture
def step(chain):
    return trace(chain / "submission.zip")


def test_prov_is_read_back_and_leads_to_each_reader(step, chain, tmp_path, tiny_cohort):
    to_prov(step).serialize(tmp_path / "prov.json")
    text = (tmp_path / "prov.json").read_text()
    found = model.ProvDocument.deserialize(tmp_path / "prov.json")
    assert found == to_prov(step)
    names = {str(one.identifier) for one in found.get_records(model.ProvEntity)}
    assert f"sha256:{sha256_file(chain / 'submission.zip')}" in names
    marks = {part.sha256 for one in step.walk() for part in one.parts if part.reader}
    assert len(marks) == 24 and {f"mark:{mark}" for mark in marks} <= names
    agents = sorted(str(one.identifier) for one in found.get_records(model.ProvAgent))
    centres = {f"dat:simulated-reader-of-{one}" for one in tiny_cohort.exams["centre"]}
    assert agents == sorted(centres | {"dat:datkit"}), "each of them once"
    assert len(list(found.get_records(model.ProvActivity))) == 2  # the model's, the submission's
    assert not [uid for uid in tiny_cohort.uids if uid in text]


def test_a_crate_is_read_back_with_what_its_profile_asks(step, chain, tmp_path, tiny_cohort):
    write_crate(chain / "submission.zip", step, tmp_path / "crate")
    crate = rocrate.ROCrate(tmp_path / "crate")
    root = crate.root_dataset
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    assert root["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    [action] = crate.get_by_type("CreateAction")
    assert action["instrument"].type == "SoftwareApplication" and action["instrument"]["url"]
    [result] = action["result"] if isinstance(action["result"], list) else [action["result"]]
    assert result["sha256"] == sha256_file(tmp_path / "crate" / result.id)
    assert {one["name"] for one in action["object"]} == {
        "model: model.json", "model: prior.json", "model: record.json"}  # fmt: skip
    assert datetime.fromisoformat(action["endTime"]) <= datetime.now(UTC)
    for file in (one for one in crate.data_entities if one.type == "File"):
        assert (tmp_path / "crate" / file.id).is_file()
    for path in Path(tmp_path / "crate").glob("*.json"):
        assert not [uid for uid in tiny_cohort.uids if uid in path.read_text()]


def test_a_model_is_a_crate_too(chain, tmp_path):
    write_crate(chain / "model", trace(chain / "model"), tmp_path / "crate")
    names = {one.id for one in rocrate.ROCrate(tmp_path / "crate").data_entities}
    assert {"model/model.json", "model/prior.json", "prov.json"} <= names


def test_the_page_draws_each_step_and_says_what_breaks(step, chain):
    page = chain_page(step)
    assert page.count("<rect") == 4 and "The chain is whole" in page
    whole = (chain / "model" / "prior.json").read_bytes()
    (chain / "model" / "prior.json").write_text("{}")
    broken = chain_page(trace(chain / "submission.zip"))
    (chain / "model" / "prior.json").write_bytes(whole)
    assert "<li>changed: prior.json of model model</li>" in broken
