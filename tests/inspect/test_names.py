"""What a member's name tells: where main.py lies, and what does not belong there."""

from __future__ import annotations

import pytest

FINE = {
    "a_template_volume": ("assets/template.nii.gz", b"\x1f\x8b"),
    "a_folder_entry": ("weights/", b""),
}
FAULTS = {
    "a_notebook": ("notebook", "explore.ipynb", "{}"),
    "a_data_folder": ("data-folder", "data/readme.txt", ""),
    "an_old_submission_csv": ("old-predictions", "submission.csv", "id,value\n"),
    "an_exam": ("volumes", "cache/niftis/007.nii.gz", b"\x1f\x8b"),
    "a_dicom": ("volumes", "assets/IM0001.dcm", b"DICM"),
    "a_repository": ("version-control", ".git/HEAD", ""),
    "a_key": ("secret", "config/.env", ""),
    "a_log": ("run-logs", "training.log", ""),
    "events": ("run-logs", "events.out.tfevents.1.desk", ""),
    "a_note_of_a_mac": ("litter", "._main.py", b"\0\5\x16\7"),
    "a_folder_of_a_mac": ("litter", "__MACOSX/x", ""),
    "an_environment": ("environment", "env/pyvenv.cfg", ""),
    "a_tar": ("nested-archive", "weights.TAR.gz", ""),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_not_flagged(name, codes):
    assert codes(FINE[name]) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_code(name, codes):
    code, path, content = FAULTS[name]
    assert codes((path, content)) == [code]


def test_many_files_of_one_fault_are_one_finding(pack):
    from datkit.inspect import check_submission

    [problem] = check_submission(pack(*((f"{n}.log", "") for n in range(3))))
    assert (problem.where, problem.found) == ("member '0.log'", "it and 2 more")


def test_many_volumes_are_a_data_set(codes):
    volumes = [(f"assets/{index}.nii.gz", b"") for index in range(6)]
    assert codes(*volumes[:5]) == []
    assert codes(*volumes) == ["volumes"]


MAINS = {
    "kit/main.py": "main-nested",
    "a/b/main.py": "main-nested",
    "Main.py": "main-case",
    "MAIN.PY": "main-case",
    "main.py/run.py": "main-folder",
    "train.py": "main-missing",
}


@pytest.mark.parametrize("name", MAINS)
def test_main_must_be_at_the_root(name, codes):
    assert codes((name, ""), main=None) == [MAINS[name]]
