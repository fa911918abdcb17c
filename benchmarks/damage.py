"""What one changed byte does to each file that the kit stores: noticed, harmless or silently wrong.

    python -m benchmarks.damage                  # 500 changes in each file, a few minutes
    python -m benchmarks.damage --changes 50 --seed 1 --only models

Each time one byte of one file, drawn at random, becomes another one, and what the file belongs to
is used: a prepared cohort, one that was interrupted, a cohort folder, one that was interrupted,
models, normal ranges. Noticed is an error that names the place, or a line that says what is made
again; the result must then be the one of before. Harmless is the same result without a word, as
after a change of white space. Anything else is silently wrong, and ends the run with 1.

Exams are small and their preparation is a stand-in: what is stored, and how it is read, is not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import torch

from datkit.data.folder import open_folder
from datkit.data.split import Fold, Split, read_split
from datkit.errors import DatkitError
from datkit.files import RESOURCES, sha256_file, write_sealed
from datkit.io.scan import save_scan
from datkit.measure import MEASURES
from datkit.measure.combat import Combat
from datkit.measure.normals import fit_normals
from datkit.measure.own_normals import read_normals
from datkit.models import TemperatureCalibrated, load_model, make_model, read_card, save_model
from datkit.models.base import Features
from datkit.models.training.checkpoint import read_checkpoint, write_checkpoint
from datkit.prepare import Prepared, prepare_cohort
from datkit.simulate.cohort import simulate_cohort
from datkit.simulate.exam import exam_uid
from datkit.submit.pack import _read_priors as read_priors
from datkit.submit.pack import write_prior

Use = Callable[[Path], object]  # what a folder gives; equal results are pickled to equal bytes
EXAMS, SHAPE = 4, (16, 20, 12)
KEYS = ("name", "version", "licence", "source", "seed", "settings", "sha256")  # that the kit reads
SLOW = 3  # exams after which a run is interrupted


class Interrupted(BaseException):
    """A run ends here, as by Ctrl-C."""


def quick_exam(seed: int, index: int, *_: object) -> SimpleNamespace:
    """Return an exam of few voxels in place of a simulated one."""
    uid, random = exam_uid(seed, index), np.random.default_rng([seed, index])
    return SimpleNamespace(
        uid=uid,
        volume=random.integers(0, 900, (8, 8, 8), dtype=np.uint16),
        acquisition=SimpleNamespace(affine=np.diag([4.0, 4.0, 4.0, 1.0])),
        reading=SimpleNamespace(label=index % 2),
        exam={"uid": uid, "centre": f"centre-0{index % 3}", "age": f"{60 + index / 7:.1f}"},
        truth={"uid": uid, "votes": f"{index % 6}"},
    )


def quick_preparation(scan: object, _: object) -> Prepared:
    """Return voxels and a figure that depend on every voxel of a scan."""
    data = np.asarray(scan.data, np.float32)  # type: ignore[attr-defined]
    volume = np.resize(data, SHAPE).astype(np.float32)
    return Prepared(volume, np.eye(4), {"similarity": float(data.std()), "verdict": "good"})


def interrupted_after(count: int, work: Callable) -> Callable:
    """Return what works so often, and then is interrupted."""
    calls = iter(range(count))

    def stopping(*arguments: object) -> object:
        if next(calls, None) is None:
            raise Interrupted
        return work(*arguments)

    return stopping


@contextlib.contextmanager
def stand_ins(simulate: Callable = quick_exam, prepare: Callable = quick_preparation) -> Iterator:
    """Let small exams and their quick preparation take the place of real ones."""
    with contextlib.ExitStack() as stack:
        for place, one in {
            "datkit.simulate.cohort.simulate_exam": simulate,
            "datkit.simulate.set_folder.draw_exam": quick_exam,
            "datkit.prepare.cohort.prepare_scan": prepare,
            "datkit.prepare.cohort.GRID": SimpleNamespace(shape=SHAPE),
        }.items():
            stack.enter_context(mock.patch(place, one))
        stack.enter_context(mock.patch.dict("datkit.simulate.cohort.SIZES", {"tiny": EXAMS}))
        yield


def simulate(folder: Path) -> object:
    """Make a cohort, or finish it, and return all that it says."""
    simulate_cohort(folder, "tiny", 5, 1, progress=False)
    return use_cohort(folder)


def use_cohort(folder: Path) -> object:
    """Open a cohort and return all that it says."""
    cohort = open_folder(folder)
    voxels = [cohort.load(uid).data.tobytes() for uid in cohort.uids]
    tables = [table.to_csv() for table in (cohort.exams, cohort.truth)]
    return cohort.name, [cohort.info.get(key) for key in KEYS], tables, voxels


def prepare(folder: Path) -> object:
    """Prepare the cohort beside a data folder, or read it back."""
    os.environ["DATKIT_DATA"] = str(folder)
    prepared = prepare_cohort(open_folder(folder.parent / "exams"), n_jobs=1, progress=False)
    return prepared.volumes.tobytes(), prepared.table.to_csv(), prepared.failures


def make_exams(folder: Path) -> None:
    """Write a cohort folder without hashes, one of whose exams cannot be read."""
    for index in range(EXAMS):
        exam = quick_exam(5, index)
        save_scan(exam.volume, exam.acquisition.affine, folder / "niftis" / f"{exam.uid}.nii.gz")
    (folder / "niftis" / "broken.nii.gz").write_bytes(b"no scan")
    rows = "".join(f"{exam_uid(5, index)},{index % 2}\n" for index in range(EXAMS))
    (folder / "train_labels.csv").write_text(f"uid,is_pathologic\n{rows}broken,1\n")


def cohorts(folder: Path) -> Iterator[tuple[str, Path, Use]]:
    """Yield folders of cohorts, whole and interrupted, and what uses them."""
    with stand_ins():
        simulate(folder / "whole")
    halting = stand_ins(simulate=interrupted_after(SLOW, quick_exam))
    with halting, contextlib.suppress(Interrupted):
        simulate(folder / "interrupted")
    yield "cohort", folder / "whole", use_cohort
    yield "cohort, simulated again", folder / "whole", simulate
    yield "cohort, interrupted", folder / "interrupted", simulate


def prepared(folder: Path) -> Iterator[tuple[str, Path, Use]]:
    """Yield data folders of prepared cohorts, whole and interrupted, and what uses them."""
    make_exams(folder / "exams")
    with stand_ins():
        prepare(folder / "whole")
    halting = stand_ins(prepare=interrupted_after(SLOW, quick_preparation))
    with halting, contextlib.suppress(Interrupted):
        prepare(folder / "interrupted")
    yield "prepared", folder / "whole", prepare
    yield "prepared, interrupted", folder / "interrupted", prepare


def models(folder: Path) -> Iterator[tuple[str, Path, Use]]:
    """Yield stored models, and what predicts with them."""
    random = np.random.default_rng(3)
    X = pd.DataFrame(random.normal(2, 1, (40, len(MEASURES))), columns=list(MEASURES))
    y = (X.iloc[:, 0] + random.normal(0, 1, 40) > 2).astype(int)
    volumes = random.random((2, 64, 80, 48), np.float32)
    network = make_model("projection width=1")
    network.network_ = network.build().eval()
    asked = {
        "measures": (make_model("measures").fit(X, y), X),
        "boosting": (make_model("boosting trees=5").fit(X, y), X),
        "blend": (make_model("blend members=measures,boosting").fit(X, y), X),
        "calibrated network": (TemperatureCalibrated.from_fitted(network, 1.5), volumes),
    }
    for name, (model, exams) in asked.items():
        save_model(model, folder / name, {"exams": 40, "cohort": "drawn"})
        yield name, folder / name, predicting(exams)


def predicting(exams: Features) -> Use:
    """Return what loads a model, and tells its card, settings and probabilities."""

    def use(folder: Path) -> object:
        loaded = load_model(folder)
        return read_card(folder), repr(loaded), loaded.predict_proba(exams).tobytes()

    return use


def take_up(folder: Path) -> object:
    """Read the checkpoint of a training."""
    state = read_checkpoint(folder, "these", torch.device("cpu"))
    return state and state["weights"].tolist()


def documents(folder: Path) -> Iterator[tuple[str, Path, Use]]:
    """Yield the other documents, and what reads them."""
    random = np.random.default_rng(4)
    X = pd.DataFrame(random.normal(2, 0.3, (60, len(MEASURES))), columns=list(MEASURES))
    places = {name: folder / name for name in ("combat", "split", "prior", "normals", "checkpoint")}
    for place in places.values():
        place.mkdir()
    Combat().fit(X, np.repeat(["a", "b", "c"], 20)).save(places["combat"] / "combat.json")
    halves = Fold("1", ("a", "b"), ("c",)), Fold("2", ("c",), ("a", "b"))
    Split("random", "drawn", {"seed": 4}, halves, ("no exam on both sides",)).save(
        places["split"] / "split.json"
    )
    write_prior(places["prior"], [0, 1, 1])
    fit = fit_normals(X, np.linspace(40, 80, 60), ["F", "M"] * 30, np.full(60, 9.0))
    here = {one: sha256_file(RESOURCES / f"{one}.nii.gz") for one in ("template", "regions")}
    write_sealed(places["normals"] / "mine.json", {"normals": fit, "sha256": here})
    write_checkpoint(places["checkpoint"], {"weights": torch.arange(40.0)}, "these")
    yield "harmonisation", places["combat"], lambda at: vars(Combat.load(at / "combat.json"))
    yield "split", places["split"], lambda at: read_split(at / "split.json")
    yield "prior", places["prior"], lambda at: read_priors([at])
    yield "normal ranges", places["normals"], lambda at: read_normals(at / "mine.json")
    yield "checkpoint", places["checkpoint"], take_up


PARTS = {"cohorts": cohorts, "prepared": prepared, "models": models, "documents": documents}


def change(path: Path, random: np.random.Generator) -> None:
    """Let one byte of a file become another one."""
    content = bytearray(path.read_bytes())
    content[random.integers(len(content))] ^= random.integers(1, 256)
    path.write_bytes(content)


def judge(place: Path, name: Path, use: Use, expected: bytes, random: np.random.Generator) -> str:
    """Change a file of a folder, use the folder, restore it, and say what became of it."""
    spare = place.with_name("spare")
    shutil.copytree(place, spare, symlinks=True)
    said = io.StringIO()
    try:
        change(place / name, random)
        with contextlib.redirect_stderr(said), stand_ins():
            same = pickle.dumps(use(place)) == expected
    except (DatkitError, OSError) as error:
        return "noticed" if str(error) else "SILENT"
    except Exception as error:
        print(f"{name}: {error!r}", file=sys.stderr)
        return "TRACEBACK"
    finally:
        shutil.rmtree(place)
        spare.rename(place)
    if not same:
        return "SILENT"
    return "mended" if said.getvalue() else "harmless"


def main() -> int:
    """Print a row for each stored file; return 1 if a change was silently wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changes", type=int, default=500, help="in each file (default: 500)")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    print("| what | file | bytes | changes | error | made again | harmless | silent | traceback |")
    print("| --- | --- | --: | --: | --: | --: | --: | --: | --: |")
    wrong = 0
    for part in options.only or PARTS:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["DATKIT_DATA"] = scratch
            for what, place, use in PARTS[part](Path(scratch)):
                wrong += tell(what, place, use, options)
    return 1 if wrong else 0


def one_of_each(place: Path) -> list[Path]:
    """Return the files of a folder; of volumes and records, which are alike, the first one."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock")
    alike = {(path.parent, re.sub(r"\d", "", path.name)): path for path in reversed(files)}
    return sorted(alike.values())


def tell(what: str, place: Path, use: Use, options: argparse.Namespace) -> int:
    """Print the rows of a folder; return how many changes were silently wrong."""
    found = Counter[str]()
    spare = place.with_name("first")
    shutil.copytree(place, spare)
    with stand_ins(), contextlib.redirect_stderr(io.StringIO()):
        expected = pickle.dumps(use(place))
    shutil.rmtree(place)
    spare.rename(place)
    for path in one_of_each(place):
        name, random = path.relative_to(place), np.random.default_rng(options.seed)
        each = Counter(judge(place, name, use, expected, random) for _ in range(options.changes))
        found += each
        row = [each[kind] for kind in ("noticed", "mended", "harmless", "SILENT", "TRACEBACK")]
        cells = [what, name.as_posix(), path.stat().st_size, options.changes, *row]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return found["SILENT"] + found["TRACEBACK"]


if __name__ == "__main__":
    sys.exit(main())
