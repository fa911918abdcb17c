"""Wheels for other systems: each is asked, under their conditions, what it needs."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

from datkit.book.workshop.wheels import SYSTEMS, collect_wheels, pip_download
from datkit.prepare.cohort import LIBRARIES

# A registry: by name, version, what it requires, and for which system alone (none: for all).
REGISTRY = {
    "lab": ("2.0", ["terminal>=1", "theme[dark]; extra == 'nice'", "kernel"], ""),
    "terminal": ("1.5", ["pywinpty; os_name == 'nt'", "ptyprocess; os_name != 'nt'"], ""),
    "kernel": (
        "1.0",
        ["appnope; platform_system == 'Darwin'", "lab", "old; python_version < '3.8'"],
        "",
    ),
    "theme": ("3.0", ["night; extra == 'dark'"], ""),
    "night": ("1.0", [], ""),
    "ptyprocess": ("0.7", [], ""),
    "pywinpty": ("3.1", [], "cp311-cp311-win_amd64"),
    "appnope": ("0.1", [], ""),
}


class Registry:
    """Writes wheels instead of downloading them, and remembers what was asked."""

    def __init__(self, *lacks: str) -> None:
        self.lacks, self.asked = lacks, []

    def __call__(self, requirements: Sequence[str], folder: Path) -> str:
        self.asked.append(list(requirements))
        names = [one.split("=")[0].split(">")[0] for one in requirements]
        if gone := [name for name in names if name in self.lacks]:
            return f"No matching distribution found for {gone[0]}"
        for name in names:
            version, needs, tag = REGISTRY[name]
            with zipfile.ZipFile(
                folder / f"{name}-{version}-{tag or 'py3-none-any'}.whl", "w"
            ) as whole:
                lines = [
                    f"Name: {name}",
                    f"Version: {version}",
                    *(f"Requires-Dist: {n}" for n in needs),
                ]
                whole.writestr(
                    f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\nText."
                )
        return ""


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No version is wanted for being the one installed here."""

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("datkit.book.workshop.wheels.version", version)


def collect(folder: Path, system: str, registry: Registry, root: str = "lab") -> list[str]:
    conditions = SYSTEMS[system].conditions("3.11")
    return collect_wheels([root], folder / system, folder / "any", conditions, registry)


def names(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in folder.glob("*.whl")}


@pytest.mark.parametrize(
    ("system", "own", "common"),
    [
        ("linux", set(), {"lab", "terminal", "kernel", "ptyprocess"}),
        ("windows", {"pywinpty"}, {"lab", "terminal", "kernel"}),
        ("macos", set(), {"lab", "terminal", "kernel", "ptyprocess", "appnope"}),
    ],
)
def test_each_system_gets_what_it_needs_and_no_more(tmp_path, system, own, common):
    assert collect(tmp_path, system, Registry()) == []
    assert names(tmp_path / system) == own and names(tmp_path / "any") == common


def test_extras_are_followed_and_circles_end(tmp_path):
    assert collect(tmp_path, "linux", Registry(), "lab[nice]") == []
    assert {"theme", "night"} <= names(tmp_path / "any")


def test_what_cannot_be_had_is_told_and_the_rest_comes(tmp_path):
    lacks = collect(tmp_path, "windows", Registry("pywinpty", "kernel"))
    assert lacks == [
        "kernel: No matching distribution found for kernel",
        "pywinpty: No matching distribution found for pywinpty",
    ]
    assert names(tmp_path / "any") == {"lab", "terminal"}


def test_a_second_call_asks_for_nothing_that_is_there(tmp_path):
    collect(tmp_path, "windows", Registry())
    again = Registry()
    assert collect(tmp_path, "windows", again) == [] and again.asked == []
    other = Registry()
    assert collect(tmp_path, "macos", other) == []
    assert sorted(name for one in other.asked for name in one) == ["appnope", "ptyprocess"]


def test_another_version_is_replaced(tmp_path, monkeypatch):
    collect(tmp_path, "linux", Registry())
    monkeypatch.setattr("datkit.book.workshop.wheels.version", lambda name: "9.9")
    again = Registry()
    monkeypatch.setitem(REGISTRY, "lab", ("9.9", [], ""))
    assert collect(tmp_path, "linux", again) == [] and again.asked == [["lab==9.9"]]
    assert [path.name for path in (tmp_path / "any").glob("lab-*")] == ["lab-9.9-py3-none-any.whl"]


def test_a_build_for_processors_counts_as_its_version(tmp_path, monkeypatch):
    """Torch 2.13.0 is installed as 2.13.0+cpu: other systems have it under its plain name."""
    monkeypatch.setattr("datkit.book.workshop.wheels.version", lambda name: "2.0+cpu")
    first = Registry()
    monkeypatch.setitem(REGISTRY, "lab", ("2.0", [], ""))
    assert collect(tmp_path, "linux", first) == [] and first.asked == [["lab==2.0"]]
    again = Registry()
    assert collect(tmp_path, "linux", again) == [] and again.asked == []


def test_pip_is_asked_for_the_other_systems_wheels_alone(tmp_path, monkeypatch):
    seen = []

    def run(command: list[str], **_: object) -> object:
        seen.extend(command)
        return type("Done", (), {"returncode": 1, "stderr": "WARNING: x\nERROR: No wheel."})

    monkeypatch.setattr("subprocess.run", run)
    download = pip_download(SYSTEMS["windows"], "3.12", ["--index-url", "https://example.org"])
    assert download(["numpy==2.0"], tmp_path) == "No wheel."
    words = " ".join(seen)
    assert "--platform win_amd64" in words and "--python-version 3.12" in words
    assert "--only-binary=:all:" in words and "--no-deps --index-url https://example.org" in words
    assert words.endswith(f"--dest {tmp_path} numpy==2.0")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_linux_stick_takes_the_build_that_runs_here(library):
    """Pylibjpeg-libjpeg 2.5.0 asks for glibc 2.31: a stick that stopped at 2.28 did not install."""
    if not find_spec(library.rsplit("-")[-1]):
        pytest.skip("reads JPEG or DICOM, an extra that is not installed")
    tags = re.findall(r"^Tag: \S+-(\S+)$", distribution(library).read_text("WHEEL"), re.M)
    builds = {build for tag in tags for build in tag.split(".") if build.startswith("manylinux")}
    assert not builds or builds & set(SYSTEMS["linux"].platforms)
