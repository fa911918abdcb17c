"""Install the workshop from this stick: no network is needed.

``python install.py`` makes a folder ``dat-workshop`` at home, with an environment of its own,
notebooks and the book, and puts the exams where the kit looks for them. Another folder:
``python install.py FOLDER``.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

STICK = Path(__file__).resolve().parent
SYSTEM = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), "")
PYTHON = "{}.{}".format(*sys.version_info)
OWN = f"{SYSTEM}-{PYTHON}"  # the folder of the wheels that go here alone
WHERE = "from datkit.files import data_folder; print(data_folder())"


def check(given: dict) -> None:
    """Stop unless this Python and this system are among those of the stick."""
    if PYTHON not in given["pythons"]:
        sys.exit(f"Expected Python {' or '.join(given['pythons'])}, found {PYTHON}: install it "
                 "from python.org, and start this again with it.")  # fmt: skip
    if SYSTEM not in given["systems"]:
        sys.exit(f"Expected one of {', '.join(given['systems'])}, found {platform.system()}: "
                 "this stick holds no packages for it.")  # fmt: skip


def verify() -> None:
    """Stop if a file that is needed here is not what was put on the stick."""
    needed = ("wheels/any/", f"wheels/{OWN}/")
    broken = []
    for line in (STICK / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split("  ", 1)
        path = STICK / name
        if name.startswith("wheels/") and not name.startswith(needed):
            continue
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            broken.append(name)
    if broken:
        sys.exit("Expected the files that SHA256SUMS lists; found these missing or changed: "
                 f"{', '.join(broken)}. Copy the stick again.")  # fmt: skip


def install(home: Path) -> Path:
    """Make the environment, and return its folder of programs."""
    environment = home / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    programs = environment / ("Scripts" if SYSTEM == "windows" else "bin")
    command = [programs / "python", "-m", "pip", "install", "--no-index", "--quiet"]
    command += ["--disable-pip-version-check", "--requirement", STICK / "requirements.txt"]
    for name in ("any", OWN):
        command += ["--find-links", STICK / "wheels" / name]
    if subprocess.run([str(word) for word in command], check=False).returncode:
        sys.exit("Expected on the stick all packages that are needed; pip, above, says which it "
                 "did not find. Tell whoever made the stick: making it lists this.")  # fmt: skip
    return programs


def copy(source: Path, target: Path) -> None:
    """Copy a folder; what lies there already stays: someone may have worked in it."""
    for path in (path for path in sorted(source.rglob("*")) if path.is_file()):
        there = target / path.relative_to(source)
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)


def write_start(home: Path, programs: Path) -> Path:
    """Write what opens the notebooks."""
    if SYSTEM == "windows":
        start, text = home / "start.bat", '@echo off\ncd /d "%~dp0notebooks"\n"{}" lab\n'
    else:
        start, text = home / "start", '#!/bin/sh\ncd "$(dirname "$0")/notebooks"\nexec "{}" lab\n'
    start.write_text(text.format(programs / "jupyter"), encoding="utf-8")
    start.chmod(0o755)
    return start


def main() -> None:
    """Install, and say how to go on."""
    given = json.loads((STICK / "stick.json").read_text(encoding="utf-8"))
    check(given)
    home = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "dat-workshop").resolve()
    print("Reading the stick ...", flush=True)
    verify()
    print(f"Installing into {home}: some minutes ...", flush=True)
    programs = install(home)
    python = str(programs / "python")
    where = subprocess.run([python, "-I", "-c", WHERE], check=True, capture_output=True, text=True)
    copy(STICK / "exams", Path(where.stdout.strip()))
    for name in ("notebooks", "book"):
        copy(STICK / name, home / name)
    start = write_start(home, programs)
    print(f"Installed. Next: {start}\nFor education and research, not for diagnosis.")


if __name__ == "__main__":
    main()
