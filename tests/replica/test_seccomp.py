"""What the namespaces of a run leave open, the filter closes; nothing stays from run to run."""

from __future__ import annotations

import ctypes
import platform
import struct

import pytest
from attacks import attack

from datkit.replica.seccomp import CALLS, TABLE, filter_for

pytestmark = pytest.mark.usefixtures("bubblewrap")
CALL = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    code = libc.syscall(number, *arguments)
    print("LEAK" if code >= 0 else errno.errorcode[ctypes.get_errno()])
"""


def test_refused_system_calls_do_not_exist_for_a_run(cohort_folder, tmp_path):
    numbers = {
        **CALLS["refused"],
        **TABLE["filter"]["refused"],
        "later": 10_000,
        "x32": 2**30 + 39,
    }
    code = CALL + f"for number in {[*numbers.values()]}: call(number, 0, 0, 0, 0, 0)\n"
    report = attack(cohort_folder, tmp_path, code)
    assert dict(zip(numbers, report.log, strict=True)) == dict.fromkeys(numbers, "ENOSYS")
    assert report.ok, str(report)


def test_only_common_sockets_can_be_made(cohort_folder, tmp_path):
    code = CALL + f"for kind in range(1, 46): call({CALLS['socket']}, kind, 2, 0)\n"
    log = attack(cohort_folder, tmp_path, code).log
    assert {number for number, said in enumerate(log, start=1) if said != "ENOSYS"} == {
        1,
        2,
        10,
        16,
    }
    code = CALL + "one, two = socket.socketpair(); one.send(b'x'); print(two.recv(1))\n"
    assert attack(cohort_folder, tmp_path, code).log == ("b'x'",)


def test_no_call_tells_which_files_were_read_of_late(cohort_folder, tmp_path):
    code = """
        import os
        file = os.open(os.__file__, os.O_RDONLY)
        for ask in (lambda: os.preadv(file, [bytearray(9)], 0, os.RWF_NOWAIT),
                    lambda: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)):
            try:
                print("LEAK", ask())
            except OSError:
                print("held")
        print(os.preadv(file, [bytearray(9)], 0))
        """
    assert attack(cohort_folder, tmp_path, code).log == ("held", "held", "9")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another architecture's calls")
def test_calls_of_another_architecture_end_the_run(cohort_folder, tmp_path):
    code = """
        import ctypes, mmap
        page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
        page.write(bytes.fromhex("b814000000 cd80 c3"))  # mov eax, 20 (getpid of i386); int 0x80
        place = ctypes.addressof(ctypes.c_char.from_buffer(page))
        print("LEAK", ctypes.CFUNCTYPE(ctypes.c_int)(place)(), flush=True)
        """
    report = attack(cohort_folder, tmp_path, code)
    assert report.exit_code in (-31, -11) and not report.log  # SIGSYS, or a kernel without i386


def test_what_a_submission_needs_still_works(cohort_folder, tmp_path):
    code = """
        import concurrent.futures, multiprocessing, multiprocessing.shared_memory, socket

        if __name__ == "__main__":
            for way in ("fork", "spawn", "forkserver"):
                context = multiprocessing.get_context(way)
                with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                    print(sum(pool.map(abs, range(-5, 5))))
            block = multiprocessing.shared_memory.SharedMemory(create=True, size=2**20)
            block.close(), block.unlink()
            print(multiprocessing.Array("d", 10)[3])
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
        """
    report = attack(cohort_folder, tmp_path, code)
    assert report.exit_code == 0 and report.log == ("25", "25", "25", "0.0"), str(report)


# Where an answer could wait for the next run of the same submission.
KEEP = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
SECRET = b"kept-4713"
found = []
for ring in (-1, -2, -3, -4, -5, 0):  # thread, process, session, user, user session
    key = libc.syscall(ADD, b"user", b"kept-4713", SECRET, 9, ring)
    found += [ring] if key > 0 else []
if libc.syscall(REQUEST, b"user", b"kept-4713", None, 0) > 0:
    found.append("key")
if socket.socket(socket.AF_UNIX).connect_ex("\\0kept-4713") == 0:
    found.append("abstract")
for kind in (40, 38, 17):
    try:
        socket.socket(kind, socket.SOCK_STREAM)
        found.append(kind)
    except OSError:
        pass
places = ["/", ".", "data", "data/niftis", "/dev/mqueue", "/dev/shm", "/events", "/hooks"]
for place in [*places, "/run", "/submission", "/tmp", "/usr", "/var/tmp"]:
    if os.path.exists(f"{place}/kept-4713"):
        found.append(place)
    try:
        open(f"{place}/kept-4713", "wb").close()
    except OSError:
        pass
times = []
for place in ["/dev/null", "/dev/zero", "/dev/urandom", "/usr", "/usr/bin", "/hooks/launcher.py"]:
    try:
        os.utime(place, (1e9, 1e9))
    except OSError:
        pass
    if os.path.exists(place) and 1e9 in (os.stat(place).st_atime, os.stat(place).st_mtime):
        found.append(place)
if libc.shmget(4713, 4096, 0o1600) >= 0:
    found.append("shm")
print(found)
"""


def test_nothing_survives_from_one_run_to_the_next(cohort_folder, tmp_path):
    code = KEEP.replace("ADD", str(CALLS["refused"]["add_key"]))
    code = code.replace("REQUEST", str(CALLS["refused"]["request_key"]))
    assert [attack(cohort_folder, tmp_path, code).log for _ in range(2)] == [("[]",)] * 2


def test_the_callers_session_keyring_is_out_of_reach(cohort_folder, tmp_path):
    libc = ctypes.CDLL(None, use_errno=True)
    secret = b"datkit-test-4714"
    key = libc.syscall(CALLS["refused"]["add_key"], b"user", secret, secret, len(secret), -3)
    if key < 0:
        pytest.skip("this kernel keeps no keys")
    code = f"""
        import ctypes
        for name in ("keys", "key-users"):
            try:
                print("LEAK" if open(f"/proc/{{name}}").read() else "held")
            except OSError:
                print("held")
        print(ctypes.CDLL(None).syscall({CALLS["keyctl"]}, 11, {key}, 0, 0))
        """
    try:
        assert attack(cohort_folder, tmp_path, code).log == ("held", "held", "-1")
    finally:
        libc.syscall(CALLS["keyctl"], 3, key)  # KEYCTL_REVOKE


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_never_jumps_past_its_end(machine):
    steps = list(struct.iter_unpack("HBBI", filter_for(TABLE["calls"][machine])))
    assert len(steps) < 4096  # BPF_MAXINSNS
    for place, (code, yes, no, _) in enumerate(steps):
        assert place + 1 + max(yes, no) < len(steps) or code == 0x06
