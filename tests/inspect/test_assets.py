"""Files that the code opens, and that nobody need pack.

What is wrong stands in ``tests/parts/broken_code.py``, one submission for each fault.
"""

from __future__ import annotations

import pytest

FINE = {
    "weights that are looked for": "import os\nif os.path.exists('a.json'):\n    open('a.json')",
    "weights that may be absent": "try:\n    open('a.json')\nexcept FileNotFoundError:\n    pass",
    "a file that it writes": "import numpy as np\nnp.save('a.npy', x)\nnp.load('a.npy')",
}


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_wrong_is_not_flagged(name, codes_of):
    assert codes_of(FINE[name]) == []


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("import os\nopen(os.environ.get('W') + '/b.json')", ""),
        ("from pathlib import Path\n(Path(__file__).parent / 'b.json').read_bytes()", "b.json"),
        ("import safetensors.numpy as s\ns.load_file('w/a.safetensors')", "w/a.safetensors"),
        ("open('w/a.csv', 'w')", ""),
        ("open(f'w/{name}.csv')", ""),
        ("open('data/submission_format.csv')", ""),
    ],
)
def test_a_file_that_nobody_packed_is_named(call, path, problems_of):
    assert [p.expected for p in problems_of(call)] == [f"{path!r} in the archive"] * bool(path)
