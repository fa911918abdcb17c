"""Whatever holds exams opens as a cohort: one file, a folder, a tree; DICOM or NIfTI."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from exams import save_dicom, save_directory, save_series, save_small, small

import datkit
from datkit.cli import main
from datkit.data import find_problems, grouped_split, open_path
from datkit.errors import CohortError, UsageError
from datkit.io.scan import is_safe_uid
from datkit.prepare import prepare_cohort

AFFINE = np.diag([5.0, 5.0, 6.0, 1.0])


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(CohortError) as caught:
        open_path(path)
    return tuple(map(str, caught.value.problems))


# ------------------------------------------------------------ one file, a folder of files


@pytest.mark.parametrize("name", ["exam.nii", "exam.nii.gz"])
def test_a_single_file_is_a_cohort_of_one(tmp_path, name):
    cohort = datkit.open_cohort(save_small(tmp_path / name))
    assert (cohort.uids, cohort.labels.isna().all()) == (["exam"], True)
    assert cohort.load("exam").shape == (32, 36, 24) and find_problems(cohort) == []


@pytest.mark.parametrize("name", ["labels.csv", "exam.mgz", "cut.dcm", "none"])
def test_a_single_file_that_is_no_exam_is_told_so(tmp_path, name):
    (tmp_path / name).write_bytes(b"uid,is_pathologic\n")
    with pytest.raises(CohortError, match=f"{name}: expected an exam .* found another file"):
        open_path(tmp_path / name)


def test_a_single_dicom_file_tells_who_and_what(tmp_path, pydicom):
    cohort = datkit.open_cohort(save_dicom(tmp_path / "IM0001", small(), AFFINE))
    assert cohort.uids == ["IM0001"]
    assert cohort.exams.loc["IM0001", ["subject", "tracer"]].tolist() == ["3001", "Ioflupane I-123"]
    assert cohort.load("IM0001").spacing.tolist() == [5.0, 5.0, 6.0]


def test_a_folder_of_volumes_is_named_by_its_files(tmp_path, pydicom):
    save_small(tmp_path / "007.nii.gz", 1)
    save_small(tmp_path / "late" / "1e5.nii", 2)
    save_dicom(tmp_path / "late" / "x.dcm", small(3), AFFINE)
    save_small(tmp_path / ".hidden" / "no.nii.gz", 4)
    (tmp_path / "readme.txt").write_text("not an exam")
    cohort = datkit.open_cohort(tmp_path)
    assert cohort.uids == ["007", "late-1e5", "late-x"]
    assert [cohort.load(uid).data.sum() for uid in cohort] == [small(n).sum() for n in (1, 2, 3)]


def test_files_that_would_have_one_name_stop_no_other_and_are_told_if_they_are_one(tmp_path):
    save_small(tmp_path / "a.nii", 1)
    save_small(tmp_path / "a.nii.gz", 1)
    save_small(tmp_path / "b.nii.gz", 2)
    first, second, third = open_path(tmp_path).uids
    assert re.fullmatch("a-[0-9a-f]{8}", first) and first[:2] == second[:2] and third == "b"
    assert first != second and open_path(tmp_path).uids == [first, second, third]
    [problem] = find_problems(open_path(tmp_path))
    assert f"found the same one under '{first}', '{second}'. Keep one of" in str(problem)
    save_small(tmp_path / "a.nii", 3)
    assert find_problems(open_path(tmp_path)) == []


def test_a_name_that_is_no_utf_8_gives_a_safe_uid(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xe9"))
    save_small(folder / os.fsdecode(b"J\xfcrgen.nii.gz"), 1)
    [uid] = open_path(folder).uids
    assert re.fullmatch("J_rgen-[0-9a-f]{8}", uid)
    assert find_problems(open_path(tmp_path)) == []


def test_an_empty_folder_and_no_folder_are_told_apart(tmp_path):
    assert "found none. Check the folder" in problems_of(tmp_path)[0]
    with pytest.raises(UsageError, match="found nothing"):
        open_path(tmp_path / "nowhere")


def test_a_link_to_another_folder_is_not_followed(tmp_path):
    save_small(tmp_path / "in" / "a.nii.gz")
    save_small(tmp_path / "out" / "b.nii.gz")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    assert open_path(tmp_path / "in").uids == ["a"]


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    save_small(tmp_path / "a.nii.gz")
    os.mkfifo(tmp_path / "b.dcm")
    assert open_path(tmp_path).uids == ["a"]
    with pytest.raises(UsageError, match="found nothing"):
        open_path(tmp_path / "b.dcm")
    save_small(tmp_path / "bids" / "sub-1" / "spect" / "sub-1_spect.nii.gz")
    os.mkfifo(tmp_path / "bids" / "participants.tsv")
    os.mkfifo(tmp_path / "bids" / "sub-1" / "spect" / "sub-1_spect.json")
    assert open_path(tmp_path / "bids").uids == ["sub-1"]


# ------------------------------------------------------------ what an archive or a disc gives


def test_unsafe_names_of_files_give_safe_and_lasting_uids(tmp_path):
    save_small(tmp_path / "b c.nii.gz", 1)
    save_small(tmp_path / "b_c.nii.gz", 2)
    save_small(tmp_path / "[é] (1)" / "x.nii", 3)
    save_small(tmp_path / f"{'long' * 30}.nii.gz", 4)
    uids = open_path(tmp_path).uids
    assert uids == open_path(tmp_path).uids and all(map(is_safe_uid, uids))
    assert uids[1] == "b_c" and uids[0].startswith("b_c-") and len(set(uids)) == 4


def disc(folder: Path) -> Path:
    """Six patients as an archive writes them: exam, raw data, screen; names, brackets and UIDs."""
    uid = "1.2.840.113619.2.281.30105.1.{}.20200101101010.1234567"
    raw = {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}
    screen = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"}
    for number in range(6):
        who = {"PatientID": f"P{number}", "PatientName": f"DOE^JANE{'ABCDEF'[number]}"}
        who |= {"PatientBirthDate": f"1950010{number + 1}"}
        place = folder / f"DOE JANE {number} [1950010{number + 1}]" / "DaTSCAN (2020)"
        if number == 1:
            place = folder / uid.format(1) / uid.format(2) / uid.format(3)
        if number == 2:  # one file a slice
            save_series(place / "recon", small(number), AFFINE, **who)
        else:
            save_dicom(place / "IM 1", small(number), AFFINE, **who)
        save_dicom(place / "IM 2", small(9)[:8, :8], AFFINE, **who, **raw)
        save_dicom(place / "IM 3", small(9)[:8, :8], AFFINE, **who, **screen)
    save_directory(folder / "DICOMDIR")
    (folder / "AUTORUN.INF").write_text("[autorun]")
    return folder


def test_a_disc_of_six_patients_opens_with_six_exams(tmp_path, pydicom, capsys):
    cohort = open_path(disc(tmp_path / "CD"))
    assert cohort.left_out == {"DICOMDIR": 1, "raw projections": 6, "screen captures": 6}
    assert sorted(cohort.exams["subject"]) == [f"P{number}" for number in range(6)]
    said = " ".join(cohort.uids).lower()
    assert all(map(is_safe_uid, cohort.uids)) and "doe" not in said and "1950" not in said
    sums = {cohort.load(uid).data.sum() for uid in cohort}
    assert sums == {small(number).sum() for number in range(6)}
    shutil.move(tmp_path / "CD", tmp_path / "elsewhere")
    assert open_path(tmp_path / "elsewhere").uids == cohort.uids

    assert main(["data", "check", str(tmp_path / "elsewhere")]) == 0
    told = capsys.readouterr()
    *exams, last = told.out.splitlines()
    assert [line.split()[0] for line in exams] == cohort.uids
    assert last.endswith("no problem found in 6 exams")
    [left_out] = told.err.splitlines()
    assert "no exam: 1 DICOMDIR, 6 raw projections, 6 screen captures." in left_out


def test_a_person_s_name_in_a_safe_name_of_a_file_is_no_uid(tmp_path, pydicom):
    who = {"PatientName": "Doe^John", "PatientBirthDate": "19500131"}
    for name in ("DOE_john", "1950-01-31", "31.01.1950", "fine"):
        save_dicom(tmp_path / name / "IM1", small(), AFFINE, **who)
    uids = open_path(tmp_path).uids
    assert [uid.startswith("exam-") for uid in uids] == [True, True, True, False]


def test_a_folder_of_what_is_no_exam_says_so(tmp_path, pydicom):
    save_dicom(tmp_path / "a", small(), AFFINE, ImageType=["ORIGINAL", "PRIMARY", "TOMO"])
    [problem] = problems_of(tmp_path)
    assert "found none, 1 raw projections. Check the folder" in problem


# ------------------------------------------------------------ BIDS


def test_folders_of_persons_may_hold_dicom(tmp_path, pydicom):
    for person in ("sub-01", "sub-02"):
        save_dicom(tmp_path / person / "nm" / "scan.dcm", small(int(person[-1])), AFFINE)
    save_dicom(tmp_path / "sub-02" / "anat" / "t1.dcm", small(5), AFFINE, Modality="MR")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-01\t61\nsub-02\t70\n")
    cohort = open_path(tmp_path)
    assert cohort.uids == ["sub-01-nm-scan", "sub-02-nm-scan"]
    assert cohort.exams["subject"].tolist() == ["01", "02"]
    assert cohort.exams["age"].tolist() == [61, 70] and find_problems(cohort) == []


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    root = tmp_path / "bids"
    save_small(root / "sub-01" / "ses-1" / "spect" / "sub-01_ses-1_trc-FPCIT_spect.nii.gz", 1)
    save_small(root / "sub-01" / "ses-2" / "spect" / "sub-01_ses-2_trc-FPCIT_spect.nii.gz", 2)
    save_small(root / "sub-02" / "pet" / "sub-02_pet.nii", 3)
    save_small(root / "sub-02" / "anat" / "sub-02_T1w.nii.gz", 4)
    (root / "sub-02" / "pet" / "sub-02_pet.json").write_text(
        json.dumps({"TracerName": "ioflupane", "ManufacturersModelName": "Camera"})
    )
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tis_pathologic\nsub-01\t61\tF\t0\nsub-02\tn/a\tM\t1\n"
    )
    save_small(root / "derivatives" / "sub-01_spect.nii.gz", 5)
    return root


def test_a_bids_tree_opens_with_people_sessions_and_tracers(bids):
    cohort = datkit.open_cohort(bids)
    assert cohort.uids == ["sub-01_ses-1_trc-FPCIT", "sub-01_ses-2_trc-FPCIT", "sub-02"]
    assert cohort.exams["subject"].tolist() == ["01", "01", "02"]
    assert cohort.labels.tolist() == [0.0, 0.0, 1.0]
    assert np.array_equal(cohort.exams["age"], [61.0, 61.0, np.nan], equal_nan=True)
    assert find_problems(cohort) == [], "FPCIT and ioflupane are one tracer"
    assert len(cohort.subset(["sub-02"]).load("sub-02").shape) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\tage\n01\t3\n", "participant_id among them, found ['id', 'age']"),
        ("participant_id;age\nsub-01;3\n", "the separator is '\\t'"),
        ("participant_id\tage\tage\nsub-01\t3\t4\n", "expected distinct columns"),
        ("participant_id\tage\nsub-01\t3\t4\n", "expected 2 values in each line, found 3 in"),
        ("participant_id\tage\nsub-01\t3\nsub-01\t4\n", "several rows for 'sub-01'"),
        ("participant_id\tage\nsub-01\t" + "3" * 200_000, "participants.tsv: expected CSV"),
        ("", "participants.tsv, line 1: expected distinct columns"),
        ("participant_id\tis_pathologic\nsub-01\tyes\n", "0 or 1 in is_pathologic, found 'yes'"),
        ("participant_id\n\xff", "participants.tsv: expected CSV in UTF-8"),
    ],
)
def test_a_faulty_table_of_participants_is_named(bids, text, said):
    (bids / "participants.tsv").write_bytes(text.encode("latin-1"))
    assert said in problems_of(bids)[0]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_sidecar_costs_its_facts_only(bids, text):
    (bids / "sub-02" / "pet" / "sub-02_pet.json").write_text(text)
    assert pd.isna(open_path(bids).exams.loc["sub-02", "tracer"])


# ------------------------------------------------------------ PPMI


def test_a_ppmi_collection_opens_by_person_series_date_and_image(tmp_path, pydicom):
    root = tmp_path / "PPMI"
    visit = root / "3001" / "Reconstructed_DaTSCAN" / "2011-05-06_14_00_00.0"
    save_dicom(visit / "I239418" / "PPMI_3001_NM.dcm", small(1), AFFINE)
    save_small(root / "3002" / "DaTSCAN" / "2012-01-02_09_00_00.0" / "I7" / "x.nii", 2)
    mri = root / "3002" / "MPRAGE" / "2012-01-02_10_00_00.0" / "I8"
    for number in range(3):
        save_dicom(mri / f"{number}.dcm", small(3), AFFINE, Modality="MR")
    for source in (root, tmp_path):  # unpacked with or without a folder on top
        cohort = datkit.open_cohort(source)
        assert cohort.uids == ["3001-I239418", "3002-I7"]
        assert cohort.exams["subject"].tolist() == ["3001", "3002"]
        assert cohort.exams["date"].tolist() == ["2011-05-06", "2012-01-02"]
        assert cohort.exams["series"].tolist() == ["Reconstructed_DaTSCAN", "DaTSCAN"]
        assert cohort.labels.isna().all(), "a diagnosis is not a reading"
        assert find_problems(cohort) == []


def test_volumes_in_one_image_folder_have_names_of_their_own(tmp_path, pydicom):
    folder = tmp_path / "3001" / "DaTSCAN" / "2011-05-06_14_00_00.0" / "I1"
    for number in range(2):
        save_dicom(folder / f"{number}.dcm", small(number), AFFINE)
    cohort = open_path(tmp_path)
    assert len(cohort) == 2 and {uid[:8] for uid in cohort.uids} == {"3001-I1-"}
    assert {*cohort.exams["subject"]} == {"3001"}


def test_one_damaged_file_hides_no_other(tmp_path, pydicom):
    save_dicom(tmp_path / "good.dcm", small(), AFFINE)
    cut = save_dicom(tmp_path / "cut.dcm", small(), AFFINE)
    cut.write_bytes(cut.read_bytes()[:700])
    cohort = open_path(tmp_path)
    assert cohort.uids == ["cut", "good"]
    [problem] = find_problems(cohort)
    assert problem.where.endswith("cut.dcm")


# ------------------------------------------------------------ the drop-in


@pytest.fixture(scope="module")
def chosen(tiny_cohort):
    """Four exams of four acquisition families."""
    firsts = tiny_cohort.exams.groupby("centre").head(1).index
    return tiny_cohort.subset(firsts[:4])


def challenge(cohort, folder: Path) -> Path:
    (folder / "niftis").mkdir(parents=True)
    rows = "".join(f"{uid},{label:.1f}\n" for uid, label in cohort.labels.items())
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n" + rows)
    for uid in cohort:
        shutil.copy(cohort.path_of(uid), folder / "niftis")
    return folder


def ppmi(cohort, folder: Path) -> Path:
    for number, uid in enumerate(cohort):
        place = folder / str(3000 + number) / "DaTSCAN" / "2011-05-06_14_00_00.0" / f"I{number}"
        place.mkdir(parents=True)
        nib.save(nib.load(cohort.path_of(uid)), place / "exam.nii")
    return folder


def dicom(cohort, folder: Path) -> Path:
    for number, uid in enumerate(cohort):
        scan = cohort.load(uid)
        straight = np.diag([*scan.spacing, 1.0])  # a console exports slices along the body
        counts = (scan.data / scan.data.max() * 30_000).astype(np.uint16)
        person = {"PatientID": str(number), "DetectorInformationSequence": None}
        save_dicom(folder / f"{number}.dcm", counts, straight, **person)
    return folder


@pytest.mark.parametrize("lay_out", [challenge, ppmi, dicom], ids=lambda make: make.__name__)
def test_other_exams_go_the_same_way_as_the_built_in_ones(
    chosen, prepared_tiny, tmp_path, lay_out, pydicom
):
    folder = lay_out(chosen, tmp_path / "mine")

    cohort = datkit.open_cohort(folder)
    split = grouped_split(cohort, by="family", n_splits=2)
    prepared = prepare_cohort(cohort, n_jobs=1, progress=False)

    assert find_problems(cohort) == [] and len(cohort) == len(chosen)
    assert sorted(uid for fold in split.folds for uid in fold.test) == sorted(cohort.uids)
    assert prepared.uids == cohort.uids and prepared.failures == {}
    built_in = prepared_tiny.volumes[[prepared_tiny.uids.index(uid) for uid in chosen]]
    for mine, theirs in zip(prepared.volumes, built_in, strict=True):
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.97
        assert (
            np.corrcoef(mine[::-1].ravel(), theirs.ravel())[0, 1]
            < np.corrcoef(mine.ravel(), theirs.ravel())[0, 1]
        ), "left stays left"
