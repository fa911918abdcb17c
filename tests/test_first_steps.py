"""What README.md says is typed here, as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from good_submissions import standard_library_only
from zips import zip_of

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    """The lines of all code blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "".join(found).splitlines()


def make_lines():
    pages = [README, (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    return sorted({line for page in pages for line in blocks("bash", page) if line[:5] == "make "})


@pytest.fixture(scope="module")
def kit(tiny_cohort, prepared_tiny, tmp_path_factory):
    """A folder as it is after `make install`, `make submission` and an earlier simulation."""
    folder = tmp_path_factory.mktemp("kit")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "cohort").symlink_to(tiny_cohort.folder)
    (folder / "build").mkdir()
    (own,) = re.findall(r"^```python\n(# my_model\.py\n.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (folder / "my_model.py").write_text(own)
    submission = zip_of(*standard_library_only().items())
    (folder / "build" / "submission.zip").write_bytes(submission)
    return folder


@pytest.fixture
def shell(kit, prepared_tiny, monkeypatch, needed):
    """Run a text as bash would that knows nothing of the kit yet."""
    needed((kit / ".venv/bin/activate").is_file(), "the tests run outside a virtual environment")
    # Prepared exams are kept by their bytes, so these are found, not made again.
    data = Path(prepared_tiny.volumes.filename).parents[2]
    environment = {"PATH": os.defpath, "HOME": os.environ["HOME"], "DATKIT_DATA": str(data)}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}

    def run(text):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=kit,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


def test_the_commands_of_readme_work_as_typed(shell, kit):
    lines = [line for line in blocks("bash") if not line.startswith("make ")]
    typed = {tuple(line.split()[1:3]) for line in lines if line.startswith("datkit ")}
    assert typed >= {("data", "list"), ("submit", "check"), ("submit", "run")}
    assert {"train", "predict"} <= {words[0] for words in typed if words}
    done = shell("\n".join(lines))
    assert done.returncode == 0, done.stderr
    assert "putamen_left" in done.stdout and "24 simulated exams" in done.stdout
    assert "sim-2026-0003: probability of abnormal 0." in done.stdout
    assert {"mine.zip", "sheet.html", "sim-2026-0003_report_with_normals.html"} <= {
        path.name for path in kit.iterdir()
    }


def test_the_python_of_readme_works_as_typed(shell):
    script = "\n".join(blocks("python"))
    done = shell(f". .venv/bin/activate\npython - <<'END'\n{script}\nEND")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^putamen_left +\d", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("line", make_lines())
def test_make_knows_what_the_pages_ask_of_it(line):
    words = shlex.split(line, comments=True)
    subprocess.run([words[0], "-n", *words[1:]], cwd=REPOSITORY, capture_output=True, check=True)


def test_windows_installs_what_make_does():
    (pip,) = [line for line in blocks("powershell") if line.startswith("pip ")]
    done = subprocess.run(
        ["make", "-nB", "install"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    (ours,) = [line for line in done.stdout.splitlines() if " pip install " in line]
    assert shlex.split(pip)[2:] == shlex.split(ours)[shlex.split(ours).index("-e") :]
