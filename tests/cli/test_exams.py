"""`datkit simulate, prepare, measure, report, sheet`: bad exams are listed, the others done."""

import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from datkit.cli import main
from datkit.files import sha256_file
from datkit.simulate.cohort import SIZES


def test_measure_lists_good_scans_and_bad_ones(run_json, tiny_cohort, tmp_path):
    good = tiny_cohort.path_of(tiny_cohort.uids[0])
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(good.read_bytes()[:-5000])
    code, result = run_json("measure", good, cut)
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
    assert "Check the path" in capsys.readouterr().err


@pytest.fixture
def head(tmp_path):
    """A scan that prepares in a moment: the template itself."""
    from datkit.files import RESOURCES

    return shutil.copy(RESOURCES / "template.nii.gz", tmp_path / "head.nii.gz")


@pytest.fixture
def upside_down(head, tmp_path):
    """The same head, its slices stored from the top down while the header says otherwise."""
    scan = nib.load(head)
    path = tmp_path / "upside.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj)[:, :, ::-1], scan.affine), path)
    return path


def test_measure_says_what_speaks_against_an_exam_and_what_to_do(capsys, run_json, upside_down):
    assert main(["measure", str(upside_down)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  quality: look at it"
    assert any("turn of the head is 180.00°" in line and "left and right" in line for line in lines)
    assert "  reference region: occipital" in lines
    assert "D2 receptors" in lines[-1] and "VMAT2" in lines[-1]
    _, result = run_json("measure", upside_down)
    quality = result["quality"][str(upside_down)]
    assert not quality["good"] and quality["reference_region"] == "occipital"
    assert "rotation" in [reason["code"] for reason in quality["reasons"]]
    assert all(reason["remedy"] for reason in quality["reasons"])
    assert "VMAT2" in result["note"]


def test_measure_calls_a_sound_exam_good(run_json, tiny_cohort):
    path = tiny_cohort.path_of(tiny_cohort.uids[0])
    quality = run_json("measure", path)[1]["quality"][str(path)]
    read = {"orientation": "known", "mended": ""}
    assert quality == {"good": True, "reasons": [], "reference_region": "occipital"} | read


@pytest.mark.parametrize("command", ["prepare", "sheet"])
def test_a_cohort_command_says_of_each_exam_why_to_look_at_it(
    command, capsys, run_json, head, upside_down, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cohort"
    (folder / "niftis").mkdir(parents=True)
    for uid, path in (("1", head), ("2", upside_down)):
        shutil.copy(path, folder / "niftis" / f"{uid}.nii.gz")
    assert main([command, str(folder), "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert "2: look at it: turn of the head is 180.00" in shown and "Check the orientation" in shown
    _, result = run_json(command, folder, "--jobs", "1")
    assert list(result["look_at"]) == list(result["reasons"]) == ["2"]
    assert result["reasons"]["2"][0]["remedy"]
    assert result["reference_region"] == {"1": "occipital", "2": "occipital"}


def test_report_goes_on_after_bad_scans_and_lists_them(run_json, head, tmp_path):
    (tmp_path / "bad.nii").write_bytes(b"no scan")
    scans = [tmp_path / "bad.nii", head, tmp_path / "none.nii"]
    code, result = run_json("report", *scans, "--out", tmp_path / "pages")
    assert code == 2  # a path that is not there is wrong use; the others are done all the same
    assert result["reports"] == {str(head): str(tmp_path / "pages" / "head_report.html")}
    assert "bad.nii: expected" in result["failures"][0] and "none.nii" in result["failures"][1]
    assert "not for diagnosis" in (tmp_path / "pages" / "head_report.html").read_text()
    assert main(["report", str(scans[0]), "--out", str(tmp_path)]) == 1


def test_a_report_replaces_its_own_page_and_no_other(capsys, head, tmp_path):
    words = ["report", str(head), "--out", str(tmp_path)]
    plain, compared = (tmp_path / f"head_report{end}.html" for end in ("", "_with_normals"))
    assert main([*words, "--age", "67", "--sex", "F"]) == 0
    with_range = compared.read_bytes()
    assert main(words) == 0 == main([*words, "--radiological"])
    assert "on the picture’s right" in plain.read_text(encoding="utf-8")
    assert compared.read_bytes() == with_range
    plain.write_text("another exam's")
    assert main(words) == 2
    assert "found that of another exam" in capsys.readouterr().err
    assert plain.read_text() == "another exam's"


def test_report_writes_the_file_it_was_told(capsys, head, tmp_path):
    assert main(["report", str(head), "--radiological", "--out", str(tmp_path / "one.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'one.html'}\n"
    assert "on the picture’s right" in (tmp_path / "one.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a/x.nii", "b/x.nii"], "'x_report.html' would hold several"),
        (["a/x.nii", "y.nii", "--out", "one.html"], "'one.html' would hold several"),
        (["x.nii", "y.nii", "--age", "67"], "one scan with --age"),
        (["x.nii", "--age", "67"], "--age and --sex together, found --age alone"),
        (["x.nii", "--sex", "F"], "--age and --sex together, found --sex alone"),
        (
            ["x.nii", "--out", "a.pdf"],
            "Expected the name of a file that ends in .html",
        ),
        (["x.nii", "--reconstruction", "foo"], "found 'foo'; they hold: FBP; "),
        (["x.nii", "--orientation", "RAX"], "three letters, R or L, A or P, S or I, found 'RAX'"),
    ],
)
def test_reports_that_would_mix_exams_are_wrong_use(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("out", [".", "a.pdf", "made.html"])
def test_a_sheet_is_a_page(out, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.html").mkdir()
    assert main(["sheet", "nowhere", "--out", out]) == 2
    assert f"ends in .html for the page, found {out!r}; a browser" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["made.html"]


@pytest.mark.parametrize("command", ["simulate", "prepare", "sheet", "normals fit"])
@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_are_1_or_more_in_every_command(command, jobs, capsys):
    assert main([*command.split(), f"--jobs={jobs}"]) == 2
    assert f"Expected 1 process or more in --jobs, found '{jobs}'." in capsys.readouterr().err


def test_sheet_shows_every_exam_and_lists_failures(run_json, head, tmp_path):
    folder = tmp_path / "cohort"
    (folder / "niftis").mkdir(parents=True)
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n1,0\n2,1\n")
    shutil.copy(head, folder / "niftis" / "1.nii.gz")
    (folder / "niftis" / "2.nii.gz").write_bytes(b"no scan")
    out = tmp_path / "sheet.html"
    code, result = run_json("sheet", folder, "--out", out, "--jobs", "1", "--radiological")
    assert code == 1 and result["sheet"] == str(out)
    assert list(result["failures"]) == ["2"] and result["look_at"] == []
    assert out.read_text().count("<figure") == 1 and "picture’s right" in out.read_text()


def test_simulate_again_makes_nothing_new(run_json, tiny_cohort, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(tiny_cohort.folder, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    code, made = run_json("simulate", "--size", "tiny", "--out", folder)
    assert code == 0 and made["exams"] == 24 and made["test_sets"] == {}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")} == before


def test_simulate_makes_one_volume_alone(run_json, tiny_cohort, tmp_path):
    uid = tiny_cohort.uids[3]
    code, made = run_json("simulate", "--uid", uid, "--out", tmp_path)
    assert code == 0 and made["file"] == str(tmp_path / f"{uid}.nii.gz")
    assert sha256_file(made["file"]) == tiny_cohort.info["sha256"][f"niftis/{uid}.nii.gz"]
    assert made["label"] == tiny_cohort.labels[uid] and made["truth"]["uid"] == uid


CENTRE = """
- name: my-clinic
  camera: my camera
  joins: {train: 1}
  prevalence: 0.5
  radius_mm: [125, 140]
  counts: [800_000, 1_500_000]
  gain: 300
  head_at: [0, 10, 5]
  protocols:
  - name: A
    weight: 1
    collimator: short
    matrix: {columns: 64, slices: [50, 60], pixel: 5.0}
    recipe: {method: fbp, attenuation: none, scatter: false, cutoff: 0.5}
"""


def test_simulate_takes_centres_from_a_file(capsys, run_json, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(CENTRE)
    words = ["simulate", "--centres", own, "--uid", "sim-2026-0003", "--out", tmp_path]
    code, made = run_json(*words)
    assert (code, made["exam"]["centre"]) == (0, "my-clinic")
    assert main(["simulate", "--centres", str(own), "--size", "tiny"]) == 2
    assert "Expected --out with --centres" in capsys.readouterr().err


def test_simulate_teaches_every_size(shown_help):
    shown = shown_help("simulate")
    assert f"--size {{{','.join(SIZES)}}}" in shown
    for size, exams in SIZES.items():
        assert re.search(rf"^{size} +{exams}\b.*(MB|GB)$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "Expected 1 process or more"),
        (["--seed", "-1"], "A seed is an integer, 0 or more; found -1"),
        (["--centres", "none.yaml"], "none.yaml"),
        (["--uid", "007"], "such as sim-2026-0003; found '007'"),
        (
            ["--uid", "sim-2026-0003", "--size", "tiny", "--seed", "7"],
            "Expected no --size or --seed",
        ),
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


@pytest.fixture
def untold(head, tmp_path):
    """The same scan in a file that does not tell left from right, stored from right to left."""
    image = nib.load(head)
    turned = nib.Nifti1Image(np.asarray(image.dataobj)[::-1], None)
    turned.header.set_zooms(image.header.get_zooms())
    (tmp_path / "untold").mkdir()
    nib.save(turned, tmp_path / "untold" / "exam.nii.gz")
    return tmp_path / "untold" / "exam.nii.gz"


def test_left_and_right_that_nobody_tells_are_refused_until_they_are_stated(
    run_json, head, untold, capsys
):
    code, result = run_json("measure", untold)
    assert (code, result["measures"]) == (1, {})
    assert "left and right" in result["failures"][0] and "--orientation" in result["failures"][0]
    code, told = run_json("measure", untold, "--orientation", "LAS")
    right = run_json("measure", head)[1]["measures"][str(head)]
    assert code == 0 and told["measures"][str(untold)] == pytest.approx(right, abs=0.005)
    assert told["quality"][str(untold)]["orientation"] == "stated"
    assert main(["measure", str(untold), "--orientation", "LAS"]) == 0
    assert "orientation stated by the user" in capsys.readouterr().out


def test_a_cohort_is_read_as_stated_and_its_pages_say_so(run_json, untold, tmp_path, capsys):
    folder, told = untold.parent, ("--orientation", "LAS")
    assert run_json("data", "check", folder)[1][0]["code"] == "orientation-unknown"
    assert run_json("data", "check", folder, *told) == (0, [])
    code, result = run_json("prepare", folder, *told, "--jobs", "1")
    assert (code, result["orientation"], result["failures"]) == (0, {"exam": "stated"}, {})
    assert main(["prepare", str(folder), *told, "--jobs", "1"]) == 0
    assert "orientation stated by the user: exam\n" in capsys.readouterr().out
    out = tmp_path / "sheet.html"
    assert run_json("sheet", folder, *told, "--jobs", "1", "--out", out)[0] == 0
    assert run_json("report", untold, *told, "--out", tmp_path / "one.html")[0] == 0
    for page in (out, tmp_path / "one.html"):
        assert "rientation stated by the user" in page.read_text()


def test_what_was_mended_is_said(run_json, head, capsys):
    image = nib.load(head)
    voxels = np.asarray(image.dataobj, np.float32)
    voxels[30, 30, 30:32] = np.nan
    nib.save(nib.Nifti1Image(voxels, image.affine), head)
    code, result = run_json("measure", head)
    assert code == 1 and "with --repair" in result["failures"][0]
    assert main(["measure", str(head), "--repair"]) == 0
    assert "mended: set 2 NaN or infinite voxels to 0" in capsys.readouterr().out


def test_a_report_of_a_pair_is_that_of_its_voxels(run_json, head, tmp_path):
    image = nib.load(head)
    nib.save(nib.Nifti1Pair(np.asarray(image.dataobj), image.affine), tmp_path / "pair.img")
    code, result = run_json("report", tmp_path / "pair.hdr", "--out", tmp_path)
    assert (code, list(result["reports"].values())) == (0, [str(tmp_path / "pair_report.html")])


def test_an_age_that_nobody_has_is_corrected_or_left_out(capsys, head, tmp_path):
    words = ["report", str(head), "--age", "300", "--sex", "F", "--out", str(tmp_path / "a.html")]
    assert main(words) == 2
    assert "Correct the age, or leave it out" in capsys.readouterr().err
