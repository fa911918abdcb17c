"""A challenge made from a cohort: shared out by centre, and the labels in nobody's reach."""

from __future__ import annotations

import gzip
import shutil
import warnings
from datetime import UTC, datetime, timedelta

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from datkit.challenge import Classroom, board_page, init_class, make_board
from datkit.challenge.description import EXAMPLES
from datkit.challenge.record import Record
from datkit.data import open_folder
from datkit.errors import ChallengeError, ChecksumError, CohortError, UsageError
from datkit.files import sha256_file
from datkit.io.scan import save_scan

PRIVATE = ("labels", "kept", "private")


def test_it_has_three_parts_of_whole_centres(room, cohort):
    labels = room.folder / "labels"
    train = pd.read_csv(labels / "train.csv", index_col="uid")
    parts = [train, *room.labels.values()]
    centres = [{*part["centre"]} for part in parts]
    assert sum(map(len, parts)) == len(cohort) and sum(map(len, centres)) == 8
    assert [len(part) for part in parts] == [20, 10, 10]
    truth = cohort.labels
    for part in parts:
        assert all(
            truth[old] == label for old, label in zip(part["was"], part["label"], strict=True)
        )


def test_what_teams_get_can_be_opened_and_tells_no_label_of_a_test_exam(room, cohort):
    train = open_folder(room.folder / "train")
    assert len(train) == 20 and "centre" in train.exams
    for part, table in room.labels.items():
        given = open_folder(room.folder / part, require_labels=False)
        assert given.uids == [*table.index] and given.labels.isna().all()
        assert {path.name for path in given.folder.iterdir()} == {"niftis", "submission_format.csv"}
    parts = [room.folder / part for part in ("train", *room.labels)]
    told = [str(path) for part in parts for path in part.rglob("*")]
    told += [path.read_text() for part in parts for path in part.glob("*.csv")]
    assert not [uid for uid in cohort.uids if uid in " ".join(told)]


def test_labels_and_submissions_are_for_one_person_alone(room):
    modes = {name: (room.folder / name).stat().st_mode & 0o777 for name in PRIVATE}
    assert {*modes.values()} == {0o700}
    assert (room.folder / "record.jsonl").stat().st_mode & 0o777 == 0o600


def test_labels_that_were_changed_are_found_out(room):
    path = room.folder / "labels" / "private.csv"
    path.write_text(path.read_text().replace(",1,", ",0,"))
    with pytest.raises(ChecksumError, match="as the record says"):
        make_board(Classroom.open(room.folder))


def test_names_are_new_each_time(cohort, room, tmp_path):
    again = init_class(tmp_path / "again", cohort)
    was = [[*one.labels[part]["was"]] for part in room.labels for one in (room, again)]
    assert was[0] != was[1] and was[2] != was[3]


def test_a_packed_file_forgets_the_name_that_it_had(cohort, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.folder, folder)
    for path in (folder / "niftis").iterdir():
        content = gzip.decompress(path.read_bytes())
        with path.open("wb") as raw, gzip.GzipFile(path.name[:-3], "wb", fileobj=raw) as stream:
            stream.write(content)
        assert path.stem.encode() in path.read_bytes()[:40]
    made = init_class(tmp_path / "made", open_folder(folder))
    for path in made.folder.glob("*/niftis/*"):
        assert not {b"PD-", b"HC-"} & {path.read_bytes()[n : n + 3] for n in range(60)}
        assert open_folder(path.parents[1], require_labels=False).load(path.name[:-7]).shape


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_header_forgets_its_texts(cohort, tmp_path, kind):
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.folder, folder)
    before = {uid: cohort.load(uid) for uid in cohort.uids}
    for path in (folder / "niftis").iterdir():
        image = kind.from_image(nib.load(path))
        for name in ("descrip", "aux_file", "intent_name"):
            image.header[name] = f"{path.name[:6]} {name}"
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", path.name.encode()))
        nib.save(image, path)
    made = init_class(tmp_path / "made", open_folder(folder))
    old = pd.concat([pd.read_csv(path) for path in made.folder.glob("labels/*.csv")])
    for path in made.folder.glob("*/niftis/*"):
        assert not any(word in gzip.decompress(path.read_bytes()) for word in (b"PD-", b"HC-"))
        was = old.set_index("uid")["was"][path.name[:-7]]
        np.testing.assert_array_equal(nib.load(path).get_fdata(), before[was].data)
        np.testing.assert_array_equal(nib.load(path).affine, before[was].affine)


def test_nothing_but_voxels_and_affine_comes_along(cohort, tmp_path):
    """Two cohorts that differ in all else that a file can hold give the same bytes."""
    folder = tmp_path / "cohort"
    shutil.copytree(cohort.folder, folder)
    for number, path in enumerate(sorted((folder / "niftis").iterdir())):
        image = nib.load(path)
        for name in ("cal_max", "intent_p1", "toffset", "glmax", "extents"):
            image.header[name] = number
        content = image.to_bytes() + b"PD-%d" % number
        path.write_bytes(gzip.compress(content, mtime=number))
    made = init_class(tmp_path / "made", open_folder(folder))
    old = pd.concat([pd.read_csv(path) for path in made.folder.glob("labels/*.csv")])
    was = old.set_index("uid")["was"]
    for path in made.folder.glob("*/niftis/*"):
        scan = cohort.load(was[path.name[:-7]])
        assert path.read_bytes() == save_scan(scan.data, scan.affine, tmp_path / "x").read_bytes()


def test_a_description_that_was_changed_is_told_until_it_is_on_record(room):
    path, before = room.folder / "challenge.yaml", room.record.head
    path.write_text(path.read_text().replace("step: 0.01", "step: 0.5"))
    with pytest.raises(ChallengeError, match="as the record says, found .* datkit class amend"):
        Classroom.open(room.folder)
    changed = Classroom.amend(room.folder)
    assert changed.challenge.limits.step == 0.5 and changed.record.head != before
    assert changed.described in board_page(make_board(Classroom.open(room.folder)))


def test_a_record_that_has_no_description_yet_says_how_to_add_it(room):
    path = room.folder / "record.jsonl"
    path.unlink()
    Record(path).add("made", sha256={})
    with pytest.raises(ChallengeError, match="expected sha256 .none., .* datkit class amend"):
        Classroom.open(room.folder)
    assert Classroom.amend(room.folder).described == sha256_file(room.folder / "challenge.yaml")


def test_controls_are_in_the_record(room, graded):
    names = [entry["name"] for entry in room.record.of("control")]
    assert sorted(names) == ["constant", "oracle", "scanner only"]
    [constant] = graded.record.of("control")
    assert {*constant["predictions"].values()} == {1}  # the grade whose errors cost least
    tested = {uid for table in room.labels.values() for uid in table.index}
    assert all({*entry["predictions"]} == tested for entry in room.record.of("control"))


@pytest.mark.parametrize("holds", ["a file", "a folder that holds something"])
def test_nothing_is_overwritten(cohort, tmp_path, holds):
    place = tmp_path / "taken"
    if holds == "a file":
        place.write_text("mine")
    else:
        (place / "mine").mkdir(parents=True)
    with pytest.raises(UsageError, match="Expected a new or empty folder"):
        init_class(place, cohort)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_what_cannot_be_made_leaves_nothing(cohort, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("datkit.challenge.classroom.save_scan", fail)
    with pytest.raises(OSError, match="no space"):
        init_class(tmp_path / "class", cohort)
    assert [*tmp_path.iterdir()] == []


def test_a_cohort_without_the_labels_is_refused(cohort, tmp_path):
    bare = cohort.subset(cohort.uids)
    object.__setattr__(bare, "truth", None)
    with pytest.raises(ChallengeError, match="expected a column benamer with the numbers 0 to 3"):
        init_class(tmp_path / "class", bare, "grades")


@pytest.mark.parametrize("unknown", ["", "not read"])
def test_a_truth_that_does_not_know_every_exam_is_no_oracle(cohort, tmp_path, unknown):
    folder = shutil.copytree(cohort.folder, tmp_path / "cohort")
    truth = (folder / "truth.csv").read_text().splitlines()
    truth[1] = f"{truth[1].split(',')[0]},{unknown},0"
    (folder / "truth.csv").write_text("\n".join([*truth, ""]))
    made = init_class(tmp_path / "class", open_folder(folder))
    assert sorted(one["name"] for one in made.record.of("control")) == ["constant", "scanner only"]


def test_a_part_without_a_class_is_refused(cohort, tmp_path):
    few = cohort.subset([uid for uid in cohort.uids if uid.startswith("HC") or "1" in uid])
    exams = few.exams.assign(centre=[f"c{uid[:2]}{n % 4}" for n, uid in enumerate(few.uids)])
    object.__setattr__(few, "exams", exams)
    with pytest.raises(ChallengeError, match="expected exams of every class, found none that is"):
        init_class(tmp_path / "class", few)


def test_a_cohort_without_centres_says_what_to_do(cohort, tmp_path):
    unnamed = cohort.subset(cohort.uids)
    object.__setattr__(unnamed, "exams", cohort.exams.drop(columns="centre"))
    with pytest.raises(CohortError, match="or group by 'family'"):
        init_class(tmp_path / "class", unnamed)
    description = yaml.safe_load((EXAMPLES / "class.yaml").read_text())
    description["data"]["together"] = None
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump(description))
    assert len(init_class(tmp_path / "class", unnamed, path).labels["public"]) == 10


def test_few_exams_are_shared_out_without_a_warning(cohort, tmp_path):
    few = cohort.subset([*cohort.uids[:24:2], *cohort.uids[1:18:2]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = init_class(tmp_path / "class", few, "dat-park")
    assert all({*table["label"]} == {0, 1} for table in made.labels.values())


def test_another_folder_is_no_challenge(tmp_path):
    with pytest.raises(UsageError, match="make one with datkit class init"):
        Classroom.open(tmp_path)


@pytest.mark.parametrize("left", ["", '{"kind": "made", "sha', None])
def test_a_record_that_was_cut_to_nothing_is_told(room, left):
    room.record.path.unlink() if left is None else room.record.path.write_text(left)
    with pytest.raises(UsageError, match=r"found no record\.jsonl of one"):
        Classroom.open(room.folder)
    assert left is None or room.record.path.read_text() == left


def test_phases_are_closed_by_hand_one_after_the_other(room):
    assert [room.close().name, room.is_over(), room.close().name, room.is_over()] == [
        "learning", False, "final", True,
    ]  # fmt: skip
    assert room.phase() is None
    with pytest.raises(ChallengeError, match="expected an open phase to close, found none"):
        room.close()


def test_phases_with_dates_open_and_close_by_the_clock(room):
    path = room.folder / "challenge.yaml"
    description = yaml.safe_load(path.read_text())
    start, middle = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    ends = [time.isoformat() for time in (start, middle, middle + timedelta(days=2))]
    for number, phase in enumerate(description["phases"]):
        phase |= {"start": ends[number], "end": ends[number + 1]}
    path.write_text(yaml.safe_dump(description))
    room = Classroom.amend(room.folder)
    names = [
        (phase := room.phase(start + timedelta(days=days))) and phase.name
        for days in (-1, 0, 30, 31, 32, 33)
    ]
    assert names == [None, "learning", "learning", "final", "final", None]
    assert not room.is_over(middle) and room.is_over(middle + timedelta(days=2))
