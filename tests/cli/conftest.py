"""What the tests of commands share: a run whose result is read back, and the help of a command."""

import json

import pytest

from datkit.cli import main


@pytest.fixture
def run_json(capsys):
    """Run a command with ``--json``; its exit code and what it printed."""

    def run(*words):
        code = main([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def shown_help(capsys):
    """The help of a command, which ends with exit code 0."""

    def show(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return show
