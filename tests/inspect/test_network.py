"""Calls that look as if they left the machine, and do not.

What is wrong stands in ``tests/parts/broken_code.py``, one submission for each fault.
"""

from __future__ import annotations

import pytest

FINE = {
    "a model without weights": "import timm\ntimm.create_model('resnet18', pretrained=False)",
    "no weights of a zoo": "from torchvision import models\nmodels.resnet18(weights=None)",
    "a local hub": "import torch\ntorch.hub.load('hub', 'net', source='local')",
    "a model in the archive": "from transformers import ViT\nViT.from_pretrained('weights')",
    "a model at a path": "from transformers import ViT\nViT.from_pretrained(folder)",
    "another program": "import subprocess\nsubprocess.run(['nvidia-smi'], check=False)",
    "a socket at home": "import socket\nsocket.create_connection(('127.0.0.1', 5000))",
}
WRONG = {
    "in an async function": (
        "import httpx\nasync def f():\n    return httpx.get('https://example.org')",
        ["network-use"],
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_wrong_is_not_flagged(name, codes_of):
    assert codes_of(FINE[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_in_the_order_of_lines(name, codes_of):
    text, expected = WRONG[name]
    assert codes_of(text) == expected
