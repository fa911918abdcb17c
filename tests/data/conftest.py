"""What tests of data share: a cohort folder, and a server on this machine with its manifest."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from exams import save_cohort
from file_server import GOOD, Server

from datkit.data import Manifest, load_manifest


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a cohort folder: make(uids, volumes=[…], exams="…")."""
    return partial(save_cohort, tmp_path / "demo")


@pytest.fixture
def asked() -> list[str]:
    """The paths that were asked of the server."""
    return []


@pytest.fixture
def ranges() -> list[str | None]:
    """The Range of each request."""
    return []


@pytest.fixture
def served() -> bytes:
    """The file that the server holds."""
    return GOOD


@pytest.fixture
def base(asked: list[str], ranges: list, served: bytes) -> Iterator[str]:
    """The address of a server that behaves as the path says."""
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


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """Where that file lies, or belongs."""
    return tmp_path / "data" / "open" / "demo" / "map.nii"


@pytest.fixture
def leftovers(tmp_path: Path) -> Callable[[], list[Path]]:
    """List the files in the data folder, but for locks: they are empty, and stay."""

    def list_files() -> list[Path]:
        files = (path for path in (tmp_path / "data").rglob("*") if path.is_file())
        return [path for path in files if path.suffix != ".lock" or path.stat().st_size]

    return list_files
