"""What the tests of this room share: a right submission with members added, and what is found."""

from __future__ import annotations

import pytest
from zips import zip_of

from datkit.inspect.source import Contents
from datkit.inspect.submission import Submission, check_source, find_problems
from datkit.rules import RULES

GOOD_MAIN = "import numpy as np\nfrom helpers import data\n"


@pytest.fixture
def pack(tmp_path):
    """Write a zip of a right main.py, a module and the members given; return its path."""

    def write(*members, main: str | None = GOOD_MAIN):
        first = [] if main is None else [("main.py", main)]
        path = tmp_path / "submission.zip"
        path.write_bytes(zip_of(*first, ("helpers/data.py", "X = 1\n"), *members))
        return path

    return write


@pytest.fixture
def codes(pack):
    """Pack members and return the codes that are found, sorted."""

    def found(*members, **options) -> list[str]:
        with Submission(pack(*members, **options)) as submission:
            return sorted(problem.code for problem in find_problems(submission))

    return found


@pytest.fixture
def problems_of():
    """Return what is found in one source, beside a model's settings."""

    def found(text: str, name: str = "main.py"):
        contents = Contents(["main.py", "weights/config.json"], {name: text.encode()})
        return [*check_source(name, contents)]

    return found


@pytest.fixture
def codes_of(problems_of):
    """Return the codes of what is found in one source."""
    return lambda *source: [problem.code for problem in problems_of(*source)]


@pytest.fixture
def registry():
    """The registry of rules; what a test enters goes again."""
    before = dict(RULES)
    yield RULES
    RULES.clear()
    RULES.update(before)
