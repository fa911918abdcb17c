"""Lines that are right, and look like the ones that are wrong: nothing is said of them.

What is wrong stands in ``tests/parts/broken_code.py``, one submission for each fault.
"""

from __future__ import annotations

import pytest

from datkit.inspect.source import Contents
from datkit.inspect.submission import check_source

FINE = {
    # uids
    "how many uids": "print(len(uids), f'{len(uids)} exams', table['uid'].nunique())",
    "uids into a file": "for uid in uids:\n    print(uid, file=stream)",
    "a write that is no print": "for uid in uids:\n    stream.write(f'{uid},0.5')",
    "every hundredth": "for uid in uids:\n    if n % 100 == 0:\n        print('on we go')",
    "a loop over models": "for model in models:\n    print('one more')",
    "numbers of other columns": "age = int(row['age'])",
    "types of every column": (
        "import pandas as pd\npd.read_csv('data/submission_format.csv', dtype=str)"
    ),
    "another table": "import pandas as pd\nnormals = pd.read_csv(name)",
    # the data
    "one exam by its name": "open(f'data/niftis/{uid}.nii.gz', 'rb')",
    "a folder of models": "import os\nnames = os.listdir('weights')",
    "models beside main.py": "from pathlib import Path\nlist(Path(__file__).parent.glob('*.json'))",
    # paths
    "the temporary folder": "CACHE = '/tmp/cache'",
    "a pattern": "import re\nre.sub('^/+', '', name)",
    "a fragment": "name = root + '/data/niftis'",
    "a prefix that is asked for": "inside = name.startswith('/kaggle/')",
    # loading
    "safe weights": "import torch\ntorch.load(name, weights_only=True)",
    "arrays": "import numpy as np\nnp.load(name)",
    "json": "import json\njson.loads('{}')",
    "weights that are looked for": "import os\nif os.path.exists('a.json'):\n    open('a.json')",
    "weights that may be absent": "try:\n    open('a.json')\nexcept FileNotFoundError:\n    pass",
    "a file that it writes": "import numpy as np\nnp.save('a.npy', x)\nnp.load('a.npy')",
    # devices, arguments, environment
    "a device that is asked for": "import torch\nd = 'cuda' if torch.cuda.is_available() else 0",
    "no arguments but the name": "import sys\nname = sys.argv[0]",
    "arguments that are counted": "import sys\nd = sys.argv[1] if len(sys.argv) > 1 else 'data'",
    "a variable with a default": "import os\nsmoke = os.environ.get('IS_SMOKE_TEST')",
    "a variable that it sets": "import os\nos.environ['A'] = '1'\na = os.environ['A']",
    "a variable that it asks for": "import os\na = os.environ['A'] if 'A' in os.environ else ''",
    # leaving the machine
    "a model without weights": "import timm\ntimm.create_model('resnet18', pretrained=False)",
    "no weights of a zoo": "from torchvision import models\nmodels.resnet18(weights=None)",
    "a local hub": "import torch\ntorch.hub.load('hub', 'net', source='local')",
    "a model in the archive": "from transformers import ViT\nViT.from_pretrained('weights')",
    "a model at a path": "from transformers import ViT\nViT.from_pretrained(folder)",
    "another program": "import subprocess\nsubprocess.run(['nvidia-smi'], check=False)",
    "a socket at home": "import socket\nsocket.create_connection(('127.0.0.1', 5000))",
    "a function called fit": "def fit(x):\n    return x\n\n\nfit(1)",
    "flips along one axis": "import numpy as np\nnp.flip(a, 0)\nnp.flip(b, axis=0)\nnp.flipud(c)",
    "an import that is tried": "try:\n    from . import net\nexcept ImportError:\n    net = None",
}
WRONG = {
    "a keyword": ("import numpy as np\nnp.load(file='a')\ninput()", ["waits-for-input"]),
    "two on one line": (
        "import os\nos.system('pip install x && wget y'); breakpoint()",
        ["installs", "waits-for-input"],
    ),
    "in a method": (
        "class A:\n    def run(self, uid):\n        self.logger.info(f'{uid}')",
        ["prints-uids"],
    ),
    "in an async function": (
        "import httpx\nasync def f():\n    return httpx.get('https://example.org')",
        ["network-use"],
    ),
    "polars": ("import polars as pl\npl.read_csv('data/submission_format.csv')", ["uid-as-number"]),
    "a positional argument": ("p.add_argument('folder')", ["needs-arguments"]),
    "a dtype of another column": (
        "import pandas as pd\npd.read_csv('data/submission_format.csv', dtype={'p': float})",
        ["uid-as-number"],
    ),
    "rows one by one": (
        "for _, row in table.iterrows():\n    print('one')\n    print(row['uid'])",
        ["prints-per-exam", "prints-uids"],
    ),
}


def check(text: str, name: str = "main.py"):
    contents = Contents(["main.py", "weights/config.json"], {name: text.encode()})
    return [*check_source(name, contents)]


def codes(text: str, name: str = "main.py") -> list[str]:
    return [problem.code for problem in check(text, name)]


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_wrong_is_not_flagged(name):
    assert codes(FINE[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_in_the_order_of_lines(name):
    text, expected = WRONG[name]
    assert codes(text) == expected


def test_only_main_is_run_with_arguments():
    assert codes("import sys\nname = sys.argv[1]\nmodel.fit(x, y)", "tools.py") == []


def test_a_finding_names_member_and_line():
    [problem] = check("x = 1\n\ninput('go?')")
    assert (problem.where, problem.line) == ("member 'main.py'", 3)
    assert problem.place == "member 'main.py', line 3" and problem.found == "input('go?')"
