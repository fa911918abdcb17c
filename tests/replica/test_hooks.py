"""The hooks name what a submission must not touch, and say so if they are not there."""

from __future__ import annotations

import json
import os
import sys

import pytest
from attacks import ANSWER
from zips import save_zip

from datkit.replica import run_submission
from datkit.replica.hooks import Hook, VisibleFinder

pytestmark = pytest.mark.usefixtures("any_isolation")


@pytest.fixture
def hook(tmp_path):
    """A hook that is called, not installed, and the lines that it notes."""
    for name in ("code/data", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    events = os.open(tmp_path / "events.jsonl", os.O_WRONLY | os.O_CREAT)
    code = str(tmp_path / "code")
    yield Hook(f"{code}/data", [code], ["/usr"], events)
    os.close(events)


def noted(tmp_path) -> list[tuple[str, str]]:
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    return [tuple(json.loads(line).values()) for line in lines]


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("open", ("code/new.txt", "w", 0)),
        ("open", ("code/data/exam.nii.gz", "r", 0)),
        ("open", ("/dev/null", "w", 0)),
        ("open", (3, "w", 0)),
        ("os.mkdir", ("code/cache", 0o777, -1)),
        ("os.rename", ("code/a", "code/b", -1, -1)),
        ("os.listdir", ("code/data",)),
        ("os.scandir", (None,)),
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, "/run/socket")),
        ("import", ("os", None, None, None, None)),
    ],
)
def test_what_the_platform_allows_passes(event, args, hook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hook(event, args)
    assert noted(tmp_path) == []


@pytest.mark.parametrize(
    ("event", "args", "error", "code", "what"),
    [
        ("open", ("code/data/x", "a", 0), PermissionError, "data-written", "code/data/x"),
        ("open", ("code/data/x", None, os.O_RDWR), PermissionError, "data-written", "code/data/x"),
        ("open", ("elsewhere/x", "wb", 0), PermissionError, "written-outside", "elsewhere/x"),
        ("open", ("elsewhere/x", "r", 0), FileNotFoundError, "read-outside", "elsewhere/x"),
        ("os.listdir", ("elsewhere",), FileNotFoundError, "read-outside", "elsewhere"),
        ("os.remove", ("code/data/x", -1), PermissionError, "data-written", "code/data/x"),
        ("os.rename", ("code/a", "elsewhere/a", -1, -1), OSError, "written-outside", "elsewhere/a"),
        ("os.link", ("code/data/x", "code/x", -1, -1), OSError, "data-written", "code/data/x"),
        ("os.truncate", ("code/data/x", 0), PermissionError, "data-written", "code/data/x"),
        ("os.chmod", ("code/data", 0o777, -1), PermissionError, "data-written", "code/data"),
    ],
)
def test_what_it_refuses_is_refused_and_noted(
    event, args, error, code, what, hook, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # noted once
        with pytest.raises(error):
            hook(event, args)
    assert noted(tmp_path) == [(code, str(tmp_path / what))]


def test_a_link_is_followed_where_the_system_follows_it(hook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code" / "link").symlink_to(tmp_path / "code" / "data")
    with pytest.raises(PermissionError):
        hook("open", ("code/link/x", "w", 0))
    hook("os.remove", ("code/link", -1))  # the link itself
    folder = os.open(tmp_path / "code" / "data", os.O_RDONLY)
    with pytest.raises(PermissionError):
        hook("os.mkdir", ("x", 0o777, folder))
    os.close(folder)
    data = str(tmp_path / "code" / "data" / "x")
    assert noted(tmp_path) == [("data-written", data)]


@pytest.mark.parametrize(
    ("event", "args", "name"),
    [
        ("socket.connect", (None, ("192.0.2.1", 80)), "192.0.2.1"),
        ("socket.sendto", (None, ("2001:db8::1", 53, 0, 0)), "2001:db8::1"),
        ("socket.getaddrinfo", ("example.org", 443, 0, 0, 0), "example.org"),
        ("socket.getaddrinfo", (b"example.org", 443, 0, 0, 0), "example.org"),
    ],
)
def test_the_network_is_refused_by_name(event, args, name, hook, tmp_path):
    with pytest.raises(OSError, match=f"no network to reach {name}"):
        hook(event, args)
    assert noted(tmp_path) == [("network", name)]


def test_a_hidden_module_is_found_in_the_zip_only(tmp_path, monkeypatch):
    (tmp_path / "colorsys.py").write_text("")
    monkeypatch.setattr(VisibleFinder, "code", str(tmp_path))
    monkeypatch.setattr(VisibleFinder, "hidden", frozenset({"colorsys"}))
    assert VisibleFinder.find_spec("colorsys") is None
    assert VisibleFinder.find_spec("json") is not None
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert VisibleFinder.find_spec("colorsys").origin == str(tmp_path / "colorsys.py")


def test_a_replica_without_hooks_is_reported(cohort_folder, tmp_path, monkeypatch):
    (tmp_path / "hooks.py").write_text("if __name__ == 'sitecustomize': import os; os._exit(1)")
    monkeypatch.setattr("datkit.replica.hooks.__file__", str(tmp_path / "hooks.py"))
    packed = save_zip(tmp_path / "good.zip", {"main.py": ANSWER})
    report = run_submission(packed, cohort_folder, progress=False)
    assert "no-hooks" in {problem.code for problem in report.problems}
