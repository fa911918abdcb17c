"""The launcher keeps the limits, ends all that a run leaves, and its report cannot be forged."""

from __future__ import annotations

import random
import shutil
import time

import pytest
from attacks import ANSWER, SMALL, attack, codes, processes_with
from zips import save_zip

from datkit.replica import run_submission
from datkit.replica.launcher import LARGE

pytestmark = pytest.mark.usefixtures("bubblewrap")


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
    assert not processes_with("/hooks/launcher.py")


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


def test_large_weights_are_not_copied_into_memory(cohort_folder, tmp_path):
    code = "print(len(open('big.bin', 'rb').read()))\n" + ANSWER
    big = random.Random(0).randbytes(LARGE + 256)
    path = save_zip(tmp_path / "large.zip", {"main.py": code, "big.bin": big})
    report = run_submission(
        path, cohort_folder, limits=SMALL, isolation="bubblewrap", progress=False
    )
    assert report.ok, str(report)
    assert report.log == (str(LARGE + 256),)
