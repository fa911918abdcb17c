"""What a source imports, and whether the platform or the archive has it."""

from __future__ import annotations

import pytest

from datkit.inspect import check_submission
from datkit.inspect.imports import imports_of

FINE = {
    "optional_import": ("a.py", "try:\n    import nilearn\nexcept ImportError:\n    x = 0\n"),
    "optional_in_one_place": (
        "a.py",
        "try:\n    import nilearn\nexcept ImportError:\n    x = 0\n"
        "def f():\n    from nilearn.image import load_img\n",
    ),
    "import_for_types": ("types_.py", "if TYPE_CHECKING:\n    from nilearn import image\n"),
    "import_from_a_sub_folder": ("src/deep/net.py", "import deep.layers\nimport net\n"),
    "import_of_a_sibling": ("helpers/more.py", "from . import data\nfrom .data import X\n"),
    "companions": ("more.py", "import PIL, yaml, dateutil, six, typing_extensions, sympy\n"),
    "unicode_source": ("umlaut.py", "# Übung\nname = 'Gröbner'\n".encode()),
}
FAULTS = {
    "an_absent_package": ("absent-package", "a.py", "from nilearn.image import load_img\n"),
    "absent_in_a_function": ("absent-package", "a.py", "def f():\n    import plotly.express\n"),
    "absent_by_name": ("absent-package", "a.py", "import_module('nilearn')\n"),
    "absent_from_python_3_12": ("absent-package", "a.py", "import imp\n"),
    "a_taken_name": ("shadowed-module", "random.py", ""),
    "a_package_of_a_taken_name": ("shadowed-module", "yaml/__init__.py", ""),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_not_flagged(name, codes):
    assert codes(FINE[name]) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_code(name, codes):
    code, path, content = FAULTS[name]
    assert codes((path, content)) == [code]


def test_an_import_with_dots_may_be_tried(codes_of):
    assert codes_of("try:\n    from . import net\nexcept ImportError:\n    net = None") == []


def test_a_taken_name_is_found_in_a_source_that_cannot_be_read(codes):
    assert codes(("random.py", "def f(:")) == ["shadowed-module", "syntax"]


def test_a_problem_says_where_what_and_how_to_mend(pack):
    [problem] = check_submission(pack(("a.py", "x = 1\nimport nilearn\n")))
    assert str(problem) == (
        "member 'a.py', line 2: expected a package that the platform has, found import nilearn. "
        "Do without it, or put it into the zip: the platform installs nothing."
    )
    assert (problem.where, problem.line) == ("member 'a.py'", 2)
    assert problem.remedy.startswith("Do without it")


def test_imports_are_read_from_the_source():
    source = (
        "import os.path as p, json\n"
        "from ..up import a, b\n"
        "def f():\n    importlib.import_module('x.y')\n"
        "try:\n    import fast\nexcept Exception:\n    import slow\n"
    )
    found = [(i.module, i.names, i.level, i.line, i.optional) for i in imports_of(source)]
    assert found == [
        ("os.path", (), 0, 1, False),
        ("json", (), 0, 1, False),
        ("up", ("a", "b"), 2, 2, False),
        ("x.y", (), 0, 4, False),
        ("fast", (), 0, 6, True),
        ("slow", (), 0, 8, False),
    ]
