"""What is installed: the whole package but the code that builds the book."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, needed) -> Path:
    """The wheel of this checkout, unpacked; hatchling builds it with no network."""
    needed(shutil.which("git"), "git is not installed")
    needed(find_spec("hatchling"), "hatchling is not installed: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("wheel")
    script = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(script, cwd=REPOSITORY, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "there")
    return folder / "there"


def test_it_holds_the_package_without_the_book(wheel: Path) -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "datkit"]
    done = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    sources = {name for name in done.stdout.split() if (REPOSITORY / name).is_file()}
    wanted = {name for name in sources if not name.startswith("datkit/book/")}
    wanted |= {"datkit/LICENSE", "datkit/data_manifest.yaml"}
    files = (path for path in (wheel / "datkit").rglob("*") if path.is_file())
    assert {path.relative_to(wheel).as_posix() for path in files} == wanted
    assert "datkit/py.typed" in wanted


def test_it_works_without_the_book(wheel: Path) -> None:
    """The rooms and the command line load from the wheel alone, and the manifest is at hand."""
    script = (
        "import datkit, datkit.data, datkit.view, datkit.cli, importlib.util as u;"
        f"assert datkit.__file__.startswith(r'{wheel}'), datkit.__file__;"
        "assert u.find_spec('datkit.book') is None;"
        "assert datkit.data.load_manifest().datasets;"
        "datkit.cli.main(['--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(wheel)}, cwd=wheel, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "datkit" in done.stdout
