"""Lines that are right, and look like the ones that fail on the platform: nothing is said of them.

What is wrong stands in ``tests/parts/broken_code.py``, one submission for each fault.
"""

from __future__ import annotations

import pytest

FINE = {
    "numbers of other columns": "age = int(row['age'])",
    "types of every column": (
        "import pandas as pd\npd.read_csv('data/submission_format.csv', dtype=str)"
    ),
    "another table": "import pandas as pd\nnormals = pd.read_csv(name)",
    "one exam by its name": "open(f'data/niftis/{uid}.nii.gz', 'rb')",
    "a folder of models": "import os\nnames = os.listdir('weights')",
    "models beside main.py": "from pathlib import Path\nlist(Path(__file__).parent.glob('*.json'))",
    "the temporary folder": "CACHE = '/tmp/cache'",
    "a pattern": "import re\nre.sub('^/+', '', name)",
    "a fragment": "name = root + '/data/niftis'",
    "a prefix that is asked for": "inside = name.startswith('/kaggle/')",
    "safe weights": "import torch\ntorch.load(name, weights_only=True)",
    "arrays": "import numpy as np\nnp.load(name)",
    "json": "import json\njson.loads('{}')",
    "a device that is asked for": "import torch\nd = 'cuda' if torch.cuda.is_available() else 0",
    "no arguments but the name": "import sys\nname = sys.argv[0]",
    "arguments that are counted": "import sys\nd = sys.argv[1] if len(sys.argv) > 1 else 'data'",
    "a variable with a default": "import os\nsmoke = os.environ.get('IS_SMOKE_TEST')",
    "a variable that it sets": "import os\nos.environ['A'] = '1'\na = os.environ['A']",
    "a variable that it asks for": "import os\na = os.environ['A'] if 'A' in os.environ else ''",
    "a function called fit": "def fit(x):\n    return x\n\n\nfit(1)",
    "flips along one axis": "import numpy as np\nnp.flip(a, 0)\nnp.flip(b, axis=0)\nnp.flipud(c)",
}
WRONG = {
    "a keyword": ("import numpy as np\nnp.load(file='a')\ninput()", ["waits-for-input"]),
    "two on one line": (
        "import os\nos.system('pip install x && wget y'); breakpoint()",
        ["installs", "waits-for-input"],
    ),
    "polars": ("import polars as pl\npl.read_csv('data/submission_format.csv')", ["uid-as-number"]),
    "a positional argument": ("p.add_argument('folder')", ["needs-arguments"]),
    "a dtype of another column": (
        "import pandas as pd\npd.read_csv('data/submission_format.csv', dtype={'p': float})",
        ["uid-as-number"],
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_wrong_is_not_flagged(name, codes_of):
    assert codes_of(FINE[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_in_the_order_of_lines(name, codes_of):
    text, expected = WRONG[name]
    assert codes_of(text) == expected


def test_only_main_is_run_with_arguments(codes_of):
    assert codes_of("import sys\nname = sys.argv[1]\nmodel.fit(x, y)", "tools.py") == []


def test_a_finding_names_member_and_line(problems_of):
    [problem] = problems_of("x = 1\n\ninput('go?')")
    assert (problem.where, problem.line) == ("member 'main.py'", 3)
    assert problem.place == "member 'main.py', line 3" and problem.found == "input('go?')"
