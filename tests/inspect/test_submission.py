"""Every fault of a zip or of a submission.csv is found, by its own name, all of them at once."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from datkit.errors import SubmissionError, UsageError
from datkit.inspect import check_submission
from datkit.inspect.imports import imports_of
from datkit.inspect.runtime import PACKAGES, hidden_modules, is_in_runtime
from datkit.inspect.submission import Submission
from datkit.submit import check_predictions

GOOD_MAIN = "import numpy as np\nfrom helpers import data\n"


def member(name: str, **changes) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def zip_of(tmp_path: Path, *members, main: str | None = GOOD_MAIN) -> Path:
    path = tmp_path / "submission.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        if main is not None:
            archive.writestr("main.py", main)
        archive.writestr("helpers/data.py", "X = 1\n")
        for name, content in members:
            archive.writestr(name, content)
    return path


def codes(path: Path) -> list[str]:
    return sorted(problem.code for problem in check_submission(path))


def numpy_bytes(save, *arrays) -> bytes:
    stream = io.BytesIO()
    save(stream, *arrays)
    return stream.getvalue()


def torch_like() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({}))
    return stream.getvalue()


def safetensors_of(header: dict, data: bytes) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


NPY = numpy_bytes(np.save, np.arange(4.0))
TENSORS = safetensors_of({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8))
GOOD = {
    "json": ("weights/model.json", '{"kind": "measures"}'),
    "npy": ("weights/a.npy", NPY),
    "npz": ("weights/a.npz", numpy_bytes(np.savez, np.arange(4.0))),
    "safetensors": ("weights/a.safetensors", TENSORS),
    "a_template_volume": ("assets/template.nii.gz", b"\x1f\x8b"),
    "a_table_without_uids": ("assets/normals.csv", "region,mean\nputamen,2.1\n"),
    "a_folder_entry": ("weights/", b""),
    "bytes_that_begin_like_a_pickle": ("weights/a.bin", b"\x80\x04 and then no pickle."),
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
    # what does not belong into a submission
    "a_notebook": ("notebook", "explore.ipynb", "{}"),
    "a_data_folder": ("data-folder", "data/readme.txt", ""),
    "an_old_submission_csv": ("old-predictions", "submission.csv", "id,value\n"),
    "labels": ("exam-table", "train_labels.csv", "uid,is_pathologic\n007,1.0\n"),
    "labels_from_excel": ("exam-table", "x.csv", "\ufeffUID,age\n007,61\n"),
    "labels_with_tabs": ("exam-table", "x.tsv", "uid\tage\n007\t61\n"),
    "an_exam": ("volumes", "cache/niftis/007.nii.gz", b"\x1f\x8b"),
    "a_dicom": ("volumes", "assets/IM0001.dcm", b"DICM"),
    # pickles, by name and by bytes
    **{f"a{end}": ("pickle", f"weights/a{end}", b"") for end in (".pkl", ".pt", ".pth", ".ckpt")},
    "a.joblib": ("pickle", "weights/A.JOBLIB", b""),
    "a_pickle_in_disguise": ("pickle", "weights/a.bin", pickle.dumps([1], protocol=4)),
    "an_old_pickle_in_disguise": ("pickle", "weights/a.dat", pickle.dumps([1], protocol=2)),
    "a_torch_file_in_disguise": ("pickle", "weights/a.weights", torch_like()),
    "objects_in_npy": ("pickle", "a.npy", numpy_bytes(np.save, np.array([{}], dtype=object))),
    "objects_in_npz": ("pickle", "a.npz", numpy_bytes(np.savez, np.array([{}], dtype=object))),
    # weights that cannot be read
    "a_broken_json": ("weights", "weights/model.json", '{"kind": '),
    "a_short_npy": ("weights", "weights/a.npy", NPY[:-3]),
    "a_text_npy": ("weights", "weights/a.npy", "no array"),
    "a_short_npz": ("weights", "a.npz", numpy_bytes(np.savez, np.arange(4.0))[:-30]),
    "a_short_safetensors": ("weights", "weights/a.safetensors", TENSORS[:-1]),
    "an_empty_safetensors": ("weights", "weights/a.safetensors", b""),
    "a_git_lfs_pointer": ("weights", "a.safetensors", "version https://git-lfs.github.com/spec"),
    # Python
    "a_syntax_error": ("syntax", "helpers/net.py", "def f(:\n"),
    "a_null_byte": ("syntax", "helpers/net.py", b"x = 1\0"),
    "a_foreign_encoding": ("syntax", "helpers/net.py", "x = 'é'".encode("latin-1")),
    "an_absent_package": ("absent-package", "a.py", "from nilearn.image import load_img\n"),
    "absent_in_a_function": ("absent-package", "a.py", "def f():\n    import plotly.express\n"),
    "absent_by_name": ("absent-package", "a.py", "import_module('nilearn')\n"),
    "absent_from_python_3_12": ("absent-package", "a.py", "import imp\n"),
    # the archive
    "a_nested_parent": ("unsafe-path", "a/../../outside.py", ""),
    "an_absolute_path": ("unsafe-path", "/etc/outside.py", ""),
    "a_drive": ("unsafe-path", "C:/outside.py", ""),
    "a_backslash": ("unsafe-path", "weights\\a.json", "{}"),
    "a_line_break": ("unsafe-path", "weights/a\nb.json", "{}"),
    "a_symbolic_link": ("link", member("a", external_attr=(stat.S_IFLNK | 0o777) << 16), "/etc"),
    "a_device": ("link", member("a", external_attr=(stat.S_IFCHR | 0o666) << 16), ""),
    "a_duplicate": ("duplicate", "helpers/data.py", "X = 2\n"),
    "a_case_clash": ("case-clash", "helpers/DATA.py", ""),
    "a_case_clash_of_folders": ("case-clash", "Helpers/other.py", ""),
    "a_file_that_is_a_folder": ("file-and-folder", "helpers", "text"),
    "an_odd_method": ("method", member("a.py", compress_type=zipfile.ZIP_LZMA), "X = 1\n"),
    "a_bomb": ("bomb", "weights/zeros.bin", bytes(2**22)),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_fine_is_not_flagged(name, tmp_path):
    assert codes(zip_of(tmp_path, GOOD[name])) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_own_name(name, tmp_path):
    code, path, content = FAULTS[name]
    assert codes(zip_of(tmp_path, (path, content))) == [code]


def test_a_problem_says_where_what_and_how_to_mend(tmp_path):
    [problem] = check_submission(zip_of(tmp_path, ("a.py", "x = 1\nimport nilearn\n")))
    assert str(problem) == (
        "member 'a.py', line 2: expected a package that the platform has, found import nilearn. "
        "Do without it, or put it into the zip: the platform installs nothing."
    )
    assert problem.to_dict()["remedy"].startswith("Do without it")


def test_all_problems_are_listed_at_once(tmp_path):
    names = ("a_notebook", "labels", "a.pkl", "a_syntax_error", "a_dicom")
    wrong = [FAULTS[name] for name in names]
    found = codes(zip_of(tmp_path, *((path, content) for _, path, content in wrong)))
    assert found == sorted(code for code, _, _ in wrong)
    wrong = [FAULTS[name] for name in ("a_symbolic_link", "a_drive", "a_duplicate")]
    found = codes(zip_of(tmp_path, *((path, content) for _, path, content in wrong), main=None))
    assert found == sorted([*(code for code, _, _ in wrong), "main-missing"])


def test_many_volumes_are_a_data_set(tmp_path):
    volumes = [(f"assets/{index}.nii.gz", b"") for index in range(6)]
    assert codes(zip_of(tmp_path, *volumes[:5])) == []
    assert codes(zip_of(tmp_path, *volumes)) == ["volumes"]


MAINS = {
    "kit/main.py": "main-nested",
    "a/b/main.py": "main-nested",
    "Main.py": "main-case",
    "MAIN.PY": "main-case",
    "main.py/run.py": "main-folder",
    "train.py": "main-missing",
}


@pytest.mark.parametrize("name", MAINS)
def test_main_must_be_at_the_root(name, tmp_path):
    assert codes(zip_of(tmp_path, (name, ""), main=None)) == [MAINS[name]]


def test_encryption_is_found(tmp_path):
    path = zip_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the list of contents
    path.write_bytes(content)
    assert codes(path) == ["encrypted"]


def test_a_changed_byte_is_found(tmp_path):
    path = zip_of(tmp_path, (member("weights/a.bin"), bytes(range(256))))
    content = bytearray(path.read_bytes())
    content[content.index(bytes(range(256))) + 7] ^= 1
    path.write_bytes(content)
    assert codes(path) == ["damaged"]


def test_what_is_no_zip_is_one_problem(tmp_path):
    path = zip_of(tmp_path)
    whole = path.read_bytes()
    half = whole[: len(whole) // 2]
    for content in (b"", b"PK\x03\x04", b"no zip", whole[:-1], whole[:-30], half):
        path.write_bytes(content)
        assert codes(path) == ["not-a-zip"], len(content)


def test_no_damage_makes_the_check_itself_fail(tmp_path):
    path = zip_of(tmp_path, *(content for content in GOOD.values()))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(whole)
        for position in rng.integers(0, len(whole), size=4):
            content[position] = rng.integers(256)
        path.write_bytes(content)
        check_submission(path)


def test_too_many_members_are_not_even_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("datkit.io.archive.MAX_MEMBERS", 1)
    monkeypatch.setattr("datkit.io.archive.MAX_BYTES", 10)
    assert codes(zip_of(tmp_path, ("../a", ""))) == ["too-large", "too-many-members"]


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*absent\.zip"):
        check_submission(tmp_path / "absent.zip")


def test_what_is_not_safe_is_not_unpacked(tmp_path):
    path = zip_of(tmp_path, ("../../outside.py", ""), ("/outside.py", ""))
    with pytest.raises(SubmissionError, match="2 problems in"):
        Submission(path).unpack(tmp_path / "out")
    assert [found.name for found in tmp_path.iterdir()] == ["submission.zip"]


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


@pytest.mark.parametrize("line", ["type X = int", "def f[T](x: T): ...", "s = f'{a['b']}'"])
def test_what_only_newer_pythons_read_is_no_error(line, tmp_path):
    found = [] if sys.version_info >= (3, 12) else ["syntax-unchecked"]
    assert codes(zip_of(tmp_path, ("a.py", line + "\n"))) == found


def test_the_runtime_is_the_challenges():
    for present in ("torch", "sklearn.linear_model", "SimpleITK", "cv2", "PIL", "json", "cgi"):
        assert is_in_runtime(present)
    for absent in ("nilearn", "plotly", "lightning", "papermill", "datkit", "imp"):
        assert not is_in_runtime(absent)
    assert PACKAGES["torch"]["version"] == "2.12.1"


def test_what_packages_need_here_is_not_hidden():
    hidden = set(hidden_modules())
    assert {"nilearn", "plotly", "pytest", "datkit"} <= hidden
    assert not hidden & {"numpy", "sklearn", "narwhals", "threadpoolctl", "jinja2", "importlib"}


# ---------------------------------------------------------------- submission.csv

FORMAT = "uid,is_pathologic\n007,0.0\n1e5,0.0\nabc,0.0\n"
FINE = b"uid,is_pathologic\n007,0.5\n1e5,1\nabc,1e-3\n"
TABLES = {
    "fine": (FINE, []),
    "windows_line_ends": (FINE.replace(b"\n", b"\r\n"), []),
    "no_last_line_end": (FINE[:-1], []),
    "other_header": (FINE.replace(b"is_pathologic", b"probability"), [("header", 1)]),
    "spaces_in_the_header": (FINE.replace(b"uid,is", b"uid, is"), [("header", 1)]),
    "no_header": (FINE[18:], [("header", 1), ("uid-missing", None)]),
    "index_column": (
        b",uid,is_pathologic\n0,007,0.5\n1,1e5,1\n2,abc,0\n",
        [("header", 1), *[("columns", row) for row in (2, 3, 4)]]
        + [("uid-unknown", row) for row in (2, 3, 4)]
        + [("uid-missing", None)] * 3,
    ),
    "semicolons": (
        FINE.replace(b",", b";"),
        [("header", 1), *[("columns", row) for row in (2, 3, 4)]]
        + [("uid-unknown", row) for row in (2, 3, 4)]
        + [("uid-missing", None)] * 3,
    ),
    "decimal_comma": (FINE.replace(b"0.5", b"0,5"), [("columns", 2)]),
    "byte_order_mark": (b"\xef\xbb\xbf" + FINE, [("bom", 1)]),
    "utf_16": (FINE.decode().encode("utf-16"), [("encoding", None)]),
    "latin_1": (FINE.replace(b"abc", b"ab\xe9"), [("encoding", None)]),
    "quotes": (FINE.replace(b"007", b'"007"'), [("quoting", 2)]),
    "an_open_quote": (FINE.replace(b"007", b'"007'), [("quoting", 2), ("quoting", None)]),
    "empty": (b"", [("header", 1), *[("uid-missing", None)] * 3]),
    "an_empty_row": (FINE + b"\n", [("columns", 5), ("uid-unknown", 5)]),
    "nan": (FINE.replace(b"0.5", b"nan"), [("not-finite", 2)]),
    "infinity": (FINE.replace(b"0.5", b"-inf"), [("not-finite", 2)]),
    "nothing": (FINE.replace(b"0.5", b""), [("not-a-number", 2)]),
    "a_word": (FINE.replace(b"0.5", b"abnormal"), [("not-a-number", 2)]),
    "underscores": (FINE.replace(b"0.5", b"0_1"), [("not-a-number", 2)]),
    "per_cent": (FINE.replace(b"0.5", b"50"), [("out-of-range", 2)]),
    "a_logit": (FINE.replace(b"0.5", b"-0.2"), [("out-of-range", 2)]),
    "just_above_one": (FINE.replace(b"0.5", b"1.0000001"), [("out-of-range", 2)]),
    "another_order": (b"uid,is_pathologic\n1e5,1\n007,0\nabc,0\n", [("order", 2)]),
    "a_row_less": (FINE.replace(b"1e5,1\n", b""), [("uid-missing", None)]),
    "a_row_twice": (FINE + b"abc,0.2\n", [("uid-duplicate", None)]),
    "an_unknown_row": (FINE + b"xyz,0.2\n", [("uid-unknown", 5)]),
    "a_uid_with_a_space": (
        FINE.replace(b"007", b" 007"),
        [("uid-unknown", 2), ("uid-missing", None)],
    ),
    "uids_as_numbers": (
        FINE.replace(b"007", b"7").replace(b"1e5", b"100000.0"),
        [("uid-unknown", 2), ("uid-unknown", 3), *[("uid-missing", None)] * 2],
    ),
    "all_at_once": (
        b"uid,is_pathologic\nabc,nan\n7,2\n",
        [("not-finite", 2), ("out-of-range", 3), ("uid-unknown", 3), *[("uid-missing", None)] * 2],
    ),
}


@pytest.fixture
def format_csv(tmp_path):
    path = tmp_path / "submission_format.csv"
    path.write_text(FORMAT)
    return path


@pytest.mark.parametrize("name", TABLES)
def test_each_wrong_row_is_named(name, tmp_path, format_csv):
    content, expected = TABLES[name]
    path = tmp_path / "submission.csv"
    path.write_bytes(content)
    found = []
    for problem in check_predictions(path, format_csv):
        row = problem.where.partition("row ")[2]
        found.append((problem.code, int(row) if row.isdigit() else None))
    assert found == expected


def test_a_uid_read_as_a_number_is_recognised(tmp_path, format_csv):
    path = tmp_path / "submission.csv"
    path.write_bytes(FINE.replace(b"007", b"7"))
    problem = check_predictions(path, format_csv)[0]
    assert "expected the uid '007', found '7'" in str(problem)
    assert "dtype={'uid': str}" in problem.remedy


def test_no_file_is_a_problem_and_no_format_an_error(tmp_path, format_csv):
    [problem] = check_predictions(tmp_path / "submission.csv", format_csv)
    assert problem.code == "no-predictions"
    with pytest.raises(SubmissionError, match="submission_format"):
        check_predictions(tmp_path / "submission.csv", tmp_path / "absent.csv")
    format_csv.write_text("id\n007\n")
    with pytest.raises(SubmissionError, match="uid"):
        check_predictions(tmp_path / "submission.csv", format_csv)


def test_a_nested_main_hides_no_other_problem(tmp_path):
    path = tmp_path / "broken.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine/main.py", "import nilearn\n")
        archive.writestr("weights/model.pkl", b"\x80\x04N.")
    codes = [problem.code for problem in check_submission(path)]
    assert codes == ["main-nested", "absent-package", "pickle"]
