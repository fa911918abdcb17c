"""Who means harm to the class's server: refused, told in the log, and nothing leaks."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests
from class_server import Running

from datkit.challenge import Classroom, server
from datkit.errors import ChallengeError

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


def talk(served: Running, *words: str | bytes, pause: float = 0) -> bytes:
    """Say something as it is, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", int(served.base.rpartition(":")[2]))) as raw:
        raw.settimeout(10)
        with suppress(ConnectionError):
            for word in words:
                raw.sendall(word if isinstance(word, bytes) else word.encode("latin-1"))
                time.sleep(pause)
        answer = bytearray()
        with suppress(ConnectionError):
            while part := raw.recv(65536):
                answer += part
    return bytes(answer)


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


def recorded(served: Running) -> int:
    return len([*served.room.record.of("received", "asked", "shared")])


@pytest.mark.parametrize("path", ["/enter", "/questions", "/submissions", "/notebooks", "/leave"])
@pytest.mark.parametrize("origin", ["http://example.org", "null", "https://127.0.0.1"])
def test_a_page_of_another_site_sends_nothing_in_a_team_s_name(served, caplog, path, origin):
    alpha = served.team("alpha")
    answer = alpha.post(path, data={"text": "?", "token": alpha.token}, headers={"Origin": origin})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert recorded(served) == 0 and f"refused POST {path}" in caplog.text
    own = {"Origin": served.base}
    assert alpha.post("/questions", data={"text": "?"}, headers=own).status_code == 303


@pytest.mark.parametrize(
    "host",
    ["example.org", "127.0.0.1.example.org", "1.example", "[::1", "a b", "", "x@127.0.0.1",
     "localhost.example.org:8000", "127.0.0.1:80:80"],
)  # fmt: skip
def test_a_name_of_another_site_that_leads_here_shows_nothing(served, host):
    for path in ("/", "/board", "/data/train.zip"):
        answer = talk(served, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        assert status(answer) in (400, 403) and b"SPECT challenge" not in answer


@pytest.mark.parametrize("host", ["192.168.0.7:8000", "localhost", "laptop.local:80", "[::1]:8000"])
def test_the_names_of_a_machine_in_a_class_are_good(served, host):
    answer = talk(served, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert status(answer) == 200


def test_every_answer_forbids_scripts_frames_and_keeping(served):
    alpha = served.team("alpha")
    for path in ("/", "/board", "/nowhere", "/submissions/1", "/data/train.zip"):
        policy = alpha.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "script" not in policy and "base-uri 'none'" in policy


@pytest.mark.parametrize(
    "path",
    ["/submissions/" + "9" * 5000, "/submissions/-1", "/submissions/1e3", "/submissions/%00",
     "/notebooks/..%2f..%2frecord.jsonl", "/notebooks/0.ipynb.ipynb", "/data/%2e%2e%2fkept.zip",
     "/submissions/\u0663", "/notebooks/%0d%0aSet-Cookie:%20token=x"],
)  # fmt: skip
def test_an_address_that_is_none_is_not_found(served, path):
    answer = served.team("alpha").get(path)
    assert answer.status_code == 404 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HACK"])
def test_other_methods_are_refused(served, method):
    answer = talk(
        served, f"{method} /board HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert status(answer) in (400, 405)


def test_a_head_beyond_all_measure_ends(served):
    answer = talk(served, "GET / HTTP/1.1\r\nHost: localhost\r\n", "x: " + "a" * 200_000)
    assert status(answer) in (0, 400)
    assert requests.get(served.base, timeout=10).ok


@pytest.mark.parametrize("first", ["", "GET /board HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_head_that_does_not_end_is_hung_up_on(served, monkeypatch, caplog, first):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    trickle = [*"GET / HTTP/1.1\r\nHost: localhost\r\n", *"x: slow\r\n" * 20]
    answer = talk(served, first, *trickle, pause=0.02)
    assert answer.count(b"HTTP/1.1") == bool(first), "nothing but the first, whole one"
    assert "hung up on 127.0.0.1: no request in time" in caplog.text


@pytest.mark.parametrize("path", ["/enter", "/questions", "/submissions", "/notebooks"])
def test_a_body_that_does_not_end_is_refused(served, monkeypatch, caplog, path):
    monkeypatch.setattr(server, "FORM_SECONDS", 0.2)
    monkeypatch.setattr(server, "UPLOAD_SECONDS", 0.2)
    alpha = served.team("alpha")
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alpha.token}\r\n"
    kind = FORM["Content-Type"] if path in ("/submissions", "/notebooks") else ""
    kind = kind or "application/x-www-form-urlencoded"
    answer = talk(served, head + f"Content-Type: {kind}\r\nContent-Length: 9000\r\n\r\n", "--x")
    assert status(answer) == 408 and "408" in caplog.text
    assert recorded(served) == 0 and not served.uploading


def test_one_address_may_not_take_all_connections(served, monkeypatch, caplog):
    monkeypatch.setattr(server, "MOST_OF_ONE", 5)
    port = int(served.base.rpartition(":")[2])
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
    deadline = time.monotonic() + 10
    while caplog.text.count("more than 5 connections") < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    for one in held:
        one.close()
    assert caplog.text.count("more than 5 connections") == 4
    while time.monotonic() < deadline:  # until those that were let in are gone
        with suppress(requests.ConnectionError):
            if requests.get(served.base, timeout=10).ok:
                return
    pytest.fail("it still serves others")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", PART, (PART + b"1\r\n") * 2 + b"--x--\r\n", b"--x\r\nA: " + b"a" * 100_000,
     (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 500) + b"--x--\r\n",
     b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file\r\n--x--\r\n'],
)  # fmt: skip
def test_forms_that_are_none_are_refused(served, body):
    alpha = served.team("alpha")
    assert alpha.post("/submissions", data=body, headers=FORM).status_code == 400
    assert recorded(served) == 0 and not served.uploading
    assert not [*(served.room.folder / "kept").iterdir()]


def test_what_breaks_off_or_comes_twice_in_one_is_not_taken(served):
    alpha = served.team("alpha")
    head = (
        f"POST /submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {alpha.token}\r\n"
    )
    head += f"Content-Type: {FORM['Content-Type']}\r\n"
    with socket.create_connection(("127.0.0.1", int(served.base.rpartition(":")[2]))) as raw:
        raw.sendall(head.encode() + b"Content-Length: 9000\r\n\r\n" + PART + b"uid,")
    both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status(talk(served, head + "Connection: close\r\n" + both)) == 400
    assert status(talk(served, head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx")) == 400
    assert recorded(served) == 0


def test_the_log_holds_no_token_no_second_line_and_the_true_address(served, caplog):
    secret = "a-token-that-is-no-team-s"
    requests.post(f"{served.base}/enter", data={"token": secret}, timeout=10,
                  headers={"X-Forwarded-For": "10.9.8.7"})  # fmt: skip
    talk(served, "GET /%0aall%20is%20well%1b[2J HTTP/1.1\r\nHost: localhost\r\n"
                 "Connection: close\r\n\r\n")  # fmt: skip
    lines = [record.message for record in caplog.records if "refused" in record.message]
    assert len(lines) == 2 and not any("\n" in line or "\x1b" in line for line in lines)
    assert secret not in caplog.text and "10.9.8.7" not in caplog.text


def test_who_breaks_an_upload_off_stands_in_one_line_of_the_log(served, caplog):
    alpha = served.team("alpha")
    head = "POST /submissions HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {alpha.token}\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with socket.create_connection(("127.0.0.1", int(served.base.rpartition(":")[2]))) as raw:
        raw.sendall(head.encode() + b"Content-Length: 9000\r\n\r\n" + PART + b"uid,")
    deadline = time.monotonic() + 10
    while "POST /submissions" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "409 it broke off" in caplog.text and "Traceback" not in caplog.text
    assert recorded(served) == 0 and not served.uploading


def test_a_disk_that_is_full_tells_no_place_and_loses_nothing(served, content, monkeypatch):
    alpha = served.team("alpha")

    def full(*_):
        raise OSError(28, "No space left on device", "/home/teacher/class")

    with monkeypatch.context() as patch:
        patch.setattr("datkit.challenge.marking.shutil.copyfileobj", full)
        answer = alpha.upload(content(served.room))
    assert answer.status_code == 500 and "teacher" not in answer.text
    assert "A fault of the server" in answer.text and answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert recorded(served) == 0 and not served.uploading
    alpha.session.close()  # the server hangs up after a fault of its own
    assert alpha.upload(content(served.room)).status_code == 303


def test_many_ranges_of_one_file_are_no_burden(served):
    alpha = served.team("alpha")
    ranges = ",".join(f"{n}-{n}" for n in range(0, 3000, 2))
    headers = {"Authorization": f"Bearer {alpha.token}", "Range": f"bytes={ranges}"}
    answer = alpha.session.get(f"{served.base}/data/train.zip", headers=headers, timeout=10)
    assert answer.status_code in (200, 206, 416) and len(answer.content) < 10 * 2**20


def test_teams_that_ask_for_data_at_once_wait_for_one_zip(served):
    teams = [served.team(f"team {n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        sizes = {len(one.content) for one in pool.map(lambda t: t.get("/data/train.zip"), teams)}
    assert len(sizes) == 1 and [one.name for one in (served.room.folder / "served").iterdir()] == [
        "train.zip"
    ]


def test_a_name_that_others_may_have_too_is_one_of_its_own(served, content):
    """Names come from who organises; a look-alike stays another team, with a token of its own."""
    teams = [served.team(name) for name in ("alpha", "\u0430lpha", "beta")]
    for team in teams:
        team.upload(content(served.room))
    served.mark()
    for name in ("oracle", " Constant", "scanner  only"):
        with pytest.raises(ChallengeError, match="found that of a control"):
            served.team(name)
    assert len({*(one["team"] for one in served.room.record.of("received"))}) == 3


def test_two_who_close_at_once_close_one_phase(room, monkeypatch):
    other = Classroom.open(room.folder)
    found = type(room).phase

    def slowly(self, now=None):
        phase = found(self, now)
        time.sleep(0.2)
        return phase

    monkeypatch.setattr(type(room), "phase", slowly)

    def close(one: Classroom) -> bool:
        with suppress(ChallengeError):
            return bool(one.close())
        return False

    with ThreadPoolExecutor(2) as pool:
        closed = [*pool.map(close, (room, other))]
    assert sorted(closed) == [False, True] and len([*room.record.of("closed")]) == 1


def test_what_was_meant_for_one_phase_does_not_count_in_the_next(served, content):
    alpha, table = served.team("alpha"), content(served.room)
    assert 'name="phase" value="learning"' in alpha.get("/").text
    served.room.close()
    late = {"data": {"phase": "learning"}, "files": {"file": ("late.csv", table)}}
    answer = alpha.post("/submissions", **late)
    assert answer.status_code == 409 and "found final" in answer.text and recorded(served) == 0
    late["data"]["phase"] = "final"
    assert alpha.post("/submissions", **late).status_code == 303


def test_a_record_that_was_cut_or_changed_while_it_is_served_is_found_out(served):
    alpha, path = served.team("alpha"), served.room.record.path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert alpha.post("/questions", data={"text": "?"}).status_code == 409
    assert path.read_bytes() == whole[: len(whole) // 2], "and not written over"
    path.write_bytes(whole + json.dumps({"kind": "closed", "phase": "final"}).encode() + b"\n")
    assert alpha.get("/").status_code == 409
    path.write_bytes(whole)
    assert alpha.get("/").status_code == 200
