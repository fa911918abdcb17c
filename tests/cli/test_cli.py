"""The command line: results on standard output, 0 fine, 1 findings, 2 wrong use."""

import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from datkit.cli import main, parser
from datkit.cli.challenge import CHALLENGE
from datkit.cli.command import Group
from datkit.cli.data import DATA
from datkit.cli.exams import EXAMS
from datkit.cli.models import MODELS, benchmark
from datkit.cli.submit import SUBMIT

BENCHMARK = Group("", {benchmark: MODELS.commands[benchmark]})


def test_help_names_every_command_and_the_exit_codes(shown_help):
    shown = shown_help()
    words = {"benchmark", "data", "submit", *(run.__name__ for run in EXAMS.commands)}
    assert words >= {"simulate", "prepare", "measure", "report", "sheet"}
    for said in (*words, "Exit codes", "not for diagnosis"):
        assert said in shown


@pytest.mark.parametrize("words", [[], ["nonsense"], ["measure"], ["data", "fetch"]])
def test_wrong_words_are_wrong_use(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "usage: datkit" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m datkit.cli data show ppmi | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("name: ppmi\n0\n", "")


def test_a_full_disk_is_a_sentence(capsys, monkeypatch):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device", "/data/x")

    monkeypatch.setattr("datkit.data.load_manifest", no_space)
    assert main(["data", "list"]) == 1
    assert "/data/x: No space left on device; free" in capsys.readouterr().err


@pytest.mark.parametrize(
    "group",
    [EXAMS, BENCHMARK, DATA, SUBMIT, CHALLENGE],
    ids=["exams", "benchmark", "data", "submit", "class"],
)
def test_every_command_teaches_by_examples_that_it_understands(group, shown_help, request):
    word = [name] if (name := request.node.callspec.id) in ("data", "submit", "class") else []
    for run in group.commands:
        call = ["datkit", *word, run.__name__.rstrip("_")]
        lines = re.findall(r"^  (datkit .*)$", shown_help(*call[1:]), re.MULTILINE)
        examples = [shlex.split(line, comments=True) for line in lines]
        assert any(example[: len(call)] == call for example in examples), call
        for example in examples:
            assert parser().parse_args(example[1:]).run is run


def test_an_interrupted_command_says_what_is_kept(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("datkit.data.load_manifest", interrupted)
    assert main(["data", "list"]) == 130
    assert "what was complete is kept" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_command_lets_it_clean_up(number, tmp_path):
    """As `kill`, `timeout`, a closed terminal and a batch system end it."""
    code = """
import tempfile, time
import datkit.cli, datkit.data
def slow(*_):
    with tempfile.TemporaryDirectory(dir=".") as folder:
        print(folder, flush=True)
        time.sleep(60)
datkit.data.load_manifest = slow
raise SystemExit(datkit.cli.main())
"""
    running = subprocess.Popen(
        [sys.executable, "-c", code, "data", "list"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout.readline() and len(list(tmp_path.iterdir())) == 1
    running.send_signal(number)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == 130 and "what was complete is kept" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no terminal that is closed")
def test_nohup_and_who_calls_from_python_keep_their_signals(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["datkit", "data", "list"])
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        main(["data", "list"])
        assert before == {one: signal.getsignal(one) for one in before}
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        main()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
