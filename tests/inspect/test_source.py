"""A source is read from its tree: what names stand for, what an expression spells."""

from __future__ import annotations

import ast
import sys

import pytest

from datkit.inspect.source import Contents, Source, reads_as_newer

PATHS = {
    "open('a/b.csv')": "a/b.csv",
    "D = 'data'\nopen(D + '/niftis')": "data/niftis",
    "from pathlib import Path as P\nopen(P('data') / 'niftis' / name)": "data/niftis/{}",
    "import os.path as p\nopen(p.join('data', f'{uid}.nii.gz'))": "data/{}.nii.gz",
    "from os.path import join\nopen(join('data', '%s.nii' % uid))": "data/{}.nii",
    "from pathlib import Path\nopen(Path(__file__).resolve().parent / 'w.npz')": "<zip>/w.npz",
    "import os\nopen(os.path.dirname(os.path.abspath(__file__)) + '/w.npz')": "<zip>/w.npz",
    "def f(root='data'):\n    open(root + '/x')": "data/x",
    "self.root = 'data'\nopen(self.root)": "data",
    "a = 'data'\na = 'other'\nopen(a)": "{}",
    "for a in names:\n    open(a)": "{}",
    "a = b\nb = a\nopen(a)": "{}",
    "a = a + 'x'\nopen(a)": "{}x",
}


def read(text: str) -> Source:
    return Source("main.py", text.encode())


@pytest.mark.parametrize("text", PATHS)
def test_a_path_is_known_as_far_as_it_is_spelt(text):
    source = read(text)
    [call] = [call for name, call in source.calls if name == "open"]
    assert source.text(call.args[0]) == PATHS[text]


def test_a_file_of_a_package_is_where_it_lies():
    text = b"from pathlib import Path\nopen(Path(__file__).parent.parent / 'a')"
    source = Source("kit/deep/net.py", text)
    assert source.text(source.calls[0][1].args[0]) == "<zip>/kit/a"


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("import torch\ntorch.hub.load()", "torch.hub.load"),
        ("from torch import hub as h\nh.load()", "torch.hub.load"),
        ("from torch.hub import load\nload()", "torch.hub.load"),
        ("import torch.hub\ntorch.hub.load()", "torch.hub.load"),
        ("from .hub import load\nload()", "load"),
        ("things[0].load()", "{}.load"),
    ],
)
def test_a_call_is_known_by_whatever_name_it_has(text, called):
    assert read(text).calls[0][0] == called


def test_a_text_that_doubles_again_and_again_is_cut():
    lines = ["a0 = 'xxxxxxxxxx'", *(f"a{n} = a{n - 1} + a{n - 1}" for n in range(1, 60))]
    source = read("\n".join([*lines, "open(a59)"]))
    assert len(source.text(source.calls[0][1].args[0])) == 10_000


def test_a_word_in_a_comment_or_docstring_is_no_call():
    source = read('"""requests.get(1)"""\n# torch.hub.load()\nx = 1')
    assert source.calls == [] and len(source.docstrings) == 1


def test_only_what_newer_pythons_read_is_called_newer():
    with pytest.raises(SyntaxError) as caught:
        ast.parse("def f(:\n")
    assert not reads_as_newer(caught.value)
    assert not reads_as_newer(ValueError("null bytes"))


FAULTS = {
    "a_syntax_error": ("syntax", "helpers/net.py", "def f(:\n"),
    "a_null_byte": ("syntax", "helpers/net.py", b"x = 1\0"),
    "a_foreign_encoding": ("syntax", "helpers/net.py", "x = 'é'".encode("latin-1")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_python_is_found(name, codes):
    code, path, content = FAULTS[name]
    assert codes((path, content)) == [code]


@pytest.mark.parametrize("line", ["type X = int", "def f[T](x: T): ...", "s = f'{a['b']}'"])
def test_what_only_newer_pythons_read_is_no_error(line, codes):
    found = [] if sys.version_info >= (3, 12) else ["syntax-unchecked"]
    assert codes(("a.py", line + "\n")) == found


def test_what_lies_beside_a_source_is_known_by_names():
    names = [
        "main.py",
        "kit/net.py",
        "lib/LICENSE",
        "x/vendor/y.py",
        "png/a.py",
        "png-1.2.dist-info/M",
    ]
    contents = Contents(names, {"main.py": b"torch.cuda.is_available()"})
    assert {"main", "kit", "net", "lib", "vendor"} <= contents.bundled
    assert contents.vendored == {"lib", "x/vendor", "png"} and contents.asks_for_gpu
