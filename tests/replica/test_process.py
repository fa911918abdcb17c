"""A run is started, watched and ended: nothing of the caller reaches it, nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from attacks import ANSWER, attack, codes, processes_with
from zips import save_zip

from datkit.replica import Limits, run_submission
from datkit.replica import launcher as launcher_module
from datkit.replica.sandbox import SPARE, SPARE_MEMORY, control_groups

pytestmark = pytest.mark.usefixtures("any_isolation")

# Four processes, each within the limit, and files: together more than is allowed.
HOARD = """
import os, time
for place in ("/tmp/a", "/dev/shm/a"):
    with open(place, "wb") as stream:
        stream.write(bytes(2**25 - 2**12))
for _ in range(2):
    os.fork()
kept = bytearray(2**28)
kept[::4096] = b"x" * len(kept[::4096])
try:  # the kernel may choose any of the four: whoever loses a child ends too
    while True:
        assert not os.wait()[1]
except ChildProcessError:
    time.sleep(30)
"""
SUBMISSIONS = Path(__file__).parents[1] / "hostile" / "submissions"


def run(name: str, cohort_folder: Path, tmp_path: Path, **settings):
    code = (SUBMISSIONS / f"{name}.py").read_text()
    packed = save_zip(tmp_path / f"{name}.zip", {"main.py": code})
    return run_submission(packed, cohort_folder, progress=False, **settings)


def wait_until(condition) -> None:
    """Fail if a condition does not hold within a minute: this machine may be busy."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_of_the_environment_reaches_the_run(cohort_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DATKIT_TEST_SECRET", "s3cret")
    assert run("reads_the_environment", cohort_folder, tmp_path).ok


def test_no_process_is_left_behind(cohort_folder, tmp_path):
    report = run("leaves_a_process_behind", cohort_folder, tmp_path, isolation="plain")
    assert [problem.code for problem in report.problems] == ["process-left"], str(report)
    status = Path(f"/proc/{int(report.log[0])}/status")
    for _ in range(50):  # a killed process stays in the table until its new parent has noticed
        if not status.exists() or "\nState:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the helper still runs")


def test_nothing_is_left_in_the_temporary_folder(cohort_folder, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    run("changes_data_in_a_shell", cohort_folder, tmp_path)
    assert not [*(tmp_path / "temporary").iterdir()]


def test_a_run_ends_when_datkit_is_killed(bubblewrap, cohort_folder, tmp_path):
    word = "orphan_4712"
    arguments = f"[sys.executable, '-c', 'import time; time.sleep(600)', '{word}']"
    code = f"import os, sys\nos.execv(sys.executable, {arguments})"
    path = save_zip(tmp_path / "endless.zip", {"main.py": code})
    words = ["submit", "run", path, "--cohort", cohort_folder, "--isolation", "bubblewrap"]
    command = [sys.executable, "-m", "datkit.cli", *map(str, words)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        wait_until(lambda: processes_with(word))
        process.kill()
    wait_until(lambda: not processes_with(word))


def test_what_a_run_writes_where_the_hooks_do_is_harmless(bubblewrap, cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        """
        with open("/events/events.jsonl", "a") as stream:
            stream.write('no json\\n[]\\n{"event": []}\\n{"event": {}, "what": 1}\\n' + "[" * 5000)
        print("\\x1b[2J\\x1b]0;owned\\x07")
        """,
    )
    assert report.ok, str(report)
    assert report.log == (r"\x1b[2J\x1b]0;owned\x07",)


def test_a_launcher_that_fails_is_a_fault_of_the_replica(cohort_folder, tmp_path, monkeypatch):
    broken = tmp_path / "launcher.py"
    broken.write_text("raise SystemExit('no memory for it')")
    monkeypatch.setattr("datkit.replica.folders._LAUNCHER", broken)
    packed = save_zip(tmp_path / "good.zip", {"main.py": ANSWER})
    report = run_submission(packed, cohort_folder, progress=False)
    found = {problem.code: problem.found for problem in report.problems}
    assert found == {"replica": "no memory for it", "no-predictions": "none"}


def test_control_groups_hold_the_limits_and_are_gone_with_the_run():
    with control_groups("datkit-test-4716", Limits(memory=2**28, processes=50)) as made:
        files = [group / name for group in made for name in ("pids.max", "memory.limit_in_bytes")]
        limits = {int(file.read_text()) for file in files if file.exists()}
        assert limits <= {2**28 + SPARE_MEMORY, 50 + SPARE}
    assert not any(group.exists() for group in made)


def test_the_kernel_ends_a_run_whose_launcher_looks_away(
    bubblewrap, cohort_folder, tmp_path, monkeypatch
):
    with control_groups("datkit-test-4717", Limits()) as made:
        if not made:
            pytest.skip("this user may make no control groups")
    launcher = tmp_path / "launcher.py"
    text = Path(launcher_module.__file__).read_text()
    launcher.write_text(
        text.replace("def _excess(", "def _excess(settings): return ''\n\n\ndef _looked(")
    )
    monkeypatch.setattr("datkit.replica.folders._LAUNCHER", launcher)
    report = attack(cohort_folder, tmp_path, HOARD)
    assert codes(report) >= {"memory-limit", "no-predictions"}, str(report)
