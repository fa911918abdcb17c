"""A data set needs one entry of the manifest and nothing else: listed, shown, cited, fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from datkit.cli import main
from datkit.data import load_manifest

REPOSITORY = Path(__file__).resolve().parents[2]
ENTRY = """
  - name: new-phantom
    title: A phantom that nobody has yet
    summary: One volume of a striatal phantom.
    modality: SPECT
    tracer: "[123I]FP-CIT"
    n: null
    subjects: Nobody, a phantom
    format: NIfTI-1
    space: Scanner
    resolution: 2 mm
    orientation: RAS
    access: open
    steps: []
    licence: {name: Creative Commons Zero 1.0, spdx: CC0-1.0, url: "https://example.org/cc0"}
    uses: {teach: Yes., publish: Yes., compete: Yes., commercial: Yes.}
    citations: [{key: nobody2026, text: Nobody N. A phantom (2026)., doi: 10.1234/new-phantom}]
    home: null
    version: "1"
    checked: {date: 2026-11-25, how: By this test., not_verified: []}
    files:
      - name: new-phantom.nii.gz
        urls: ["https://example.org/new-phantom.nii.gz"]
        sha256: HASH
        size: 9
    no_files: null
    traps: [Its left is our right.]
    loader: datkit.load_scan

avoid:
"""
CONTENT = b"a phantom"


@pytest.fixture(autouse=True)
def _manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped manifest with one more entry, in a scratch file."""
    import hashlib

    shipped = (REPOSITORY / "data_manifest.yaml").read_text(encoding="utf-8")
    entry = ENTRY.replace("HASH", hashlib.sha256(CONTENT).hexdigest())
    assert shipped.count("\navoid:\n") == 1
    (tmp_path / "manifest.yaml").write_text(shipped.replace("\navoid:\n", entry), encoding="utf-8")
    monkeypatch.setenv("DATKIT_MANIFEST", str(tmp_path / "manifest.yaml"))


def output(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    assert main(["data", *arguments]) == 0
    return capsys.readouterr().out


def test_it_is_listed_beside_the_shipped_ones(capsys):
    names = [entry["name"] for entry in json.loads(output(capsys, "list", "--json"))]
    assert names[-1] == "new-phantom" and "fpcit-hc174" in names
    assert "new-phantom            open         CC0-1.0" in output(capsys, "list")
    assert "new-phantom: Creative Commons Zero 1.0" in output(capsys, "licences")


def test_it_is_shown_and_has_a_card_and_croissant(capsys):
    shown = yaml.safe_load(output(capsys, "show", "new-phantom"))
    assert shown == load_manifest().entry("new-phantom").to_dict()
    assert "- Its left is our right." in output(capsys, "card", "new-phantom").splitlines()
    card = json.loads(output(capsys, "card", "new-phantom", "--json"))
    assert card["title"] == "A phantom that nobody has yet"
    assert card["facts"]["opened by"] == "datkit.load_scan"
    assert json.loads(output(capsys, "croissant", "new-phantom"))["distribution"][0]["sha256"]


def test_it_is_cited(capsys):
    cited = output(capsys, "cite", "new-phantom")
    assert cited == "Nobody N. A phantom (2026). https://doi.org/10.1234/new-phantom\n"
    assert "@misc{nobody2026," in output(capsys, "cite", "new-phantom", "--bibtex")


def test_it_is_fetched_and_verified(capsys, tmp_path, monkeypatch):
    (tmp_path / "new-phantom.nii.gz").write_bytes(CONTENT)
    monkeypatch.setenv("DATKIT_MIRROR", str(tmp_path))
    [path] = output(capsys, "fetch", "new-phantom", "--offline").splitlines()
    assert Path(path).read_bytes() == CONTENT
    assert output(capsys, "verify", "new-phantom").startswith("ok ")
    assert output(capsys, "where", "new-phantom").strip() == str(Path(path).parent)
