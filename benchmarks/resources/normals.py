"""Build the normal reference that ships inside the package, from simulated healthy exams.

``python -m benchmarks.resources.normals datkit/resources`` rebuilds ``normals.json`` byte for byte,
in a few minutes on two cores.

Each type of reconstruction has healthy people of its own, spread evenly over ages and both sexes,
who are examined at the centres that use it, as often as these do. As in real normal databases
nobody takes a serotonin reuptake inhibitor, which would raise binding ratios by a tenth.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from datkit.files import write_json
from datkit.io.scan import Scan
from datkit.measure.exam import measure_prepared
from datkit.measure.normals import ANY, FILE, fit_normals, reconstruction_type, round_digits
from datkit.prepare.exam import Prepared, prepare_scan
from datkit.simulate.camera.acquisition import Acquisition, draw_acquisition
from datkit.simulate.camera.centres import Centre, usual_centres
from datkit.simulate.camera.protocols import Protocol
from datkit.simulate.patient.person import AGES, Patient, draw_patient
from datkit.simulate.patient.uptake import paint
from datkit.threads import one_thread

SEED = 1006  # three or more numbers seed each draw here, two an exam of a cohort: none is shared
PATIENTS, BANDS = 40, 10  # of each type, and the bands of age that hold equally many, women and men
WHO = "age", "sex", "resolution"  # what a range depends on, and the exams' sharpness


def build_normals() -> dict[str, Any]:
    """Return the fits of :func:`datkit.measure.normals.fit_normals`, per type and for any.

    Beside them stand the measures of the first exam, so that one can see in seconds whether the
    table still belongs to the code: simulator, preparation and measures.
    """
    rows = pd.DataFrame(_examine_all())
    measures = rows.drop(columns=["type", *WHO])
    table = {ANY: fit_normals(measures, *(rows[name] for name in WHO))}
    for name, who in rows.groupby("type"):
        table[str(name)] = fit_normals(measures.loc[who.index], *(who[name] for name in WHO))
    return {"types": table, "first_exam": measures.loc[0].map(round_digits).to_dict()}


@cache
def protocols_by_type() -> dict[str, list[tuple[Centre, Protocol]]]:
    """Return the simulated centres' protocols by their type of reconstruction."""
    found: dict[str, list[tuple[Centre, Protocol]]] = {}
    for centre in usual_centres():
        for protocol in centre.protocols:
            name = reconstruction_type(protocol.recipe.in_words)
            found.setdefault(name, []).append((centre, protocol))
    return dict(sorted(found.items()))


def draw_normal(type_name: str, index: int) -> Patient:
    """Draw one healthy patient: the index says sex and band of age, redrawn until they fit."""
    rng = _rng(type_name, index)
    sex, band = "FM"[index % 2], index // 2 % BANDS
    low, high = AGES[2:]
    ends = low + (high - low) / BANDS * np.array([band, band + 1])
    while True:
        patient = draw_patient(rng, "normal")
        if patient.sex == sex and ends[0] <= patient.age < ends[1] and not patient.ssri:
            return patient


def draw_acquisition_of(type_name: str, index: int) -> Acquisition:
    """Draw where and how a patient is examined, by a protocol of one type."""
    choices, rng = protocols_by_type()[type_name], _rng(type_name, index, 1)
    weights = np.array([centre.share * protocol.weight for centre, protocol in choices])
    return draw_acquisition(rng, *choices[rng.choice(len(choices), p=weights / weights.sum())])


def _rng(type_name: str, *numbers: int) -> np.random.Generator:
    return np.random.default_rng([SEED, list(protocols_by_type()).index(type_name), *numbers])


@one_thread()
def examine(type_name: str, index: int) -> Prepared:
    """Simulate and prepare the exam of one healthy patient."""
    from datkit.simulate.camera.imaging import acquire  # brings PyTorch

    patient, exam = draw_normal(type_name, index), draw_acquisition_of(type_name, index)
    data = acquire(paint(patient)[0], patient.shape, exam)
    return prepare_scan(Scan(data.astype(np.float32), exam.affine, None, ()))


def _row(type_name: str, index: int) -> dict[str, float | str]:
    patient, prepared = draw_normal(type_name, index), examine(type_name, index)
    who = type_name, patient.age, patient.sex, prepared.quality.get("resolution", np.nan)
    return dict(zip(("type", *WHO), who, strict=True)) | measure_prepared(prepared)


def _examine_all() -> list[dict[str, float | str]]:
    """Return a row for each exam, in an order that the number of processes does not move."""
    each = list(product(protocols_by_type(), range(PATIENTS)))
    rows = Parallel(os.cpu_count(), return_as="generator")(delayed(_row)(*one) for one in each)
    return list(tqdm(rows, "normals", len(each), unit="exam"))


def main(folder: str) -> None:
    """Write ``normals.json`` into `folder`."""
    write_json(Path(folder) / FILE, build_normals())


if __name__ == "__main__":
    # By its full name, so that other processes find its functions.
    from benchmarks.resources import normals as module

    module.main(*sys.argv[1:])
