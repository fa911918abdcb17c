"""The exported bundle passes the check, keeps labels apart, and scores as the kit does."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from zips import save_zip

from datkit.challenge.codabench.check import check_bundle
from datkit.challenge.codabench.export import export_codabench
from datkit.challenge.ranking import score_draws
from datkit.errors import ChallengeError, UsageError

START = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.fixture
def bundle(room, tmp_path):
    """The bundle of the example `class`, and where it is unpacked."""
    assert export_codabench(room, tmp_path / "bundle.zip", start=START) == []
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def run_task(bundle: Path, number: int, submission: Path, folder: Path) -> dict[str, float]:
    """Do as Codabench's worker: ingestion, then scoring, in folders with its names below one."""
    settings = yaml.safe_load((bundle / "competition.yaml").read_text(encoding="utf-8"))
    task = settings["tasks"][number]
    places = {
        "/app/input_data": bundle / task["input_data"],
        "/app/ingested_program": submission,
        "/app/output": folder / "predictions",
    }
    _run(bundle / task["ingestion_program"], places)
    (folder / "input").mkdir(parents=True)
    (folder / "input" / "res").symlink_to(folder / "predictions")
    (folder / "input" / "ref").symlink_to(bundle / task["reference_data"])
    _run(bundle / task["scoring_program"], {"/app/input": folder / "input", "/app/output": folder})
    return json.loads((folder / "scores.json").read_text(encoding="utf-8"))


def _run(program: Path, places: dict[str, Path]) -> None:
    """Run the command of a program's metadata, with its folders where they are here."""
    command = yaml.safe_load((program / "metadata.yaml").read_text(encoding="utf-8"))["command"]
    places = {"/app/program": program} | places
    places[[*places][-1]].mkdir(parents=True, exist_ok=True)
    words = command.split()
    assert words[0] == "python3"
    for number, word in enumerate(words[1:], start=1):
        head = next(key for key in sorted(places, key=len, reverse=True) if word.startswith(key))
        words[number] = str(places[head]) + word.removeprefix(head)
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=program, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise RuntimeError(done.stderr)


def kit_scores(room, part: str, values: pd.Series) -> dict[str, float]:
    labels = room.labels[part]["label"]
    ones = np.ones((1, len(labels)))
    found = values[labels.index].to_numpy()
    return {
        metric.name: score_draws(metric, labels.to_numpy(), found, ones)[0]
        for metric in room.challenge.metrics
    }


def test_scores_are_the_kits(room, bundle, table, tmp_path):
    path = table(room, skill=0.4)
    handed_in = tmp_path / "handed_in"
    handed_in.mkdir()
    path.rename(handed_in / "submission.csv")
    scores = run_task(bundle, 0, handed_in, tmp_path / "work")
    values = pd.read_csv(handed_in / "submission.csv", index_col="uid")["is_pathologic"]
    wanted = kit_scores(room, "public", values)
    assert scores.keys() == wanted.keys() == {"log_loss", "auroc"}
    assert all(abs(scores[name] - wanted[name]) <= 1e-12 for name in wanted)


def test_code_is_run_on_the_exams_of_its_phase(room, bundle, tmp_path):
    handed_in = tmp_path / "handed_in"
    handed_in.mkdir()
    (handed_in / "main.py").write_text(
        "import csv, pathlib\n"
        "rows = [*csv.DictReader(open('data/submission_format.csv'))]\n"
        "out = csv.writer(open('submission.csv', 'w'))\n"
        "out.writerow(['uid', 'is_pathologic'])\n"
        "for row in rows:\n"
        "    assert pathlib.Path('data/niftis', row['uid'] + '.nii.gz').is_file()\n"
        "    out.writerow([row['uid'], 0.25])\n",
        encoding="utf-8",
    )
    (handed_in / "submission.csv").write_text("an old one", encoding="utf-8")
    scores = run_task(bundle, 1, handed_in, tmp_path / "work")
    labels = room.labels["private"]["label"]
    wanted = kit_scores(room, "private", pd.Series(0.25, labels.index))
    assert scores == pytest.approx(wanted, abs=1e-12)


def test_labels_lie_where_no_submission_reads(room, bundle):
    settings = yaml.safe_load((bundle / "competition.yaml").read_text(encoding="utf-8"))
    scored = {uid for part in room.labels.values() for uid in part.index}
    for task in settings["tasks"]:
        shown = bundle / task["input_data"]
        tables = [*shown.rglob("*.csv")]
        assert [one.name for one in tables] == ["submission_format.csv"]
        with tables[0].open(newline="") as stream:
            assert len({row["is_pathologic"] for row in csv.DictReader(stream)}) == 1
    kit = {path.name.partition(".")[0] for path in (bundle / "starting_kit").rglob("*.nii.gz")}
    assert kit and not kit & scored
    told = "".join(path.read_text() for path in (bundle / "starting_kit").rglob("*.csv"))
    labels = pd.read_csv(bundle / "starting_kit" / "train" / "train_labels.csv")
    assert not {*labels["uid"]} & scored and "PD-" not in told
    truth = pd.concat([pd.read_csv(one) for one in bundle.glob("reference_*/truth.csv")])
    assert {*truth["uid"]} == scored


def test_the_same_challenge_gives_the_same_bytes(room, tmp_path):
    for name in ("one.zip", "two.zip"):
        export_codabench(room, tmp_path / name, start=START)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_phases_follow_each_other(bundle):
    first, last = yaml.safe_load((bundle / "competition.yaml").read_text())["phases"]
    assert (first["start"], first["end"]) == ("2026-12-01 08:00:00", "2026-12-29 08:00:00")
    assert last["start"] == "2026-12-30 08:00:00" and "end" not in last
    assert (first["max_submissions"], first["max_submissions_per_day"]) == (None, 10)
    assert (last["max_submissions"], last["hide_output"]) == (1, True)


def test_a_challenge_without_dates_needs_a_start(room, tmp_path):
    with pytest.raises(UsageError, match="give --start"):
        export_codabench(room, tmp_path / "bundle.zip")
    assert not (tmp_path / "bundle.zip").exists()


def test_grades_are_scored_by_their_costs(graded, table, tmp_path):
    assert export_codabench(graded, tmp_path / "bundle.zip", start=START) == []
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    path, handed_in = table(graded, skill=0.5), tmp_path / "handed_in"
    handed_in.mkdir()
    path.rename(handed_in / "submission.csv")
    scores = run_task(tmp_path / "unpacked", 0, handed_in, tmp_path / "work")
    values = pd.read_csv(handed_in / "submission.csv", index_col="uid")["benamer"]
    assert scores == pytest.approx(kit_scores(graded, "public", values), abs=1e-12)


def _changed(room, **changes):
    """Return the room with a changed description."""
    from dataclasses import replace

    data = room.challenge.model_dump() | changes
    return replace(room, challenge=type(room.challenge).model_validate(data))


def test_private_scores_beside_public_ones_are_hidden(room, table, tmp_path):
    phase = {
        "name": "all",
        "title": "Both at once",
        "scored_on": ("public", "private"),
        "start": datetime(2026, 1, 1, tzinfo=UTC),
        "end": datetime(2096, 1, 1, tzinfo=UTC),
    }
    runtime = room.challenge.runtime.model_dump() | {"seconds": 10_800}
    both = _changed(room, phases=(phase,), runtime=runtime)
    problems = export_codabench(both, tmp_path / "bundle.zip")
    assert [problem.code for problem in problems] == ["phase-time-limit"]
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    settings = yaml.safe_load((tmp_path / "unpacked" / "competition.yaml").read_text())
    columns = {one["key"]: one["hidden"] for one in settings["leaderboards"][0]["columns"]}
    path, handed_in = table(both), tmp_path / "handed_in"
    handed_in.mkdir()
    path.rename(handed_in / "submission.csv")
    scores = run_task(tmp_path / "unpacked", 0, handed_in, tmp_path / "work")
    values = pd.read_csv(handed_in / "submission.csv", index_col="uid")["is_pathologic"]
    private = kit_scores(both, "private", values)
    wanted = kit_scores(both, "public", values) | {f"private_{k}": v for k, v in private.items()}
    assert scores == pytest.approx(wanted, abs=1e-12)
    assert columns == {name: name.startswith("private") for name in wanted}


def test_a_metric_that_the_program_lacks_is_refused(room, tmp_path):
    metrics = ({"name": "log_loss", "title": "a"}, {"name": "calibration_slope", "title": "b"})
    with pytest.raises(ChallengeError, match="found calibration_slope"):
        export_codabench(_changed(room, metrics=metrics), tmp_path / "bundle.zip", start=START)


def test_words_of_an_organiser_cannot_break_the_settings(room, tmp_path):
    odd = _changed(room, title='"Beans": {a} # & *b', summary="Line\nline: {{ 7 * 7 }}")
    assert export_codabench(odd, tmp_path / "bundle.zip", start=START) == []
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        settings = yaml.safe_load(archive.read("competition.yaml"))
    assert settings["title"] == '"Beans": {a} # & *b'
    assert settings["description"] == "Line\nline: {{ 7 * 7 }}"


def test_a_changed_bundle_is_checked_as_any(room, tmp_path):
    export_codabench(room, tmp_path / "bundle.zip", start=START)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["competition.yaml"] = members["competition.yaml"].replace(b"reference_final", b"truth")
    save_zip(tmp_path / "bundle.zip", members)
    problems = check_bundle(tmp_path / "bundle.zip")
    assert [(one.code, one.where) for one in problems] == [
        ("data-missing", "tasks[1].reference_data")
    ]
