import json
import unicodedata

import pytest

from datkit.problems import Problem, found_instead, shown


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


def test_no_control_or_direction_is_shown_raw():
    control = [*map(chr, [*range(9), *range(11, 32), *range(127, 160), 0xDC9B, 0xFEFF])]
    turning = [c for c in map(chr, range(0x3000)) if unicodedata.bidirectional(c) in DIRECTIONS]
    assert len(turning) == 9
    hidden = [c for c in map(chr, range(0x20000)) if unicodedata.category(c) == "Cf"]
    hidden = [c for c in hidden if not unicodedata.name(c).startswith(VISIBLE) and c not in JOINERS]
    assert len(hidden) > 40
    for character in [*control, *turning, *hidden, *FILLERS, "\u061c", "\U000e0041"]:
        text = shown(f"a{character}b")
        assert text.isprintable() and text.isascii() and text[:2] == "a\\" and text[-1] == "b"


# Format characters that are seen, or that letters are written with; and letters that nobody sees.
VISIBLE = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")
JOINERS = "\u200c\u200d"
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
DIRECTIONS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    "text",
    ["Zoë Müller", "検査 №7", "יד ימין", "می\u200cخواهم", "👩\u200d⚕️ ☢️", "1 × 2 mm", "a\n\tb"],
)
def test_letters_of_any_script_and_emoji_stay(text):
    assert shown(text, "\n") == text


def test_shown_json_is_the_same_json():
    names = ["\x1b[2J", "\x7f\x9b", "\u202e\u2066", "\udc9b", "\U000e0041", "é\n", "\\x1b"]
    text = json.dumps(names, ensure_ascii=False)
    assert json.loads(shown(text)) == names and "é" in shown(text)


def test_a_problem_is_one_line_and_its_record_is_raw():
    forged = "a.nii\ndatkit: no problem found\x1b[2J"
    problem = Problem("unreadable", forged, "a file", "none", "Look.")
    assert str(problem).isprintable() and r"a.nii\ndatkit" in str(problem)
    assert problem.to_dict()["where"] == forged
