"""`datkit data …`: terms, files and faults, for people and for scripts."""

from pathlib import Path

import numpy as np

from datkit.cli import main
from datkit.io.scan import save_scan
from datkit.prepare.grid import load_template


def test_the_help_of_data_teaches_its_first_steps(shown_help):
    shown = shown_help("data")
    for said in ("datkit data fetch fpcit-hc174", "DATKIT_MIRROR", "Terms are shown before"):
        assert said in shown
    assert "a BIDS tree" in shown_help("data", "check")


def test_data_verify_names_the_next_step(capsys):
    assert main(["data", "verify"]) == 0, "what nobody fetched is no finding"
    assert "Next" not in capsys.readouterr().err
    assert main(["data", "verify", "cit168"]) == 1
    assert "Next: 'datkit data fetch cit168'." in capsys.readouterr().err
    assert main(["data", "verify", "ppmi"]) == 0
    assert "ppmi has no files to verify" in capsys.readouterr().err


def test_data_list_gives_access_and_licence(capsys, run_json):
    code, entries = run_json("data", "list")
    assert code == 0
    found = {entry["name"]: (entry["access"], entry["licence"]["spdx"]) for entry in entries}
    assert found["fpcit-hc174"] == ("open", "CC-BY-NC-SA-4.0")
    assert found["simulated"][0] == "built-in"
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert "datkit data fetch" in shown and "Stay away from:\n" in shown and "NTUA" in shown


def test_data_show_says_all_that_the_manifest_says(capsys, run_json):
    code, entry = run_json("data", "show", "ppmi")
    assert code == 0 and entry["access"] == "agreement" and entry["checked"]["not_verified"]
    assert main(["data", "show", "ppmi"]) == 0
    shown = capsys.readouterr().out
    assert "sign the data use agreement" in shown and "commercial: No" in shown


def test_data_fetch_tells_what_to_do_where_the_kit_may_not(capsys, tmp_path):
    assert main(["data", "fetch", "ppmi"]) == 1
    said = capsys.readouterr().err
    assert "Licence: PPMI Data Use Agreement" in said and "1. Apply for access at" in said
    assert main(["data", "where", "ppmi"]) == 0
    assert capsys.readouterr().out.strip() in said


def test_data_fetch_offline_uses_no_network(capsys):
    assert main(["data", "fetch", "fpcit-hc174", "--offline"]) == 1
    assert "the network is switched off" in capsys.readouterr().err


def test_data_where_follows_its_variable(run_json, tmp_path):
    code, found = run_json("data", "where")
    assert code == 0 and found == {"folder": str(tmp_path / "data")}


def test_data_cite_prints_references_or_bibtex(capsys, run_json):
    assert main(["data", "cite", "fpcit-hc174"]) == 0
    assert "https://doi.org/10.1038/s41598-018-22444-0" in capsys.readouterr().out
    assert main(["data", "cite", "fpcit-hc174", "--bibtex"]) == 0
    assert "@misc{dukart2018," in capsys.readouterr().out
    code, papers = run_json("data", "cite", "auer-dat-phantom")
    assert code == 0 and papers[0]["key"] == "auer2023"


def test_data_licences_give_uses_in_plain_words(capsys, run_json):
    code, entries = run_json("data", "licences")
    assert code == 0 and all(set(entry["uses"]) >= {"teach", "commercial"} for entry in entries)
    assert main(["data", "licences"]) == 0
    assert "  commercial  No." in capsys.readouterr().out


def test_an_unknown_data_set_is_wrong_use(capsys):
    assert main(["data", "fetch", "fpcit-hc175"]) == 2
    assert "did you mean 'fpcit-hc174'" in capsys.readouterr().err


def test_verify_by_name_finds_what_was_never_fetched(run_json):
    code, checks = run_json("data", "verify", "fpcit-hc174")
    assert code == 1 and [check["state"] for check in checks] == ["missing"]
    assert main(["data", "verify"]) == 0  # nothing fetched, nothing damaged


def test_fetch_verify_flip_verify(run_json, shared_data, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    code, fetched = run_json("data", "fetch", "fpcit-hc174")
    assert code == 0 and len(fetched["files"]) == 1
    assert run_json("data", "verify")[0] == 0
    with Path(fetched["files"][0]).open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\xff")
    code, checks = run_json("data", "verify")
    assert code == 1 and "damaged" in {check["state"] for check in checks}


def test_check_asks_for_the_verdict_if_told(run_json, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "data"))
    template = load_template()
    for name, data in (("sound", template.data), ("upside", template.data[:, :, ::-1])):
        save_scan(data, template.affine, tmp_path / "exams" / f"{name}.nii.gz", dtype="uint8")
    assert run_json("data", "check", tmp_path / "exams") == (0, [])
    code, found = run_json("data", "check", tmp_path / "exams", "--verdict")
    assert code == 1 and {one["where"].split(",")[0] for one in found} == {"upside"}
    assert {"rotation", "upright"} <= {one["code"] for one in found}
    assert all(one["remedy"] and one["severity"] == "warning" for one in found)


def test_a_verdict_of_one_bad_file_leaves_the_good_ones(run_json, tmp_path, monkeypatch):
    """A file that cannot be read, and one without a head, are told each; the sound one is not."""
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "data"))
    template, exams = load_template(), tmp_path / "exams"
    noise = np.random.default_rng(0).integers(0, 99, template.data.shape)
    for name, data in (("sound", template.data), ("noise", noise)):
        save_scan(data, template.affine, exams / f"{name}.nii.gz", dtype="uint8")
    (exams / "torn.nii.gz").write_bytes((exams / "sound.nii.gz").read_bytes()[:2000])
    code, found = run_json("data", "check", exams, "--verdict")
    names = {Path(one["where"].split(",")[0]).name.removesuffix(".nii.gz") for one in found}
    assert code == 1 and names == {"noise", "torn"}
