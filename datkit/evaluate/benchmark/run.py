"""Run the benchmark: a cell is one model on one fold, and is kept as soon as it is finished."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from sklearn.base import ClassifierMixin
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from datkit import NOT_CLINICAL
from datkit.data.cohort import Cohort
from datkit.data.split import Fold
from datkit.errors import UsageError
from datkit.evaluate.benchmark.bands import check_controls
from datkit.evaluate.benchmark.board import score_models
from datkit.evaluate.benchmark.entrants import CONTROLS, MODEL, Entrant
from datkit.evaluate.benchmark.exams import SPLITS, BenchmarkExams
from datkit.evaluate.trained import VERSIONS, check_alone
from datkit.files import write_json
from datkit.models.base import Features, grouped, take_rows
from datkit.models.own import READS, check_probabilities
from datkit.prepare.cohort import prepare_cohort
from datkit.threads import workers

__all__ = ["benchmark_cohort", "seal_cell"]

DECIMALS = 6  # digits of a probability that are kept
NAME = "{model} | {split} | {fold}"  # of a cell
# A cell is kept until one of these is another; a GPU's build of PyTorch is no other one.
RELEASES = ", ".join(f"{name} {one.partition('+')[0]}" for name, one in VERSIONS.items())
DAMAGED = "expected it as it was written, found it damaged; name the model again, to fit it anew"

Cell = dict[str, Any]  # what NAME says; role, reads, seed, key, exams; seconds, p or error; sha256
PathLike = str | os.PathLike[str]
Work = tuple[Entrant, Cell, Fold]
Folds = Mapping[str, list[Fold]]


def benchmark_cohort(
    cohort: Cohort | BenchmarkExams,
    models: Mapping[str, str | ClassifierMixin] | Sequence[str],
    *,
    splits: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    n_splits: int = 5,
    out: PathLike | None = None,
    n_jobs: int | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Judge models alike, beside references and controls.

    Every model learns from the same folds' training exams and predicts the others. One that raises
    becomes a row with its error, and so does one whose answer for an exam changes with the others
    that it is asked about. A finished cell, one model on one fold, is kept in `out` and not
    computed again, until exams, model, settings or code are others. Models that `out` holds
    already stay on the board.

    Parameters
    ----------
    cohort : Cohort or BenchmarkExams
        Labelled exams; its folders ``public_test`` and ``private_test`` are the test sets. What was
        gathered of them once can be given again.
    models : mapping or sequence
        Kinds with their settings such as ``"projection epochs=5"``, classes of one's own such as
        ``"my_model.py:Mine"``; or by their names on the board, models too, which are cloned.
    splits : sequence of str, optional
        Of :data:`SPLITS`; by default all, ``"tests"`` if there are test sets.
    seeds : sequence of int
        Each model is trained with each of them.
    n_splits : int
        Folds, random and grouped.
    out : path, optional
        The JSON file of results.
    n_jobs, scheduler : int, str, optional
        Processes, or the address of a Dask scheduler: see :func:`datkit.threads.workers`. Results
        do not depend on them.
    progress : bool
        Show a bar with the time that is left.

    Returns
    -------
    dict
        ``cohort``, ``settings``, ``made`` (versions, device), ``cells``, ``scores`` (a row for each
        model, seed and setting) and ``controls`` (their bands).

    Raises
    ------
    UsageError
        If a model, a split or a number is not known, or `out` holds another cohort's results.
    CohortError, PrepareError
        If the exams cannot be split or prepared.
    """
    how: dict[str, Any] = {"n_jobs": n_jobs, "scheduler": scheduler, "progress": progress}
    exams = cohort
    if isinstance(exams, Cohort):
        exams = BenchmarkExams.gather(exams, partial(prepare_cohort, **how))
    tests = (exams.table["set"] != "train").any()
    splits = splits or [one for one in SPLITS if one != "tests" or tests]
    folds = {split: exams.folds(split, n_splits) for split in splits}
    named = models if isinstance(models, Mapping) else {one: one for one in models}
    rows = [one.name for one in CONTROLS] + [_row(*one) for one in product(named, {*seeds})]
    if twice := [one for one, times in Counter(rows).items() if times > 1]:
        raise UsageError(f"Expected one model for each row, found several for {twice}; rename.")
    entrants = [*(Entrant(*one) for one in named.items()), *CONTROLS]
    board = _open(out, exams)
    board["settings"] = {split: {"folds": len(each), "sha256": _hash(*each)}
                         for split, each in folds.items()}  # fmt: skip
    for cell in _run([*_plan(entrants, seeds, folds, exams)], board["cells"], exams, how):
        board["cells"][NAME.format(**cell)] = seal_cell(cell)
        if out:
            write_json(out, board)
    cells = [cell for _, cell in sorted(board["cells"].items()) if "role" in cell]
    roles = {cell["model"]: cell["role"] for cell in cells}
    predicted = _gather(board["cells"], roles, folds, exams)
    board["errors"] = {name: one["error"] for name, one in board["cells"].items() if "error" in one}
    board["scores"] = score_models(predicted, roles, exams)
    board["controls"] = check_controls(predicted, roles, exams)
    if out:
        write_json(out, board)
    return board


def _open(out: PathLike | None, exams: BenchmarkExams) -> dict[str, Any]:
    """Return the results that are there, or empty ones."""
    sets = exams.table.groupby("set")["label"].agg(exams="size", abnormal="sum").T
    about: dict[str, Any] = {key: exams.cohort.info.get(key, "") for key in ("version", "seed")}
    about |= {"name": exams.cohort.name, "sha256": exams.sha256, "sets": sets.to_dict()}
    held: dict[str, Any] = {"cells": {}, "cohort": about}
    try:
        if out is not None and Path(out).exists():
            held = json.loads(Path(out).read_text(encoding="utf-8"))
        cells, same = {**held["cells"]}, held["cohort"]["sha256"] == exams.sha256
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{out}: expected results of a benchmark, found {error!r}.") from error
    if not same:
        said = f"{out}: expected results of these very exams, found those of others"
        raise UsageError(f"{said}, {held['cohort'].get('name')}; name another file.")
    made = {"versions": VERSIONS, "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores"}
    return {"note": NOT_CLINICAL, "cohort": about, "made": made, "cells": _check_cells(cells)}


def seal_cell(cell: Cell) -> Cell:
    """Return a cell with the sha256 of all else that it holds."""
    held = {key: value for key, value in cell.items() if key != "sha256"}
    return held | {"sha256": _hash(*sorted(held.items()))}


def _check_cells(cells: dict[str, Any]) -> dict[str, Cell]:
    """Return the cells of a file; in place of one that is not as it was written stands that."""
    bad = {name: {"error": DAMAGED} for name, cell in cells.items() if not _is_sound(name, cell)}
    for name in bad:
        tqdm.write(f"{name}: {DAMAGED}.", sys.stderr)
    return cells | bad


def _is_sound(name: str, cell: Cell) -> bool:
    """Whether a cell has its name and, if it predicts, its hash."""
    try:
        same = "p" not in cell or cell["sha256"] == seal_cell(cell)["sha256"]
        return same and name == NAME.format(**cell) and bool(cell["role"])
    except (AttributeError, KeyError, TypeError):
        return False


def _plan(
    entrants: list[Entrant], seeds: Sequence[int], folds: Folds, exams: BenchmarkExams
) -> Iterator[Work]:
    """Yield every cell that is wanted, with a hash of all that its result depends on."""
    for entrant in entrants:
        for seed in seeds if entrant.role == MODEL else (0,):
            model = entrant.build(seed)
            reads = entrant.reads or getattr(model, "reads", "measures")
            if entrant.reads not in ("", *exams.inputs):
                continue  # no age, or no truth
            if entrant.role == MODEL and reads not in READS:
                raise UsageError(f"{entrant.name}: Expected reads of {READS}, found {reads!r}.")
            name = _row(entrant.name, seed)
            about: Cell = {"model": name, "role": entrant.role, "reads": reads, "seed": seed}
            places = getattr(exams.inputs[reads], "places", ())
            prepared = sorted({Path(file).parent.name for file, _ in places})  # keys of the voxels
            runs = entrant.code(seed), prepared, RELEASES
            for split, fold in ((split, fold) for split, each in folds.items() for fold in each):
                seen = _seen(fold, exams)
                hashes = {"exams": seen, "key": _hash(seen, *runs, *about.values())}
                yield entrant, about | {"split": split, "fold": fold.name} | hashes, fold


def _row(name: str, seed: int) -> str:
    return name + f", seed {seed}" * (seed != 0)


def _run(
    work: list[Work], cells: Mapping[str, Cell], exams: BenchmarkExams, how: dict[str, Any]
) -> Iterator[Cell]:
    """Yield each cell that is not finished yet as soon as it is; one that failed is tried again."""
    done = {cell["key"] for cell in cells.values() if "p" in cell}
    left = [one for one in work if one[1]["key"] not in done]
    bar = tqdm(None, "benchmark", len(work), initial=len(work) - len(left), unit="fit",
               disable=not how["progress"])  # fmt: skip
    with bar, workers(how["n_jobs"], how["scheduler"], "generator_unordered") as parallel:
        for cell in parallel(delayed(_fit)(*_given(*one, exams)) for one in left):
            bar.update()
            yield cell


def _given(entrant: Entrant, cell: Cell, fold: Fold, exams: BenchmarkExams) -> tuple[Any, ...]:
    """Return what a fit needs: inputs, labels and groups of all exams, and both sides' rows."""
    train = (*fold.train, *fold.test) if entrant.leaks else fold.train
    rows = [exams.table.index.get_indexer(pd.Index(side)) for side in (train, fold.test)]
    columns = exams.table[["shuffled" if entrant.shuffled else "label", "centre"]]
    return entrant, cell, exams.inputs[cell["reads"]], columns.to_numpy().T, rows


def _fit(entrant: Entrant, cell: Cell, X: Features, known: np.ndarray, rows: list[Any]) -> Cell:
    """Train a model on a fold and predict its test exams; say what went wrong instead.

    `rows` holds the positions of the exams to train on, and of those to predict.
    """
    start, (train, test) = time.perf_counter(), rows
    y, groups = known[:, train]
    try:
        with threadpool_limits(1):  # sums must not depend on the number of cores
            model = entrant.build(cell["seed"])
            model.fit(take_rows(X, train), y.astype(int), **grouped(model, groups))
            asked = take_rows(X, test)
            both = np.asarray(model.predict_proba(asked))
        check_probabilities(both, len(test), cell["model"])
        check_alone(model, asked, p := both[:, 1])
        found = {"p": " ".join(f"{one:.{DECIMALS}g}" for one in p)}
    except (Exception, SystemExit) as error:  # one model must not stop the others
        found = {"error": f"{type(error).__name__}: {error}"}
    return cell | found | {"seconds": round(time.perf_counter() - start, 3), "device": _device()}


def _device() -> str:
    """Return the name of the GPU if PyTorch was used and has one."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "cpu"


def _gather(
    cells: Mapping[str, Cell], roles: Mapping[str, str], folds: Folds, exams: BenchmarkExams
) -> dict[str, pd.DataFrame]:
    """Return each setting's probabilities, a column for each model that predicted all its exams."""
    found: dict[str, pd.DataFrame] = {}
    for split, each in folds.items():
        p, seconds = pd.DataFrame(index=exams.table.index), Counter[str]()
        for name, fold in product(roles, each):
            cell = cells.get(NAME.format(model=name, split=split, fold=fold.name), {})
            if "p" in cell and cell["exams"] == _seen(fold, exams):
                p.loc[list(fold.test), name] = np.array(cell["p"].split(), float)
                seconds[name] += cell["seconds"]
        for setting in SPLITS[split]:
            uids = exams.scored(setting).index
            if exams.table["label"][uids].nunique() == 2:
                found[setting] = p.loc[uids].dropna(axis="columns")
                found[setting].attrs = {"seconds": seconds}
    return found


def _seen(fold: Fold, exams: BenchmarkExams) -> str:
    return _hash(fold.train, fold.test, exams.sha256)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:16]
