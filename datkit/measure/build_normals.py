"""Build the normal reference that ships inside the package, from simulated healthy exams.

``python -m datkit.measure.build_normals datkit/resources`` rebuilds ``normals.json`` byte for byte,
in a few minutes on two cores.

The same healthy patients, spread evenly over ages and both sexes, are examined once with every type
of reconstruction, each time at a centre that uses it. As in real normal databases nobody takes a
serotonin reuptake inhibitor, which would raise binding ratios by a tenth.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from datkit.files import write_json
from datkit.measure import measure_prepared
from datkit.measure.normals import ANY, FILE, fit_normals, reconstruction_type
from datkit.prepare import Prepared, prepare_scan
from datkit.scan import Scan
from datkit.simulate.acquisition import Acquisition, draw_acquisition
from datkit.simulate.centres import CENTRES, Centre, Protocol
from datkit.simulate.exam import describe_recipe
from datkit.simulate.patient import AGES, Patient, draw_patient
from datkit.simulate.uptake import paint
from datkit.threads import one_thread

__all__ = ["build_normals", "main"]

SEED = 1006  # three numbers seed each draw here and two each exam of a cohort: none is shared
PATIENTS, BANDS = 40, 10  # patients, and the bands of age that hold equally many, women and men


def build_normals(n_jobs: int | None = None, progress: bool = True) -> dict:
    """Return the reference of :func:`datkit.measure.normals.fit_normals`, per type and for any.

    Parameters
    ----------
    n_jobs : int, optional
        Processes; by default one for each core. The result does not depend on it.
    progress : bool
        Show a progress bar over exams.
    """
    rows = pd.DataFrame(_examine_all(n_jobs, progress))
    people, measures = rows[["age", "sex"]], rows.drop(columns=["type", "age", "sex"])
    table = {ANY: fit_normals(measures, people["age"], people["sex"])}
    for name, part in measures.groupby(rows["type"]):
        who = people.loc[part.index]
        table[name] = fit_normals(part, who["age"], who["sex"])
    return table


@cache
def protocols_by_type() -> dict[str, list[tuple[Centre, Protocol]]]:
    """Return the simulated centres' protocols by their type of reconstruction."""
    found: dict[str, list[tuple[Centre, Protocol]]] = {}
    for centre in CENTRES:
        for protocol in centre.protocols:
            name = reconstruction_type(describe_recipe(protocol.recipe))
            found.setdefault(name, []).append((centre, protocol))
    return dict(sorted(found.items()))


def draw_normal(index: int) -> Patient:
    """Draw one healthy patient: the index says sex and band of age, redrawn until they fit."""
    rng = np.random.default_rng([SEED, 0, index])
    sex, band = "FM"[index % 2], index // 2 % BANDS
    low, high = AGES[2:]
    ends = low + (high - low) / BANDS * np.array([band, band + 1])
    while True:
        patient = draw_patient(rng, "normal")
        if patient.sex == sex and ends[0] <= patient.age < ends[1] and not patient.ssri:
            return patient


def draw_exam_of(index: int, type_name: str) -> Acquisition:
    """Draw where and how a patient is examined, by a protocol of one type."""
    choices = protocols_by_type()[type_name]
    rng = np.random.default_rng([SEED, 1 + list(protocols_by_type()).index(type_name), index])
    weights = np.array([centre.share * protocol.weight for centre, protocol in choices])
    return draw_acquisition(rng, *choices[rng.choice(len(choices), p=weights / weights.sum())])


@one_thread()
def examine(index: int) -> list[tuple[str, Prepared]]:
    """Simulate and prepare the exams of one patient, one for each type."""
    from datkit.simulate.camera import acquire  # brings PyTorch

    patient, exams = draw_normal(index), []
    uptake, _ = paint(patient)
    for name in protocols_by_type():
        exam = draw_exam_of(index, name)
        data = acquire(uptake, patient.shape, exam).astype(np.float32)
        exams.append((name, prepare_scan(Scan(data, exam.affine, None, ()))))
    return exams


def _measure_patient(index: int) -> list[dict]:
    patient = draw_normal(index)
    return [
        {"type": name, "age": patient.age, "sex": patient.sex} | measure_prepared(prepared)
        for name, prepared in examine(index)
    ]


def _examine_all(n_jobs: int | None, progress: bool) -> Iterator[dict]:
    """Yield the measures of every exam, in an order that the number of processes does not move."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    workers = n_jobs or os.cpu_count() or 1
    each = Parallel(workers, return_as="generator")(
        delayed(_measure_patient)(index) for index in range(PATIENTS)
    )
    for rows in tqdm(each, "normals", PATIENTS, disable=not progress, unit="patient"):
        yield from rows


def main(folder: str) -> None:
    """Write ``normals.json`` into `folder`."""
    write_json(Path(folder) / FILE, build_normals())


if __name__ == "__main__":
    main(*sys.argv[1:])
