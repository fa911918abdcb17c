"""A command is a function: its docstring is the help, its result is lines or data."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datkit.cli import main
from datkit.cli.command import Group, Result, Shown, arg, complain, each_scan, located, to_json
from datkit.errors import ScanError, UsageError

# A name that sets the terminal's title, clears the screen, turns text round, and forges a line.
NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\rb\ndatkit: no problem found"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def parser():
    """A parser with one command, `weigh`."""
    group = Group("")

    @group.command(arg("scan", metavar="SCAN", help="a file"))
    def weigh(args):
        """Weigh a scan.

        Twice.
        """
        return Result([f"{args.scan}: 3 g"], {"g": 3})

    parser = argparse.ArgumentParser()
    group.add_to(parser.add_subparsers())
    return parser


def test_a_docstring_is_the_help(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    assert "weigh     Weigh a scan\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        parser.parse_args(["weigh", "--help"])
    shown = capsys.readouterr().out
    assert shown.index("Weigh a scan.") < shown.index("a file") < shown.index("Twice.")


def test_a_command_gets_its_arguments_and_json_besides(parser):
    args = parser.parse_args(["weigh", "x.nii", "--json"])
    assert args.json
    assert args.run(args) == Result(["x.nii: 3 g"], {"g": 3}, 0)


def test_a_complaint_names_the_place_once_and_ends_with_its_code(capsys):
    assert complain(ScanError("cut short."), "a.nii") == 1
    assert complain(UsageError("a.nii: not there."), "a.nii") == 2
    assert capsys.readouterr().err == "datkit: a.nii: cut short.\ndatkit: a.nii: not there.\n"
    assert located("full.", "") == "full."


@pytest.mark.parametrize(
    "words", [["measure", ""], ["report", "a.nii", "--out", ""], ["data", "check", ""]]
)
def test_an_empty_name_is_not_the_present_folder(words, capsys):
    assert main(words) == 2
    assert "name of a file or folder, found an empty one" in capsys.readouterr().err


def test_an_empty_orientation_is_none(capsys, tmp_path):
    assert main(["measure", str(tmp_path), "--orientation", ""]) == 2
    assert "three letters, R or L, A or P, S or I, found ''" in capsys.readouterr().err


def test_a_name_that_is_no_utf_8_is_printed_and_stays_one_in_json(capsys, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/J\xfcrgen.nii"))
    path.write_bytes(b"no exam")
    assert main(["data", "check", str(path)]) == 1
    assert "J\\udcfcrgen.nii" in capsys.readouterr().out
    main(["data", "check", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)[0]["where"] == str(path)


def test_json_keeps_letters():
    assert to_json({"é": 1}) == '{\n "é": 1\n}'


def printed(capsys):
    """What a command printed, checked to hold nothing that a terminal would obey."""
    said = "".join(capsys.readouterr())
    assert not OBEYED.search(said), ascii(said)
    return said


@pytest.mark.parametrize(
    "words",
    [
        ["measure", NAME],
        ["report", f"{NAME}.nii"],
        ["report", "a.nii", "--out", f"{NAME}.pdf"],
        ["prepare", NAME],
        ["sheet", NAME],
        ["predict", NAME],
        ["data", "check", NAME],
        ["data", "fetch", NAME],
        ["normals", "fit", NAME, "--table", NAME, "--out", "a.json"],
        ["submit", "check", NAME],
        ["submit", "score", NAME, "--cohort", NAME],
        ["measure", "a.nii", "--orientation", NAME],
        ["measure", "a.nii", "--reconstruction", NAME],
        ["simulate", "--uid", NAME],
    ],
    ids=lambda words: " ".join(words[:2]).partition("a\x1b")[0],
)
def test_a_name_is_shown_and_not_obeyed(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 2)
    assert r"a\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\u2066" in printed(capsys).replace(
        r"\x9b", r"\u009b"
    )


@pytest.mark.parametrize(
    "words", [[NAME], ["measure", "a.nii", "--age", NAME], ["sheet", "--", NAME, NAME]]
)
def test_wrong_words_are_shown_and_not_obeyed(words, capsys):
    with pytest.raises(SystemExit):
        raise SystemExit(main(words))
    assert "owned" in printed(capsys)


def test_no_name_begins_a_line_of_its_own(capsys, tmp_path):
    path = tmp_path / f"{NAME}.nii"
    path.write_bytes(b"no exam")
    assert main(["data", "check", str(path)]) == 1
    assert main(["measure", str(path)]) == 1
    lines = printed(capsys).splitlines()
    assert not [line for line in lines if line.startswith("datkit: no problem")] and len(lines) == 3


def test_json_of_any_name_is_printed_escaped_and_read_back(capsys, tmp_path):
    path = tmp_path / f"{NAME} \u2028\x7f\U000e0041é.nii"
    path.write_bytes(b"no exam")
    assert main(["data", "check", str(path), "--json"]) == 1
    text = printed(capsys)
    assert json.loads(text)[0]["where"] == str(path) and "é" in text


SAYS_ALL = """
import logging, sys, warnings
from tqdm import tqdm
from datkit import cli, data

def fail(*_):
    warnings.warn(sys.argv[1])
    logging.warning(sys.argv[1])
    for _ in tqdm(range(2), sys.argv[1]):
        pass
    raise ZeroDivisionError(sys.argv[1])

data.load_manifest = fail
sys.exit(cli.main(["data", "list"]))
"""


def test_warnings_logs_progress_and_tracebacks_are_shown_and_not_obeyed():
    ended = subprocess.run([sys.executable, "-c", SAYS_ALL, NAME], capture_output=True, check=False)
    said = ended.stderr.decode()
    assert ended.returncode == 1 and "\rb" not in said
    assert not OBEYED.search(said.replace("\r", "")), ascii(said)
    for part in (
        "UserWarning: a",
        "WARNING:root:a",
        "2/2",
        "ZeroDivisionError: a",
        "please report",
    ):
        assert part in said


def test_the_streams_are_left_as_they_were(capsys):
    streams = sys.stdout, sys.stderr
    main(["data", "list"])
    assert (sys.stdout, sys.stderr) == streams and capsys.readouterr().out


def test_a_stream_keeps_what_a_progress_bar_moves():
    stream = io.StringIO()
    shown = Shown(stream)
    for text in ("\r 50%|a\x1b[2J\r", "\n\n", "\x1b[A\x1b[A", "\x1b[Ab", "\r"):
        shown.write(text)
    assert stream.getvalue() == "\r 50%|a\\x1b[2J\\r\n\n\x1b[A\x1b[A\\x1b[Ab\r"
    assert shown.getvalue() == stream.getvalue() and not shown.isatty()


def test_whatever_one_scan_holds_the_others_go_on(capsys):
    errors = [
        ZeroDivisionError("none"),
        MemoryError(),
        OSError(5, "I/O error"),
        RecursionError("x"),
    ]
    errors += [ScanError("c.nii: cut."), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")]

    def work(path):
        if path.stem.isdecimal():
            raise errors[int(path.stem)]
        return path.stem

    scans = [Path("a"), *(Path(f"{number}.nii") for number in range(len(errors))), Path("b")]
    results, failures, code = each_scan(scans, work)
    assert results == {"a": "a", "b": "b"} and code == 1 and len(failures) == len(errors)
    assert (
        "0.nii: expected a file that can be read, found ZeroDivisionError: none; please report it."
        in failures[0]
    )
    assert all(f"{number}.nii" in one for number, one in enumerate(failures))
    assert capsys.readouterr().err.count("datkit: ") == len(errors)


def test_a_stop_is_not_a_fault_of_a_scan():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each_scan([Path("a")], stop)
