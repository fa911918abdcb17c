"""The launcher keeps the limits, ends all that a run leaves, and its report cannot be forged."""

from __future__ import annotations

import os
import random
import time
from contextlib import nullcontext
from platform import machine

import pytest
from attacks import ANSWER, SMALL, attack, codes, processes_with
from zips import save_zip

from datkit.replica import Limits, run_submission
from datkit.replica.launcher import LARGE

pytestmark = pytest.mark.usefixtures("bubblewrap")


def test_processes_without_end_are_ended(cohort_folder, tmp_path):
    word = f"fork-{os.getpid()}"
    report = attack(
        cohort_folder,
        tmp_path,
        """
        import os, sys, time
        if len(sys.argv) == 1:
            os.execv(sys.executable, [sys.executable, __file__, "WORD"])
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
        """.replace("WORD", word),
    )
    assert codes(report) == {"process-limit", "no-predictions"}
    assert report.seconds < 30
    assert not processes_with(word)


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
    report = attack(
        cohort_folder,
        tmp_path,
        f"""
        import os
        print(os.statvfs("{place}").f_blocks * os.statvfs("{place}").f_frsize)
        for number in range(100):
            with open(f"{place}/big{{number}}", "wb") as stream:
                stream.write(bytes(2**24))
        """,
    )
    assert codes(report) == {"disk-limit", "no-predictions"}
    assert report.log[0] == str(SMALL.disk)  # a file system of its own: no disk of this machine


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


# Ways to hold more memory than is allowed, in which no process is seen to hold it.
HIDE = """
import ctypes, mmap, os, socket, subprocess, sys, threading, time, _thread
libc = ctypes.CDLL(None, use_errno=True)
def fill(stream, size=2**30):
    for _ in range(size // 2**20): stream.write(bytes(2**20))
"""
WORKERS = """
if len(sys.argv) == 1:
    for _ in range(4): subprocess.Popen([sys.executable, __file__, "worker"])
else:
    HOW
time.sleep(30)
"""
HIDDEN = {
    "a file without a name": "fill(open(os.memfd_create('x'), 'wb'))",
    "System V shared memory": "sys.exit(-libc.shmget(0, 2**30, 0o1600))",
    "a shared mapping": "m = mmap.mmap(-1, 2**30); fill(m)",
    "a shared mapping of zeros": "m = mmap.mmap(os.open('/dev/zero', 2), 2**30); fill(m)",
    "a process that may not be looked into": WORKERS.replace(
        "HOW", "libc.prctl(4, 0, 0, 0, 0); kept = bytearray(2**26)"
    ),
    "a process whose first thread has ended": WORKERS.replace(
        "HOW",
        "_thread.start_new_thread(lambda: (b := bytearray(2**26), time.sleep(30)), ())\n"
        "    time.sleep(0.2); libc.syscall(EXIT, 0)",
    ),
    "files in several folders": (
        "for place in ('/tmp', '/dev/shm', '/events', '.'):\n"
        "    for name in 'abcdefgh':\n"
        "        try: fill(open(f'{place}/{name}', 'wb'), 2**25)\n"
        "        except OSError: pass\n"
    ),
    "files without content": (
        "for number in range(10**6): libc.close(libc.creat(b'/tmp/%d' % number, 0o600))\n"
    ),
    "sockets": (
        "kept = []\n"
        "for _ in range(400):\n"
        "    pair = socket.socketpair(); kept.append(pair); pair[0].setblocking(False)\n"
        "    try:\n"
        "        while True: pair[0].send(bytes(2**16))\n"
        "    except OSError: pass\n"
    ),
    "page tables": (
        "libc.mmap.restype = ctypes.c_void_p\n"
        "libc.mmap.argtypes = [ctypes.c_void_p] + 4 * [ctypes.c_long] + [ctypes.c_long]\n"
        "place = libc.mmap(None, 2**41, 1, 0x4022, -1, 0)\n"
        "libc.madvise(ctypes.c_void_p(place), ctypes.c_ulong(2**41), 15)\n"
        "for step in range(2**20): ctypes.c_char.from_address(place + step * 2**21).value\n"
    ),
}
REFUSED = ("a file without a name", "System V shared memory", "a shared mapping of zeros")


@pytest.mark.parametrize("way", HIDDEN)
def test_memory_cannot_be_hidden(way, cohort_folder, tmp_path):
    code = HIDE + HIDDEN[way].replace("EXIT", "60" if machine() == "x86_64" else "93")
    limits = Limits(memory=2**27, processes=64, disk=2**26)
    path = save_zip(tmp_path / "hides.zip", {"main.py": code + "\ntime.sleep(2)\nprint('LEAK')"})
    report = run_submission(
        path, cohort_folder, limits=limits, time_limit=60, isolation="bubblewrap", progress=False
    )
    assert "LEAK" not in report.log, str(report)
    assert report.seconds < 30
    assert ("exit-code" if way in REFUSED else "memory-limit") in codes(report), str(report)


def test_the_limits_hold_after_the_end_of_main_too(cohort_folder, tmp_path, monkeypatch):
    # Without control groups, which some users may not make, the launcher counts alone.
    monkeypatch.setattr("datkit.replica.process.control_groups", lambda *_: nullcontext([]))
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                while os.getppid() != 1:
                    time.sleep(0.01)
                held = b"x" * (200 << 20)
                time.sleep(600)
        """
    report = attack(cohort_folder, tmp_path, code)
    assert "memory-limit" in codes(report) and report.exit_code is None


def test_threads_cannot_hide_behind_a_first_one_that_has_ended(cohort_folder, tmp_path):
    report = attack(
        cohort_folder,
        tmp_path,
        f"""
        import ctypes, os, time, _thread
        for _ in range(2):
            if os.fork() == 0:
                for _ in range(33):
                    _thread.start_new_thread(time.sleep, (30,))
                ctypes.CDLL(None).syscall({60 if machine() == "x86_64" else 93}, 0)
        time.sleep(30)
        """,
    )
    assert codes(report) == {"process-limit", "no-predictions"}


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
    word = f"outlive-{os.getpid()}"  # nobody else's who tests on this machine
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


def test_who_interrupts_the_launcher_has_a_run_that_counts_for_nothing(cohort_folder, tmp_path):
    code = """
        import os, signal, time
        os.kill(1, signal.SIGINT)
        if os.fork() == 0:
            while True:  # and goes on while the launcher ends it
                time.sleep(0.001)
                os.kill(1, signal.SIGINT)
        """
    report = attack(cohort_folder, tmp_path, code)
    assert codes(report) == {"interrupted", "process-left", "no-predictions"}
    assert report.exit_code is None and not report.predictions


def test_large_weights_are_not_copied_into_memory(cohort_folder, tmp_path):
    code = "print(len(open('big.bin', 'rb').read()))\n" + ANSWER
    big = random.Random(0).randbytes(LARGE + 256)
    path = save_zip(tmp_path / "large.zip", {"main.py": code, "big.bin": big})
    report = run_submission(
        path, cohort_folder, limits=SMALL, isolation="bubblewrap", progress=False
    )
    assert report.ok, str(report)
    assert report.log == (str(LARGE + 256),)
