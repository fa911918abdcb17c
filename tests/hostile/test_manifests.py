"""Manifests that would run code, explode or say too little: one sentence each, naming the file."""

from __future__ import annotations

import copy
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml

from datkit.data import load_manifest
from datkit.errors import ManifestError

ENTRY = load_manifest().entry("fpcit-hc174").to_dict()
PARTS = {"licence": ENTRY["licence"], "uses": ENTRY["uses"], "checked": ENTRY["checked"]}
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
TEXTS = {
    "a command": "version: !!python/object/apply:os.system ['touch made']\n",
    "a module": "version: !!python/module:os\n",
    "a name": "version: !!python/name:os.system\n",
    "an object": "version: !!python/object:pathlib.Path {}\n",
    "a new object": "version: !!python/object/new:os.mkdir ['made']\n",
    "a tuple": "version: !!python/tuple [1]\n",
    "a tag of its own": "version: !mine 1\n",
    "an alias": "version: &one 1\nother: *one\n",
    "a billion laughs": LAUGHS,
    "an alias of itself": "version: &me [*me]\n",
    "a merge": "base: &b {version: 2}\nother:\n  <<: *b\n",
    "a key twice": "version: 2\nversion: 1\ndatasets: []\n",
    "a key twice inside": "version: 2\ndatasets:\n  - {name: a, name: b}\n",
    "ten thousand brackets": "[" * 10_000,
    "ten thousand braces": "{a: " * 10_000,
    "ten thousand dashes": "- " * 10_000,
    "two megabytes": "# " + "x" * 2**21,
    "two documents": "version: 2\n---\nversion: 2\n",
    "a tab": "version:\t2\n\tdatasets: []\n",
    "a list for a key": "? [a, b]\n: c\n",
    "a number of 5,000 digits": f"version: {'9' * 5000}\n",
    "a hexadecimal giant": f"version: 0x{'f' * 6000}\n",
    "a number to base 60": f"version: 1{':1' * 20_000}\n",
    "half a character": 'version: "\\ud800"\n',
    "an empty whole number": 'version: !!int ""\n',
    "an empty number": 'version: !!float ""\n',
    "no truth": "version: !!bool x\n",
    "no time": "version: !!timestamp x\n",
    "infinity": "version: .inf\n",
    "not a number": "version: .nan\n",
    "nothing": "",
    "null": "null\n",
    "a word": "manifest\n",
    "a list": "- version\n",
    "a cut quote": 'version: "2\n',
    "no UTF-8": "version: \xff\xfe\n",
    "UTF-16": "version: 2\n".encode("utf-16").decode("latin-1"),
    "a NUL": "version: 2\0\n",
    "no data sets": "version: 2\ndatasets: []\navoid: []\n",
    "data sets of numbers": "version: 2\ndatasets: [1, 2.5, null, [x]]\navoid: []\n",
    "a map of data sets": "version: 2\ndatasets: {a: b}\navoid: []\n",
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_that_is_no_manifest_is_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "manifest.yaml"
    path.write_bytes(TEXTS[case].encode("latin-1"))
    tracemalloc.start()
    with pytest.raises(ManifestError, match="manifest.yaml") as caught:
        load_manifest(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(str(caught.value)) < 5000 and peak < 64 * 2**20
    assert list(tmp_path.iterdir()) == [path], "nothing was made"


def refused(folder: Path, *entries: Any) -> tuple[str, ...]:
    path = folder / "manifest.yaml"
    content = {"version": 2, "datasets": list(entries), "avoid": []}
    dumper = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda self, data: True})
    path.write_text(yaml.dump(content, Dumper=dumper))
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    return tuple(map(str, caught.value.problems))


@pytest.mark.parametrize("key", ENTRY)
def test_a_missing_key_is_named(tmp_path, key):
    entry = {name: value for name, value in ENTRY.items() if name != key}
    [problem] = refused(tmp_path, entry)
    name = "datasets.0" if key == "name" else "fpcit-hc174"
    assert problem == f"{name}.{key}: expected a value, found none. Correct it."


@pytest.mark.parametrize(
    ("part", "key"), [(part, key) for part, value in PARTS.items() for key in value]
)
def test_a_missing_key_of_a_part_is_named(tmp_path, part, key):
    entry = copy.deepcopy(ENTRY)
    del entry[part][key]
    assert refused(tmp_path, entry) == (
        f"fpcit-hc174.{part}.{key}: expected a value, found none. Correct it.",
    )


@pytest.mark.parametrize("key", ["name", "urls", "sha256", "size"])
def test_a_missing_key_of_a_file_is_named(tmp_path, key):
    entry = copy.deepcopy(ENTRY)
    del entry["files"][0][key]
    problems = refused(tmp_path, entry)
    assert f"fpcit-hc174.files.0.{key}: expected a value, found none. Correct it." in problems


@pytest.mark.parametrize("value", [[], {}, 0, 1.5, True, None, "", " ", ["x"], {"x": 1}])
@pytest.mark.parametrize("key", ["name", "title", "licence", "files", "access"])
def test_a_wrong_kind_of_value_is_named(tmp_path, key, value):
    if (key, value) == ("files", []):
        value = [None]
    problems = refused(tmp_path, ENTRY | {key: value})
    assert all(problem.endswith(".") and ": " in problem for problem in problems)


def test_names_used_twice_are_named(tmp_path):
    [problem] = refused(tmp_path, ENTRY, ENTRY)
    assert problem.startswith("datasets: expected each name once, found 'fpcit-hc174' twice.")
