import json

from datkit.problems import Problem, found_instead


def test_a_problem_is_a_sentence_and_a_record():
    problem = Problem("uid-repeated", "exams.csv", "each uid once", "'7' twice", "Keep one.")
    assert str(problem) == "exams.csv: expected each uid once, found '7' twice. Keep one."
    assert problem.is_error
    assert json.loads(json.dumps(problem.to_dict())) == {
        "code": "uid-repeated",
        "where": "exams.csv",
        "expected": "each uid once",
        "found": "'7' twice",
        "remedy": "Keep one.",
        "severity": "error",
        "line": None,
    }


def test_many_are_named_by_the_first_three():
    (problem,) = found_instead("uid-unknown", "a.csv", "known uids", "abcde", "Remove those rows.")
    assert problem.found == "a, b, c and 2 more"
