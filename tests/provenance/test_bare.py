"""Published folders where nothing is installed but the challenge's packages: `make published`."""

import os
import subprocess
from pathlib import Path

import pytest

from datkit.inspect.runtime import PACKAGES, is_in_runtime

BARE = os.environ.get("DATKIT_BARE", "")
needs_it = pytest.mark.skipif(not BARE, reason="needs an environment of its own: make published")
INSTALLED = "from importlib.metadata import *; print(*packages_distributions())"
# Needed by some of them, or by Python.
BROUGHT = {"_distutils_hack", "importlib_resources", "isympy", "pip", "tzdata"}


def run_bare(*words, folder):
    """Run Python there, with nothing of this environment."""
    call = [str(Path(BARE).absolute()), "-E", *words]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)


def test_the_versions_are_the_challenges():
    lines = Path(__file__).parents[2].joinpath("constraints-published.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line and "#" not in line)
    there = {name: one["version"] for name, one in PACKAGES.items() if name in pinned}
    assert pinned | {"torch": there["torch"]} == there


@needs_it
def test_it_holds_nothing_but_the_challenges_packages(tmp_path):
    found = {*run_bare("-c", INSTALLED, folder=tmp_path).stdout.split()}
    assert {"numpy", "torch"} <= found
    assert {name for name in found if not is_in_runtime(name)} <= BROUGHT


@needs_it
@pytest.mark.parametrize("name", ["published", "several"])
def test_a_published_folder_predicts_the_same_there(name, request):
    folder = request.getfixturevalue(name)
    done = run_bare("check.py", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
