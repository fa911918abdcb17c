import pickle

import pytest

from datkit.errors import (
    AnswerError,
    CohortError,
    DatkitError,
    as_datkit_error,
    check_answer,
    is_numeric,
)
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


def test_a_place_with_control_characters_is_named_once():
    where = "a\x1b\n.nii"
    error = CohortError.of([Problem("unreadable", where, "a file", "none", "Look.")], where=where)
    assert str(error) == r"a\x1b\n.nii: expected a file, found none. Look."


def test_what_nobody_thought_of_becomes_a_sentence_with_its_kind():
    error = as_datkit_error(ZeroDivisionError("division by zero"), "a.nii")
    said = "found ZeroDivisionError: division by zero; please report it."
    assert str(error).startswith("a.nii: expected a file that can be read") and said in str(error)
    assert "Permission denied" in str(as_datkit_error(OSError("Permission denied"), "a.nii"))
    known = CohortError("Expected more.")
    assert as_datkit_error(known, "a.nii") is known


def test_problems_survive_the_way_from_another_process():
    error = pickle.loads(pickle.dumps(CohortError.of([HERE, TWICE], where="demo")))
    assert error.problems == (HERE, TWICE) and "2 problems in demo" in str(error)


def test_a_plain_message_has_no_problems():
    with pytest.raises(DatkitError, match="Expected more") as caught:
        raise CohortError("Expected more.")
    assert caught.value.problems == ()


def test_ipython_shows_the_sentence_of_a_check_and_no_traceback():
    check_answer(1, "Never said.")
    with pytest.raises(AnswerError, match=r"^Divide by both sides\.$") as caught:
        check_answer([], "Divide by both sides.")
    assert caught.value._render_traceback_() == ["Divide by both sides."]


def test_an_answer_that_does_not_run_is_told_in_a_sentence():
    check_answer(lambda: True, "Never said.")
    with pytest.raises(AnswerError, match=r"^Divide by both sides\.$"):
        check_answer(lambda: None, "Divide by both sides.")
    with pytest.raises(AnswerError, match=r"^Your answer stops with ZeroDivisionError.* The hint"):
        check_answer(lambda: 1 / 0, "Never said.")


def test_numbers_of_an_answer_are_real_and_in_the_shape_that_is_wanted():
    assert is_numeric(3) and is_numeric([[1, 2.5]], 1, 2)
    assert not any(map(is_numeric, (None, "3", [3], [[1], [2, 3]], {"a": 3}, True, 3j, ...)))
    assert not is_numeric([1, "2"], 2) and not is_numeric([1, None], 2)
