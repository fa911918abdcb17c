"""What tests of the challenge share: a small cohort of eight centres, and challenges made of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import uvicorn
from class_server import Running
from exams import save_small

from datkit.challenge import Classroom, init_class, receive
from datkit.challenge.server import configure
from datkit.data import open_folder

EXAMS, CENTRES = 40, 8


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory):
    """Forty exams that only look like exams; an exam's name tells its label, as names often do."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(EXAMS):
        label = number % 2
        uid = f"{('HC', 'PD')[label]}-{number:03d}"
        save_small(folder / "niftis" / f"{uid}.nii.gz", seed=number)
        centre = f"centre-{number // 2 % CENTRES}"
        grade = 0 if label == 0 else 1 + number // 2 % 3
        rows.append((uid, label, centre, 0.9 - 0.6 * label - number / 1000, grade))
    names = ["uid", "is_pathologic", "centre", "weaker_posterior_putamen", "benamer"]
    table = pd.DataFrame(rows, columns=names).set_index("uid")
    table[["is_pathologic"]].to_csv(folder / "train_labels.csv")
    table[["centre"]].to_csv(folder / "exams.csv")
    table[["weaker_posterior_putamen", "benamer"]].to_csv(folder / "truth.csv")
    return open_folder(folder)


@pytest.fixture(scope="session")
def _made(cohort, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    return {name: init_class(folder / name, cohort, name).folder for name in ("class", "grades")}


@pytest.fixture
def room(_made: dict[str, Path], tmp_path: Path) -> Classroom:
    """The challenge of the example `class`, made anew for each test."""
    return Classroom.open(shutil.copytree(_made["class"], tmp_path / "class"))


@pytest.fixture
def graded(_made: dict[str, Path], tmp_path: Path) -> Classroom:
    """The challenge of the example `grades`."""
    return Classroom.open(shutil.copytree(_made["grades"], tmp_path / "grades"))


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a table of predictions for the open phase, as good as `skill` says, from -1 to 1."""

    def write(room: Classroom, skill: float = 0.8, seed: int = 0) -> Path:
        phase = room.phase()
        labels = pd.concat([room.labels[part]["label"] for part in phase.scored_on])
        noise = np.random.default_rng(seed).uniform(-0.08, 0.08, len(labels))
        values = 0.5 + (labels - 0.5) * skill + noise
        if room.challenge.task.predicts == "grade":
            values = labels if skill == 1 else (labels + 1) % 4
        path = tmp_path / f"{skill}-{seed}.csv"
        frame = pd.DataFrame({room.challenge.task.column: values})
        frame.to_csv(path, index_label="uid", lineterminator="\n")
        return path

    return write


@pytest.fixture
def hand_in(table) -> Callable[..., dict]:
    """Let a team hand in such a table."""

    def hand(room: Classroom, team: str = "alpha", skill: float = 0.8, seed: int = 0) -> dict:
        return receive(room, team, table(room, skill, seed))

    return hand


@pytest.fixture
def run() -> Iterator[Callable[[Classroom], Running]]:
    servers: list[tuple[uvicorn.Server, Thread]] = []

    def start(room: Classroom) -> Running:
        config = configure(room, "127.0.0.1", 0)
        one = uvicorn.Server(config)
        thread = Thread(target=one.run, daemon=True)
        thread.start()
        while not one.started:
            time.sleep(0.01)
        servers.append((one, thread))
        port = one.servers[0].sockets[0].getsockname()[1]
        pages = config.app.routes[0].endpoint.__self__
        return Running(room, f"http://127.0.0.1:{port}", pages.uploading)

    yield start
    for one, thread in servers:
        one.should_exit = True
        thread.join()


@pytest.fixture
def served(run, room) -> Running:
    return run(room)


@pytest.fixture
def content(table) -> Callable[..., bytes]:
    return lambda room, **how: table(room, **how).read_bytes()
