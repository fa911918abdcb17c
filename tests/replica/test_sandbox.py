"""Submitted code is hostile: whatever it tries, it is stopped, named, and the machine unharmed.

Each attack is a `main.py` of its own. What it could not do it prints as "held"; what it could do,
as "LEAK". It runs where datkit itself chooses: in bubblewrap, unless Docker holds the challenge's
image.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from datkit.errors import UsageError
from datkit.replica import run_submission
from datkit.replica import sandbox as isolation
from datkit.replica.launcher import LARGE
from datkit.replica.sandbox import IMAGE, Limits, choose_level, command_for

SMALL = Limits(memory=2**29, processes=64, disk=2**25)
ANSWER = """
import csv
with open("data/submission_format.csv", newline="") as stream:
    uids = [row["uid"] for row in csv.DictReader(stream)]
with open("submission.csv", "w", newline="") as stream:
    stream.write("uid,is_pathologic\\n")
    stream.writelines(f"{uid},0.5\\n" for uid in uids)
"""


@pytest.fixture(scope="module", autouse=True)
def _sandbox(needed):
    needed(isolation._has_bubblewrap(), "bubblewrap is not installed: apt-get install bubblewrap")


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    """Three stand-in exams, and the labels beside them that no submission may see."""
    folder = tmp_path_factory.mktemp("secret")
    (folder / "niftis").mkdir()
    for uid in ("00031", "100012", "41230"):
        (folder / "niftis" / f"{uid}.nii.gz").write_bytes(b"\x1f\x8b" + uid.encode())
    rows = "00031,0.0\n100012,1.0\n41230,1.0\n"
    (folder / "train_labels.csv").write_text("uid,is_pathologic\n" + rows)
    return folder


def attack(cohort_folder: Path, tmp_path: Path, code: str, *, limit: float = 60, **members: str):
    """Run `code`, then a plain answer, with small limits."""
    path = tmp_path / "attack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", textwrap.dedent(code) + ANSWER)
        for name, text in members.items():
            archive.writestr(f"{name}.py", text)
    return run_submission(
        path,
        cohort_folder,
        time_limit=limit,
        limits=SMALL,
        isolation="bubblewrap",
        progress=False,
    )


def codes(report) -> set[str]:
    return {problem.code for problem in report.problems}


def processes_with(word: str) -> list[str]:
    """Name every process of this machine whose command line holds `word`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in command:
            found.append(command.decode("utf-8", "replace"))
    return found


def wait_until(condition) -> None:
    """Fail if a condition does not hold within a minute: this machine may be busy."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_sandbox_is_chosen_and_named(cohort_folder, tmp_path):
    report = attack(cohort_folder, tmp_path, "import os; print(os.getuid(), os.getcwd())")
    assert report.ok, str(report)
    assert report.log == ("1000 /code_execution",)
    assert "bubblewrap" in report.isolation
    assert choose_level() in ("docker", "bubblewrap")


READ = """
    import os, subprocess, sys
    for path in {paths!r}:
        try:
            print("LEAK" if open(path).read() else "empty")
        except OSError:
            print("held")
        # No guard is inside this one: only the kernel can hold it.
        probe = "import sys; open(sys.argv[1]).read(); print('LEAK')"
        subprocess.run([sys.executable, "-I", "-S", "-c", probe, path], stderr=subprocess.DEVNULL)
        print(subprocess.run(["cat", path], capture_output=True, text=True).stdout and "LEAK")
    print("LEAK" if "DATKIT_TEST_SECRET" in open("/proc/self/environ").read() else "held")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            print("LEAK" if "DATKIT_TEST_SECRET" in open(f"/proc/{{pid}}/environ").read() else "")
        except OSError:
            print("held")
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that is not below /tmp: a run has one of its own and may look for files there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_labels_home_and_other_submissions_cannot_be_read(
    cohort_folder, elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setenv("DATKIT_TEST_SECRET", "s3cret")
    cohort = shutil.copytree(cohort_folder, elsewhere / "cohort")
    home, other = elsewhere / "home", elsewhere / "datkit-run-other" / "code_execution"
    for folder, name in ((home, ".netrc"), (other, "main.py")):
        folder.mkdir(parents=True)
        (folder / name).write_text("s3cret")
    paths = [cohort / "train_labels.csv", home / ".netrc", other / "main.py"]
    report = attack(cohort, tmp_path, READ.format(paths=[str(path) for path in paths]))
    assert "LEAK" not in "\n".join(report.log), report.log
    found = {problem.found for problem in report.problems if problem.code == "read-outside"}
    assert found == {str(path) for path in paths}


def test_the_folders_above_hold_nothing_else(cohort_folder, tmp_path):
    seen = attack(
        cohort_folder,
        tmp_path,
        """
        import subprocess
        for place in ("/", "/code_execution", "/code_execution/data", "/submission", "/tmp"):
            print(subprocess.run(["ls", place], capture_output=True, text=True).stdout.split())
        """,
    ).log
    root, code, data, source, tmp = map(eval, seen)
    assert not {"boot", "home", "mnt", "media", "run", "srv", "var"} & set(root)
    assert (code, data) == (["data", "main.py"], ["niftis", "submission_format.csv"])
    assert (source, tmp) == (["data", "main.py"], [])


def test_there_is_no_network(cohort_folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        report = attack(
            cohort_folder,
            tmp_path,
            f"""
            import socket, subprocess, sys
            probe = '''
            import socket
            try:
                socket.create_connection(("127.0.0.1", {port}), timeout=1)
                print("LEAK")
            except OSError:
                print("held")
            try:
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
                print("LEAK")
            except OSError:
                print("held")
            '''.replace("\\n            ", "\\n")
            subprocess.run([sys.executable, "-I", "-S", "-c", probe])
            try:
                socket.create_connection(("192.0.2.1", 80), timeout=1)
            except OSError:
                print("held")
            """,
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert report.log == ("held", "held", "held")
    assert codes(report) == {"network", "network-use"}


def test_data_cannot_be_written(cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import ctypes, subprocess
        libc = ctypes.CDLL(None)  # no hook of Python sees these
        print("LEAK" if libc.open(b"data/scratch", 0o1101, 0o644) >= 0 else "held")
        print("LEAK" if libc.unlink(b"data/submission_format.csv") == 0 else "held")
        print("LEAK" if libc.mount(b"none", b"/code_execution/data", 0, 32, 0) == 0 else "held")
        subprocess.run(["sh", "-c", "echo x > data/scratch"])
        """,
    )
    assert report.log.count("held") == 3 and "LEAK" not in report.log
    assert codes(report) == {"data-written"}


def test_processes_without_end_are_ended(cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import os, time
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
        """,
    )
    assert codes(report) == {"process-limit", "no-predictions"}
    assert report.seconds < 30
    assert not processes_with("/guard/launch.py")


def test_threads_without_end_are_ended(cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import threading, time
        for _ in range(100_000):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        """,
    )
    assert codes(report) == {"process-limit", "no-predictions"}


@pytest.mark.parametrize("place", [".", "/tmp", "/dev/shm"])
def test_the_disk_cannot_be_filled(place, cohort_folder, tmp_path):
    before = shutil.disk_usage(tmp_path).free
    report = attack(
        cohort_folder,
        tmp_path,
        f"""
        for number in range(100):
            with open(f"{place}/big{{number}}", "wb") as stream:
                stream.write(bytes(2**24))
        """,
    )
    assert codes(report) == {"disk-limit", "no-predictions"}
    assert before - shutil.disk_usage(tmp_path).free < 2**27  # others use this machine too


@pytest.mark.parametrize("place", ["/", "/dev", "/guard", "/submission", "/usr", "/etc"])
def test_nothing_else_can_be_written(place, cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        f"""
        import ctypes
        code = ctypes.CDLL(None).open(b"{place}/scratch", 0o1101, 0o644)
        print("LEAK" if code >= 0 else "held")
        """,
    )
    assert report.log == ("held",)


@pytest.mark.parametrize(
    "code",
    [
        "bytearray(2**30)",
        "import mmap\nmaps = [mmap.mmap(-1, 2**27) for _ in range(8)]\n"
        "for one in maps: one.write(bytes(2**27))\nimport time; time.sleep(60)",
        "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(2**28)\ntime.sleep(60)",
    ],
    ids=["at once", "shared", "in many processes"],
)
def test_memory_cannot_be_eaten(code, cohort_folder, tmp_path):
    report = attack(cohort_folder, tmp_path, code)
    assert codes(report) == {"memory-limit", "no-predictions"}, str(report)
    assert report.seconds < 30


def test_a_run_ends_with_its_time(cohort_folder, tmp_path):
    started = time.monotonic()
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import os, signal, time
        for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV}:
            signal.signal(number, signal.SIG_IGN)
        os.kill(1, signal.SIGKILL)  # the launcher is process 1: the kernel shields it
        time.sleep(600)
        """,
        limit=1.5,
    )
    assert codes(report) == {"time-limit", "no-predictions"}
    assert 1.4 < report.seconds < 10 and time.monotonic() - started < 60


def test_a_daemon_does_not_outlive_its_run(cohort_folder, tmp_path):
    word = "outlive-4711"
    report = attack(
        cohort_folder,
        tmp_path,
        f"""
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv(sys.executable, [sys.executable, "-c", "{word}=1; import time" and
                         "import time; time.sleep(600)", "{word}"])
            os._exit(0)
        """,
    )
    assert codes(report) == {"process-left"}
    assert not processes_with(word)


def test_a_run_ends_when_datkit_is_killed(cohort_folder, tmp_path):
    path, word = tmp_path / "endless.zip", "orphan_4712"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "main.py",
            f"import os, sys\nos.execv(sys.executable, "
            f"[sys.executable, '-c', 'import time; time.sleep(600)', '{word}'])",
        )
    words = ["submit", "run", path, "--cohort", cohort_folder, "--isolation", "bubblewrap"]
    command = [sys.executable, "-m", "datkit.cli", *map(str, words)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        wait_until(lambda: processes_with(word))
        process.kill()
    wait_until(lambda: not processes_with(word))


def test_nothing_is_unpacked_outside(cohort_folder, tmp_path):
    path = tmp_path / "outside.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", ANSWER)
        archive.writestr("../../outside.txt", "LEAK")
        link = zipfile.ZipInfo("passwd")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    report = run_submission(path, cohort_folder, progress=False)
    assert codes(report) == {"unsafe-path", "link"}
    assert report.isolation == "not run"
    assert not list(tmp_path.parent.rglob("outside.txt"))


def test_predictions_cannot_be_a_link(cohort_folder, tmp_path):
    code = "import atexit, os\natexit.register(lambda: (os.remove('submission.csv'), "
    code += "os.symlink('/etc/ld.so.cache', 'submission.csv')))\n"
    assert codes(attack(cohort_folder, tmp_path, code)) == {"no-predictions"}


def test_the_report_cannot_be_forged(cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import os
        for number in range(10):
            try:
                with open(f"/proc/1/fd/{number}", "w") as stream:
                    stream.write("{}")
                print("LEAK")
            except OSError:
                print("held")
        """,
    )
    assert set(report.log) == {"held"}


def test_what_a_run_writes_where_the_guards_do_is_harmless(cohort_folder, tmp_path):
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
    assert report.log == ("\ufffd[2J\ufffd]0;owned\ufffd",)


def test_no_namespace_can_be_made_inside(cohort_folder, tmp_path):
    code = "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))"
    assert attack(cohort_folder, tmp_path, code).log == ("-1",)


def test_large_weights_are_not_copied_into_memory(cohort_folder, tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", "print(len(open('big.bin', 'rb').read()))\n" + ANSWER)
        archive.writestr("big.bin", bytes(range(256)) * (LARGE // 256 + 1))
    report = run_submission(
        path, cohort_folder, limits=SMALL, isolation="bubblewrap", progress=False
    )
    assert report.ok, str(report)
    assert report.log == (str(LARGE + 256),)


# ---------------------------------------------------------------- the choice of a level


def test_docker_is_used_only_where_the_image_is_present(monkeypatch, tmp_path):
    asked = []
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setattr(
        isolation, "_succeeds", lambda command: asked.append(command) or len(asked) > 1
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    isolation._has_docker.cache_clear()
    try:
        assert not isolation._has_docker()
        isolation._has_docker.cache_clear()
        assert choose_level() == "docker"
    finally:
        isolation._has_docker.cache_clear()
    assert asked == [["docker", "image", "inspect", IMAGE]] * 2  # looked for, never pulled


def test_docker_gets_no_network_and_only_read_only_folders(tmp_path):
    command = command_for("docker", tmp_path / "replica", SMALL)
    text = " ".join(command)
    for words in (
        "--network none",
        "--user 1000:1000",
        "--cap-drop ALL",
        "--pull never",
        "--pids-limit 64",
        f"--memory {2**29} --memory-swap {2**29}",
        "--read-only",
        f"{IMAGE} -I -S /guard/launch.py",
    ):
        assert words in text
    mounts = [command[i + 1] for i, word in enumerate(command) if word == "--mount"]
    assert len(mounts) == 3 and all(mount.endswith(",readonly") for mount in mounts)


def test_without_a_sandbox_the_report_says_so(monkeypatch, cohort_folder, tmp_path, capsys):
    monkeypatch.setattr(isolation, "_has_docker", lambda: False)
    monkeypatch.setattr(isolation, "_has_bubblewrap", lambda: False)
    path = tmp_path / "good.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", ANSWER)
    report = run_submission(path, cohort_folder)
    assert report.ok and "NO SANDBOX" in report.isolation and "NO SANDBOX" in str(report)
    assert "NO SANDBOX" in capsys.readouterr().err
    with pytest.raises(UsageError, match="apt-get install bubblewrap"):
        choose_level("bubblewrap")
    with pytest.raises(UsageError, match="docker, bubblewrap, plain"):
        choose_level("magic")
