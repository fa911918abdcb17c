"""What readers handed in: merged as Python's own count has it, and refused for each fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from campaigns import SECRET, answer, campaign, file_of, prepared, write

import datkit
from datkit.cli import main
from datkit.errors import ReadingError, UsageError
from datkit.files import write_sealed
from datkit.reading import init_campaign, merge_readers

COUNT = 44


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign") / "room"


@pytest.fixture(scope="module")
def key(room: Path) -> dict:
    settings = {"repeated": 0.2, "seed": 3}
    return init_campaign(campaign(4, **settings), prepared(COUNT), room, SECRET)


def handed(folder: Path, key: dict) -> list[Path]:
    return [write(folder, file_of(key, reader)) for reader in key["readers"]]


def codes(room: Path, files: list[Path]) -> list[str]:
    with pytest.raises(ReadingError) as raised:
        merge_readers(room, files, n_boot=5)
    return [problem.code for problem in raised.value.problems]


def test_labels_are_those_of_the_majority_and_a_tie_has_none(
    room: Path, key: dict, tmp_path: Path
) -> None:
    merged = merge_readers(room, handed(tmp_path, key), n_boot=20)
    calls = pd.DataFrame({reader: {uid: answer(uid, reader, False)[0] for uid in
                                   merged.labels.index} for reader in key["readers"]})  # fmt: skip
    votes = calls.sum(axis=1)
    assert (merged.labels["votes"] == votes).all() and set(votes) >= {0, 2, 4}
    assert (merged.labels["is_pathologic"].isna() == (votes == 2)).all()
    assert (merged.labels["share"] == votes / 4).all()
    assert set(merged.disputed.index) == set(votes[votes.between(1, 3)].index)
    assert merged.disputed["votes"].iloc[0] == 2  # the nearest to a tie
    merged.write(tmp_path / "out")
    decided = pd.read_csv(tmp_path / "out" / "train_labels.csv")
    assert list(decided.columns) == ["uid", "is_pathologic"]
    assert len(decided) == (votes != 2).sum() and decided["is_pathologic"].isin([0, 1]).all()
    assert json.loads((tmp_path / "out" / "agreement.json").read_text()).keys() == {"call", "grade"}


def test_the_table_of_labels_is_one_that_a_cohort_takes(
    room: Path, key: dict, tmp_path: Path
) -> None:
    merged = merge_readers(room, handed(tmp_path, key), n_boot=5)
    merged.write(cohort := tmp_path / "cohort")
    for uid in pd.read_csv(cohort / "train_labels.csv")["uid"]:
        (cohort / "niftis").mkdir(exist_ok=True)
        (cohort / "niftis" / f"{uid}.nii.gz").write_bytes(b"x")
    labels = datkit.open_cohort(cohort).labels
    assert labels.to_dict() == merged.labels["is_pathologic"].dropna().to_dict()


def flip(values: dict) -> None:
    values["call"] = 1 - values["call"]


# What a person does to a file in an editor, and what is said to it.
EDITS: dict[str, tuple[Callable[[dict], object], str]] = {
    "a call": (lambda c: flip(c["answers"][4]["answers"]), "edited"),
    "a note": (lambda c: c["answers"][0].update(note="x"), "edited"),
    "a time": (lambda c: c["answers"][0].update(ms=1), "edited"),
    "two moved": (lambda c: c["answers"].insert(0, c["answers"].pop()), "edited"),
    "one left out": (lambda c: c["answers"].pop(), "answer-missing"),
    "one twice": (lambda c: c["answers"].append(c["answers"][0]), "answer-twice"),
    "a code": (lambda c: c["answers"][2].update(code="XXXX"), "code-unknown"),
    "a class": (lambda c: c["answers"][2]["answers"].update(grade=7), "class-unknown"),
    "the end": (lambda c: c.update(closed="2027"), "edited"),
    "the reader": (lambda c: c.update(reader="reader-2"), "edited"),
    "a stranger": (lambda c: c.update(reader="nobody"), "not-of-campaign"),
    "a campaign": (lambda c: c.update(campaign="0" * 16), "not-of-campaign"),
    "no answers": (lambda c: c.update(answers=7), "not-of-campaign"),
    "no text": (lambda c: c["answers"][0].update(note="\ud800"), "edited"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_file_that_was_edited_is_noticed(
    room: Path, key: dict, tmp_path: Path, name: str
) -> None:
    edit, code = EDITS[name]
    content = file_of(key, "reader-1")
    edit(content)
    assert code in codes(room, [write(tmp_path, content)])


def test_who_has_the_key_of_the_page_is_not_noticed(room: Path, key: dict, tmp_path: Path) -> None:
    """What the seal cannot do, as the pages say."""
    edit, _ = EDITS["a call"]
    forged = file_of(key, "reader-1", change=edit)
    assert len(merge_readers(room, [write(tmp_path, forged)], n_boot=5).labels) == COUNT


def test_all_problems_of_all_files_are_told_at_once(room: Path, key: dict, tmp_path: Path) -> None:
    files = handed(tmp_path, key)
    files.append(write(tmp_path, json.loads(files[0].read_text()), "copy"))
    short = file_of(key, "reader-2", change=lambda content: content["answers"].pop())
    write(tmp_path, short)
    files.append(write(tmp_path, [1, 2], "list"))
    files.append(tmp_path / "absent.json")
    found = codes(room, files)
    assert found == ["not-of-campaign", "not-of-campaign", "reader-twice", "answer-missing"]


def test_a_file_that_is_not_there_is_told_in_words(room: Path, key: dict, tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match=r"gone\.json: .* found No such file or directory\."):
        merge_readers(room, [tmp_path / "gone.json"])


def test_a_folder_without_its_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a campaign's folder"):
        merge_readers(tmp_path, [])


def test_another_sealed_file_is_no_key(tmp_path: Path) -> None:
    write_sealed(tmp_path / "key.json", {"format": "another"})
    with pytest.raises(UsageError, match="a campaign's folder"):
        merge_readers(tmp_path, [])


def test_half_a_character_in_a_note_is_written(room: Path, key: dict, tmp_path: Path) -> None:
    """An old browser cuts a note amid an emoji."""
    content = file_of(key, "reader-1", change=lambda c: c["answers"][0].update(note="so \ud83d"))
    merge_readers(room, [write(tmp_path, content)], n_boot=5).write(tmp_path / "out")
    assert r"so \ud83d" in (tmp_path / "out" / "readings.csv").read_text(encoding="utf-8")


def test_one_reader_is_told_as_one(room: Path, key: dict, tmp_path: Path, capsys) -> None:
    file = write(tmp_path, file_of(key, "reader-1"))
    words = ["readers", "merge", str(room), "--answers", str(file), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"{COUNT} exams, 0 disputed, read by reader-1\n" in said
    assert "of one reader" in said and "nan" not in said
