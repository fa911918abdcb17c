"""The manifest: what ships is sound and true to the real file; what is faulty is refused whole."""

from __future__ import annotations

import copy
import datetime
import json
import re
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema  # nbformat brings it
import nibabel as nib
import numpy as np
import pytest
import yaml

from datkit.data import is_safe_address, load_manifest
from datkit.data import manifest_reader as read
from datkit.data.manifest import json_schema
from datkit.errors import ManifestError, UsageError
from datkit.files import sha256_file
from datkit.simulate.cohort import LICENCE, VERSION

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = load_manifest().datasets
SCHEMA = "data_manifest.schema.json"

ENTRY: dict[str, Any] = {
    "name": "one-map",
    "title": "One map",
    "summary": "A map.",
    "modality": "SPECT",
    "tracer": "[123I]FP-CIT",
    "n": 3,
    "subjects": "Healthy people",
    "format": "NIfTI",
    "space": "MNI152",
    "resolution": "3 mm",
    "orientation": "RAS",
    "access": "open",
    "steps": [],
    "licence": {"name": "CC0", "spdx": "CC0-1.0", "url": "https://example.org/cc0"},
    "uses": {"teach": "Yes.", "publish": "Yes.", "compete": "Yes.", "commercial": "Yes."},
    "citations": [{"key": "paper", "text": "A paper.", "doi": "10.1038/s41598-018-22444-0"}],
    "home": None,
    "version": "1",
    "checked": {"date": datetime.date(2026, 1, 2), "how": "By hand.", "not_verified": []},
    "files": [
        {"name": "a.nii", "urls": ["https://example.org/a.nii"], "sha256": "0" * 64, "size": 8}
    ],
    "no_files": None,
    "traps": [],
    "loader": None,
}


class Plain(yaml.SafeDumper):
    """Writes what occurs twice twice, since a manifest may not hold aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def written(folder: Path, *entries: Any, **keys: Any) -> Path:
    path = folder / "data_manifest.yaml"
    content = {"version": 2, "datasets": list(entries), "avoid": []} | keys
    path.write_text(yaml.dump(content, Dumper=Plain))
    return path


def changed(**keys: Any) -> dict[str, Any]:
    return copy.deepcopy(ENTRY) | keys


def changed_file(**keys: Any) -> dict[str, Any]:
    return changed(files=[ENTRY["files"][0] | keys])


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    return tuple(map(str, caught.value.problems))


def test_the_shipped_manifest_names_licence_citation_and_hash_of_the_real_map():
    entry = load_manifest().entries["fpcit-hc174"]
    assert entry.licence.spdx == "CC-BY-NC-SA-4.0"
    assert [paper.doi for paper in entry.citations] == [
        "10.1038/s41598-018-22444-0",
        "10.1038/s41593-022-01186-3",
    ]
    assert (entry.n, entry.size, len(entry.files[0].urls)) == (174, 1086884, 2)
    # pinned: a repository's address holds the full commit, never a branch that moves
    assert all(len(url.split("/")[5]) == 40 for url in entry.files[0].urls)
    assert [line.split(":")[0] for line in entry.terms()[2:6]] == [
        "Teach",
        "Publish",
        "Compete",
        "Commercial",
    ]
    assert any("NonCommercial" in line for line in entry.terms())
    assert any("doi.org/10.1038/s41593-022-01186-3" in line for line in entry.terms())


def test_the_simulated_cohort_is_built_in_and_has_nothing_to_download():
    entry = load_manifest().entries["simulated"]
    assert (entry.access, entry.files, entry.size) == ("built-in", (), 0)
    assert entry.licence.spdx == LICENCE, "each simulated cohort.json says the same"
    assert entry.version == VERSION


def test_the_manifest_tells_the_truth_about_the_real_file(real_map: Path):
    entry = load_manifest().entries["fpcit-hc174"]
    assert real_map.name == entry.files[0].name
    assert sha256_file(real_map) == entry.files[0].sha256
    assert real_map.stat().st_size == entry.files[0].size
    image = nib.load(real_map)
    assert image.header.endianness == ">" and nib.aff2axcodes(image.affine) == ("L", "A", "S")
    assert image.shape == (61, 73, 61) and set(image.header.get_zooms()) == {3.0}
    assert 99 < np.asarray(image.dataobj).max() < 100


def test_a_wheel_and_a_checkout_find_the_manifest_where_each_has_it(tmp_path, monkeypatch):
    package = tmp_path / "site" / "datkit"
    package.mkdir(parents=True)
    monkeypatch.setattr(read, "__file__", str(package / "data" / "manifest_reader.py"))
    at_root = written(tmp_path / "site", ENTRY)
    assert list(load_manifest().entries) == ["one-map"]
    at_root.unlink()
    written(package, changed(name="inside"))
    assert list(load_manifest().entries) == ["inside"]


def test_reading_the_manifest_asks_no_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    assert load_manifest().entries


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (changed(n="174"), "one-map.n: expected a valid integer, found '174'"),
        (changed(n=0), "one-map.n: expected greater than 0, found 0"),
        (changed(title=" "), "one-map.title: expected some text, found ' '"),
        (changed(uses="Anything."), "one-map.uses: expected keys and values, found 'Anything.'"),
        (
            changed(uses=ENTRY["uses"] | {"teach": ""}),
            "one-map.uses.teach: expected some text",
        ),
        (
            changed(uses=ENTRY["uses"] | {"sell": "No."}),
            "one-map.uses.sell: expected keys that are known",
        ),
        (changed(traps="Many."), "one-map.traps: expected a list, found 'Many.'"),
        (changed(access="dua"), "one-map.access: expected 'built-in', 'open', 'registration', "),
        (changed(files=[]), "one-map.files: expected files, or steps that say how to obtain them"),
        (changed(access="built-in"), "one-map.files: expected no files, since the access is"),
        (changed(access="planned"), "one-map.files: expected no files, since the access is"),
        (
            changed(access="agreement", files=[], no_files="Private."),
            "one-map.files: expected files, or steps that say how to obtain them",
        ),
        (changed(steps=["Ask."], files=[]), "one-map.no_files: expected a reason if there are no"),
        (changed(no_files="Lost."), "one-map.no_files: expected a reason if there are no files"),
        (changed(loader="os.system"), "one-map.loader: expected 'datkit.open_cohort', "),
        (changed(home="ftp://example.org"), "one-map.home: expected an https:// address"),
        (changed(citations=[]), "one-map.citations: expected at least one, found []"),
        (changed(checked="By hand."), "one-map.checked: expected keys and values, found"),
        (
            changed(checked=ENTRY["checked"] | {"date": "last week"}),
            "one-map.checked.date: expected a valid date",
        ),
        (changed(name="../up"), "../up.name: expected lower-case words joined by '-'"),
        (changed(license="CC0"), "one-map.license: expected keys that are known"),
        (changed(licence={"name": "CC0"}), "one-map.licence.spdx: expected a value, found none"),
        (
            changed(citations=[{"key": "a", "text": "A", "doi": "doi:10.1/x"}]),
            "citations.0.doi: expected a DOI such as",
        ),
        (changed(citations=[{"key": "a", "text": "A"}]), "citations.0: expected a doi, or a url"),
        (
            changed(citations=[{"key": "@a", "text": "A", "doi": "10.1234/x"}]),
            "citations.0.key: expected a BibTeX key",
        ),
        (changed_file(name="../a.nii"), "one-map.files.0.name: expected a plain file name"),
        (changed_file(name="a\\b.nii"), "one-map.files.0.name: expected a plain file name"),
        (changed_file(name=".hidden"), "one-map.files.0.name: expected a plain file name"),
        (
            changed_file(sha256="0" * 63),
            "files.0.sha256: expected 64 lower-case hexadecimal",
        ),
        (
            changed_file(sha256="A" * 64),
            "files.0.sha256: expected 64 lower-case hexadecimal",
        ),
        (changed_file(size=1.5), "one-map.files.0.size: expected a valid integer, found 1.5"),
        (changed_file(sha256=None), "one-map.files.0: expected a sha256, or an md5 where only"),
        (changed_file(sha256=None, md5="0" * 32), "files.0: expected a reason in 'why' if sha256"),
        (changed_file(size=None), "files.0: expected a reason in 'why' if sha256 or size is null"),
        (changed_file(why="Unknown."), "files.0: expected a reason in 'why' if sha256 or size is"),
        (changed_file(md5="0" * 31), "files.0.md5: expected 32 lower-case hexadecimal digits"),
        (changed_file(urls=[]), "one-map.files.0.urls: expected at least one"),
        (changed_file(urls=["http://example.org/a"]), "files.0.urls.0: expected an https://"),
        (changed_file(urls=["ftp://example.org/a"]), "files.0.urls.0: expected an https://"),
        (changed_file(urls=["file:///etc/passwd"]), "files.0.urls.0: expected an https://"),
        ("one-map", "datasets.0: expected keys and values, found 'one-map'"),
    ],
)
def test_one_fault_is_one_sentence_that_says_where_it_is(tmp_path, entry, said):
    problems = problems_of(written(tmp_path, entry))
    faults = [problem for problem in problems if said in problem]
    assert len(faults) == 1 and faults[0].endswith(".")
    assert len(problems) == (2 if said.startswith("one-map.licence.") else 1)


def test_every_fault_of_every_entry_is_listed_at_once(tmp_path):
    repeated_file = changed(files=ENTRY["files"] * 2, name="two-files")
    path = written(tmp_path, changed(n=-1), changed(title=7), repeated_file, version=3)
    problems = problems_of(path)
    for said in (
        "two-files.files: expected each name once, found 'a.nii' twice",
        "version: expected 2, found 3",
        "one-map.n: expected greater than 0, found -1",
        "one-map.title: expected text",
    ):
        assert any(said in problem for problem in problems), said
    assert len(problems) == 4


def test_a_name_used_twice_is_told(tmp_path):
    [problem] = problems_of(written(tmp_path, ENTRY, ENTRY))
    assert "datasets: expected each name once, found 'one-map' twice" in problem


@pytest.mark.parametrize(
    "text", ["", "[]", "datasets: [", "version: 1\ndatasets: 3\n", "day: 2026-13-01\n", "a: \xff"]
)
def test_what_is_no_manifest_is_refused_with_the_file_named(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ManifestError, match="broken.yaml"):
        load_manifest(path)


def test_a_manifest_cannot_run_code(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text(f"datasets: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n")
    with pytest.raises(ManifestError, match="evil.yaml"):
        load_manifest(path)
    assert not (tmp_path / "made").exists()


def test_a_missing_manifest_and_an_unknown_data_set_are_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="nowhere.yaml"):
        load_manifest(tmp_path / "nowhere.yaml")
    with pytest.raises(UsageError, match="did you mean 'fpcit-hc174'"):
        load_manifest().entry("fpcit-hc147")
    with pytest.raises(UsageError, match="datkit data list"):
        load_manifest().entry("nothing-like-it")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://[::1]/a", True),
        ("http://localhost/a", True),
        ("http://localhost.example.org/a", False),
        ("http://127.0.0.1.example.org/a", False),
        ("http://127.0.0.1@example.org/a", False),
        ("https:///a", False),
        ("https://[broken/a", False),
        ("//example.org/a", False),
    ],
)
def test_only_https_and_this_machine_are_safe_addresses(url, safe):
    assert is_safe_address(url) is safe


# ------------------------------------------------------------ the shipped entries, one by one


def bibliography() -> dict[str, str]:
    """The entries of the book's bibliography by key."""
    text = (REPOSITORY / "book" / "references.bib").read_text(encoding="utf-8")
    return {item[1]: item[0] for item in re.finditer(r"@\w+\{([^,]+),.*?\n\}", text, re.DOTALL)}


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_citation_resolves_in_the_bibliography(entry):
    known = bibliography()
    for paper in entry.citations:
        assert paper.key in known, f"{paper.key} is not in book/references.bib"
        assert (paper.doi or paper.url or "dat-spect-kit") in known[paper.key]


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_entry_has_its_bytes_or_a_reason_for_none(entry):
    assert bool(entry.files) != bool(entry.no_files)
    for file in entry.files:
        assert (file.sha256 and file.size) or file.why
        assert all(url.startswith("https://") for url in file.urls)
    if not entry.files and entry.access != "built-in":
        assert any("{folder}" in step for step in entry.steps), "say where the files belong"


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_hash_that_is_not_a_sha256_is_admitted_and_dated(entry):
    assert entry.checked.date >= datetime.date(2026, 1, 1)
    if any(file.sha256 is None for file in entry.files) or entry.access == "planned":
        assert entry.checked.not_verified


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_loader_is_a_function_of_the_kit(entry):
    if entry.loader:
        module, _, name = entry.loader.rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_what_is_planned_has_no_invented_address():
    entry = load_manifest().entry("dat-park-open")
    assert entry.access == "planned" and entry.files == () and entry.home is None
    assert entry.licence.spdx is None and entry.n is None


def test_each_access_is_there_and_what_is_to_be_avoided_has_its_reason():
    manifest = load_manifest()
    assert {entry.access for entry in SHIPPED} == {
        "built-in",
        "open",
        "registration",
        "agreement",
        "planned",
    }
    assert len(manifest.avoid) >= 5 and all(len(one.reason) > 40 for one in manifest.avoid)
    assert {one.name for one in manifest.avoid}.isdisjoint(manifest.entries)


# ------------------------------------------------------------ the published schema


def test_the_published_schema_is_made_of_the_models():
    published = json.loads((REPOSITORY / SCHEMA).read_text(encoding="utf-8"))
    assert published == json_schema(), f"run python -m datkit.data.manifest > {SCHEMA}"


def plain(path: Path) -> Any:
    """The manifest as a JSON validator sees it: dates are text."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def test_the_shipped_manifest_fits_the_published_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(plain(REPOSITORY / "data_manifest.yaml"), json_schema())


@pytest.mark.parametrize(
    "entry",
    [
        changed(n="174"),
        changed(access="dua"),
        changed(name="../up"),
        changed(license="CC0"),
        changed(title=" "),
        changed_file(sha256="A" * 64),
        changed_file(size=0),
        changed_file(urls=["ftp://example.org/a"]),
        {key: value for key, value in ENTRY.items() if key != "licence"},
    ],
)
def test_the_schema_refuses_what_the_models_refuse(tmp_path, entry):
    path = written(tmp_path, entry)
    assert problems_of(path)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(path), json_schema())
