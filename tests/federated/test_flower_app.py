"""What can be said of the Flower app without Flower; test_real_flower.py runs it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOWER = ROOT / "examples" / "flower"
PROJECT = tomllib.loads((FLOWER / "pyproject.toml").read_text(encoding="utf-8"))
APP = PROJECT["tool"]["flwr"]["app"]


def trees():
    return {one: ast.parse(one.read_bytes()) for one in sorted(FLOWER.rglob("*.py"))}


def run(*arguments):
    command = [sys.executable, FLOWER / "run.py", *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


def test_all_of_the_environment_is_pinned_and_flower_is_the_version_that_is_named():
    lines = (ROOT / "constraints-federated.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    [flower] = [line for line in pins if line.startswith("flwr==")]
    assert flower in PROJECT["project"]["dependencies"]
    version = flower.removeprefix("flwr==")
    for page in (FLOWER / "README.md", ROOT / "book" / "chapters" / "federated.md"):
        assert version in page.read_text(encoding="utf-8")
    shared = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert next(line for line in pins if line.startswith("torch==")) in shared


def test_the_components_that_the_app_names_are_there():
    for place in APP["components"].values():
        module, name = place.split(":")
        tree = trees()[FLOWER / f"{module.replace('.', '/')}.py"]
        made = [one.targets[0].id for one in tree.body if isinstance(one, ast.Assign)]
        assert name in made


def test_every_setting_is_used_and_each_that_is_used_is_declared():
    nodes = [node for tree in trees().values() for node in ast.walk(tree)]
    used = {
        node.slice.value
        for node in nodes
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and ast.unparse(node.value) in ("settings", "context.run_config")
    }
    assert used == APP["config"].keys()


def test_a_hospital_reads_no_path_that_was_sent():
    source = (FLOWER / "dat_flower" / "client_app.py").read_text(encoding="utf-8")
    paths = re.findall(r"Path\((.*)\)", source)
    assert paths == ['str(context.node_config["exams"])']


def test_no_process_calls_home():
    source = (FLOWER / "run.py").read_text(encoding="utf-8")
    for said in ('"FLWR_TELEMETRY_ENABLED": "0"', '"FLWR_DISABLE_UPDATE_CHECK": "1"'):
        assert said in source
    assert "FLWR_TELEMETRY_ENABLED := 0" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_help_teaches_without_flower():
    done = run("--help")
    assert done.returncode == 0
    for said in ("For example:", "run.py --cohort cohort", "--insecure", "as root"):
        assert said in done.stdout.lower() or said in done.stdout


@pytest.mark.skipif(find_spec("flwr") is not None, reason="Flower lies beside the kit here")
def test_without_flower_the_next_command_is_told(tmp_path):
    done = run("--cohort", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "make federated" in done.stderr
    assert not (tmp_path / "out").exists()
