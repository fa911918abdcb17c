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

import pytest
import yaml

from datkit import fetch as fetch_module
from datkit.errors import ChecksumError, FetchError, UsageError
from datkit.fetch import fetch, load_path, verify
from datkit.manifest import Manifest, load_manifest

GOOD = bytes(range(256)) * 512  # 128 kB: more than one chunk
BAD = GOOD[:-1] + b"!"


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by the first word of the path: /good/…, /bad/…, /cut/…, /gone/…, /away/…"""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        getattr(self, "_" + self.path.split("/")[1])()

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
def base(asked: list[str]) -> Iterator[str]:
    handler = type("Handler", (Server,), {"asked": asked})
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
        path.write_text(yaml.safe_dump({"version": 1, "datasets": [entry]}))
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


def test_the_library_prints_nothing_of_its_own(offering, capfd):
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
    assert leftovers(tmp_path) == [str(path)]
    with pytest.raises(ChecksumError):
        load_path("demo", manifest=offering("cut"))


def test_an_interruption_by_the_user_leaves_nothing(tmp_path, offering, monkeypatch):
    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch_module, "sha256_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("demo", manifest=offering("good"))
    assert leftovers(tmp_path) == []


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
    assert leftovers(tmp_path) == []


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


def test_the_real_map_arrives_through_a_mirror_folder(shared_data, monkeypatch):
    monkeypatch.setenv("DATKIT_MIRROR", str(shared_data))
    fetch("fpcit-hc174", offline=True)
    assert load_path("fpcit-hc174").stat().st_size == 1086884


def test_importing_fetch_loads_no_network_library():
    code = "import datkit.fetch, sys; print({'requests', 'pooch', 'tqdm'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.strip() == "set()"
