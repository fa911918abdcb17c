"""The files by which the kit starts elsewhere: a dev container, GitHub Codespaces and Binder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).resolve().parents[1]
# https://containers.dev/implementors/json_reference, those that a container from an image may have
KEYS = {
    "name", "image", "features", "hostRequirements", "postCreateCommand", "forwardPorts",
    "portsAttributes", "customizations", "remoteUser", "containerEnv", "remoteEnv",
}  # fmt: skip


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def without_comments(text: str) -> str:
    """Return JSON of a text in JSON with comments; what stands in quotes is left alone."""
    parts = r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/'
    return re.sub(parts, lambda found: found[1] or "", text, flags=re.S)


def python_of_ci() -> set[str]:
    [job] = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"].values()
    return {row["python"] for row in job["strategy"]["matrix"]["include"]}


def project() -> dict:
    return tomllib.loads(read("pyproject.toml"))["project"]


@pytest.fixture(scope="module")
def container() -> dict:
    return json.loads(without_comments(read(".devcontainer/devcontainer.json")))


def test_comments_are_taken_out_and_addresses_are_not():
    text = '{"a": "http://b /* c */", // "d": 1\n "e": /* , */ 2}'
    assert json.loads(without_comments(text)) == {"a": "http://b /* c */", "e": 2}


def test_the_container_is_a_stated_version_of_a_python_that_ci_tests(container):
    assert set(container) <= KEYS
    found = re.fullmatch(
        r"mcr\.microsoft\.com/devcontainers/python:\d+\.\d+\.\d+-(3\.\d+)-\w+", container["image"]
    )
    assert found[1] in python_of_ci() and found[1] in SpecifierSet(project()["requires-python"])


def test_the_container_installs_as_the_readme_says(container):
    command = container["postCreateCommand"]
    assert f"\n{command}\n" in read("README.md")
    dry = ["make", "-n", *shlex.split(command)[1:], "VENV=none"]
    done = subprocess.run(dry, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "download.pytorch.org/whl/cpu -e '.[book,dev]' -c constraints.txt" in done.stdout


def test_the_container_forwards_the_ports_of_targets_that_exist(container):
    from jupyter_server.serverapp import DEFAULT_JUPYTER_SERVER_PORT

    served = re.search(r"^serve:.*?http\.server (\d+)", read("Makefile"), re.M | re.S)[1]
    assert container["forwardPorts"] == [DEFAULT_JUPYTER_SERVER_PORT, int(served)]
    labels = [
        container["portsAttributes"][str(port)]["label"] for port in container["forwardPorts"]
    ]
    assert re.findall(r"\(make (\w+)\)", " ".join(labels)) == ["lab", "serve"]
    assert all(f"\n{target}:" in read("Makefile") for target in ("lab", "serve"))
    opened = container["customizations"]["codespaces"]["openFiles"]
    assert opened and all((REPOSITORY / name).is_file() for name in opened)


def test_binder_has_a_python_that_ci_tests():
    name, version = read("binder/runtime.txt").strip().split("-")
    assert name == "python" and version in python_of_ci()


def test_binder_takes_versions_and_extras_from_where_they_are_stated():
    lines = [line for line in read("binder/requirements.txt").splitlines() if line[0] != "#"]
    index, constraints, kit = lines
    assert index.split()[1] in read("README.md")
    pinned = (REPOSITORY / "binder" / constraints.removeprefix("-c ")).resolve()
    assert pinned == REPOSITORY / "constraints.txt"
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", kit)[1].split(",")
    assert {*extras} <= {*project()["optional-dependencies"]}


def test_pip_finds_all_that_binder_asks_for(tmp_path):
    """In what is installed here; an editable kit would want one more package to build it."""
    (tmp_path / "binder").mkdir()
    shutil.copy(REPOSITORY / "constraints.txt", tmp_path)
    asked = read("binder/requirements.txt").replace("-e .", ".")
    (tmp_path / "binder" / "requirements.txt").write_text(asked, encoding="utf-8")
    offline = ["--dry-run", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *offline, "-r", "requirements.txt"]
    command[-1] = str(tmp_path / "binder" / "requirements.txt")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Would install dat-spect-kit-{project()['version']}" in done.stdout


def test_binder_puts_student_notebooks_in_place_of_the_masters(tmp_path):
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    for name in ("book", "notebooks", "benchmarks/results", "binder"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    masters = sorted((checkout / "notebooks").glob("*.ipynb"))
    for master in masters[2:]:
        master.unlink()
    programs.mkdir()
    for name, does in (("python", f'exec {sys.executable} "$@"'), ("datkit", 'echo "$@" >> asked')):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    known = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    assert os.access(REPOSITORY / "binder" / "postBuild", os.X_OK)
    first = None
    for _ in range(2):  # the second time it finds them made, as on the branch of student notebooks
        subprocess.run(["binder/postBuild"], cwd=checkout, env=os.environ | known, check=True)
        made = [path.read_text(encoding="utf-8") for path in masters[:2]]
        assert all('"id": "set-up"' in text and '"stub"' in text for text in made)
        assert first in (None, made)
        first = made
    assert len([*(checkout / "notebooks" / "solutions").glob("*.ipynb")]) == 2
    simulated = (checkout / "asked").read_text(encoding="utf-8").splitlines()
    assert simulated == ["simulate --size small --seed 2026"] * 2
    for text in made:  # what is simulated is what they open
        assert 'size = \\"small\\"' in text and "seed = 2026" in text
