"""The stick: what lies on it, and its installer, tried with a package of two lines."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from datkit.book.student import Pages
from datkit.book.workshop import stick
from datkit.book.workshop.stick import INSTALLER, Stick, main, make_stick
from datkit.errors import UsageError
from datkit.prepare.cohort import prepare_cohort
from datkit.simulate.cohort import open_cohort

REPOSITORY = Path(__file__).resolve().parents[3]
THIS = "{}.{}".format(*sys.version_info)
HERE = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}[platform.system()]
LACK = "numpy==2.0: No matching distribution found for numpy==2.0"


def fake_wheels(
    roots: list[str], own: Path, common: Path, conditions: dict, download: object
) -> list:
    """Stand in for the registries: one wheel a system, and one package that Windows lacks."""
    assert "dat-spect-kit[class,provenance]" in roots and conditions["python_version"] == "3.11"
    own.mkdir(parents=True, exist_ok=True)
    (own / "torch-2.0-cp311-cp311-x.whl").write_bytes(bytes(2_000_000))
    return [LACK] if own.name == "windows-3.11" else []


@pytest.fixture
def pages(toy_book: Path) -> Pages:
    return Pages(toy_book / "book", toy_book / "notebooks", toy_book)


@pytest.fixture
def made(prepared_data, pages, toy_book, tmp_path, monkeypatch, needed) -> tuple[Path, list[str]]:
    """A stick for two systems, of the book of two pages, which is not built."""
    needed(find_spec("hatchling"), "hatchling is not installed: pip install -e '.[dev]'")
    monkeypatch.setattr(stick, "collect_wheels", fake_wheels)
    asked = Stick(("linux", "windows"), ("3.11",), "tiny", 2026)
    out = tmp_path / "stick"
    return out, make_stick(asked, out, pages, toy_book / "run", tmp_path / "no-book")


def test_a_stick_holds_all_parts_and_tells_all_that_is_missing_at_the_end(made):
    out, missing = made
    assert missing[0] == f"Windows, x86-64, Python 3.11: {LACK}"
    assert missing[1].startswith("The book: expected it built in") and len(missing) == 2
    assert [path.name for path in (out / "notebooks").iterdir()] == ["01_toy.ipynb"]
    assert (out / "teacher" / "solutions" / "01_toy.ipynb").is_file()
    assert len([*(out / "wheels" / "any").glob("dat_spect_kit-*.whl")]) == 1
    written = (out / "requirements.txt").read_text().split()
    assert {"dat-spect-kit[class,provenance]", "jupyterlab", "papermill", "numpy"} <= set(written)


def test_the_exams_on_it_are_prepared_for_whoever_installs_it(made, monkeypatch):
    out, _ = made
    monkeypatch.setenv("DATKIT_DATA", str(out / "exams"))
    before = sorted(path for path in (out / "exams" / "prepared").rglob("*"))
    prepared = prepare_cohort(open_cohort("simulated", size="tiny"), progress=False)
    assert len(prepared) == 24
    assert sorted(path for path in (out / "exams" / "prepared").rglob("*")) == before


def test_its_notebooks_open_its_exams(tmp_path):
    """A stick of 24 exams whose notebooks opened 200 simulated these first, for minutes each."""
    cell = new_code_cell('size = "small"  # or "tiny"\nseed = 2026  # of it\nepochs = 40')
    cell.metadata["tags"] = ["parameters"]
    other = new_code_cell('size = "small"')
    for place in (tmp_path / "01.ipynb", tmp_path / "solutions" / "01.ipynb"):
        place.parent.mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=[cell, other]), place)
    stick._open_its_exams(Stick(("linux",), ("3.11",), "tiny", 7), tmp_path)
    for place in tmp_path.rglob("*.ipynb"):
        first, second = nbformat.read(place, as_version=4).cells
        assert first.source == 'size = "tiny"  # or "tiny"\nseed = 7  # of it\nepochs = 40'
        assert second.source == 'size = "small"'


def test_the_size_of_each_part_is_stated_and_every_file_summed(made):
    out, _ = made
    readme = (out / "README.txt").read_text(encoding="utf-8")
    assert "wheels/linux-3.11" in readme and "       2 MB\n" in readme and "in all" in readme
    assert "For education and research, not for diagnosis." in readme
    summed = dict(
        reversed(line.split("  ", 1)) for line in (out / "SHA256SUMS").read_text().splitlines()
    )
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert set(summed) == files - {"SHA256SUMS"}
    assert all(hashlib.sha256((out / name).read_bytes()).hexdigest() == its
               for name, its in summed.items())  # fmt: skip


def test_each_system_has_an_installer_of_three_lines(made):
    out, _ = made
    for name in ("install.sh", "install.command", "install.bat"):
        text = (out / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) == 3 and "3.11" in text and "install.py" in text


def test_a_second_stick_in_the_same_folder_has_the_same_sums(made, pages, toy_book, tmp_path):
    out, missing = made
    sums = (out / "SHA256SUMS").read_text()
    asked = Stick(("linux", "windows"), ("3.11",), "tiny", 2026)
    assert make_stick(asked, out, pages, toy_book / "run", tmp_path / "no-book") == missing
    assert (out / "SHA256SUMS").read_text() == sums


def test_a_built_book_comes_along_and_its_slides_go_to_whoever_teaches(
    prepared_data, pages, toy_book, tmp_path, monkeypatch
):
    monkeypatch.setattr(stick, "collect_wheels", fake_wheels)
    html = tmp_path / "html"
    (html / "_static" / "workshop").mkdir(parents=True)
    (html / "index.html").write_text("The book.")
    (html / "_static" / "workshop" / "slides-half-day.html").write_text("Slides.")
    out = tmp_path / "stick"
    asked = Stick(("linux",), ("3.11",), "tiny", 2026)
    assert make_stick(asked, out, pages, toy_book / "run", html) == []
    assert (out / "book" / "index.html").read_text() == "The book."
    assert (out / "teacher" / "slides-half-day.html").read_text() == "Slides."


def test_a_folder_of_somebodys_own_is_left_alone(pages, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no stick"):
        make_stick(Stick((), (), "tiny", 2026), tmp_path, pages, tmp_path, tmp_path)
    assert main(["--out", str(tmp_path)]) == 2 and "is no stick" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A stick whose only package is a kit of two lines."""
    out = tmp_path / "small"
    wheels = out / "wheels" / "any"
    wheels.mkdir(parents=True)
    (out / "wheels" / f"{HERE}-{THIS}").mkdir()
    with zipfile.ZipFile(wheels / "toykit-1.0-py3-none-any.whl", "w") as whole:
        where = "import os\n\n\ndef data_folder():\n    return os.environ['DATKIT_DATA']\n"
        whole.writestr("datkit/files.py", where)
        whole.writestr(
            "toykit-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toykit\nVersion: 1.0\n"
        )
        whole.writestr(
            "toykit-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        whole.writestr("toykit-1.0.dist-info/RECORD", "")
    (out / "requirements.txt").write_text("toykit\n")
    for name in ("exams/simulated/a.csv", "notebooks/01.ipynb", "book/index.html"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    (out / "stick.json").write_text(json.dumps({"systems": [HERE], "pythons": [THIS]}))
    shutil.copy(INSTALLER / "install.py", out)
    stick._write_sums(out)
    return out


def install(stick: Path, home: Path, data: Path) -> subprocess.CompletedProcess:
    environment = {"DATKIT_DATA": str(data), "PATH": "/usr/bin:/bin", "HOME": str(home.parent)}
    command = [sys.executable, str(stick / "install.py"), str(home)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_the_installer_makes_a_home_and_keeps_what_was_worked_on(small, tmp_path):
    home, data = tmp_path / "home", tmp_path / "its-data"
    done = install(small, home, data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("For education and research, not for diagnosis.\n")
    assert (data / "simulated" / "a.csv").read_text() == "exams/simulated/a.csv"
    assert (home / "book" / "index.html").is_file()
    start = next(home.glob("start*"))
    assert start.stat().st_mode & 0o100 and "jupyter" in start.read_text()
    (home / "notebooks" / "01.ipynb").write_text("my own")
    assert install(small, home, data).returncode == 0
    assert (home / "notebooks" / "01.ipynb").read_text() == "my own"


def test_a_changed_or_lost_file_stops_the_installer_before_it_begins(small, tmp_path):
    (small / "book" / "index.html").write_text("other")
    (small / "notebooks" / "01.ipynb").unlink()
    done = install(small, tmp_path / "home", tmp_path / "data")
    assert done.returncode == 1 and not (tmp_path / "home").exists()
    assert "missing or changed: book/index.html, notebooks/01.ipynb. Copy" in done.stderr


def test_a_package_that_the_stick_lacks_is_told_without_a_traceback(small, tmp_path):
    (small / "requirements.txt").write_text("toykit\nreader-of-jpeg\n")
    stick._write_sums(small)
    done = install(small, tmp_path / "home", tmp_path / "data")
    assert done.returncode == 1 and "No matching distribution found for reader" in done.stderr
    assert "Tell whoever made the stick" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"systems": [HERE], "pythons": ["2.7", "3.0"]},
            f"Expected Python 2.7 or 3.0, found {THIS}",
        ),
        ({"systems": ["amiga"], "pythons": [THIS]}, "Expected one of amiga, found"),
    ],
)
def test_another_python_or_system_is_told_what_to_do(small, tmp_path, given, words):
    (small / "stick.json").write_text(json.dumps(given))
    done = install(small, tmp_path / "home", tmp_path / "data")
    assert done.returncode == 1 and words in done.stderr
