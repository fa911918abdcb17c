"""The class's server over real connections: what teams may do, and what nobody may."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from threading import Event

import pytest
import requests
import yaml
from class_server import Team

from datkit.challenge import Classroom, make_board, mark_next, server
from datkit.challenge.marking import waiting
from datkit.errors import UsageError


def words(page: requests.Response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.text).split())


def test_a_team_s_day(served, content):
    alpha = served.team("alpha")
    assert "Enter" in alpha.session.get(served.base, timeout=10).text
    assert "You have handed in nothing yet." in words(alpha.get("/"))
    answer = alpha.upload(content(served.room))
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert "waiting, place 1 of 1" in words(alpha.get("/"))
    assert "Not marked yet" in words(alpha.get(place))
    served.mark()
    assert re.search(r"log loss 0\.\d\d", words(alpha.get("/")))
    assert re.search(r"rounded to steps of 0\.\d{3};", words(alpha.get("/")))
    assert "no problem found" in words(alpha.get(place))
    assert "alpha" in words(alpha.get("/board"))


def test_all_findings_are_shown_at_once(served):
    alpha = served.team("alpha")
    place = alpha.upload(b"uid,p\nexam-9999,2\n").headers["location"]
    served.mark()
    page = words(alpha.get(place))
    assert "header" in page and "uid-unknown" in page and "uid-missing" in page
    assert "no score: look at the findings" in words(alpha.get("/"))


def test_a_token_is_kept_in_the_browser_and_in_no_file(served):
    token = served.room.issue_token("alpha")
    browser = requests.Session()
    answer = browser.post(
        served.base + "/enter", data={"token": token}, timeout=10, allow_redirects=False
    )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert "Team alpha" in browser.get(served.base, timeout=10).text
    kept = b"".join(p.read_bytes() for p in served.room.folder.rglob("*") if p.is_file())
    assert token.encode() not in kept


def test_a_new_token_takes_the_place_of_the_old_one(served):
    old, new = (served.team("alpha") for _ in range(2))
    assert (old.upload(b"").status_code, new.upload(b"").status_code) == (403, 303)


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9", "0" * 64, "a" * 5000])
def test_who_has_no_token_gets_nothing(served, content, token, caplog):
    served.team("alpha")
    stranger = Team(served.base, token.encode().decode("latin-1"))
    for path in ("/data/train.zip", "/data/public.zip", "/submissions/1"):
        assert stranger.get(path).status_code == 403
    assert stranger.upload(content(served.room)).status_code == 403
    assert stranger.post("/questions", data={"text": "?"}).status_code == 403
    assert "Hand in" not in stranger.get("/").text
    assert sum("refused" in record.message for record in caplog.records) == 5
    assert not list(served.room.record.of("received", "asked"))


def test_nothing_of_a_team_s_is_seen_by_another(served, content):
    alpha, beta = served.team("alpha"), served.team("beta")
    place = alpha.upload(content(served.room), "our idea.csv").headers["location"]
    served.mark()
    other, none = beta.get(place), beta.get("/submissions/999")
    assert other.status_code == none.status_code == 404 and other.text == none.text
    seen = beta.get("/").text + beta.get("/board").text
    digest = next(served.room.record.of("received"))["sha256"]
    assert "our idea" not in seen and digest not in seen and place not in seen


LABELS = [
    "/labels/public.csv",
    "/data/labels.zip",
    "/data/private.zip",
    "/data/kept.zip",
    "/record.jsonl",
    "/data/..%2flabels%2fpublic.zip",
    "/data/../labels/public.csv",
    "/data/%2e%2e/labels/public.csv",
    "/data/train.zip/../../labels/public.csv",
    "/challenge.yaml",
    "/data/labels%00.zip",
    "//labels/",
    "/data/%5c..%5clabels.zip",
    "/submissions/../labels/public.csv",
    "/static/../labels/public.csv",
]


@pytest.mark.parametrize("path", LABELS)
def test_no_address_leads_to_labels(served, path):
    alpha, port = served.team("alpha"), int(served.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as raw:  # a client would tidy the path
        asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {alpha.token}\r\n"
        raw.sendall((asked + "Connection: close\r\n\r\n").encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] == b"404" and b"uid," not in answer and b"PD-" not in answer


def test_what_is_given_out_holds_no_label_of_a_test_exam(served):
    alpha = served.team("alpha")
    tested = {uid for table in served.room.labels.values() for uid in table.index}
    for part in ("train", "public"):
        with zipfile.ZipFile(io.BytesIO(alpha.get(f"/data/{part}.zip").content)) as archive:
            names = archive.namelist()
            text = "".join(archive.read(n).decode() for n in names if n.endswith(".csv"))
        assert "PD-" not in text + " ".join(names) and not any(".." in name for name in names)
        if part == "train":
            assert not [uid for uid in tested if uid in text + " ".join(names)]
        else:
            assert {*text.split()[1:]} == {f"{u},0" for u in served.room.labels["public"].index}


def test_private_exams_are_given_out_in_the_final_test_alone(served):
    alpha = served.team("alpha")
    assert alpha.get("/data/private.zip").status_code == 404
    served.room.close()
    assert alpha.get("/data/private.zip").status_code == 200
    served.room.close()
    assert alpha.get("/data/private.zip").status_code == 404


def test_an_upload_beyond_the_limit_ends_at_the_limit(run, room):
    path = room.folder / "challenge.yaml"
    description = yaml.safe_load(path.read_text())
    description["limits"]["upload_mib"] = 1
    path.write_text(yaml.safe_dump(description))
    served = run(Classroom.amend(room.folder))
    alpha, sent = served.team("alpha"), 0

    def endless():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        for _ in range(5 * 1024):  # 5 GiB
            sent += 2**20
            yield b"0" * 2**20

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    with suppress(requests.ConnectionError):  # the server hangs up while more is sent
        assert alpha.post("/submissions", data=endless(), headers=kind).status_code == 413
    assert sent < 64 * 2**20
    assert [*(room.folder / "kept").iterdir()] == []
    assert alpha.upload(b"uid,is_pathologic\n").status_code == 303, "and the next one is taken"


def test_a_large_question_or_token_is_refused(served):
    alpha = served.team("alpha")
    for path, name in (("/questions", "text"), ("/enter", "token")):
        assert alpha.post(path, data={name: "a" * 2**17}).status_code == 413
        assert alpha.post(path, files={name: b"a" * 100}).status_code in (400, 403)
    assert alpha.post("/questions", data={"text": "a" * 2001}).status_code == 409
    assert alpha.post("/enter", data={"token": "\u2603"}).status_code == 403


def test_questions_have_a_limit_a_day(served):
    alpha = served.team("alpha")
    answers = [alpha.post("/questions", data={"text": f"{n}?"}).status_code for n in range(21)]
    assert Counter(answers) == {303: 20, 409: 1}
    assert served.team("beta").post("/questions", data={"text": "?"}).status_code == 303


def test_a_team_uploads_one_file_at_a_time_and_slow_ones_hold_nobody_up(served, content):
    alpha, beta, go = served.team("alpha"), served.team("beta"), Event()
    table = content(served.room)

    def slowly():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        go.wait(10)
        yield table + b"\r\n--x--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(alpha.post, "/submissions", data=slowly(), headers=kind)
        while "alpha" not in served.uploading:
            time.sleep(0.01)
        assert Team(served.base, alpha.token).upload(b"x").status_code == 429
        assert beta.upload(table).status_code == 303
        go.set()
        assert slow.result().status_code == 303


@pytest.mark.parametrize("name", ["../../labels/public.csv", "<script>alert(1)</script>.csv",
                                  "a\\..\\b.csv", "x" * 300, "\u202egnp.csv"])  # fmt: skip
def test_a_file_s_name_is_text_and_no_place(served, content, name):
    alpha = served.team("alpha")
    answer = alpha.upload(content(served.room), name)
    assert answer.status_code == 303
    page = alpha.get("/").text + alpha.get(answer.headers["location"]).text
    assert "<script" not in page and "\u202e" not in page
    [folder] = (served.room.folder / "kept").iterdir()
    assert [path.name for path in folder.iterdir()] == ["submission.csv"]


def test_markup_in_the_names_of_teams_and_in_questions_is_text(served, content):
    evil = served.team('<img src=x onerror="1">')
    evil.upload(content(served.room))
    served.mark()
    evil.post("/questions", data={"text": "<script>alert(2)</script>"})
    for path in ("/", "/board"):
        page = served.team("beta").get(path).text
        assert "<script" not in page and "<img" not in page
    assert "&lt;img" in served.team("beta").get("/board").text


def test_an_upload_that_is_sent_again_counts_once(served, content):
    alpha, table = served.team("alpha"), content(served.room)
    places = {alpha.upload(table, f"{n}.csv").headers["location"] for n in range(3)}
    assert len(places) == 1 and len([*served.room.record.of("received")]) == 1


def test_the_limit_a_day_is_kept_and_told(served):
    alpha = served.team("alpha")
    answers = [alpha.upload(b"%d" % n) for n in range(11)]
    assert Counter(one.status_code for one in answers) == {303: 10, 409: 1}
    assert "at most 10 submissions a day" in answers[-1].text


def test_questions_are_answered_and_nobody_sees_whose_they_are(served):
    alpha, beta = served.team("alpha"), served.team("beta")
    assert alpha.post("/questions", data={"text": "Which\r\ncamera?"}).status_code == 303
    [asked] = served.room.record.of("asked")
    served.room.record.add("said", text="All of them.", answers=asked["number"])
    served.room.record.add("said", text="Friday it is.", answers=None)
    page = words(beta.get("/"))
    assert "Which camera? All of them." in page and "Friday it is." in page
    assert "alpha" not in page


def test_private_scores_are_not_shown_before_the_end(served, content):
    alpha = served.team("alpha")
    served.room.close()
    alpha.upload(content(served.room))
    served.mark()
    assert "its score is shown at the end" in words(alpha.get("/"))
    assert "rounded to steps" not in words(alpha.get("/"))
    assert "Final" not in words(alpha.get("/board"))
    served.room.close()
    assert "Final: private scores" in words(alpha.get("/board"))
    assert alpha.upload(b"late").status_code == 409


def test_many_teams_at_once_lose_nothing(served, content):
    teams = [served.team(f"team {n}") for n in range(12)]
    tables = [content(served.room, seed=n) for n in range(4)]

    def work(team: Team) -> list[str]:
        return [team.upload(table).headers["location"] for table in tables]

    with ThreadPoolExecutor(12) as pool:
        places = [place for own in pool.map(work, teams) for place in own]
    assert len({*places}) == 48
    served.mark()
    counted = Counter(one["team"] for one in served.room.record.of("received"))
    assert {*counted.values()} == {4} and len([*served.room.record.of("marked")]) == 48


def test_every_page_says_what_a_browser_may_do(served):
    alpha = served.team("alpha")
    for path in ("/", "/board", "/nowhere", "/data/train.zip"):
        headers = alpha.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"
        assert "server" not in headers or "uvicorn" in headers["server"]


def test_code_is_not_served_where_it_could_read_the_labels(room, monkeypatch):
    monkeypatch.setattr("datkit.replica.sandbox._failure_of", lambda level: "not installed")
    with pytest.raises(UsageError, match="Expected a sandbox on this machine.*takes: .table. in"):
        server.serve(room)


def test_what_an_error_costs_stands_on_the_page(run, graded):
    page = words(run(graded).team("alpha").get("/"))
    assert "mean cost of an error: a row for each true class" in page
    assert "3 1.0 0.7 0.3 0.0" in page


def test_a_submission_that_kills_the_process_twice_is_given_up(room, hand_in, monkeypatch):
    first, second = hand_in(room), hand_in(room, "beta", seed=1)

    def work(folder, _isolation, _parent):
        if waiting([*Classroom.open(folder).record.entries])[0]["number"] == first["number"]:
            os.kill(os.getpid(), signal.SIGKILL)
        mark_next(Classroom.open(folder))

    def pause(_):
        if not waiting(room.record.entries):
            raise InterruptedError

    monkeypatch.setattr(server, "work", work)
    monkeypatch.setattr(server, "get_context", lambda _: get_context("fork"))
    monkeypatch.setattr(server.time, "sleep", pause)
    with pytest.raises(InterruptedError):
        server._keep_working(room.folder, "plain")
    marked = {one["of"]: one for one in room.record.of("marked")}
    assert "killed the process" in marked[first["number"]]["problems"][0]["found"]
    assert marked[second["number"]]["predictions"]


def test_a_port_in_use_is_told(room):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"free port, found 127.0.0.1:{port}; choose another"):
            server.serve(room, port=port, isolation="plain")


def test_an_interrupt_ends_the_process_that_marks_without_a_word(room, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "mark_next", interrupted)
    assert server.work(room.folder, "plain", os.getppid()) is None


def test_an_address_that_leads_nowhere_is_told_in_a_sentence(served):
    answer = served.team("alpha").get("/nowhere")
    assert answer.status_code == 404 and "found none at this address" in answer.text


def serve_until_killed(folder, port: int) -> None:
    server.get_context = lambda _: get_context("fork")  # the start of a new Python takes seconds
    server.serve(Classroom.open(folder), port=port, isolation="plain")


def test_killed_and_started_again_it_has_lost_nothing_and_counts_nothing_twice(room, table):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    teams = [Team(base, room.issue_token(name)) for name in ("alpha", "beta", "gamma")]
    tables = [table(room, seed=n).read_bytes() for n in range(10)]
    acknowledged: set[tuple[str, int]] = set()
    stop = Event()

    def start():
        how = (room.folder, port)
        process = get_context("fork").Process(target=serve_until_killed, args=how)
        process.start()
        return process

    def keep_trying(team: Team) -> None:
        for number, content in enumerate(tables):
            while not stop.is_set():
                try:
                    assert team.upload(content).status_code in (303, 429)
                    break
                except requests.ConnectionError:
                    time.sleep(0.02)
            acknowledged.add((team.token, number))

    def answers() -> bool:
        with suppress(requests.ConnectionError):
            return teams[0].get("/board").ok
        return False

    with ThreadPoolExecutor(3) as pool:
        tried = [pool.submit(keep_trying, team) for team in teams]
        for moment in range(20):
            process = start()
            time.sleep(0.12 + 0.02 * (moment % 7))
            process.kill()
            process.join()
        deadline = time.monotonic() + 30
        while not answers() and time.monotonic() < deadline:  # till the last worker frees the port
            process = process if process.is_alive() else start()
            time.sleep(0.1)
        while len([*room.record.of("marked")]) < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
        page = teams[0].get("/board").text
        stop.set()
        process.kill()
        process.join()
    assert all(one.done() and not one.exception() for one in tried)
    assert len(acknowledged) == 30
    received = [one["number"] for one in room.record.of("received")]
    assert [one["of"] for one in room.record.of("marked")] == received and len(received) == 30
    again = Classroom.open(room.folder)
    assert make_board(again) == make_board(room) and again.record.head in page
    assert json.loads(room.record.path.read_text().splitlines()[-1])["kind"] == "marked"
