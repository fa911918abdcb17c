"""From a file to measures, several ways on the same exams: striatal error, CPU seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.figures import Figure, bootstrap
from benchmarks.prepare.rivals import (
    by_ants,
    by_datkit,
    by_floor,
    by_simpleitk,
    by_simpleitk_tuned,
    has_ants,
)
from benchmarks.prepare.striata import FAILED_MM, distance_mm, found_centres, true_centres
from datkit.errors import PrepareError
from datkit.measure import measure_volume

WAYS: dict[str, Callable] = {
    "datkit": by_datkit,
    "SimpleITK + nilearn": by_simpleitk,
    "SimpleITK tuned + nilearn": by_simpleitk_tuned,
    "ANTs": by_ants,
    "array's middle": by_floor,
}
# Times as long as ours that others take, at least; and how long ours may take over the floor.
SLOWER = {"SimpleITK + nilearn": 8, "SimpleITK tuned + nilearn": 8, "ANTs": 40}
OVER_FLOOR = 6


def measure(paths: list[Path]) -> Iterator[Figure]:
    """Yield error and time of each way, then their ratios."""
    ways = {name: way for name, way in WAYS.items() if name != "ANTs" or has_ants()}
    if "ANTs" not in ways:
        print("  ANTs is left out: expected antspyx, found none; pip install antspyx.")
    for way in ways.values():
        _run(way, paths[0])  # what is made once per process does not count
    rows = [_row(path, name, way) for path in paths for name, way in ways.items()]
    table = pd.DataFrame(rows)
    yield from _errors(table.pivot(index="uid", columns="way", values="error")[[*ways]])
    yield from _times(table.pivot(index="uid", columns="way", values="seconds")[[*ways]])


def _run(way: Callable, path: Path) -> tuple[np.ndarray, dict | None]:
    to_scan, volume, *quality = way(path)
    try:
        measure_volume(volume)
    except PrepareError:
        if way is by_datkit:  # others may hit air
            raise
    return to_scan, quality[0] if quality else None


def _row(path: Path, name: str, way: Callable) -> dict:
    uid = path.name.removesuffix(".nii.gz")
    start = time.process_time()
    to_scan, quality = _run(way, path)
    seconds = time.process_time() - start
    error = distance_mm(found_centres(to_scan, quality), true_centres(uid))
    return {"uid": uid, "way": name, "error": error, "seconds": seconds}


def _errors(errors: pd.DataFrame) -> Iterator[Figure]:
    for name, column in errors.items():
        note = (
            f"90 % {np.percentile(column, 90):.1f} mm, {int((column > FAILED_MM).sum())} of "
            f"{len(column)} beyond {FAILED_MM:g} mm"
        )
        yield Figure(f"{name}: striatal error, median", column.median(), unit="mm", note=note)
    best = errors.drop(columns="datkit").median().min()
    yield Figure(
        "our median error over the best other's", errors["datkit"].median() / best, (None, 1)
    )


def _times(seconds: pd.DataFrame) -> Iterator[Figure]:
    for name, column in seconds.items():
        yield Figure(f"{name}: CPU time, median", column.median(), unit="s")
    ours = seconds["datkit"]
    for name, least in SLOWER.items():
        if name in seconds:
            ratios = (seconds[name] / ours).to_numpy()
            yield _ratio(f"{name}: times as long as ours", ratios, (least, None))
    ratios = (ours / seconds["array's middle"]).to_numpy()
    note = "the floor: decompress, resample once, measure"
    yield _ratio("ours: times as long as the floor", ratios, (None, OVER_FLOOR), note)


def _ratio(
    name: str, ratios: np.ndarray, target: tuple[float | None, float | None], note: str = ""
) -> Figure:
    """Return the median ratio of exams; its whole interval must hold, not the luck of one run."""
    low, high = bootstrap(lambda rows: np.median(ratios[rows]), len(ratios))
    return Figure(name, float(np.median(ratios)), target, (low, high), note=note, clearly=True)
