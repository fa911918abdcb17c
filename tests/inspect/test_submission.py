"""A zip is opened and verified once; every fault of it is found, all of them at once."""

from __future__ import annotations

import stat
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from zips import entry, patched, zip_of

from datkit.errors import SubmissionError, UsageError
from datkit.inspect import check_submission
from datkit.inspect.page import findings_page
from datkit.inspect.source import CODE, Source
from datkit.inspect.submission import Submission, find_problems


def npy(header: str) -> bytes:
    """An array of three zeros under a header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(24)


NPY = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**29},), }}".ljust(117))[:-24]


def inner(name: str, content: bytes) -> bytes:
    """The bytes of an archive in the archive, TorchScript or arrays."""
    return zip_of(("m/constants.pkl", b"\x80\2]."), (name, content))


FAULTS = {
    "the_same_from_here": ("duplicate", "./main.py", "print('other code')\n"),
    "the_same_with_two_slashes": ("duplicate", "helpers//data.py", "X = 2\n"),
    "the_same_with_a_way_back": ("duplicate", "helpers/./data.py", "X = 2\n"),
    "capitals_and_another_spelling": ("case-clash", "helpers/./Data.py", ""),
    "a_dot_that_windows_leaves_out": ("case-clash", "helpers/data.py.", ""),
    "a_folder_that_is_a_file": ("file-and-folder", "helpers/data.py/", ""),
    "a_file_called_data": ("taken-name", "data", "x"),
    "a_file_called_data_in_capitals": ("taken-name", "./DATA", "x"),
    "a_folder_for_the_predictions": ("taken-name", "submission.csv/x.txt", "x"),
    "a_cut_header_of_numpy": ("weights", "w.npy", npy("{'descr': '<f8', 'shape': (3,")),
    "a_header_of_brackets": ("weights", "w.npy", npy("[" * 4000 + "]" * 4000)),
    "more_numbers_than_memory": (
        "unread",
        "w.npy",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"),
    ),
    "a_nested_parent": ("unsafe-path", "a/../../outside.py", ""),
    "an_absolute_path": ("unsafe-path", "/etc/outside.py", ""),
    "a_drive": ("unsafe-path", "C:/outside.py", ""),
    "a_backslash": ("unsafe-path", "weights\\a.json", "{}"),
    "a_line_break": ("unsafe-path", "weights/a\nb.json", "{}"),
    "a_symbolic_link": ("link", entry("a", external_attr=(stat.S_IFLNK | 0o777) << 16), "/etc"),
    "a_device": ("link", entry("a", external_attr=(stat.S_IFCHR | 0o666) << 16), ""),
    "a_duplicate": ("duplicate", "helpers/data.py", "X = 2\n"),
    "a_case_clash": ("case-clash", "helpers/DATA.py", ""),
    "a_case_clash_of_folders": ("case-clash", "Helpers/other.py", ""),
    "a_file_that_is_a_folder": ("file-and-folder", "helpers", "text"),
    "an_odd_method": ("method", entry("a.py", compress_type=zipfile.ZIP_LZMA), "X = 1\n"),
    "a_bomb": ("bomb", "weights/zeros.bin", bytes(2**22)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_code(name, codes):
    code, path, content = FAULTS[name]
    assert codes((path, content)) == [code]


def test_all_problems_are_listed_at_once(codes):
    wrong = {
        "explore.ipynb": "notebook",
        "train_labels.csv": "exam-table",
        "weights/a.pkl": "pickle",
        "helpers/net.py": "syntax",
        "assets/IM0001.dcm": "volumes",
    }
    assert codes(*((name, "def f(:") for name in wrong)) == sorted(wrong.values())
    unsafe = [FAULTS[name] for name in ("a_symbolic_link", "a_drive", "a_duplicate")]
    found = codes(*((path, content) for _, path, content in unsafe), main=None)
    assert found == sorted([*(code for code, _, _ in unsafe), "main-missing"])


def test_a_nested_main_hides_no_other_problem(tmp_path):
    path = tmp_path / "broken.zip"
    members = {"mine/main.py": "import nilearn\n", "weights/model.pkl": b"\x80\x04N."}
    path.write_bytes(zip_of(*members.items()))
    codes = [problem.code for problem in check_submission(path)]
    assert codes == ["main-nested", "absent-package", "pickle"]


def test_encryption_is_found(pack):
    path = pack()
    path.write_bytes(patched(path.read_bytes(), 8, b"\1", most=1))
    assert [problem.code for problem in check_submission(path)] == ["encrypted"]


def test_a_changed_byte_is_found(pack):
    path = pack((entry("weights/a.bin"), bytes(range(256))))
    content = bytearray(path.read_bytes())
    content[content.index(bytes(range(256))) + 7] ^= 1
    path.write_bytes(content)
    assert [problem.code for problem in check_submission(path)] == ["damaged"]


def test_what_is_no_zip_is_one_problem(pack):
    path = pack()
    whole = path.read_bytes()
    half = whole[: len(whole) // 2]
    for content in (b"", b"PK\x03\x04", b"no zip", whole[:-1], whole[:-30], half):
        path.write_bytes(content)
        assert [problem.code for problem in check_submission(path)] == ["not-a-zip"], len(content)


def test_no_damage_makes_the_check_itself_fail(pack):
    stream = np.random.default_rng(1).bytes(500)
    members = {"a.npz": zip_of(("w.npy", stream)), "b.json": "[1]", "c.py": "import os\n"}
    members |= {"d.safetensors": stream, "e/": b"", "f.csv": "region,mean\n", "g.bin": b"\x80\4N"}
    path = pack(*members.items())
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(whole)
        for position in rng.integers(0, len(whole), size=4):
            content[position] = rng.integers(256)
        path.write_bytes(content)
        with Submission(path) as submission:
            assert all(problem.code for problem in find_problems(submission))


def test_too_many_members_are_not_even_listed(codes, monkeypatch):
    monkeypatch.setattr("datkit.io.archive.MAX_MEMBERS", 1)
    monkeypatch.setattr("datkit.io.archive.MAX_BYTES", 10)
    assert codes(("../a", "")) == ["too-large", "too-many-members"]


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*absent\.zip"):
        check_submission(tmp_path / "absent.zip")


def test_what_is_not_safe_is_not_unpacked(pack, tmp_path):
    path = pack(("../../outside.py", ""), ("/outside.py", ""))
    with pytest.raises(SubmissionError, match="2 problems in") as caught:
        Submission(path).unpack(tmp_path / "out")
    assert [problem.code for problem in caught.value.problems] == ["unsafe-path"] * 2
    assert [found.name for found in tmp_path.iterdir()] == ["submission.zip"]


def test_a_zip_is_verified_once_for_all_that_is_done_with_it(pack, tmp_path, monkeypatch):
    opened = []
    real = zipfile.ZipFile

    def count(path, *more):
        opened.append(path)
        return real(path, *more)

    path = pack()
    monkeypatch.setattr("datkit.io.archive.zipfile.ZipFile", count)
    with Submission(path) as submission:
        assert check_submission(submission) == []
        for run in ("first", "second"):
            submission.unpack(tmp_path / run)
    assert opened == [path]
    assert (tmp_path / "second" / "helpers" / "data.py").read_text() == "X = 1\n"


@pytest.mark.usefixtures("registry")
def test_a_new_rule_needs_one_function(codes, monkeypatch):
    """One decorated function, and nothing else: it is found, and stands on the book's page."""
    monkeypatch.setattr(CODE, "checks", [*CODE.checks])

    @CODE.rule("sleeps", expected="no pause", severity="warning")
    def sleeps(source: Source):
        """The code sleeps.

        Let `time.sleep` go: every second counts.
        """
        return (source.at(call) for name, call in source.calls if name == "time.sleep")

    assert codes(("nap.py", "from time import sleep\nsleep(60)\n")) == ["sleeps"]
    row = "| `sleeps` | warning | The code sleeps. | Let `time.sleep` go: every second counts. |"
    code = findings_page().partition("## The code")[2].partition("## ")[0]
    assert row in code.splitlines()


def test_what_is_found_later_does_not_change_the_zip(tmp_path):
    path = tmp_path / "submission.zip"
    path.write_bytes(b"no zip")
    with Submission(path) as submission:
        check_submission(submission).clear()
        assert [problem.code for problem in submission.problems] == ["not-a-zip"]


def test_a_name_from_here_is_the_name(pack):
    """`tar -a -cf submission.zip .` writes `./main.py`, which every unzip takes for main.py."""
    path = pack(("./main.py", "import helpers.data\n"), main=None)
    assert check_submission(path) == []


def test_too_many_folders_are_not_read(codes):
    deep = "/".join("a" * 505)
    assert codes(*((f"{n}/{deep}/x", "") for n in range(250))) == ["too-many-members"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no process")
@pytest.mark.parametrize(
    ("member", "content"),
    {
        "an array of 512 MB in 512 kB": ("w.npz", lambda: inner("w.npy", NPY + bytes(2**29))),
        "code of 256 MB in 256 kB": ("m.pt", lambda: inner("m/code/a.py", b"#" * 2**28)),
    }.values(),
    ids=["array", "code"],
)
def test_what_takes_too_much_memory_is_a_finding(pack, monkeypatch, member, content):
    monkeypatch.setattr("datkit.inspect.submission.MEMORY", 500_000_000)
    path = pack((entry(member), content()), ("z.pkl", ""))
    found = check_submission(path)
    assert [one.code for one in found] == ["unread", "pickle"], "the others are read"
    assert found[0].where == f"member '{member}'" and "Leave it out" in found[0].remedy


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no process")
def test_what_takes_too_long_is_a_finding_and_what_was_found_stays(pack, monkeypatch):
    monkeypatch.setattr("datkit.inspect.submission.SECONDS", 1)
    slow = "".join(f"f{n % 97}(a.b{n % 89})\n" for n in range(300_000))
    path = pack(("a.ipynb", ""), ("b.pkl", ""), (entry("c.py"), slow), ("d.pkl", ""))
    started = time.monotonic()
    found = {(one.code, one.where) for one in check_submission(path)}
    assert time.monotonic() - started < 20
    assert found == {
        ("notebook", "member 'a.ipynb'"),
        ("pickle", "member 'b.pkl'"),
        ("unread", "member 'c.py'"),
    }


@pytest.mark.parametrize(
    "end", ["raise SystemExit(3)", "import os; os.abort()", "import time; time.sleep(99)"]
)
def test_however_the_reading_process_ends_it_is_a_finding(pack, monkeypatch, end):
    monkeypatch.setattr("datkit.inspect.submission._PATIENCE", 0.25)
    said = "print('\"main.py\"', flush=True); print('{\"co', end='', flush=True); "
    monkeypatch.setattr("datkit.inspect.submission._CHILD", said + end)
    [problem] = check_submission(pack())
    assert (problem.code, problem.where) == ("unread", "member 'main.py'") and problem.is_error


def test_it_reads_wherever_it_is_called_from(pack, tmp_path, monkeypatch):
    """In a script without a main, beside files named like Python's own modules."""
    for name in ("json", "zipfile", "resource", "datkit"):
        (tmp_path / f"{name}.py").write_text("raise SystemError\n")
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    path = pack(("a.pkl", ""))
    script.write_text(
        "from datkit.inspect import check_submission\n"
        f"print([one.code for one in check_submission({str(path)!r})])\n"
    )
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "['pickle']\n" and not done.stderr


def test_many_findings_of_one_code_are_counted(pack):
    many = [(f"../{'x' * 240}{n}.pkl", "") for n in range(300)]
    found = check_submission(pack(*many))
    assert [one.code for one in found].count("unsafe-path") == 101
    assert "unsafe-path" in {one.code for one in found if one.found == "200 more"}
