"""Wheels for other systems, with all that they need there.

``pip download --platform`` takes wheels for another system, but asks this one which packages are
needed at all: of what Windows alone needs, nothing would come. So each wheel is asked itself, under
the other system's conditions, until nothing is left to fetch. What cannot be had is told at the
end; the rest comes all the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from pydantic import BaseModel

__all__ = ["SYSTEMS", "System", "collect_wheels", "pip_download"]

Download = Callable[[Sequence[str], Path], str]


class System(BaseModel, frozen=True, extra="forbid"):
    """A system: its name for people, the wheels it takes, its answers to conditions."""

    label: str
    platforms: tuple[str, ...]
    answers: dict[str, str]

    def conditions(self, python: str) -> dict[str, str]:
        """Return what a requirement's marker may ask, for a Python such as ``"3.11"``."""
        own = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
        return own | self.answers | {"python_version": python, "python_full_version": f"{python}.0"}


_WRITTEN = tomllib.loads(Path(__file__).with_name("systems.toml").read_text(encoding="utf-8"))
SYSTEMS = {name: System.model_validate(system) for name, system in _WRITTEN.items()}


def pip_download(system: System, python: str, options: Sequence[str] = ()) -> Download:
    """Return what downloads wheels into a folder, and says in a line why it could not."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    command += [word for platform in system.platforms for word in ("--platform", platform)]

    def download(requirements: Sequence[str], folder: Path) -> str:
        whole = [*command, "--dest", str(folder), *requirements]
        done = subprocess.run(whole, check=False, capture_output=True, text=True)
        said = done.stderr.strip().splitlines() or ["pip said nothing"]
        return said[-1].removeprefix("ERROR: ") if done.returncode else ""

    return download


def _pinned(requirement: Requirement) -> str:
    """Return what to ask for: the version installed here, where there is one."""
    try:
        return f"{requirement.name}=={version(requirement.name).partition('+')[0]}"
    except PackageNotFoundError:
        return f"{requirement.name}{requirement.specifier}"


def _wheels(*folders: Path) -> dict[str, Path]:
    paths = (path for folder in folders for path in folder.glob("*.whl"))
    return {parse_wheel_filename(path.name)[0]: path for path in paths}


def _needs(wheel: Path) -> list[Requirement]:
    """Return what a wheel says it requires, conditions included."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        said = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    return [Requirement(one) for one in said.get_all("Requires-Dist", [])]


def _applies(requirement: Requirement, extras: set[str], conditions: dict[str, str]) -> bool:
    marker = requirement.marker
    asked = ({"extra": extra} for extra in ("", *extras))
    return marker is None or any(marker.evaluate(conditions | extra) for extra in asked)


def collect_wheels(
    roots: Iterable[str], own: Path, common: Path, conditions: dict[str, str], download: Download
) -> list[str]:
    """Download what `roots` need on one system; return what could not be had, a line each.

    Parameters
    ----------
    roots : iterable of str
        Requirements.
    own, common : Path
        Take the wheels: those of one system and Python, and those that go for all. A wheel that
        lies there already is not asked for again.
    conditions : dict
        The system's answers, as :meth:`System.conditions` gives them.
    download : callable
        Takes requirements and a folder; returns why it could not, or nothing.
    """
    for each in (own, common):
        each.mkdir(parents=True, exist_ok=True)
    missing: list[str] = []
    asked: dict[str, set[str]] = {}  # by name: extras that were followed
    level = [Requirement(root) for root in roots]
    while level:
        new = [one for one in level if canonicalize_name(one.name) not in asked]
        missing += _fetch(new, own, common, download)
        there, following = _wheels(own, common), []
        for one in level:
            name = canonicalize_name(one.name)
            if name in there and (name not in asked or one.extras - asked[name]):
                needs = _needs(there[name])
                following += [need for need in needs if _applies(need, one.extras, conditions)]
            asked.setdefault(name, set()).update(one.extras)
        level = following
    for path in own.glob("*-none-any.whl"):
        path.replace(common / path.name)
    return missing


def _fetch(wanted: list[Requirement], own: Path, common: Path, download: Download) -> list[str]:
    """Download at once what is not there; one by one, if any of it cannot be had."""
    there, names = _wheels(own, common), set()
    for one in wanted:
        pinned, path = _pinned(one), there.get(canonicalize_name(one.name))
        if path and parse_wheel_filename(path.name)[1] in Requirement(pinned).specifier:
            continue
        if path:
            path.unlink()  # of another version, from an earlier day
        names.add(pinned)
    if not names or not download(sorted(names), own):
        return []
    return [f"{name}: {said}" for name in sorted(names) if (said := download([name], own))]
