"""A command is a function: its docstring is the help, its result is lines or data."""

import argparse
import json
import os
from pathlib import Path

import pytest

from datkit.cli import main
from datkit.cli.command import Group, Result, arg, complain, located, to_json
from datkit.errors import ScanError, UsageError


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
