"""A folder for a memory stick, from which a workshop is installed with no network.

::

    python -m datkit.book.workshop.stick --out build/stick --systems linux windows macos

It holds wheels for each system, prepared exams, student notebooks, the book if it is built, and
an installer for each system. What is missing is told at the end, all at once.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nbformat

from datkit.book.student import SOLUTIONS, Pages, write_student_notebooks
from datkit.book.workshop.wheels import SYSTEMS, collect_wheels, pip_download
from datkit.errors import DatkitError, UsageError
from datkit.files import data_folder, sha256_file, write_json
from datkit.prepare.cohort import LIBRARIES, prepare_cohort
from datkit.simulate.cohort import open_cohort

__all__ = ["Stick", "main", "make_stick"]

KIT = "dat-spect-kit[class,provenance]"  # a lesson writes PROV and RO-Crate
ROOTS = (KIT, "jupyterlab", "papermill")
INSTALLER = Path(__file__).with_name("installer")
MARK = "stick.json"  # lies in every stick's folder: only what this module made is ever deleted
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
SHELL = '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\nexec python{python} install.py "$@"\n'
SCRIPTS = {
    "install.sh": SHELL,  # Linux
    "install.command": SHELL,  # macOS
    "install.bat": '@echo off\r\ncd /d "%~dp0"\r\npy -{python} install.py %* & pause\r\n',
}
README = """\
DaT SPECT: a workshop on a memory stick
For education and research, not for diagnosis. All exams are simulated.

1. Install Python {pythons} if your computer lacks it: the stick does not bring it.
2. Linux: sh install.sh    macOS: sh install.command    Windows: install.bat
   No network is needed. It makes a folder dat-workshop at home, of about 2 GB.
3. Start start (Windows: start.bat) in that folder: JupyterLab opens the notebooks.
   book/index.html is the book, for any browser.

For whoever teaches: teacher/ holds solutions, and if the book was built, slides and answers. Take
it off the sticks of participants if you keep it back.

{sizes}

"sha256sum -c SHA256SUMS" tells whether the stick was copied whole. The installer looks too.
"""


@dataclass(frozen=True)
class Stick:
    """What to put on a stick: systems and Pythons, the size and seed of the exams."""

    systems: tuple[str, ...]
    pythons: tuple[str, ...]
    size: str
    seed: int
    pip: tuple[str, ...] = ()


def _roots() -> list[str]:
    """Return what is installed from a stick, libraries among it by which exams are prepared."""
    return [*ROOTS, *(one for one in LIBRARIES if find_spec(one.rsplit("-")[-1]))]


def _write_wheels(stick: Stick, out: Path) -> list[str]:
    """Put the kit's own wheel and those of all systems there; return what is missing."""
    common = out / "wheels" / "any"
    common.mkdir(parents=True, exist_ok=True)
    for old in common.glob("dat_spect_kit-*.whl"):
        old.unlink()
    script = [sys.executable, "-c", BUILD, str(common.resolve())]
    subprocess.run(script, check=True, capture_output=True)
    missing = []
    for name in stick.systems:
        system = SYSTEMS[name]
        for python in stick.pythons:
            print(f"Wheels for {system.label}, Python {python}: some minutes ...", flush=True)
            download = pip_download(system, python, stick.pip)
            own, conditions = common.with_name(f"{name}-{python}"), system.conditions(python)
            lacks = collect_wheels(_roots(), own, common, conditions, download)
            missing += [f"{system.label}, Python {python}: {line}" for line in lacks]
    return missing


def _write_exams(stick: Stick, out: Path) -> None:
    """Put the cohort there as it lies in the data folder, simulated and prepared."""
    cohort = open_cohort("simulated", size=stick.size, seed=stick.seed)
    prepared = Path(prepare_cohort(cohort).volumes.filename).parent  # type: ignore[attr-defined]
    for folder in (cohort.folder, prepared):
        target = out / "exams" / Path(folder).resolve().relative_to(data_folder())
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)


def _open_its_exams(stick: Stick, folder: Path) -> None:
    """Let notebooks open the stick's own exams: of others, each would simulate hundreds first."""
    for path in folder.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                sized = re.sub('^size = ".*?"', f'size = "{stick.size}"', cell.source, flags=re.M)
                cell.source = re.sub(r"^seed = \d+", f"seed = {stick.seed}", sized, flags=re.M)
        nbformat.write(notebook, path)


def _write_notebooks(stick: Stick, pages: Pages, executed: Path, out: Path) -> None:
    """Put the student notebooks there; solutions go to whoever teaches."""
    write_student_notebooks(pages, executed, out / "notebooks")
    _open_its_exams(stick, out / "notebooks")
    (out / "teacher").mkdir(exist_ok=True)
    shutil.rmtree(out / "teacher" / SOLUTIONS, ignore_errors=True)
    shutil.move(out / "notebooks" / SOLUTIONS, out / "teacher" / SOLUTIONS)


def _write_book(html: Path, out: Path) -> list[str]:
    """Put the built book there, and what whoever teaches projects and prints."""
    if not (html / "index.html").is_file():
        return [f"The book: expected it built in {html}, found none. Run 'make book' first."]
    shutil.rmtree(out / "book", ignore_errors=True)
    shutil.copytree(html, out / "book")
    for page in (html / "_static" / "workshop").glob("*.html"):
        shutil.copy(page, out / "teacher" / page.name)
    return []


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def _sizes(out: Path) -> str:
    """Return the size of each part, a line each, and of all."""
    parts = [*sorted((out / "wheels").iterdir()), *(path for path in sorted(out.iterdir())
             if path.is_dir() and path.name != "wheels")]  # fmt: skip
    rows = [(path.relative_to(out).as_posix(), _size(path.rglob("*"))) for path in parts]
    rows.append(("in all", _size(out.rglob("*"))))
    return "\n".join(f"{name:<16} {size / 1e6:>8,.0f} MB" for name, size in rows)


def _write_installers(stick: Stick, out: Path) -> None:
    shutil.copy(INSTALLER / "install.py", out)
    for name, text in SCRIPTS.items():
        script = out / name
        script.write_text(text.format(python=stick.pythons[0]), encoding="utf-8", newline="")
        script.chmod(0o755)
    (out / "requirements.txt").write_text("\n".join(_roots()) + "\n", encoding="utf-8")


def _write_sums(out: Path) -> None:
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{sha256_file(path)}  {path.relative_to(out).as_posix()}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="")


def make_stick(stick: Stick, out: Path, pages: Pages, executed: Path, html: Path) -> list[str]:
    """Fill the folder of a stick, or bring it up to date; return what is missing, a line each.

    Raises
    ------
    UsageError
        If `out` holds something that was not put there by this function.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(f"{out} exists and is no stick: move it away, or name another --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / MARK, {"systems": stick.systems, "pythons": stick.pythons})
    missing = _write_wheels(stick, out)
    print("Exams, notebooks, book ...", flush=True)
    _write_exams(stick, out)
    _write_notebooks(stick, pages, executed, out)
    missing += _write_book(html, out)
    _write_installers(stick, out)
    readme = README.format(pythons=" or ".join(stick.pythons), sizes=_sizes(out))
    (out / "README.txt").write_text(readme, encoding="utf-8")
    _write_sums(out)
    return missing


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the stick from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.workshop.stick",
        description="Fill a folder for a memory stick, from which a workshop is installed.",
        epilog="Exit codes: 0 whole, 1 something is missing, 2 wrong use.",
    )
    add, this = parser.add_argument, "{}.{}".format(*sys.version_info)
    add("--out", type=Path, default=Path("build/stick"), help="folder to fill (build/stick)")
    add("--systems", nargs="+", choices=SYSTEMS, default=[*SYSTEMS], help="default: all")
    add("--pythons", nargs="+", default=[this], metavar="3.11", help=f"default: {this}")
    add("--size", default="small", help="of the cohort (small)")
    add("--seed", type=int, default=2026, help="of the cohort (2026)")
    add("--pip", default="", metavar="OPTIONS", help="for pip download, such as an index")
    add("--notebooks", type=Path, default=Path("build/notebooks"), help="executed copies")
    add("--book", type=Path, default=Path("build/book/_build/html"), help="the built book")
    given = parser.parse_args(arguments)
    pages = Pages(Path("book"), Path("notebooks"), Path("benchmarks/results"))
    asked = Stick(
        (*given.systems,), (*given.pythons,), given.size, given.seed, (*shlex.split(given.pip),)
    )
    try:
        missing = make_stick(asked, given.out, pages, given.notebooks, given.book)
    except DatkitError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    print(_sizes(given.out))
    print(f"Stick: {given.out.resolve()}")
    if missing:
        print("Missing:", *missing, sep="\n  - ", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
