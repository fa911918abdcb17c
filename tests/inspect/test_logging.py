"""What a source prints: lines that look like a uid or a line for each exam, and are not.

What is wrong stands in ``tests/parts/broken_code.py``, one submission for each fault.
"""

from __future__ import annotations

import pytest

FINE = {
    "how many uids": "print(len(uids), f'{len(uids)} exams', table['uid'].nunique())",
    "uids into a file": "for uid in uids:\n    print(uid, file=stream)",
    "a write that is no print": "for uid in uids:\n    stream.write(f'{uid},0.5')",
    "every hundredth": "for uid in uids:\n    if n % 100 == 0:\n        print('on we go')",
    "a loop over models": "for model in models:\n    print('one more')",
}
WRONG = {
    "in a method": (
        "class A:\n    def run(self, uid):\n        self.logger.info(f'{uid}')",
        ["prints-uids"],
    ),
    "rows one by one": (
        "for _, row in table.iterrows():\n    print('one')\n    print(row['uid'])",
        ["prints-per-exam", "prints-uids"],
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_wrong_is_not_flagged(name, codes_of):
    assert codes_of(FINE[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_in_the_order_of_lines(name, codes_of):
    text, expected = WRONG[name]
    assert codes_of(text) == expected
