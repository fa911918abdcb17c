"""Fetching: the promised bytes or a sentence, whatever the server, the disk or the user does."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from datkit.data import (
    Manifest,
    fetch,
    load_folder,
    load_manifest,
    load_path,
    transfer,
    verify,
    where,
)
from datkit.errors import ArchiveError, ChecksumError, FetchError, UsageError

GOOD = bytes(range(256)) * 512  # 128 kB: more than one chunk
BAD = GOOD[:-1] + b"!"
KEPT = len(GOOD) * 2 // 5 // transfer.CHUNK * transfer.CHUNK  # of a download cut at 40 %


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by the first word of the path: /good/…, /bad/…, /cut/…, /gone/…, /away/…

    /whole/… and /lies/… know ranges and give an ETag; /cut40/… too, but closes after 40 % of what
    it was asked for in full. /changed/… says that the file is another one by now.
    """

    asked: list[str]
    ranges: list[tuple[str | None, str | None]]  # Range and If-Range of each request
    body = GOOD

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.ranges.append((self.headers["Range"], self.headers["If-Range"]))
        getattr(self, "_" + urlsplit(self.path).path.split("/")[1])()

    def _ranged(self, body: bytes, etag: str, stop: int | None = None) -> None:
        asked = self.headers["Range"]
        if asked and self.headers["If-Range"] in (None, etag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start < len(body) else 416)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            rest, stop = body[start:], None
        else:
            self.send_response(200)
            rest = body
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:stop])

    def _whole(self) -> None:
        self._ranged(self.body, '"one"')

    def _cut40(self) -> None:
        self._ranged(self.body, '"one"', stop=len(self.body) * 2 // 5)

    def _lies(self) -> None:
        self._ranged(self.body[:-1] + b"!", '"other"')

    def _liescut(self) -> None:
        self._ranged(b"!" + self.body[1:], '"one"', stop=len(self.body) * 2 // 5)

    def _changed(self) -> None:
        self._ranged(self.body, '"new"')

    def _elsewhere(self) -> None:  # answers with another part than was asked for
        self.send_response(206)
        self.send_header("Content-Range", "bytes 7-9/10")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"abc")

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(10_000):
                self.wfile.write(bytes(2**16))
        except OSError:
            self.asked.append("hung up")

    def _send(self, body: bytes, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def _good(self) -> None:
        self._send(GOOD, len(GOOD))

    def _bad(self) -> None:
        self._send(BAD, len(BAD))

    def _cut(self) -> None:  # promises the whole file, closes half way
        self._send(GOOD[: len(GOOD) // 2], len(GOOD))

    def _silent(self) -> None:  # tells no length, closes half way: only the hash can tell
        self._send(GOOD[: len(GOOD) // 2], None)

    def _gone(self) -> None:
        self.send_error(404)

    def _away(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://example.org/map.nii")
        self.end_headers()

    def _moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/good/map.nii")
        self.end_headers()

    def _garbage(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "many")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def asked() -> list[str]:
    """The paths that were asked of the server."""
    return []


@pytest.fixture
def ranges() -> list[tuple[str | None, str | None]]:
    """The Range and If-Range of each request."""
    return []


@pytest.fixture
def served() -> bytes:
    """The file that the server holds."""
    return GOOD


@pytest.fixture
def base(asked: list[str], ranges: list, served: bytes) -> Iterator[str]:
    handler = type("Handler", (Server,), {"asked": asked, "ranges": ranges, "body": served})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def offering(tmp_path: Path, base: str) -> Callable[..., Manifest]:
    """Make a manifest of one file whose mirrors behave as told: offering("gone", "good")."""

    def make(*behaviours: str, **keys: Any) -> Manifest:
        urls = [f"{base}/{behaviour}/map.nii" for behaviour in behaviours]
        digest = hashlib.sha256(GOOD).hexdigest()
        file = {"name": "map.nii", "urls": urls, "sha256": digest, "size": len(GOOD)} | keys
        entry = load_manifest().entry("fpcit-hc174").to_dict() | {"name": "demo", "files": [file]}
        path = tmp_path / "manifest.yaml"
        path.write_text(yaml.safe_dump({"version": 2, "datasets": [entry], "avoid": []}))
        return load_manifest(path)

    return make


def cached(tmp_path: Path) -> Path:
    return tmp_path / "data" / "open" / "demo" / "map.nii"


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DATKIT_MIRROR", raising=False)


def leftovers(tmp_path: Path) -> list[str]:
    return [str(path) for path in (tmp_path / "data").rglob("*") if path.is_file()]


def kept(tmp_path: Path) -> bytes:
    """What has arrived of a file and waits for the rest."""
    return transfer.part_of(cached(tmp_path)).read_bytes()


def test_a_fetched_file_is_the_promised_one_and_is_not_fetched_again(tmp_path, offering, asked):
    manifest = offering("good")
    assert fetch("demo", manifest=manifest) == [cached(tmp_path)]
    assert cached(tmp_path).read_bytes() == GOOD
    assert load_path("demo", manifest=manifest) == cached(tmp_path)
    assert [check.state for check in verify("demo", manifest=manifest)] == ["ok"]
    fetch("demo", manifest=manifest)
    assert len(asked) == 1
    assert leftovers(tmp_path) == [str(cached(tmp_path))]


def test_terms_and_size_are_told_before_the_download_and_not_after(offering):
    told: list[str] = []
    manifest = offering("good")
    fetch("demo", manifest=manifest, notify=told.append)
    assert any(line.startswith("Licence: Creative Commons") for line in told)
    assert any("not commercial" in line for line in told)
    assert "map.nii (0.1 MB) from 127.0.0.1" in told[-1]
    told.clear()
    fetch("demo", manifest=manifest, notify=told.append)
    assert told == []


def test_no_download_without_the_terms_being_shown(offering, capfd):
    fetch("demo", manifest=offering("gone", "good"))
    out, err = capfd.readouterr()
    assert out == "" and err.index("Licence: ") < err.index("To download into ")
    assert err.index("map.nii, 0.1 MB\n") < err.index("Fetching map.nii")
    fetch("demo", manifest=offering("gone", "good"))
    assert capfd.readouterr() == ("", "")


def test_mirrors_are_tried_in_order_until_one_delivers(tmp_path, offering, asked):
    fetch("demo", manifest=offering("gone", "bad", "cut", "good"))
    assert [path.split("/")[1] for path in asked] == ["gone", "bad", "cut", "good"]
    assert leftovers(tmp_path) == [str(cached(tmp_path))]


def test_a_redirection_on_this_machine_is_followed(tmp_path, offering):
    fetch("demo", manifest=offering("moved"))
    assert cached(tmp_path).read_bytes() == GOOD


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("gone", "404 Not Found"),
        ("cut", "the connection closed before the end of the file"),
        ("away", "redirects to the unsafe http://example.org/map.nii"),
        ("garbage", "many"),
    ],
)
def test_a_failed_download_is_one_sentence_and_leaves_nothing(tmp_path, offering, behaviour, said):
    with pytest.raises(FetchError) as caught:
        fetch("demo", manifest=offering(behaviour))
    message = str(caught.value)
    assert said in message and "map.nii" in message and "\n" not in message
    assert "`datkit data fetch demo`" in message
    assert not isinstance(caught.value, ChecksumError)
    if behaviour == "cut":
        assert f"its first {len(GOOD) // 2} bytes are kept" in message
        assert kept(tmp_path) == GOOD[: len(GOOD) // 2]
    else:
        assert leftovers(tmp_path) == []
    with pytest.raises(FetchError, match="found no file; run `datkit data fetch demo`"):
        load_path("demo", manifest=offering(behaviour))


@pytest.mark.parametrize(("behaviour", "size"), [("bad", len(BAD)), ("silent", len(GOOD) // 2)])
def test_wrong_bytes_are_named_by_both_hashes_and_never_kept(tmp_path, offering, behaviour, size):
    sent = BAD if behaviour == "bad" else GOOD[:size]
    with pytest.raises(ChecksumError) as caught:
        fetch("demo", manifest=offering(behaviour))
    message = str(caught.value)
    assert hashlib.sha256(GOOD).hexdigest() in message
    assert f"found {size} bytes of {hashlib.sha256(sent).hexdigest()}" in message
    assert "`datkit data fetch demo`" in message and "\n" not in message
    assert leftovers(tmp_path) == []


def test_no_network_is_one_sentence(tmp_path, offering):
    manifest = offering("good")
    unreachable = offering("good", urls=["http://127.0.0.1:1/map.nii"])  # nobody listens there
    with pytest.raises(FetchError, match=r"127.0.0.1:1/map.nii: no connection.*DATKIT_MIRROR"):
        fetch("demo", manifest=unreachable)
    with pytest.raises(FetchError, match="the network is switched off"):
        fetch("demo", manifest=manifest, offline=True)
    assert leftovers(tmp_path) == []


def test_a_damaged_file_is_never_returned_not_on_the_second_call_either(tmp_path, offering):
    manifest = offering("good")
    path = fetch("demo", manifest=manifest)[0]
    path.write_bytes(BAD)
    for _ in range(2):
        with pytest.raises(ChecksumError) as caught:
            load_path("demo", manifest=manifest)
        message = str(caught.value)
        assert str(path) in message and "`datkit data fetch demo` to replace" in message
        assert hashlib.sha256(GOOD).hexdigest() in message
        assert hashlib.sha256(BAD).hexdigest() in message
    assert path.read_bytes() == BAD, "a load must not delete what a person may want to inspect"
    assert [check.state for check in verify("demo", manifest=manifest)] == ["damaged"]
    assert fetch("demo", manifest=manifest) == [path]
    assert load_path("demo", manifest=manifest).read_bytes() == GOOD


def test_a_damaged_file_stays_damaged_if_its_replacement_fails(tmp_path, offering):
    path = fetch("demo", manifest=offering("good"))[0]
    path.write_bytes(BAD)
    for _ in range(2):
        with pytest.raises(FetchError):
            fetch("demo", manifest=offering("cut"))
    assert path.read_bytes() == BAD
    with pytest.raises(ChecksumError):
        load_path("demo", manifest=offering("cut"))


def test_an_interruption_by_the_user_loses_nothing(tmp_path, offering, asked, monkeypatch):
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_check", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("demo", manifest=offering("good"))
    assert not cached(tmp_path).exists() and kept(tmp_path) == GOOD
    fetch("demo", manifest=offering("good"))
    assert leftovers(tmp_path) == [str(cached(tmp_path))] and len(asked) == 1


def test_a_mirror_folder_comes_first_and_serves_without_network(
    tmp_path, offering, asked, monkeypatch
):
    mirror = tmp_path / "stick"
    mirror.mkdir()
    (mirror / "map.nii").write_bytes(GOOD)
    monkeypatch.setenv("DATKIT_MIRROR", str(mirror))
    path = fetch("demo", manifest=offering("good"), offline=True)[0]
    assert path.read_bytes() == GOOD and asked == []


@pytest.mark.parametrize("content", [None, BAD], ids=["lacks the file", "holds other bytes"])
def test_a_mirror_folder_that_cannot_help_gives_way_to_the_next(
    tmp_path, offering, asked, monkeypatch, content
):
    mirror = tmp_path / "stick"
    mirror.mkdir()
    if content:
        (mirror / "map.nii").write_bytes(content)
    monkeypatch.setenv("DATKIT_MIRROR", str(mirror))
    assert fetch("demo", manifest=offering("good"))[0].read_bytes() == GOOD
    assert asked == ["/good/map.nii"]


def test_a_mirror_address_comes_first(offering, base, asked, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", f"{base}/good/mirror/")
    fetch("demo", manifest=offering("gone"))
    assert asked == ["/good/mirror/map.nii"]


def test_an_unsafe_mirror_address_is_wrong_use(offering, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", "http://example.org")
    with pytest.raises(UsageError, match="DATKIT_MIRROR, found 'http://example.org'"):
        fetch("demo", manifest=offering("good"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path, offering):
    (tmp_path / "data").write_text("a file where the data folder should be")
    with pytest.raises(FetchError, match=str(tmp_path / "data")):
        fetch("demo", manifest=offering("good"))


def test_a_folder_in_the_place_of_a_file_is_damage_not_a_crash(tmp_path, offering):
    cached(tmp_path).mkdir(parents=True)
    manifest = offering("good")
    assert [check.state for check in verify("demo", manifest=manifest)] == ["damaged"]
    with pytest.raises(ChecksumError, match="found no access"):
        load_path("demo", manifest=manifest)
    with pytest.raises(FetchError, match="map.nii"):
        fetch("demo", manifest=manifest)
    assert kept(tmp_path) == GOOD, "what has arrived waits until the folder is gone"
    cached(tmp_path).rmdir()
    assert fetch("demo", manifest=manifest)[0].read_bytes() == GOOD


def test_a_folder_of_ones_own_choice_is_kept_to(tmp_path, offering):
    manifest = offering("good")
    path = fetch("demo", folder=tmp_path / "mine", manifest=manifest)[0]
    assert path == tmp_path / "mine" / "demo" / "map.nii"
    assert load_path("demo", folder=tmp_path / "mine", manifest=manifest) == path
    with pytest.raises(FetchError):
        load_path("demo", manifest=manifest)


def test_verify_gives_one_plain_record_for_each_file(tmp_path, offering):
    check = verify(manifest=offering("good"))[0]
    digest = hashlib.sha256(GOOD).hexdigest()
    assert json.loads(json.dumps(check.to_dict())) == {
        "name": "demo",
        "file": "map.nii",
        "path": str(cached(tmp_path)),
        "state": "missing",
        "algorithm": "sha256",
        "expected": digest,
        "found": None,
    }


def test_unknown_data_sets_and_files_are_wrong_use(offering):
    manifest = offering("good")
    for call in (fetch, load_path, verify):
        with pytest.raises(UsageError, match="found 'nothing'"):
            call("nothing", manifest=manifest)
    with pytest.raises(UsageError, match="map.nii"):
        load_path("demo", "other.nii", manifest=manifest)
    with pytest.raises(UsageError, match="built in"):
        load_path("simulated")


# ------------------------------------------------------------ resuming


def test_a_cut_download_goes_on_from_where_it_was_cut(tmp_path, offering, ranges):
    with pytest.raises(FetchError, match=f"its first {KEPT} bytes are kept for the next try"):
        fetch("demo", manifest=offering("cut40"))
    told: list[str] = []
    fetch("demo", manifest=offering("cut40"), notify=told.append)
    assert ranges == [(None, None), (f"bytes={KEPT}-", '"one"')]
    assert cached(tmp_path).read_bytes() == GOOD
    assert f"0.1 MB, going on after the first {KEPT} bytes" in told[-1]
    assert leftovers(tmp_path) == [str(cached(tmp_path))]


def test_the_next_mirror_goes_on_where_the_first_was_cut(tmp_path, offering, ranges):
    fetch("demo", manifest=offering("cut40", "whole"))
    assert ranges == [(None, None), (f"bytes={KEPT}-", None)]
    assert cached(tmp_path).read_bytes() == GOOD


def test_a_file_that_changed_meanwhile_is_fetched_from_its_first_byte(tmp_path, offering, ranges):
    with pytest.raises(FetchError):
        fetch("demo", manifest=offering("cut40"))
    record = transfer.part_of(cached(tmp_path)).with_name(".map.nii.part.json")
    url = json.loads(record.read_text())["url"].replace("cut40", "changed")
    record.write_text(json.dumps({"url": url, "validator": '"one"'}))
    fetch("demo", manifest=offering("changed"))
    assert ranges[1:] == [(f"bytes={KEPT}-", '"one"')], "the whole came as the answer to If-Range"
    assert cached(tmp_path).read_bytes() == GOOD


def test_a_server_without_ranges_starts_again(tmp_path, offering, asked):
    fetch("demo", manifest=offering("cut40", "good"))
    assert cached(tmp_path).read_bytes() == GOOD and len(asked) == 2


def test_a_rest_on_a_wrong_beginning_is_found_out_and_fetched_whole(tmp_path, offering, ranges):
    fetch("demo", manifest=offering("liescut", "whole"))
    assert ranges == [(None, None), (f"bytes={KEPT}-", None), (None, None)]
    assert cached(tmp_path).read_bytes() == GOOD


@pytest.mark.parametrize("junk", [GOOD + b"more", b"x" * len(GOOD)], ids=["longer", "as long"])
def test_a_rest_that_is_none_starts_again(tmp_path, offering, junk):
    cached(tmp_path).parent.mkdir(parents=True)
    transfer.part_of(cached(tmp_path)).write_bytes(junk)
    fetch("demo", manifest=offering("whole"))
    assert cached(tmp_path).read_bytes() == GOOD


@pytest.mark.parametrize("record", ["", "[]", "{", '{"url": 3, "validator": ["x"]}'])
def test_a_damaged_record_of_a_cut_download_costs_nothing(tmp_path, offering, record):
    with pytest.raises(FetchError):
        fetch("demo", manifest=offering("cut40"))
    transfer.part_of(cached(tmp_path)).with_name(".map.nii.part.json").write_text(record)
    fetch("demo", manifest=offering("cut40"))
    assert cached(tmp_path).read_bytes() == GOOD


def test_a_server_that_sends_another_part_is_refused(tmp_path, offering):
    with pytest.raises(FetchError, match="sends 'bytes 7-9/10' where the whole was asked for"):
        fetch("demo", manifest=offering("elsewhere"))
    assert fetch("demo", manifest=offering("cut40", "elsewhere", "whole"))[0].read_bytes() == GOOD


def test_a_server_that_sends_without_end_is_cut_off(tmp_path, offering, asked):
    with pytest.raises(FetchError, match="sends more than the 131072 bytes expected"):
        fetch("demo", manifest=offering("endless"))
    assert leftovers(tmp_path) == []


def test_a_strong_etag_or_a_date_proves_that_a_file_is_the_same_and_a_weak_one_does_not():
    assert transfer._strong_validator({"etag": '"a"', "last-modified": "Monday"}) == '"a"'
    assert transfer._strong_validator({"etag": 'W/"a"', "last-modified": "Monday"}) == "Monday"
    assert transfer._strong_validator({"etag": 'W/"a"'}) is None


def test_processes_that_fetch_the_same_file_do_not_mix_their_bytes(tmp_path, offering):
    manifest = offering("whole")
    threads = [
        threading.Thread(target=fetch, args=("demo",), kwargs={"manifest": manifest})
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leftovers(tmp_path) == [str(cached(tmp_path))]
    assert cached(tmp_path).read_bytes() == GOOD


# ------------------------------------------------------------ the disk


def test_a_full_disk_keeps_what_has_arrived(tmp_path, offering, monkeypatch, asked):
    written = transfer._Arrived.write

    def full(self: Any, chunk: bytes) -> int:
        if self.stream.tell() >= 2**16:
            raise OSError(28, "No space left on device")
        return written(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(transfer._Arrived, "write", full)
        with pytest.raises(
            FetchError, match="No space left on device .*65536 bytes are kept.*disk"
        ):
            fetch("demo", manifest=offering("whole", "good"))
    assert asked == ["/whole/map.nii"], "no other mirror makes room"
    fetch("demo", manifest=offering("whole"))
    assert cached(tmp_path).read_bytes() == GOOD


def test_what_the_disk_cannot_hold_is_not_begun(offering, asked, monkeypatch):
    monkeypatch.setattr(
        transfer.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})()
    )
    with pytest.raises(
        FetchError, match=r"expected 0.1 MB of free disk, found 0.0 MB.*check the d"
    ):
        fetch("demo", manifest=offering("whole"))
    assert asked == []


# ------------------------------------------------------------ settings of the machine


def test_offline_is_a_setting_too(offering, asked, monkeypatch):
    monkeypatch.setenv("DATKIT_OFFLINE", "1")
    with pytest.raises(FetchError, match="switched off.: leave out --offline and DATKIT_OFFLINE"):
        fetch("demo", manifest=offering("good"))
    assert asked == []
    monkeypatch.setenv("DATKIT_OFFLINE", "0")
    assert fetch("demo", manifest=offering("good"))


def test_a_proxy_of_the_environment_is_used(tmp_path, offering, base, asked, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"{base}/good")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    manifest = offering(urls=["http://127.0.0.1:1/good/map.nii"])  # nobody listens there
    fetch("demo", manifest=manifest)
    assert asked == ["http://127.0.0.1:1/good/map.nii"], "a proxy is asked for whole addresses"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    cached(tmp_path).unlink()
    with pytest.raises(FetchError, match="the proxy named in the environment does not answer"):
        fetch("demo", manifest=manifest)


def test_one_variable_moves_the_whole_cache(tmp_path, offering, monkeypatch):
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "elsewhere"))
    manifest = offering("good")
    [path] = fetch("demo", manifest=manifest)
    assert path == tmp_path / "elsewhere" / "open" / "demo" / "map.nii"
    assert where("demo", manifest=manifest) == path.parent


# ------------------------------------------------------------ only an md5, no files, archives


def test_a_file_with_an_md5_only_is_checked_by_it(tmp_path, offering):
    keys = {"sha256": None, "md5": hashlib.md5(GOOD).hexdigest(), "size": None, "why": "None."}
    told: list[str] = []
    fetch("demo", manifest=offering("bad", "good", **keys), notify=told.append)
    assert "map.nii, size not published" in " ".join(told)
    assert verify("demo", manifest=offering("good", **keys))[0].algorithm == "md5"
    cached(tmp_path).write_bytes(BAD)
    with pytest.raises(ChecksumError, match="expected md5 "):
        load_path("demo", manifest=offering("good", **keys))


@pytest.mark.parametrize("name", ["dat-park", "dat-park-open", "ppmi", "dtbz-ds002385"])
def test_what_the_kit_does_not_fetch_comes_with_its_steps_and_its_place(tmp_path, name):
    told: list[str] = []
    with pytest.raises(FetchError) as caught:
        fetch(name, notify=told.append)
    message = str(caught.value)
    assert "What to do:\n  1. " in message and str(where(name)) in message
    assert "{folder}" not in message and any(line.startswith("Licence: ") for line in told)
    where(name).mkdir(parents=True)
    (where(name) / "exam.nii").write_bytes(b"x")
    assert fetch(name) == [where(name)]


@pytest.fixture
def phantom(shared_data, monkeypatch) -> str:
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    fetch("auer-dat-phantom", offline=True)
    return "auer-dat-phantom"


def test_an_archive_is_unpacked_and_compared_at_every_load(phantom):
    folder = load_folder(phantom)
    source = folder / "DaT_Source_120x120x120.i33"
    assert source.stat().st_size == 120**3 * 2
    assert load_folder(phantom) == folder
    content = source.read_bytes()
    source.write_bytes(content[:-1] + b"!")
    for _ in range(2):
        with pytest.raises(ChecksumError, match="1 changed or missing, 'DaT_Source_120x120x120.i"):
            load_folder(phantom)
    source.unlink()
    with pytest.raises(ChecksumError, match="delete that folder"):
        load_folder(phantom)


def test_what_is_no_archive_is_not_unpacked(tmp_path, offering):
    fetch("demo", manifest=offering("good"))
    with pytest.raises(ArchiveError, match="expected a complete zip archive"):
        load_folder("demo", manifest=offering("good"))
    assert leftovers(tmp_path) == [str(cached(tmp_path))]


# ------------------------------------------------------------ the real bytes

AT_HAND = {
    "fpcit-hc174": "DAT_fpcit_hc174_dukart_spect.nii",
    "auer-dat-phantom": "auer_dat_phantom.zip",
}


def test_each_open_entry_whose_bytes_are_at_hand_is_among_them(shared_data):
    files = {entry.name: [file.name for file in entry.files] for entry in load_manifest().datasets}
    lying = {path.name for path in shared_data.iterdir()}
    assert {name: one for name, all_ in files.items() for one in all_ if one in lying} == AT_HAND


class TestRealBytes:
    """Each open entry whose bytes lie beside the checkout, from a server on this machine."""

    @pytest.fixture(params=AT_HAND)
    def name(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def served(self, name: str, shared_data: Path) -> bytes:
        return (shared_data / AT_HAND[name]).read_bytes()

    @pytest.fixture
    def through(self, name: str, base: str, tmp_path: Path) -> Callable[..., Manifest]:
        """The shipped entry, its hash and size untouched, at the addresses of the server."""

        def make(*behaviours: str) -> Manifest:
            entry = load_manifest().entry(name).to_dict()
            file = entry["files"][0]
            file["urls"] = [f"{base}/{behaviour}/{file['name']}" for behaviour in behaviours]
            path = tmp_path / "manifest.yaml"
            path.write_text(yaml.safe_dump({"version": 2, "datasets": [entry], "avoid": []}))
            return load_manifest(path)

        return make

    @pytest.mark.parametrize(
        "mirrors", [["whole"], ["gone", "whole"], ["lies", "whole"], ["cut40", "whole"], ["cut40"]]
    )
    def test_it_arrives(self, name, through, served, mirrors):
        manifest = through(*mirrors)
        if mirrors == ["cut40"]:
            kept = len(served) * 2 // 5 // transfer.CHUNK * transfer.CHUNK
            with pytest.raises(FetchError, match=f"its first {kept} bytes are kept"):
                fetch(name, manifest=manifest)
        assert fetch(name, manifest=manifest)[0].read_bytes() == served

    def test_wrong_bytes_are_refused_both_times(self, name, through):
        manifest = through("lies", "lies")
        for _ in range(2):
            with pytest.raises(ChecksumError, match=f"run `datkit data fetch {name}` again"):
                fetch(name, manifest=manifest)
            assert [check.state for check in verify(name, manifest=manifest)] == ["missing"]
        [path] = fetch(name, manifest=through("whole"))
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        for _ in range(2):
            with pytest.raises(ChecksumError, match="to replace the file"):
                load_path(name, manifest=manifest)


def test_the_real_map_arrives_through_a_mirror_folder(shared_data, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    fetch("fpcit-hc174", offline=True)
    assert load_path("fpcit-hc174").stat().st_size == 1086884


def test_importing_fetch_loads_no_network_library():
    code = "import datkit.data, sys; print({'requests', 'pooch', 'tqdm'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.strip() == "set()"
