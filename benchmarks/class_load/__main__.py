"""A class of 20 teams at the real server: what is lost, how long a page takes, and 20 kills.

    python -m benchmarks.class_load

**Load**: each team is a client of its own and hands in ten submissions, one after the other as fast
as it can, each of them twice, and two more that the limit a day forbids; between them come wrong
tokens and files that are too large. Beside them, visitors open pages. **Kills**: the same, while
the server is killed (SIGKILL) at random moments and started again. Exams are small stand-ins, so
that runs in the sandbox are short; the server, its clients and the sandbox share one machine.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context
from operator import eq
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pandas as pd
import requests
import yaml

from benchmarks.class_load import EACH, KINDS, submission
from benchmarks.common.figures import Figure, describe_run, hash_code, print_figures, write_results
from benchmarks.common.run import RESULTS
from datkit.challenge import Classroom, init_class, make_board
from datkit.data.folder import open_folder
from datkit.io.scan import save_scan

EXAMS, CENTRES = 40, 8
BAR = 0.3  # seconds, of the 95th percentile of a page
VISITORS, PAUSE = 4, 0.25  # who open a page, and how long each waits before the next


def make_class(folder: Path, teams: int) -> dict[str, str]:
    """Make a challenge of small exams; return the teams' tokens."""
    rng, rows = np.random.default_rng(0), []
    for number in range(EXAMS):
        path = folder / "cohort" / "niftis" / f"e{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_scan(
            rng.integers(0, 900, (32, 36, 24)).astype(np.uint16), np.diag([6.0, 6, 6, 1]), path
        )
        rows.append((f"e{number}", number % 2, f"c{number // 2 % CENTRES}"))
    table = pd.DataFrame(rows, columns=["uid", "is_pathologic", "centre"]).set_index("uid")
    table[["is_pathologic"]].to_csv(folder / "cohort" / "train_labels.csv")
    table[["centre"]].to_csv(folder / "cohort" / "exams.csv")
    room = init_class(folder / "class", open_folder(folder / "cohort"))
    path = room.folder / "challenge.yaml"
    described = yaml.safe_load(path.read_text())
    described["limits"] |= {"a_day": EACH, "upload_mib": 1}
    path.write_text(yaml.safe_dump(described))
    room = Classroom.amend(room.folder)
    return {name: room.issue_token(name) for name in (f"team {n:02}" for n in range(teams))}


@dataclass
class Server:
    """The server as a class runs it: a process of its own, that may be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen | None = None

    @classmethod
    def of(cls, folder: Path) -> Server:
        """Choose a port for it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return cls(folder, free.getsockname()[1])

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it."""
        words = [sys.executable, "-m", "datkit.cli", "class", "serve", str(self.folder)]
        with (self.folder.parent / "said.log").open("ab") as log:
            self.process = subprocess.Popen([*words, "--port", str(self.port)], stderr=log)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def answers(self) -> bool:
        """Tell whether it answers, by waiting for a page."""
        with suppress(requests.RequestException):
            return requests.get(self.base, timeout=5).ok
        return False

    def wait(self) -> None:
        """Wait until it answers; it may have ended because an old worker held the port."""
        while not self.answers():
            if self.process is None or self.process.poll() is not None:
                self.start()
            time.sleep(0.1)


@dataclass
class Team:
    """A client: what it was told, by status."""

    base: str
    token: str
    contents: list[bytes]
    statuses: Counter = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)

    def post(self, content: bytes, token: str = "") -> requests.Response:
        """Hand in a file until the server answers."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        while True:
            with suppress(requests.RequestException):
                answer = requests.post(
                    f"{self.base}/submissions", files={"file": content}, headers=headers,
                    timeout=60, allow_redirects=False,
                )  # fmt: skip
                if answer.status_code not in (429, 503):
                    return answer
            time.sleep(0.1)

    def work(self) -> None:
        """Hand in all, each twice, and what must be refused."""
        for content in self.contents:
            places = {self.post(content).headers["location"] for _ in range(2)}
            self.places += places
            self.statuses["twice"] += len(places) == 1
        for answer in (
            *(self.post(b"uid\n%d" % n) for n in range(2)),
            self.post(b"x", token="wrong"),
            self.post(b"0" * 2**21),
        ):
            self.statuses[answer.status_code] += 1


def visit(base: str, token: str, stop: Callable[[], bool], tell: Callable[..., object]) -> None:
    """Open pages as a team does, and tell how long each took."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    own, pages = "/", cycle(("home", "board", "home", "findings"))
    while not stop():
        page = next(pages)
        started = time.monotonic()
        with suppress(requests.RequestException):
            path = {"home": "/", "board": "/board", "findings": own}[page]
            text = session.get(base + path, timeout=60).text
            tell((page, time.monotonic() - started))
            if found := re.search(r"/submissions/\d+", text):
                own = found[0]
        time.sleep(PAUSE)


def marked(room: Classroom) -> int:
    """Return how many submissions are marked."""
    return len([*room.record.of("marked")])


def run(folder: Path, tokens: dict[str, str], kills: int) -> tuple[list[Team], list, list[float]]:
    """Let the teams work at a server; return them, what pages took, and the load of the machine."""
    room, server = Classroom.open(folder), Server.of(folder)
    uids = room.uids(room.phase())
    teams = [
        Team(server.base, token, [submission(kind, t, n, uids, str(folder))
                                  for n, kind in enumerate(KINDS)])
        for t, token in enumerate(tokens.values())
    ]  # fmt: skip
    context, ended, loads = get_context("fork"), Event(), []
    stop, pages = context.Event(), context.SimpleQueue()
    server.wait()
    visitors = [
        context.Process(target=visit, args=(server.base, token, stop.is_set, pages.put))
        for token in [*tokens.values()][:VISITORS]
    ]
    took: list[tuple[str, float]] = []

    def drain() -> None:
        while not ended.is_set() or not pages.empty():
            while not pages.empty():
                took.append(pages.get())
            loads.append(os.getloadavg()[0])
            time.sleep(0.2)

    draining = Thread(target=drain)
    draining.start()
    for one in visitors:
        one.start()
    with ThreadPoolExecutor(len(teams)) as pool:
        work = [pool.submit(team.work) for team in teams]
        moments = random.Random(604)
        for _ in range(kills):
            server.wait()
            time.sleep(moments.uniform(0, 5))
            server.kill()
        server.wait()
        [one.result() for one in work]
    while marked(room) < len(teams) * EACH:
        time.sleep(0.2)
    stop.set()
    for one in visitors:
        one.join()
    ended.set()
    draining.join()
    shown = requests.get(f"{server.base}/board", timeout=60).text
    assert Classroom.open(folder).record.entries[-1]["hash"] in shown
    server.kill()
    return teams, took, loads


def rows(room: Classroom) -> dict[str, tuple]:
    """Return what a board says of each team."""
    shown = make_board(room).rows["public"]
    return {row.name: (row.rank, row.scores, row.submissions) for row in shown}


def kept(room: Classroom, teams: list[Team]) -> Iterator[Figure]:
    """Yield what must hold however a run went."""
    received, exact = [*room.record.of("received")], (len(teams) * EACH,) * 2
    every, known = (len(teams),) * 2, {one["sha256"] for one in received}
    files = [room.folder / "kept" / one["sha256"] / one["file"] for one in received]
    yield Figure("submissions acknowledged", sum(len({*t.places}) for t in teams), exact)
    yield Figure("submissions in the record", len(received), exact)
    yield Figure("different ones among them", len(known), exact)
    yield Figure("files kept", sum(map(Path.is_file, files)), exact)
    of = [one["of"] for one in room.record.of("marked")]
    right = sum(map(eq, of, (one["number"] for one in received)))
    yield Figure("marked, in the order in which they came", right, exact)
    again = len(of) - right + len(received) - right
    yield Figure("marked a second time, or never", again, (0, 0))
    told = Counter(tuple(sorted(team.statuses.items(), key=str)) for team in teams)
    as_asked = tuple(sorted({"twice": EACH, 409: 2, 403: 1, 413: 1}.items(), key=str))
    yield Figure("teams whose forbidden requests were refused", told[as_asked], every)
    predicted = {one["of"]: one["predictions"] for one in room.record.of("marked")}
    by_team: dict[str, list[dict]] = {}
    for one in received:
        by_team.setdefault(one["team"], []).append(predicted.get(one["number"], {}))
    pairs = [[*zip(KINDS, own, strict=False)] for own in by_team.values()]
    scored = sum(
        all(bool(values) != kind.startswith("broken") for kind, values in own if kind != "hostile")
        for own in pairs
    )
    yield Figure("teams with a score for all but broken ones", scored, every)
    hostile = [values for own in pairs for kind, values in own if kind == "hostile"]
    found = sum(1.0 in values.values() for values in hostile)
    yield Figure("hostile ones that reached a label or a network", found, (0, 0))


def timed(took: list[tuple[str, float]], loads: list[float]) -> Iterator[Figure]:
    """Yield how long pages took."""
    note = f"load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores"
    for page in ("", *sorted({name for name, _ in took})):
        of = [seconds for name, seconds in took if not page or name == page]
        aim = (None, None) if page else (None, BAR)
        name = f"a page, 95th percentile{page and f': {page}'}"
        yield Figure(name, float(np.percentile(of, 95)), aim, unit="s",
                     note=f"of {len(of)}, median {np.median(of):.3f} s; {note}")  # fmt: skip


def main() -> int:
    """Run both parts, print the figures and write them; return 1 if one does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_load", description=__doc__)
    parser.add_argument("--teams", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    sections = {}
    source = {
        "code_sha256": hash_code("benchmarks.class_load.__main__"),
        "versions": describe_run(),
    }
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        tokens = make_class(made, args.teams)
        boards = []
        for section, kills in (("load", 0), ("kills", args.kills)):
            started = time.monotonic()
            place = shutil.copytree(made / "class", Path(folder, section, "class"))
            teams, took, loads = run(place, tokens, kills)
            room = Classroom.open(place)
            boards.append(rows(room))
            figures = [*kept(room, teams)]
            if kills:
                same = sum(boards[0][name] == row for name, row in boards[1].items())
                figures += [Figure("times killed", kills), Figure("rows of the board that are the "
                            "same as without a kill", same, (len(boards[0]),) * 2)]  # fmt: skip
            else:
                figures += timed(took, loads)
            figures += [Figure("all of it", time.monotonic() - started, unit="s")]
            print(f"\n{section}")
            print_figures(figures)
            settings = {"teams": args.teams, "submissions": KINDS, "kills": kills, "exams": EXAMS}
            sections[section] = {"figures": [one.to_dict() for one in figures],
                                 "source": source | {"settings": settings}}  # fmt: skip
    write_results(args.out / "class-load.json", sections, "A class at its server")
    held = [one["holds"] for part in sections.values() for one in part["figures"]]
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
