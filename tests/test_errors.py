import pickle

import pytest

from datkit.errors import CohortError, DatkitError
from datkit.problems import Problem

TWICE = Problem("uid-repeated", "exams.csv", "each uid once", "'7' twice", "Keep one.", line=3)
HERE = Problem("volume-missing", "demo", "a volume of '9'", "none", "Add it.")


def test_an_error_of_one_problem_is_one_line():
    error = CohortError.of([TWICE], where="demo")
    assert str(error) == (
        "demo: exams.csv, line 3: expected each uid once, found '7' twice. Keep one."
    )
    assert error.problems == (TWICE,)


def test_a_problem_of_the_place_itself_does_not_repeat_it():
    assert str(CohortError.of([HERE], where="demo")) == f"{HERE}"
    assert str(CohortError.of([HERE, TWICE], where="demo")).splitlines()[1:] == [
        "  - expected a volume of '9', found none. Add it.",
        f"  - {TWICE}",
    ]


def test_problems_survive_the_way_from_another_process():
    error = pickle.loads(pickle.dumps(CohortError.of([HERE, TWICE], where="demo")))
    assert error.problems == (HERE, TWICE) and "2 problems in demo" in str(error)


def test_a_plain_message_has_no_problems():
    with pytest.raises(DatkitError, match="Expected more") as caught:
        raise CohortError("Expected more.")
    assert caught.value.problems == ()
