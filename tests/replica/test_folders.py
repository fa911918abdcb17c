"""A replica's folders: the code as it was packed, the exams asked for, read-only, and no labels."""

from __future__ import annotations

import json

import pytest
from zips import save_zip

from datkit.data import open_folder
from datkit.errors import SubmissionError
from datkit.inspect.submission import Submission
from datkit.replica.folders import Settings, build_replica
from datkit.replica.sandbox import Limits

MEMBERS = {"main.py": "x = 1", "weights/a.json": "{}", "data/old.csv": "uid"}


@pytest.fixture
def build(cohort_folder, tmp_path):
    """Build a replica of two exams."""

    def act(members=MEMBERS, **settings):
        cohort = open_folder(cohort_folder)
        with Submission(save_zip(tmp_path / "a.zip", members)) as submission:
            return build_replica(
                submission, cohort, ["12", "007"], tmp_path / "run", Settings(**settings)
            )

    return act


def test_it_holds_the_code_the_exams_in_order_and_no_label(build, cohort_folder):
    replica = build()
    files = {path for path in replica.code.rglob("*") if path.is_file()}
    assert {path.relative_to(replica.code).as_posix() for path in files} == {
        "main.py",
        "weights/a.json",
        "data/submission_format.csv",
        "data/niftis/007.nii.gz",
        "data/niftis/12.nii.gz",
    }
    table = (replica.data / "submission_format.csv").read_text()
    assert table == "uid,is_pathologic\n12,0.0\n007,0.0\n"
    for uid in replica.uids:
        copy, exam = (
            folder / "niftis" / f"{uid}.nii.gz" for folder in (replica.data, cohort_folder)
        )
        assert copy.read_bytes() == exam.read_bytes()


def test_the_data_are_read_only_and_all_is_readable(build):
    replica = build()
    modes = {path: path.stat().st_mode & 0o777 for path in [replica.code, *replica.code.rglob("*")]}
    assert all(mode & 0o444 == 0o444 for mode in modes.values())
    inside = {mode for path, mode in modes.items() if path.is_relative_to(replica.data)}
    assert inside == {0o555, 0o444}


def test_what_changes_is_named(build):
    replica = build()
    assert replica.changed_data() == []
    exam, format_csv = replica.data / "niftis" / "12.nii.gz", replica.data / "submission_format.csv"
    for path in (exam, format_csv, exam.parent, replica.data):
        path.chmod(0o755)
    exam.unlink()
    format_csv.write_text("uid\n")
    (replica.data / "link").symlink_to("niftis/007.nii.gz")
    assert replica.changed_data() == ["link", "niftis/12.nii.gz", "submission_format.csv"]


@pytest.mark.parametrize("level", ["plain", "bubblewrap", "docker"])
def test_the_settings_say_where_things_lie_for_the_run(level, build):
    replica = build(level=level, limits=Limits(memory=2**30, disk=2**20))
    settings = json.loads((replica.folder / "hooks" / "settings.json").read_text())
    root = str(replica.folder) if level == "plain" else ""
    assert settings["code"] == f"{root}/code_execution"
    assert settings["environment"]["TMPDIR"] == f"{root}/tmp"
    assert settings["environment"]["IS_SMOKE_TEST"] == "1"
    assert (settings["memory"], settings["disk"], settings["seconds"]) == (2**30, 2**20, 360)
    assert ("datkit" in settings["hidden"]) == (level != "docker")


def test_an_unsafe_zip_is_not_unpacked(build, tmp_path):
    with pytest.raises(SubmissionError, match="main.py"):
        build({"mine/main.py": ""})
    assert not (tmp_path / "run" / "code_execution").exists()
