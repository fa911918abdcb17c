"""Every exercise of the notebooks: wrong answers, right ways and the blank stub, on toy data.

Each execution of a notebook tries the same answers on its own exams; here an exercise gets the few
names that its cells use, so all of them are tried within seconds.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace as Names

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine, obliquity, voxel_sizes
from sklearn.model_selection import StratifiedKFold

from datkit.book.notebook import read_notebook, split_stub
from datkit.book.prose_rules import BLANK
from datkit.data import grouped_folds
from datkit.errors import AnswerError, check_answer, is_numeric
from datkit.evaluate import log_loss, score_probabilities
from datkit.files import sha256_file
from datkit.io import Scan
from datkit.measure import asymmetry, compare_with_normals, load_normals
from datkit.prepare import GRID, load_regions
from datkit.reading import cohen_kappa
from datkit.simulate.camera import rotation

NOTEBOOKS = sorted(Path(__file__).parents[1].glob("notebooks/[0-9]*.ipynb"))
PARTS = ("exercise", "hint", "solution", "check")
TURNED = np.eye(4)
TURNED[:3, :3], TURNED[:3, 3] = rotation((3, 5, 20)) @ np.diag([2.0, 2.0, 3.0]), (90, -120, -60)


def read_exercises() -> dict[str, dict]:
    """Return the cells of every exercise, by its label."""
    exercises = {}
    for path in NOTEBOOKS:
        cells = [c for c in read_notebook(path).cells if {*PARTS} & {*c.tags}]
        for parts in zip(*(cells[k::4] for k in range(4)), strict=True):
            label = re.search(r":label: (\S+)", parts[0].source)[1]
            exercises[label] = dict(zip(PARTS, parts, strict=True))
    return exercises


EXERCISES = read_exercises()
CONTEXTS: dict[str, Callable[[Path], dict]] = {}


def context(label: str) -> Callable:
    """Enter a function that makes, in an empty folder, the names that an exercise finds."""
    return lambda function: CONTEXTS.setdefault(label, function)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@context("ex-01-affine")
def _(_: Path) -> dict:
    return {"scan": Scan(np.zeros((4, 4, 4), np.float32), TURNED), "index": (1, 2, 3)}


@context("ex-01-sbr")
def _(_: Path) -> dict:
    regions, normal = load_regions(), 0.2 + 0.1 * rng().random(GRID.shape)
    putamen, occipital = regions["putamen_left"], regions["occipital"]
    normal[putamen], normal[occipital] = 2.5 + rng().random(putamen.sum()), 1.0
    return {"normal": normal, "volume": 137 * normal, "putamen": putamen, "occipital": occipital}


class Copies(tuple):
    """Three files of a cohort in a folder."""

    uids = property(list)

    def path_of(self, uid: str) -> Path:
        return self.folder / uid


@context("ex-02-hash")
def _(folder: Path) -> dict:
    copy, cohort = Copies("abc"), Copies("abc")
    copy.folder, cohort.folder = folder, folder / "as promised"
    cohort.folder.mkdir()
    for uid, content in {"a": "same", "b": "bits", "c": "mirrored"}.items():
        cohort.path_of(uid).write_text("same")
        copy.path_of(uid).write_text(content)
    promised = {uid: sha256_file(cohort.path_of(uid)) for uid in copy}
    return {"copy": copy, "cohort": cohort, "promised": promised, "sha256_file": sha256_file}


@context("ex-02-geometry")
def _(_: Path) -> dict:
    centres = pd.DataFrame({"centre": ["c1", "c1", "c2", "c2", "c3"]})
    mm = {"dx": [2.46, 2.46, 2.31, 2.4, 3.9], "dz": [2.46, 2.46, 3.31, 3.33, 3.9]}
    return {"geometry": pd.DataFrame({"nx": [128, 90, 128, 128, 64], **mm}), "exams": centres}


@context("ex-03-chain")
def _(_: Path) -> dict:
    pose = np.diag([0.9, 0.9, 0.9, 1.0])
    pose[:3, :3] = pose[:3, :3] @ rotation((10, 0, 5))
    return {
        "GRID": GRID,
        "exam": Names(to_scan=pose),
        "scan": Scan(np.zeros((4, 4, 4), np.float32), TURNED),
    }


@context("ex-03-cube")
def _(_: Path) -> dict:
    return {"Scan": Scan, "rotation": rotation, "apply_affine": apply_affine}


@context("ex-04-asymmetry")
def _(_: Path) -> dict:
    return {"asymmetry": asymmetry}


@context("ex-04-zmap")
def _(_: Path) -> dict:
    labels, putamina = np.repeat([0, 1], 10), np.zeros((6, 6, 6), bool)
    smooth = rng().normal(3, 0.4, (20, 6, 6, 6))
    smooth[:, 3:] = 1 + 0.05 * smooth[:, 3:]  # where little varies
    smooth[labels == 1, :3] -= 1.5
    putamina[:2] = True
    return {"smooth": smooth, "labels": labels, "patient": smooth[-1], "putamina": putamina}


@context("ex-05-worst")
def _(_: Path) -> dict:
    sides = rng().random((20, 2))
    return {"sides": sides, "measured": {"posterior_putamen_lowest": sides.min(axis=1)}}


@context("ex-05b-z")
def _(_: Path) -> dict:
    best = "OSEM, resolution, attenuation (map), scatter"
    normal = load_normals()[best]["measures"]["putamen_lowest"]
    return {"best": best, "normal": normal, "compare_with_normals": compare_with_normals}


@context("ex-06-left")
def _(_: Path) -> dict:
    measured = {("healthy", "A"): 1.1, ("ill", "A"): 0.7, ("healthy", "B"): 3.0, ("ill", "B"): 1.9}
    return {"measured": measured, "recipes": "AB", "phantom": Names(truth={"putamen": 5.2})}


@context("ex-07-tilt")
def _(_: Path) -> dict:
    affines = {"a": np.diag([2.0, 2, 3, 1]), "b": TURNED}
    return {"affines": affines, "obliquity": obliquity, "voxel_sizes": voxel_sizes, "nib": nib}


@context("ex-08-log-loss")
def _(_: Path) -> dict:
    said, true = np.array([0.9, 0.2, 0.6, 0.99]), np.array([1, 0, 1, 0])
    return {"said": said, "true": true, "log_loss": log_loss}


@context("ex-08b-logit")
def _(_: Path) -> dict:
    weights, boxes = rng().normal(size=(3, 3, 3)), rng().random((2, 3, 3, 3))
    model = Names(weights_=weights, intercept_=-1.5)
    model.decision_function = lambda volumes: -1.5 + (weights * volumes).sum(axis=(1, 2, 3))
    return {"model": model, "boxes": boxes, "prepared": Names(volumes=boxes)}


@context("ex-08b-pattern")
def _(_: Path) -> dict:
    s, level = rng().normal(1, 3, 1000), 2 + rng().random(1000)
    X = np.column_stack([level - 0.3 * s, level])
    return {"X": X, "s": s, "a": X[:, 0], "toy": Names(coef_=np.array([[-3.0, 2.9]]))}


@context("ex-08c-flip")
def _(_: Path) -> dict:
    uneven = [3.0, -4.0, 2.0, 30.0, -25.0, -20.0]
    measures = pd.DataFrame({"putamen_asymmetry": uneven})
    return {"measures": measures, "labels": np.repeat([0, 1], 3)}


@context("ex-08d-halves")
def _(_: Path) -> dict:
    low, high = [0.5, 1.5], [1.2, 0.6]
    sides = pd.DataFrame({"putamen_left": low, "putamen_right": high}, index=["first", "second"])
    return {"pair": ["first", "second"], "sides": sides}


@context("ex-08d-weights")
def _(_: Path) -> dict:
    layers = [np.zeros(shape) for shape in ((16, 1, 3, 3, 3), (32, 16, 3, 3, 3), (64, 32, 3, 3, 3))]
    weights = [Names(ndim=layer.ndim, numel=lambda n=layer.size: n) for layer in layers]
    return {"compact": Names(network_=Names(parameters=lambda: weights))}


def centres() -> np.ndarray:
    return rng().permutation(np.repeat([f"centre-{k}" for k in range(8)], 5))


@context("ex-08e-folds")
def _(_: Path) -> dict:
    known = {"centres": centres(), "labels": np.tile([0, 1], 20), "measures": np.zeros((40, 1))}
    return known | {"grouped_folds": grouped_folds, "StratifiedKFold": StratifiedKFold}


@context("ex-08e-benefit")
def _(_: Path) -> dict:
    labels, p = np.repeat([0, 1], 20), np.linspace(0, 1, 40)
    called = {"t": 0.2, "called": p >= 0.2}
    return called | {"labels": labels, "p_network": p, "score_probabilities": score_probabilities}


@context("ex-08f-copies")
def _(_: Path) -> dict:
    parent, rows = np.tile(np.arange(20), 2), rng().permutation(40).reshape(5, 8)
    return {"parent": parent, "folds": [(np.setdiff1d(range(40), test), test) for test in rows]}


@context("ex-explain-dim")
def _(_: Path) -> dict:
    part = np.clip(1 - np.abs(np.arange(21) - 6) / 4, 0, 1)[:, None, None] * np.ones((21, 3, 3))
    return {"part": part, "healthy": 2 + rng().random((21, 3, 3))}


@context("ex-explain-half")
def _(_: Path) -> dict:
    return {"cost": np.array([0.1, 2.5, 0.2, 1.0, 0.3, 0.4, 0.1, 2.0, 0.5, 0.2])}


@context("ex-13-break")
def _(_: Path) -> dict:
    broken = [(Names(name="model"), Names(name="model.json", state="changed"))]
    return {"found": {"model/model.json": Names(breaks=broken)}}


@context("ex-13-mark")
def _(_: Path) -> dict:
    return {"hashlib": hashlib, "hmac": hmac}


@context("ex-09-order")
def _(_: Path) -> dict:
    table = pd.DataFrame({"uid": list("bca"), "is_pathologic": [0.2, 0.9, 0.5]})
    form = pd.DataFrame({"uid": list("cab"), "is_pathologic": 0.0})
    return {"table": table, "form": form}


@context("ex-09-flatten")
def _(_: Path) -> dict:
    return {"ordered": pd.DataFrame({"is_pathologic": [0.05, 0.7, 0.99, 0.4, 0.6]})}


@context("ex-10-mean")
def _(_: Path) -> dict:
    draws = rng()
    sent = [{"kernel": draws.normal(size=(3, 2)), "bias": draws.normal(size=4)} for _ in range(3)]
    answers = [Names(weights=one, n=n) for one, n in zip(sent, (40, 10, 2), strict=True)]
    return {"answers": answers, "weights": sent[0]}


@context("ex-10-advantage")
def _(_: Path) -> dict:
    is_member = np.repeat([True, False], (8, 12))
    loss = np.r_[np.tile([0.05, 0.08, 0.2, 0.01], 2), 0.04, np.full(11, 0.5)]
    return {"loss": loss, "is_member": is_member}


def five_calls() -> pd.DataFrame:
    """What five readers said of 40 exams: each errs in one of ten."""
    truth = np.arange(40) % 5 < 1
    errors = rng().random((40, 5)) < 0.1
    return pd.DataFrame(
        (truth[:, None] != errors) * 1, columns=[f"reader-{n}" for n in range(1, 6)]
    )


@context("ex-11-kappa")
def _(_: Path) -> dict:
    return {"calls": five_calls(), "cohen_kappa": cohen_kappa}


@context("ex-11-share")
def _(_: Path) -> dict:
    return {"calls": five_calls()}


@context("ex-12-dice")
def _(_: Path) -> dict:
    return {"truth": np.ones((2, 2), bool)}


@context("ex-12-bias")
def _(_: Path) -> dict:
    return {"off": rng().normal(-20, 6, 30)}


def names_of(label: str, folder: Path) -> dict:
    made = CONTEXTS[label](folder) if label in CONTEXTS else {}
    checks = {"check_answer": check_answer, "is_numeric": is_numeric}
    return {"np": np, "pd": pd} | checks | made


def said_to(answer: str, check: str, names: dict) -> str | None:
    """Return what a check says to an answer; None where it accepts it."""
    exec(answer, names)
    try:
        exec(check, names)
    except AnswerError as error:
        return str(error)
    return None


def test_every_exercise_is_met_and_every_context_is_used():
    assert len(EXERCISES) >= 2 * len(NOTEBOOKS)
    assert CONTEXTS.keys() <= EXERCISES.keys()


@pytest.mark.parametrize("label", EXERCISES)
def test_a_check_tells_answers_apart(label: str, tmp_path: Path):
    parts, names = EXERCISES[label], names_of(label, tmp_path)
    check, source = parts["check"].metadata, parts["check"].source
    right = [parts["solution"].source, *check["right"]]
    exec(right[0], names)  # as in the notebook, where the other answers are tried after it
    for answer in right:
        assert said_to(answer, source, dict(names)) is None, answer
    said = {answer: said_to(answer, source, dict(names)) for answer in check["wrong"]}
    unlike = {a: s for a, s in said.items() if s is None or check["wrong"][a] not in s}
    assert unlike == {}
    assert len(right) >= 2 and len(said) >= 3 and len({*said.values()}) >= 2
    assert not any(sentence.startswith(BLANK) for sentence in said.values())


@pytest.mark.parametrize("label", EXERCISES)
def test_a_blank_stub_is_answered_with_its_own_sentence(label: str, tmp_path: Path):
    parts, names = EXERCISES[label], names_of(label, tmp_path)
    _, stub = split_stub(parts["exercise"].source)
    assert said_to(stub, parts["check"].source, names).startswith(BLANK)


# What a reader may write where a number, a word, a column or a function is asked for.
ODD: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "an empty text": lambda: "",
    "a text": lambda: "left",
    "a number in quotes": lambda: "0.5",
    "not a number": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus a million": lambda: -1e6,
    "more digits than a float has": lambda: 10**400,
    "a complex number": lambda: 1 + 2j,
    "True": lambda: True,
    "bytes": lambda: b"left",
    "an empty list": list,
    "an empty table": pd.DataFrame,
    "rows of unequal length": lambda: [[1.0, 2.0], [3.0]],
    "arrays of unequal shape": lambda: [np.zeros((2, 3)), np.zeros((2, 4))],
    "texts in a list": lambda: ["a", "b", "c"],
    "numbers and texts": lambda: [1.0, "b", None],
    "a dictionary": lambda: {"left": 1.0},
    "a set": lambda: {1.5, 2.5},
    "a range": lambda: range(3),
    "a generator": lambda: (value for value in (1.0, 2.0)),
    "an array of none": lambda: np.zeros(0),
    "an array without axes": lambda: np.array(-3.25),
    "an array of three axes": lambda: np.ones((2, 2, 2)),
    "an array of objects": lambda: np.array([None, "x", [1]], object),
    "a table": lambda: pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}),
    "a column": lambda: pd.Series([1.0, np.nan, 3.0], name="a"),
    "a column and its codes": lambda: pd.Series(["c1", "c2", "c1"]).factorize(),
    "a function": lambda: lambda *given: given,
    "a class": lambda: float,
    "a module": lambda: np,
}


def blanks_of(label: str) -> list[str]:
    """Return the names that a stub leaves blank, of those that its check reads."""
    _, stub = split_stub(EXERCISES[label]["exercise"].source)
    filled = [line for line in ast.parse(stub).body if "..." in ast.unparse(line)]
    names = [n.name for n in filled if isinstance(n, ast.FunctionDef)] + [
        n.id for line in filled if isinstance(line, ast.Assign)
        for n in ast.walk(line) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]  # fmt: skip
    read = {n.id for n in ast.walk(ast.parse(EXERCISES[label]["check"].source))
            if isinstance(n, ast.Name)}  # fmt: skip
    return [name for name in names if name in read]


def ended(label: str, names: dict) -> str:
    """Return how a check ends: with a sentence, with another error, or well."""
    try:
        exec(EXERCISES[label]["check"].source, names)
    except AnswerError:
        return "a sentence"
    except Exception as error:
        return repr(error)
    return "passed"


@pytest.mark.parametrize("label", EXERCISES)
def test_an_odd_answer_ends_in_a_sentence(label: str, tmp_path: Path):
    """Each blank by itself, the others filled well; a function is odd, or returns what is odd."""
    names = names_of(label, tmp_path)
    exec(EXERCISES[label]["solution"].source, names)
    unlike = {}
    assert blanks_of(label)
    for blank, (odd, make) in product(blanks_of(label), ODD.items()):
        ways = {"": make, " returned": lambda make=make: lambda *_, **__: make()}
        for how, way in [*ways.items()][: 1 + callable(names[blank])]:
            end = ended(label, names | {blank: way()})
            if end != "a sentence":
                unlike[f"{blank}: {odd}{how}"] = end
    assert unlike == {}
