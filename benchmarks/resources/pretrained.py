"""Train the networks that ship inside the package, on simulated exams of random centres.

``python -m benchmarks.resources.pretrained datkit/resources/pretrained`` simulates 800 exams,
trains a standard 3-D network and a projection network on them, and writes both, their mean as the
model that ``datkit predict`` takes where none is named, and the model card: half an hour on two
cores. It goes on where it was stopped. Another processor may round otherwise, so that the weights
are the same to some digits only; on one machine they are the same bytes.

No exam comes from a centre of the kit, so that each of these is an unseen one. Weights of
convolutions and linear units are stored as float16, in half the room; networks compute in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import yaml

from benchmarks.resources.random_centres import draw_centres
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.evaluate.scores import Score, score_probabilities
from datkit.evaluate.trained import VERSIONS
from datkit.files import data_folder, read_sealed, replace_atomically, sha256_file
from datkit.models.blend import BlendClassifier
from datkit.models.network import NetworkClassifier
from datkit.models.registry import make_model
from datkit.models.store import load_arrays, load_model, save_arrays, save_model, write_document
from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.simulate.cohort import SIZES, VERSION, open_simulated, simulate_cohort

__all__ = ["main", "open_random", "ship", "train"]

EXAMS, CENTRES, SEED = 800, 200, 777_001  # nothing else was ever drawn from this seed
MODELS = {"volume": "volume size=standard epochs=20", "projection": "projection epochs=40"}
SCORED = 2026  # the cohort on which the card's scores are: other patients, the kit's centres
METRICS = "log_loss", "auroc", "calibration_slope"
TOLD = "cohort", "exams", "said"  # what 'datkit predict' tells of the scores
NOTE = "Simulated training, not for diagnosis."


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, train, ship, score, and write the card."""
    options = parse(arguments)
    cohort = open_random(options.exams, options.centres, options.seed, options.jobs)
    prepared = prepare_cohort(cohort, n_jobs=options.jobs)
    work = data_folder() / "pretrained" / cohort.name
    networks = {kind: train(text, prepared, work / kind) for kind, text in MODELS.items()}
    tested = open_folder(options.tested) if options.tested else open_simulated("full", SCORED)
    ship(networks, options.folder, {"note": NOTE})
    sets = {one.name: prepare_cohort(one, n_jobs=options.jobs) for one in _sets(tested)}
    rows = score(options.folder, sets)
    told = [{key: row[key] for key in TOLD} for row in rows if row["model"] == rows[0]["model"]]
    card = describe(cohort, prepared) | {"tested": told}
    ship(networks, options.folder, card)
    lines = card_lines(card, rows, options.folder)
    with replace_atomically(options.folder / "README.md") as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {options.folder}")
    return 0


def open_random(exams: int, centres: int, seed: int, n_jobs: int | None) -> Cohort:
    """Open the cohort of random centres; it is simulated if need be."""
    folder = data_folder() / "simulated" / f"random-{exams}-{centres}-{seed}"
    table = folder.with_suffix(".yaml")
    with replace_atomically(table) as part:
        part.write_text(yaml.safe_dump(draw_centres(centres, seed), sort_keys=False))
    with patch.dict(SIZES, random=exams):
        return simulate_cohort(folder, "random", seed, n_jobs, centres=table)


def train(text: str, prepared: PreparedCohort, checkpoint: Path) -> NetworkClassifier:
    """Train a network on all exams; it goes on where it was stopped."""
    model = cast(NetworkClassifier, make_model(text, seed=0))
    model.set_params(progress=True)
    labels = prepared.labels.to_numpy().astype(int)
    return model.fit(prepared.volumes, labels, checkpoint=checkpoint).set_params(progress=False)


def ship(networks: dict[str, NetworkClassifier], folder: Path, card: dict[str, Any]) -> None:
    """Write networks, each into a folder of its kind, and their mean logit."""
    for kind, network in networks.items():
        save_model(network, folder / kind)
        halve(folder / kind)
    n = len(networks)
    params = BlendClassifier().get_params(deep=False) | {"members": [*networks]}
    head = {"kind": BlendClassifier.kind, "format": 1, "params": params}
    write_document(folder, head | {"weights": [1 / n] * n, "card": card})


def halve(folder: Path) -> None:
    """Store a model's matrices as float16."""
    document = read_sealed(folder / "model.json")
    arrays = load_arrays(folder)
    half = {name: one.astype(np.float16) if one.ndim > 1 else one for name, one in arrays.items()}
    write_document(folder, document | {"weights": save_arrays(half, folder)})


def _sets(cohort: Cohort) -> list[Cohort]:
    """Return both test sets, of which the private one has a centre of its own, and the others."""
    return [
        *(open_folder(cohort.folder / f"{name}_test") for name in ("private", "public")),
        cohort,
    ]


def describe(cohort: Cohort, prepared: PreparedCohort) -> dict[str, Any]:
    """Return what the networks were trained on."""
    return {
        "cohort": cohort.name,
        "sha256": sha256_file(cohort.folder / "cohort.json"),
        "exams": len(prepared),
        "abnormal": int(prepared.labels.sum()),
        "centres": int(prepared.table["centre"].nunique()),
        "seed": cohort.info["seed"],
        "simulator": VERSION,
        "licence": "MIT",
        "out_of_fold": None,
        "versions": VERSIONS,
        "note": NOTE,
    }


def score(folder: Path, sets: dict[str, PreparedCohort]) -> list[dict[str, Any]]:
    """Return the scores of each network, and of their mean, on each set."""
    models = {"mean of both": load_model(folder)}
    models |= {kind: load_model(folder / kind) for kind in MODELS}
    found = []
    for cohort, prepared in sets.items():
        y, strata = prepared.labels.to_numpy().astype(int), prepared.table["centre"]
        for name, model in models.items():
            p = model.predict_proba(prepared.volumes)[:, 1]
            scores = score_probabilities(y, p, metrics=METRICS, strata=strata)
            row = {"model": name, "cohort": cohort, "exams": len(y)}
            row["said"] = [*map(str, scores.values())]
            found.append(row | {each: _interval(one) for each, one in scores.items()})
    return found


def _interval(score: Score) -> list[float]:
    return [round(number, 4) for number in (score.value, score.low, score.high)]


def card_lines(card: dict[str, Any], rows: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """Yield the model card in Markdown."""
    files = sorted(folder.rglob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    yield from CARD.format(**card, tested_on=SCORED, bytes=size, mib=size / 2**20,
                           models=", ".join(MODELS.values())).splitlines()  # fmt: skip
    yield ""
    yield "| model | exams | n | log loss | AUROC | calibration slope |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        texts = ("{:.3f} ({:.3f}–{:.3f})".format(*row[each]) for each in METRICS)
        yield "| " + " | ".join((row["model"], row["cohort"], str(row["exams"]), *texts)) + " |"
    yield ""
    yield "| file | sha256 |"
    yield "| --- | --- |"
    for file in files:
        yield f"| `{file.relative_to(folder).as_posix()}` | `{sha256_file(file)}` |"


CARD = """\
# Model card: the networks that ship with the kit

**For education and research, not for diagnosis: trained on simulated patients only.** No patient's
scan is in them, no real exam was scored, and nothing here says how they would do on real ones.

- **What**: the chance that a prepared DaT SPECT exam is abnormal. A standard 3-D network (`volume`)
  and a network on projections (`projection`); `datkit predict SCAN` takes the mean of both logits
  where no model is named.
- **Learnt from**: {exams:,} simulated exams, {abnormal:,} of them abnormal, of {centres} random
  centres, each with a camera, matrix, zoom, reconstruction, corrections and counts of its own;
  `benchmarks/resources/random_centres.py` says over which ranges. None is a centre of the kit, so
  each of these is an unseen one. Seed {seed}, simulator version {simulator}; sha256 of the cohort's
  `cohort.json`: `{sha256}`.
- **Labels** are those of simulated readers, who err as readers do.
- **Settings**: {models}, else the usual ones; each `model.json` holds
  them. The weights are those after the last epoch. How strongly exams are changed at random was
  chosen on two folds of seed 2026; nothing else was chosen on the exams scored below.
- **Room**: {bytes:,} bytes ({mib:.2f} MiB) of safetensors. Matrices are float16, networks compute
  in float32: that moves no logit of 200 exams by more than 0.003, where they reach 10.
- **Licence**: MIT, as the code.
- **To train them further**: `datkit train --model "volume size=standard start=pretrained" …`, or
  `--model "projection start=pretrained"`.
- **Built by** `python -m benchmarks.resources.pretrained datkit/resources/pretrained`.

Scores with 95 % intervals, exams redrawn within centres, on the full cohort of seed {tested_on}:
other patients, and none of its centres was simulated in training. An exam is *abnormal* where a
simulated reader calls it so, which is mostly where the weaker posterior putamen holds less than
72 % of what is expected at that age and sex. The probability assumes about as many abnormal exams
as were learnt from. It tells disease from normal, not one disease from another, and not disease
from a medicine or an infarct. A slope below 1 means that the probabilities are too sure."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resources.pretrained")
    add = parser.add_argument
    add("folder", type=Path, help="where they go, such as datkit/resources/pretrained")
    add("--exams", type=int, default=EXAMS, help=f"default: {EXAMS}")
    add("--centres", type=int, default=CENTRES, help=f"default: {CENTRES}")
    add("--seed", type=int, default=SEED, help=f"default: {SEED}")
    add("--tested", type=Path, help=f"a full cohort's folder; default: that of seed {SCORED}")
    add("--jobs", type=int, default=2, help="processes (default: 2)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
