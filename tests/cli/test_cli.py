"""The command line: results on standard output, 0 fine, 1 findings, 2 wrong use."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from datkit.cli import main
from datkit.files import sha256_file
from datkit.simulate.cohort import SIZES


def run_json(capsys, *arguments):
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_help_names_every_command_and_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for word in (
        "data",
        "simulate",
        "measure",
        "report",
        "sheet",
        "submit",
        "Exit codes",
        "not for diagnosis",
    ):
        assert word in shown


@pytest.mark.parametrize("words", [[], ["nonsense"], ["measure"], ["data", "fetch"]])
def test_wrong_words_are_wrong_use(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "usage: datkit" in capsys.readouterr().err


def test_the_help_of_data_teaches_its_first_steps(capsys):
    for words, said in {
        ("data",): ["datkit data fetch fpcit-hc174", "DATKIT_MIRROR", "Terms are shown before"],
        ("data", "fetch"): ["Example: datkit data fetch fpcit-hc174", "terms"],
        ("data", "check"): ["a BIDS tree", "Example: datkit data check"],
    }.items():
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        shown = capsys.readouterr().out
        assert all(word in shown for word in said)


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m datkit.cli data show ppmi | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("name: ppmi\n0\n", "")


def test_data_verify_names_the_next_step(capsys):
    assert main(["data", "verify"]) == 0, "what nobody fetched is no finding"
    assert "Next" not in capsys.readouterr().err
    assert main(["data", "verify", "cit168"]) == 1
    assert "Next: 'datkit data fetch cit168'." in capsys.readouterr().err
    assert main(["data", "verify", "ppmi"]) == 0
    assert "ppmi has no files to verify" in capsys.readouterr().err


def test_data_list_gives_access_and_licence(capsys):
    code, entries = run_json(capsys, "data", "list")
    assert code == 0
    found = {entry["name"]: (entry["access"], entry["licence"]["spdx"]) for entry in entries}
    assert found["fpcit-hc174"] == ("open", "CC-BY-NC-SA-4.0")
    assert found["simulated"][0] == "built-in"
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert "datkit data fetch" in shown and "Stay away from:\n" in shown and "NTUA" in shown


def test_data_show_says_all_that_the_manifest_says(capsys):
    code, entry = run_json(capsys, "data", "show", "ppmi")
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


def test_data_where_follows_its_variable(capsys, tmp_path):
    code, found = run_json(capsys, "data", "where")
    assert code == 0 and found == {"folder": str(tmp_path / "data")}


def test_data_cite_prints_references_or_bibtex(capsys):
    assert main(["data", "cite", "fpcit-hc174"]) == 0
    assert "https://doi.org/10.1038/s41598-018-22444-0" in capsys.readouterr().out
    assert main(["data", "cite", "fpcit-hc174", "--bibtex"]) == 0
    assert "@misc{dukart2018," in capsys.readouterr().out
    code, papers = run_json(capsys, "data", "cite", "auer-dat-phantom")
    assert code == 0 and papers[0]["key"] == "auer2023"


def test_data_licences_give_uses_in_plain_words(capsys):
    code, entries = run_json(capsys, "data", "licences")
    assert code == 0 and all(set(entry["uses"]) >= {"teach", "commercial"} for entry in entries)
    assert main(["data", "licences"]) == 0
    assert "  commercial  No." in capsys.readouterr().out


def test_an_unknown_data_set_is_wrong_use(capsys):
    assert main(["data", "fetch", "fpcit-hc175"]) == 2
    assert "did you mean 'fpcit-hc174'" in capsys.readouterr().err


def test_verify_by_name_finds_what_was_never_fetched(capsys):
    code, checks = run_json(capsys, "data", "verify", "fpcit-hc174")
    assert code == 1 and [check["state"] for check in checks] == ["missing"]
    assert main(["data", "verify"]) == 0  # nothing fetched, nothing damaged


def test_fetch_verify_flip_verify(capsys, shared_data, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    code, fetched = run_json(capsys, "data", "fetch", "fpcit-hc174")
    assert code == 0 and len(fetched["files"]) == 1
    assert run_json(capsys, "data", "verify")[0] == 0
    with open(fetched["files"][0], "r+b") as stream:
        stream.seek(1000)
        stream.write(b"\xff")
    code, checks = run_json(capsys, "data", "verify")
    assert code == 1 and "damaged" in {check["state"] for check in checks}


def test_measure_lists_good_scans_and_bad_ones(capsys, tiny_cohort, tmp_path):
    good = tiny_cohort.path_of(tiny_cohort.uids[0])
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(good.read_bytes()[:-5000])
    code, result = run_json(capsys, "measure", good, cut)
    assert code == 1
    assert list(result["measures"]) == [str(good)]
    assert {"putamen_left", "putamen_asymmetry"} <= set(result["measures"][str(good)])
    assert str(cut) in result["failures"][0] and "not for diagnosis" in result["note"]


def test_measure_prints_a_table(capsys, tiny_cohort):
    assert main(["measure", str(tiny_cohort.path_of(tiny_cohort.uids[0]))]) == 0
    shown = capsys.readouterr().out
    assert "putamen_left" in shown and "not for diagnosis" in shown


def test_a_scan_that_is_not_there_is_wrong_use(capsys, tmp_path):
    assert main(["measure", str(tmp_path / "no.nii.gz")]) == 2
    assert "check the path" in capsys.readouterr().err


@pytest.fixture
def head(tmp_path):
    """A scan that prepares in a moment: the template itself."""
    from datkit.prepare.grid import RESOURCES

    return shutil.copy(RESOURCES / "template.nii.gz", tmp_path / "head.nii.gz")


def test_report_goes_on_after_bad_scans_and_lists_them(capsys, head, tmp_path):
    (tmp_path / "bad.nii").write_bytes(b"no scan")
    scans = [tmp_path / "bad.nii", head, tmp_path / "none.nii"]
    code, result = run_json(capsys, "report", *scans, "--out", tmp_path / "pages")
    assert code == 2  # a path that is not there is wrong use; the others are done all the same
    assert result["reports"] == {str(head): str(tmp_path / "pages" / "head_report.html")}
    assert "bad.nii: expected" in result["failures"][0] and "none.nii" in result["failures"][1]
    assert "not for diagnosis" in (tmp_path / "pages" / "head_report.html").read_text()
    assert main(["report", str(scans[0]), "--out", str(tmp_path)]) == 1


def test_report_writes_the_file_it_was_told(capsys, head, tmp_path):
    assert main(["report", str(head), "--out", str(tmp_path / "one.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'one.html'}\n"
    assert (tmp_path / "one.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a/x.nii", "b/x.nii"], "x_report.html would hold several"),
        (["a/x.nii", "y.nii", "--out", "one.html"], "one.html would hold several"),
        (["x.nii", "y.nii", "--age", "67"], "one scan with --age"),
    ],
)
def test_reports_that_would_mix_exams_are_wrong_use(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.rglob("*.html"))


def test_sheet_shows_every_exam_and_lists_failures(capsys, head, tmp_path):
    folder = tmp_path / "cohort"
    (folder / "niftis").mkdir(parents=True)
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n1,0\n2,1\n")
    shutil.copy(head, folder / "niftis" / "1.nii.gz")
    (folder / "niftis" / "2.nii.gz").write_bytes(b"no scan")
    out = tmp_path / "sheet.html"
    code, result = run_json(capsys, "sheet", folder, "--out", out, "--jobs", "1")
    assert code == 1 and result["sheet"] == str(out)
    assert list(result["failures"]) == ["2"] and result["look_at"] == []
    assert out.read_text().count("<figure") == 1


def test_simulate_again_makes_nothing_new(capsys, tiny_cohort, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(tiny_cohort.folder, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    code, made = run_json(capsys, "simulate", "--size", "tiny", "--out", folder)
    assert code == 0 and made["exams"] == 24 and made["test_sets"] == {}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")} == before


def test_simulate_makes_one_volume_alone(capsys, tiny_cohort, tmp_path):
    uid = tiny_cohort.uids[3]
    code, made = run_json(capsys, "simulate", "--uid", uid, "--out", tmp_path)
    assert code == 0 and made["file"] == str(tmp_path / f"{uid}.nii.gz")
    assert sha256_file(made["file"]) == tiny_cohort.info["sha256"][f"niftis/{uid}.nii.gz"]
    assert made["label"] == tiny_cohort.labels[uid] and made["truth"]["uid"] == uid


def test_simulate_teaches_every_size(capsys):
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    shown = capsys.readouterr().out
    for size, exams in SIZES.items():
        assert re.search(rf"^{size} +{exams}\b.*(MB|GB)$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "Expected 1 process or more"),
        (["--seed", "-1"], "A seed is an integer, 0 or more; found -1"),
        (["--uid", "007"], "such as sim-2026-0003; found '007'"),
        (["--uid", "sim-2026-0003", "--size", "tiny", "--seed", "7"], "found --size and --seed"),
    ],
)
def test_an_impossible_simulation_is_wrong_use(words, said, capsys, tmp_path):
    assert main(["simulate", *words, "--out", str(tmp_path / "new")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_simulate_says_which_other_cohort_a_folder_holds(capsys, tiny_cohort):
    assert (
        main(["simulate", "--size", "tiny", "--seed", "7", "--out", str(tiny_cohort.folder)]) == 1
    )
    assert "found simulated-tiny-2026 version" in capsys.readouterr().err


def test_submit_check_lists_problems(capsys, tmp_path):
    broken = tmp_path / "submission.zip"
    broken.write_bytes(b"no zip")
    code, problems = run_json(capsys, "submit", "check", broken)
    assert code == 1 and len(problems) == 1
    assert main(["submit", "check", str(broken)]) == 1
    assert "submission.zip" in capsys.readouterr().out


def test_submit_check_says_how_grave_and_writes_a_page(capsys, tmp_path):
    packed, page = tmp_path / "submission.zip", tmp_path / "findings.html"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "import os\nnames = os.listdir('data/niftis')\n")
    assert main(["submit", "check", str(packed), "--html", str(page)]) == 0, "a warning alone is 0"
    shown = capsys.readouterr().out
    assert "1 warning" in shown and "lists-data" in shown and "look at each warning" in shown
    assert "lists-data" in page.read_text(encoding="utf-8")
    code, [problem] = run_json(capsys, "submit", "check", packed)
    assert (code, problem["severity"]) == (0, "warning")
    assert main(["submit", "check", str(tmp_path / "absent.zip")]) == 2


def test_submit_check_documents_its_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["submit", "check", "--help"])
    shown = capsys.readouterr().out
    assert "exit codes:\n  0    no error" in shown and "--html FILE" in shown


def test_a_full_disk_is_a_sentence(capsys, monkeypatch):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device", "/data/x")

    monkeypatch.setattr("datkit.data.load_manifest", no_space)
    assert main(["data", "list"]) == 1
    assert "/data/x: No space left on device; free" in capsys.readouterr().err
