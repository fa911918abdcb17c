"""Submitted code is hostile: whatever it tries to reach, the kernel holds it.

It runs where datkit itself chooses: in bubblewrap, unless Docker holds the challenge's image.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks import ANSWER, SMALL, attack, codes
from zips import save_zip

from datkit.cli import main
from datkit.errors import UsageError
from datkit.replica import run_submission, sandbox
from datkit.replica.sandbox import IMAGE, choose_level, command_for


@pytest.mark.usefixtures("bubblewrap")
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
        # No hook is inside this one: only the kernel can hold it.
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


@pytest.mark.usefixtures("bubblewrap")
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


ELSEWHERE = ("/boot", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var")


@pytest.mark.usefixtures("bubblewrap")
def test_the_folders_above_hold_nothing_else(cohort_folder, tmp_path):
    seen = attack(
        cohort_folder,
        tmp_path,
        """
        import subprocess
        said = {"capture_output": True, "text": True}
        for place in ("/", "/code_execution", "/code_execution/data", "/submission", *ELSEWHERE):
            print(subprocess.run(["ls", "-A", place], **said).stdout.split())
        """.replace("ELSEWHERE", repr(ELSEWHERE)),
    ).log
    root, code, data, source, *places = map(eval, seen)
    assert (code, data) == (["data", "main.py"], ["niftis", "submission_format.csv"])
    assert source == ["data", "main.py"]
    python = sandbox._python_folders()  # where it lies below one of these, the way to it is there
    for place, holds in zip(ELSEWHERE, places, strict=True):
        ways = {one.relative_to(place).parts[0] for one in python if one.is_relative_to(place)}
        assert ways == {*holds} and (ways or place == "/tmp" or place[1:] not in root)


@pytest.mark.usefixtures("bubblewrap")
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


@pytest.mark.usefixtures("bubblewrap")
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


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("place", ["/", "/dev", "/hooks", "/submission", "/usr", "/etc"])
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


def test_nothing_is_unpacked_outside(cohort_folder, tmp_path):
    link = zipfile.ZipInfo("passwd")
    link.external_attr = 0o120777 << 16
    members = {"main.py": ANSWER, "../../outside.txt": "LEAK", link: "/etc/passwd"}
    path = save_zip(tmp_path / "outside.zip", members)
    report = run_submission(path, cohort_folder, progress=False)
    assert codes(report) == {"unsafe-path", "link"}
    assert report.isolation == "not run"
    assert not list(tmp_path.parent.rglob("outside.txt"))


@pytest.mark.usefixtures("bubblewrap")
def test_a_run_stays_the_first_to_go_where_memory_runs_out(cohort_folder, tmp_path):
    code = """
        import subprocess
        subprocess.run("echo 0 > /proc/self/oom_score_adj", shell=True)
        print(open("/proc/self/oom_score_adj").read().strip())
        """
    assert attack(cohort_folder, tmp_path, code).log[-1] == "1000"


@pytest.mark.usefixtures("bubblewrap")
def test_no_namespace_can_be_made_inside(cohort_folder, tmp_path):
    code = "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))"
    assert attack(cohort_folder, tmp_path, code).log == ("-1",)


@pytest.fixture(params=["venv", "checkout/.venv", "."])
def python_below_tmp(request) -> Iterator[Path]:
    """A Python whose prefix lies below the system's temporary folder, as in a clone there."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        prefix = Path(folder) / request.param
        venv.create(prefix, symlinks=True)
        yield prefix / "bin" / "python"


def run_with(python: Path, packed: Path, cohort: Path) -> dict[str, object]:
    """Run a submission in bubblewrap with another Python, and its report's data."""
    packages = [entry for entry in sys.path if Path(entry).name.endswith("-packages")]
    found = os.pathsep.join([str(Path(sandbox.__file__).parents[2]), *packages])
    words = ["submit", "run", packed, "--cohort", cohort, "--json", "--isolation", "bubblewrap"]
    result = subprocess.run(
        [python, "-m", "datkit.cli", *map(str, words)],
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    return json.loads(result.stdout)


@pytest.mark.usefixtures("bubblewrap")
def test_a_python_below_tmp_is_sandboxed_as_any_other(python_below_tmp, cohort_folder, tmp_path):
    code = "import os, sys; print(sys.prefix); print(os.listdir('/tmp')[0])\n" + ANSWER
    packed = save_zip(tmp_path / "good.zip", {"main.py": code})
    report = run_with(python_below_tmp, packed, cohort_folder)
    prefix = python_below_tmp.parents[1]
    assert "bubblewrap" in report["isolation"]
    assert report["log"] == [str(prefix), prefix.relative_to("/tmp").parts[0]]  # and nothing else


@pytest.mark.usefixtures("bubblewrap")
def test_labels_in_pythons_own_folder_are_not_seen(python_below_tmp, cohort_folder, tmp_path):
    prefix = python_below_tmp.parents[1]
    shutil.copytree(cohort_folder, prefix / "cohort")
    code = "import os, sys; print({*os.listdir(sys.prefix)} - {'lib64', 'share'})\n" + ANSWER
    code += "print({'src', 'etc'} & {*os.listdir('/usr')})\n"
    packed = save_zip(tmp_path / "looks.zip", {"main.py": code})
    log = run_with(python_below_tmp, packed, prefix / "cohort")["log"]
    assert [*map(eval, log)] == [{"bin", "lib", "pyvenv.cfg"}, set()]


def test_docker_is_used_only_where_the_image_is_present(monkeypatch):
    asked = []
    monkeypatch.setattr(
        sandbox, "_error_of", lambda command: asked.append(command) or "absent" * (len(asked) < 2)
    )
    sandbox._failure_of.cache_clear()
    try:
        assert sandbox._failure_of("docker") == "absent"
        sandbox._failure_of.cache_clear()
        assert choose_level() == "docker"
    finally:
        sandbox._failure_of.cache_clear()
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
        f"{IMAGE} -I -S /hooks/launcher.py",
    ):
        assert words in text
    mounts = [command[i + 1] for i, word in enumerate(command) if word == "--mount"]
    assert len(mounts) == 3 and all(mount.endswith(",readonly") for mount in mounts)


def test_without_a_sandbox_nothing_runs(monkeypatch, cohort_folder, tmp_path):
    monkeypatch.setattr(sandbox, "_failure_of", lambda level: "broken" * (level != "plain"))
    path = save_zip(tmp_path / "leak.zip", {"main.py": f"open('{tmp_path}/LEAK', 'w')"})
    with pytest.raises(UsageError, match=r"docker: broken; bubblewrap: broken.*--isolation plain"):
        run_submission(path, cohort_folder, progress=False)
    assert main(["submit", "run", str(path), "--cohort", str(cohort_folder)]) == 2
    assert main(["submit", "check", str(path), "--cohort", str(cohort_folder)]) == 2
    assert not (tmp_path / "LEAK").exists()
    with pytest.raises(UsageError, match="apt-get install bubblewrap"):
        choose_level("bubblewrap")
    with pytest.raises(UsageError, match="docker, bubblewrap, plain"):
        choose_level("magic")


def test_without_a_sandbox_plain_runs_by_its_name(monkeypatch, cohort_folder, tmp_path, capsys):
    monkeypatch.setattr(sandbox, "_failure_of", lambda level: "broken" * (level != "plain"))
    path = save_zip(tmp_path / "good.zip", {"main.py": ANSWER})
    report = run_submission(path, cohort_folder, isolation="plain")
    assert report.ok and "NO SANDBOX" in report.isolation and "NO SANDBOX" in str(report)
    assert "NO SANDBOX" in capsys.readouterr().err
    words = ["submit", "check", str(path), "--cohort", str(cohort_folder), "--isolation", "plain"]
    assert main(words) == 0
    assert "NO SANDBOX" in capsys.readouterr().err


def test_a_machine_without_a_list_of_system_calls_has_no_sandbox(monkeypatch):
    monkeypatch.setattr(sandbox, "CALLS", {})
    assert "system calls" in sandbox._failure_of.__wrapped__("bubblewrap")


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("exit 0", ""),
        ("exit 3", "exit code 3"),
        ("echo first >&2; echo No permissions to create a namespace >&2; exit 1", "No permissions"),
    ],
)
def test_why_a_sandbox_does_not_work_is_what_it_says_last(script, failure):
    said = sandbox._error_of(["sh", "-c", script])
    assert said.startswith(failure) and bool(said) == bool(failure)
    assert "No such file" in sandbox._error_of(["/no/such/sandbox"])
