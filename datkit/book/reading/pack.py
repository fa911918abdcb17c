"""Make the files that the reading pages load, from the simulated cohort.

::

    python -m datkit.book.reading.pack --out build/reading

Exams of the cohort are taken as they were prepared for the notebooks; a patient on another camera,
and what a cohort of another size or seed lacks, is simulated here, in about 3 seconds each.

Pages opened from a disk may not fetch, so the files are scripts. ``set.js`` holds who is read, in
which order, and, told apart and encoded, what a page may show once an answer is given;
``volumes-1.js`` and ``volumes-2.js`` hold the volumes of a block, loaded when the block begins.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datkit.book.reading.chosen import BLOCKS, Chosen, choose_exams, order_presentations
from datkit.book.reading.lessons import FINDINGS, teach
from datkit.book.run import make_unless_made
from datkit.files import replace_atomically
from datkit.io.scan import Scan
from datkit.measure.exam import measure_volume
from datkit.measure.normals import compare_with_normals
from datkit.measure.regions import shifts_of
from datkit.prepare import PreparedCohort, prepare_cohort
from datkit.reading.pages import pack_volume
from datkit.simulate.cohort import VERSION, open_cohort
from datkit.simulate.readers import PANEL, THRESHOLD

__all__ = ["pack_set"]

NAME = "dat-48-2026"  # followed by a hash of the exams: answers to others are told apart
MEASURES = ("caudate_right", "caudate_left", "putamen_right", "putamen_left",
            "posterior_putamen_right", "posterior_putamen_left")  # fmt: skip


class Seen(NamedTuple):
    """A prepared exam: its volume on the canonical grid, and its row of qualities."""

    volume: np.ndarray
    quality: Mapping[str, Any]


def pack_set(
    exams: Mapping[str, Chosen],
    seen: Mapping[str, Seen],
    judged: Mapping[str, list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Return what ``set.js`` holds.

    Parameters
    ----------
    exams : mapping of str to Chosen
        Of :func:`~datkit.book.reading.chosen.choose_exams`.
    seen : mapping of str to Seen
        Each of them prepared.
    judged : mapping of str to list, optional
        What :func:`judge_exams` returned.
    """
    people = {
        name: {"age": round(one.drawn.patient.age), "sex": one.drawn.patient.sex}
        for name, one in exams.items()
    }
    judged = judged or {}
    key = {
        name: _encode(_after(name, exams, seen[name]) | {"models": judged.get(name, [])})
        for name in exams
    }
    findings = {
        name: {"title": title, "train": train, "page": page, "section": section}
        for name, (title, train, page, section) in FINDINGS.items()
    }
    presentations = order_presentations(dict(exams))
    name = f"{NAME}-{_hash(exams, presentations)}"
    shown = {"name": name, "threshold": THRESHOLD, "panel": PANEL, "findings": findings}
    return shown | {"presentations": presentations, "exams": people, "key": key}


def _hash(exams: Mapping[str, Chosen], presentations: list[dict[str, Any]]) -> str:
    """Return what tells these exams from others: who is shown, in which order, as simulated.

    Texts and what models say are left out: they may change, and answers stay answers to the same
    exams.
    """
    drawn = [
        (name, one.drawn.uid, one.drawn.exam, one.label, one.grade, one.side)
        for name, one in sorted(exams.items())
    ]
    return hashlib.sha256(repr((VERSION, drawn, presentations)).encode()).hexdigest()[:8]


def _after(name: str, exams: Mapping[str, Chosen], seen: Seen) -> dict[str, Any]:
    """Return what may be shown of an exam once it is answered."""
    one = exams[name]
    drawn, reading, lesson = one.drawn, one.drawn.reading, teach(one)
    twins = [other for other, its in exams.items() if its.index == one.index and other != name]
    return {
        "uid": drawn.uid,
        "kind": one.kind,
        "label": one.label,
        "fraction": round(one.fractions["fraction"], 3),
        "grade": one.grade,
        "side": one.side,
        "disease": drawn.patient.pattern,
        "camera": drawn.acquisition.centre.camera,
        "reconstruction": drawn.exam["reconstruction"],
        "votes": list(reading.votes),
        "likert": reading.likert,
        "benamer": reading.benamer,
        "pattern": reading.pattern,
        "measures": _measure(one, seen),
        "finding": lesson.finding,
        "lesson": lesson.text,
        "twin": twins[0] if twins else None,
    }


def _measure(one: Chosen, seen: Seen) -> list[dict[str, Any]]:
    """Return SBR with z; z is None where the exam's blur is beyond the normals'."""
    values = measure_volume(seen.volume, shifts_of(seen.quality))
    patient, drawn = one.drawn.patient, one.drawn
    table = compare_with_normals(
        {name: values[name] for name in MEASURES},
        patient.age,
        patient.sex,
        drawn.exam["reconstruction"],
        resolution=float(seen.quality.get("resolution", np.nan)),
    )
    return [
        {"name": name.replace("_", " "), "sbr": round(sbr, 2),
         "z": None if np.isnan(z) else round(z, 1)}
        for name, sbr, z in zip(MEASURES, table["value"], table["z"], strict=True)
    ]  # fmt: skip


def _encode(content: object) -> str:
    """Return JSON in base64: a page's source does not give the answer away at a glance."""
    return base64.b64encode(json.dumps(content).encode()).decode("ascii")


def see_exams(exams: Mapping[str, Chosen], prepared: PreparedCohort) -> dict[str, Seen]:
    """Return every exam prepared: those of the cohort as they are there, the others made here."""
    places = {uid: place for place, uid in enumerate(prepared.uids)}
    seen = {}
    for name, one in exams.items():
        if (uid := one.drawn.uid) in places:
            quality = {str(column): value for column, value in prepared.table.loc[uid].items()}
            seen[name] = Seen(prepared.volumes[places[uid]], quality)
        else:
            seen[name] = _simulate(one)
    return seen


def judge_exams(
    exams: Mapping[str, Chosen], seen: Mapping[str, Seen], prepared: PreparedCohort
) -> dict[str, list[dict[str, Any]]]:
    """Return what two models say of each exam that have met neither its patient nor its centre.

    One learns from measures of the cohort's other exams; the other are the networks that ship with
    the kit, which were trained on patients and centres of their own.
    """
    from datkit.measure.exam import measure_cohort
    from datkit.models.measures import MeasuresClassifier
    from datkit.models.store import PRETRAINED, load_model

    X, y = measure_cohort(prepared), prepared.labels.astype(int)
    centres, network = prepared.table["centre"], load_model(PRETRAINED)
    fitted: dict[tuple[str, ...], MeasuresClassifier] = {}
    found = {}
    for name, one in exams.items():
        volume, quality = seen[name]
        rest = (centres != one.drawn.acquisition.centre.name) & (X.index != one.uid)
        mine = pd.DataFrame([measure_volume(volume, shifts_of(quality))])[X.columns]
        if (learnt := tuple(X.index[rest])) not in fitted:  # most exams of a centre share a model
            fitted[learnt] = MeasuresClassifier().fit(X[rest], y[rest])
        said = {
            "measures, of other centres": fitted[learnt].predict_proba(mine),
            "networks of random cameras": network.predict_proba(volume[None]),
        }
        found[name] = [{"name": model, "p": round(float(p[0, 1]), 3)} for model, p in said.items()]
    return found


def _simulate(one: Chosen) -> Seen:
    from datkit.prepare.exam import prepare_scan
    from datkit.simulate.camera.imaging import acquire
    from datkit.simulate.patient.uptake import paint
    from datkit.threads import one_thread

    drawn = one.drawn
    with one_thread():
        volume = acquire(paint(drawn.patient)[0], drawn.patient.shape, drawn.acquisition)
        prepared = prepare_scan(Scan(volume.astype(np.float32), drawn.acquisition.affine))
    return Seen(prepared.volume, prepared.quality)


def write_files(
    out: Path,
    exams: Mapping[str, Chosen],
    seen: Mapping[str, Seen],
    judged: Mapping[str, list[dict[str, Any]]],
) -> None:
    """Write ``set.js`` and the volumes of each block."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "set.js", "window.datReadingSet = ", pack_set(exams, seen, judged))
    for block in BLOCKS:
        volumes = {n: pack_volume(seen[n].volume) for n, one in exams.items() if one.block == block}
        start = "window.datReadingVolumes = Object.assign(window.datReadingVolumes || {}, "
        _write(out / f"volumes-{block}.js", start, volumes, ")")


def _write(path: Path, start: str, content: object, end: str = "") -> None:
    with replace_atomically(path) as part:
        part.write_text(f"{start}{json.dumps(content)}{end};\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Make the files from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.reading.pack",
        description="Make the files that the reading pages of the book load.",
    )
    parser.add_argument("--size", default="small", help="of the simulated cohort (small)")
    parser.add_argument("--seed", type=int, default=2026, help="of the simulated cohort (2026)")
    parser.add_argument("--out", type=Path, default=Path("build/reading"), help="(build/reading)")
    options = parser.parse_args(arguments)

    def make() -> str:
        exams = choose_exams()
        cohort = open_cohort("simulated", size=options.size, seed=options.seed)
        prepared = prepare_cohort(cohort, progress=False)
        seen = see_exams(exams, prepared)
        judged = judge_exams(exams, seen, prepared)
        write_files(options.out, exams, seen, judged)
        return f"{len(exams)} exams for the reading trainer"

    return make_unless_made(options.out, f"{options.size} {options.seed}", make)


if __name__ == "__main__":
    sys.exit(main())
