"""Fetching: the promised bytes or a sentence, whatever the server, the disk or the user does."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from file_server import BAD, GOOD

from datkit.data import Manifest, download, fetch, load_manifest, load_path, verify, where
from datkit.data.download import part_of
from datkit.errors import ChecksumError, FetchError, UsageError

KEPT = len(GOOD) * 2 // 5 // download.CHUNK * download.CHUNK  # of a download cut at 40 %


def test_a_fetched_file_is_the_promised_one_and_is_not_fetched_again(
    offering, asked, leftovers, cached
):
    manifest = offering("good")
    assert fetch("demo", manifest=manifest) == [cached]
    assert cached.read_bytes() == GOOD
    assert load_path("demo", manifest=manifest) == cached
    assert [check.state for check in verify("demo", manifest=manifest)] == ["ok"]
    fetch("demo", manifest=manifest)
    assert len(asked) == 1
    assert leftovers() == [cached]


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


def test_mirrors_are_tried_in_order_until_one_delivers(offering, asked, leftovers, cached):
    fetch("demo", manifest=offering("gone", "bad", "cut", "good"))
    assert [path.split("/")[1] for path in asked] == ["gone", "bad", "cut", "good"]
    assert leftovers() == [cached]


@pytest.mark.parametrize("slow", ["trickle", "drippy"])
def test_a_byte_now_and_then_holds_no_mirror_up(
    offering, asked, leftovers, cached, slow, monkeypatch
):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    start = time.monotonic()
    fetch("demo", manifest=offering(slow, "good"))
    assert [path.split("/")[1] for path in asked[:2]] == [slow, "good"]
    assert leftovers() == [cached] and time.monotonic() - start < 5
    with pytest.raises(FetchError, match="under 1000 bytes a second for 0.3 s"):
        fetch("demo", manifest=offering(slow), folder=cached.parents[2] / "other")


def test_what_is_slow_but_steady_is_waited_for(offering, cached, monkeypatch):
    for name, value in {"TIMEOUT": 1, "SLOWEST": 1, "CHUNK": 8}.items():
        monkeypatch.setattr(download, name, value)
    monkeypatch.setattr("file_server.GOOD", body := GOOD[:120])  # more than a second
    digest = hashlib.sha256(body).hexdigest()
    fetch("demo", manifest=offering("trickle", sha256=digest, size=len(body)))
    assert cached.read_bytes() == body


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_in_the_place_of_the_part_leads_nowhere(offering, cached, tmp_path, link):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    part_of(cached).parent.mkdir(parents=True)
    link(mine, part_of(cached))
    fetch("demo", manifest=offering("good"))
    assert mine.read_text() == "mine" and cached.read_bytes() == GOOD


def test_no_link_is_followed_that_comes_a_moment_later(offering, cached, tmp_path, monkeypatch):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    whole = download._complete

    def planted(part, *what):
        part.symlink_to(mine)
        whole(part, *what)

    monkeypatch.setattr(download, "_complete", planted)
    with pytest.raises(FetchError, match="expected no link at .*map.nii.part, found one"):
        fetch("demo", manifest=offering("good"))
    assert mine.read_text() == "mine"


def test_a_redirection_on_this_machine_is_followed(offering, cached):
    fetch("demo", manifest=offering("moved"))
    assert cached.read_bytes() == GOOD


def test_what_a_redirection_sends_is_not_read(offering, cached):
    tracemalloc.start()
    try:
        fetch("demo", manifest=offering("wordy"))
        assert tracemalloc.get_traced_memory()[1] < 16 * 10**6
    finally:
        tracemalloc.stop()
    assert cached.read_bytes() == GOOD


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("gone", "404 Not Found"),
        ("cut", "the connection closed before the end of the file"),
        ("away", "redirects to the unsafe http://example.org/map.nii"),
        ("garbage", "many"),
    ],
)
def test_a_failed_download_is_one_sentence_and_leaves_nothing(
    offering, behaviour, said, leftovers, cached
):
    with pytest.raises(FetchError) as caught:
        fetch("demo", manifest=offering(behaviour))
    message = str(caught.value)
    assert said in message and "map.nii" in message and "\n" not in message
    assert "`datkit data fetch demo`" in message
    assert not isinstance(caught.value, ChecksumError)
    if behaviour == "cut":
        assert f"its first {len(GOOD) // 2} bytes are kept" in message
        assert part_of(cached).read_bytes() == GOOD[: len(GOOD) // 2]
    else:
        assert leftovers() == []
    with pytest.raises(FetchError, match="found no file; run `datkit data fetch demo`"):
        load_path("demo", manifest=offering(behaviour))


@pytest.mark.parametrize(("behaviour", "size"), [("bad", len(BAD)), ("silent", len(GOOD) // 2)])
def test_wrong_bytes_are_named_by_both_hashes_and_never_kept(offering, behaviour, size, leftovers):
    sent = BAD if behaviour == "bad" else GOOD[:size]
    with pytest.raises(ChecksumError) as caught:
        fetch("demo", manifest=offering(behaviour))
    message = str(caught.value)
    assert hashlib.sha256(GOOD).hexdigest() in message
    assert f"found {size} bytes of {hashlib.sha256(sent).hexdigest()}" in message
    assert "`datkit data fetch demo`" in message and "\n" not in message
    assert leftovers() == []


def test_no_network_is_one_sentence(offering, leftovers):
    manifest = offering("good")
    unreachable = offering("good", urls=["http://127.0.0.1:1/map.nii"])  # nobody listens there
    with pytest.raises(FetchError, match=r"127.0.0.1:1/map.nii: no connection.*DATKIT_MIRROR"):
        fetch("demo", manifest=unreachable)
    with pytest.raises(FetchError, match="the network is switched off"):
        fetch("demo", manifest=manifest, offline=True)
    assert leftovers() == []


def test_a_damaged_file_stays_damaged_if_its_replacement_fails(offering):
    path = fetch("demo", manifest=offering("good"))[0]
    path.write_bytes(BAD)
    for _ in range(2):
        with pytest.raises(FetchError):
            fetch("demo", manifest=offering("cut"))
    assert path.read_bytes() == BAD
    with pytest.raises(ChecksumError):
        load_path("demo", manifest=offering("cut"))


def test_an_interruption_by_the_user_loses_nothing(offering, asked, monkeypatch, leftovers, cached):
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "_check", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("demo", manifest=offering("good"))
    assert not cached.exists() and part_of(cached).read_bytes() == GOOD
    fetch("demo", manifest=offering("good"))
    assert leftovers() == [cached] and len(asked) == 1


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


# ------------------------------------------------------------ resuming


def test_a_cut_download_goes_on_from_where_it_was_cut(offering, ranges, leftovers, cached):
    with pytest.raises(FetchError, match=f"its first {KEPT} bytes are kept for the next try"):
        fetch("demo", manifest=offering("cut40"))
    told: list[str] = []
    fetch("demo", manifest=offering("cut40"), notify=told.append)
    assert ranges == [None, f"bytes={KEPT}-"]
    assert cached.read_bytes() == GOOD
    assert f"0.1 MB, going on after the first {KEPT} bytes" in told[-1]
    assert leftovers() == [cached]


def test_the_next_mirror_goes_on_where_the_first_was_cut(offering, ranges, cached):
    fetch("demo", manifest=offering("cut40", "whole"))
    assert ranges == [None, f"bytes={KEPT}-"]
    assert cached.read_bytes() == GOOD


def test_a_server_without_ranges_starts_again(offering, asked, cached):
    fetch("demo", manifest=offering("cut40", "good"))
    assert cached.read_bytes() == GOOD and len(asked) == 2


def test_a_rest_on_a_wrong_beginning_is_found_out_and_fetched_whole(offering, ranges, cached):
    fetch("demo", manifest=offering("liescut", "whole"))
    assert ranges == [None, f"bytes={KEPT}-", None]
    assert cached.read_bytes() == GOOD


@pytest.mark.parametrize("junk", [GOOD + b"more", b"x" * len(GOOD)], ids=["longer", "as long"])
def test_a_rest_that_is_none_starts_again(offering, junk, cached):
    cached.parent.mkdir(parents=True)
    part_of(cached).write_bytes(junk)
    fetch("demo", manifest=offering("whole"))
    assert cached.read_bytes() == GOOD


def test_a_server_that_sends_another_part_is_refused(offering):
    with pytest.raises(FetchError, match="sends 'bytes 7-9/10' where all from byte 0 was asked"):
        fetch("demo", manifest=offering("elsewhere"))
    assert fetch("demo", manifest=offering("cut40", "elsewhere", "whole"))[0].read_bytes() == GOOD


def test_a_server_that_sends_without_end_is_cut_off(offering, asked, leftovers):
    with pytest.raises(FetchError, match="sends more than the 131072 bytes expected"):
        fetch("demo", manifest=offering("endless"))
    assert leftovers() == []


def test_processes_that_fetch_the_same_file_do_not_mix_their_bytes(offering, leftovers, cached):
    manifest = offering("whole")
    threads = [
        threading.Thread(target=fetch, args=("demo",), kwargs={"manifest": manifest})
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leftovers() == [cached]
    assert cached.read_bytes() == GOOD


# ------------------------------------------------------------ the disk


def test_a_full_disk_keeps_what_has_arrived(offering, monkeypatch, asked, cached):
    class Full(io.FileIO):
        def write(self, chunk: Any) -> int:
            if self.tell() >= 2**16:
                raise OSError(28, "No space left on device")
            return super().write(chunk)

    opened = Path.open

    def open_full(path: Path, mode: str = "r", *more: Any, **settings: Any) -> Any:
        return Full(path, mode) if mode == "ab" else opened(path, mode, *more, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(
            FetchError, match="No space left on device .*65536 bytes are kept.*disk"
        ):
            fetch("demo", manifest=offering("whole", "good"))
    assert asked == ["/whole/map.nii"], "no other mirror makes room"
    fetch("demo", manifest=offering("whole"))
    assert cached.read_bytes() == GOOD


def test_what_the_disk_cannot_hold_is_not_begun(offering, asked, monkeypatch):
    monkeypatch.setattr(
        download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})()
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


def test_a_proxy_of_the_environment_is_used(offering, base, asked, monkeypatch, cached):
    monkeypatch.setenv("HTTP_PROXY", f"{base}/good")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    manifest = offering(urls=["http://127.0.0.1:1/good/map.nii"])  # nobody listens there
    fetch("demo", manifest=manifest)
    assert asked == ["http://127.0.0.1:1/good/map.nii"], "a proxy is asked for whole addresses"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    cached.unlink()
    with pytest.raises(FetchError, match="the proxy named in the environment does not answer"):
        fetch("demo", manifest=manifest)


# ------------------------------------------------------------ what the kit does not fetch


@pytest.mark.parametrize("name", ["dat-park", "dat-park-open", "ppmi", "dtbz-ds002385"])
def test_what_the_kit_does_not_fetch_comes_with_its_steps_and_its_place(name):
    told: list[str] = []
    with pytest.raises(FetchError) as caught:
        fetch(name, notify=told.append)
    message = str(caught.value)
    assert "What to do:\n  1. " in message and str(where(name)) in message
    assert "{folder}" not in message and any(line.startswith("Licence: ") for line in told)
    where(name).mkdir(parents=True)
    (where(name) / "exam.nii").write_bytes(b"x")
    assert fetch(name) == [where(name)]


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
            kept = len(served) * 2 // 5 // download.CHUNK * download.CHUNK
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
    code = "import datkit.data, sys; print({'requests', 'tqdm'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.strip() == "set()"
