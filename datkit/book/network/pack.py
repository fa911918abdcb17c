"""Make the files that the page with the network loads, from the simulated cohort.

::

    python -m datkit.book.network.pack --out build/network

A compact 3-D network is trained on the cohort, without the centres that its three exams come from:
it has met neither these patients nor their cameras. ``pack.js`` holds its weights and the exams
(pages opened from a disk may not fetch, so it is a script); ``measured.md`` says what changes to an
exam do to the network, for the page to include.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from matplotlib import colormaps
from torch import nn

from datkit.book.network.changes import SEEN, Places, dimming
from datkit.book.network.measured import Shown, write_measured
from datkit.book.reading.chosen import Chosen
from datkit.book.reading.pack import Seen, see_exams
from datkit.book.run import make_unless_made
from datkit.files import replace_atomically
from datkit.measure.regions import SIDES, right_frame, shifts_of
from datkit.models.calibrated import TemperatureCalibrated
from datkit.models.network import BOX
from datkit.models.volume import CompactCNN, VolumeClassifier
from datkit.prepare.cohort import PreparedCohort, prepare_cohort
from datkit.simulate.cohort import open_cohort
from datkit.threads import one_thread

__all__ = ["EXAMS", "pack_exam", "pack_network", "store_exam", "train_network", "write_pack"]

# Of the reading trainer's exams: one of each kind that is clear to all readers, and one at the
# limit, which three of five call abnormal. All are of one centre: what differs is the patient.
EXAMS = {"normal": "0044", "borderline": "0091", "abnormal": "0016"}
STEP = 0.04  # uptake is stored in steps, one byte a voxel, up to 10.2
WIDTH, EPOCHS, FOLDS = 8, 30, 3
COLOURS = 33  # knots of the colour map, between which the page mixes


def train_network(prepared: PreparedCohort, exams: Mapping[str, Chosen]) -> VolumeClassifier:
    """Return a compact network that has met no centre of these exams, as the page holds it.

    Its logit is divided by a temperature found on centres left out in turn, within the last layer;
    its numbers are rounded to float16. Half a minute of one core for the cohort ``small``.
    """
    known = ~_held_out(prepared, exams)
    network = VolumeClassifier(size="compact", width=WIDTH, epochs=EPOCHS, accelerator="cpu")
    calibrated = TemperatureCalibrated(network, n_splits=FOLDS)
    with one_thread():
        calibrated.fit(
            prepared.volumes[known],
            prepared.labels.to_numpy()[known],
            groups=prepared.table["centre"].to_numpy()[known],
        )
    model = calibrated.estimator_
    cool(model.network_, calibrated.temperature_)
    halve(model.network_)
    return model


def cool(network: CompactCNN, temperature: float) -> None:
    """Divide a network's logit by a temperature, in place, in its last layer."""
    with torch.no_grad():
        for one in network.logit.parameters():
            one.div_(temperature)


def halve(network: nn.Module) -> None:
    """Round a network's numbers to float16, in place, as the page holds them."""
    with torch.no_grad():
        for one in network.state_dict().values():
            if one.is_floating_point():
                one.copy_(one.half().float())


def _held_out(prepared: PreparedCohort, exams: Mapping[str, Chosen]) -> np.ndarray:
    """Return which exams of a cohort are of a centre of the exams shown, bool (n,)."""
    centres = {one.drawn.acquisition.centre.name for one in exams.values()}
    return prepared.table["centre"].isin(centres).to_numpy()


def store_exam(volume: np.ndarray) -> np.ndarray:
    """Return the part of a prepared volume that the page holds, in steps, uint8 (64, 47, 45)."""
    return np.clip(np.rint(volume[SEEN] / STEP), 0, 255).astype(np.uint8)


def load_exam(volume: np.ndarray) -> np.ndarray:
    """Return that part as the page reads it again, in uptake, float32 (64, 47, 45)."""
    return store_exam(volume) * np.float32(STEP)


def pack_network(network: nn.Module) -> dict[str, Any]:
    """Return what the page needs of a compact network: its box, its layers, its linear unit."""
    numbers = {name: one.numpy(force=True) for name, one in network.state_dict().items()}
    layers = []
    for place, block in enumerate(cast(Any, network).features):
        names = {"weight": "0.weight", "mean": "1.running_mean", "variance": "1.running_var",
                 "gain": "1.weight", "bias": "1.bias"}  # fmt: skip
        layers.append(
            {key: _half(numbers[f"features.{place}.{name}"]) for key, name in names.items()}
            | {"stride": block[0].stride[0], "channels": block[0].out_channels}
        )
    box = {
        "start": [part.start - seen.start for part, seen in zip(BOX, SEEN, strict=True)],
        "size": [part.stop - part.start for part in BOX],
    }
    last = {name: _half(numbers[f"logit.{name}"]) for name in ("weight", "bias")}
    return {"box": box, "layers": layers, "last": last}


def pack_exam(kind: str, one: Chosen, seen: Seen) -> dict[str, Any]:
    """Return an exam of the page: who it is of, what is true of it, where its striata lie."""
    patient = one.drawn.patient
    return {
        "kind": kind,
        "uid": one.uid,
        "age": round(patient.age),
        "sex": patient.sex,
        "left": round(one.fractions["fraction"], 2),
        "side": one.side,
        "votes": sum(one.drawn.reading.votes),
        "places": {side: list(where) for side, where in places_of(seen).items()},
        "voxels": _base64(store_exam(seen.volume)),
    }


def places_of(seen: Seen) -> Places:
    """Return where preparation found an exam's striata, mm from their usual place."""
    return shifts_of(seen.quality) or dict.fromkeys(SIDES, (0.0, 0.0, 0.0))


def _frame() -> dict[str, Any]:
    """Return the kit's regions of the right side, one bit each, and what dims its putamen."""
    frame = right_frame()
    masks = frame.masks["putamen"], frame.masks["posterior_putamen"], frame.near
    bits = sum(mask.astype(np.uint8) << bit for bit, mask in enumerate(masks))
    start = [part.start - seen.start for part, seen in zip(frame.box, SEEN, strict=True)]
    box = tuple(slice(a, a + n) for a, n in zip(start, frame.away.shape, strict=True))
    return {
        "start": start,
        "size": list(frame.away.shape),
        "caudate": int(frame.masks["caudate"].sum()),
        "inside": _base64(np.asarray(bits, np.uint8)),
        "dimming": _base64(np.rint(255 * dimming()[box]).astype(np.uint8)),
    }


def write_pack(
    out: Path, network: nn.Module, exams: Mapping[str, Chosen], seen: Mapping[str, Seen]
) -> None:
    """Write ``pack.js``: the network, the exams, the regions and the colours."""
    colours = colormaps["inferno"](np.linspace(0, 1, COLOURS), bytes=True)[:, :3]
    content = {
        "size": [part.stop - part.start for part in SEEN],
        "step": STEP,
        "network": pack_network(network),
        "exams": [pack_exam(kind, exams[kind], seen[kind]) for kind in exams],
        "frame": _frame(),
        "colours": colours.tolist(),
    }
    out.mkdir(parents=True, exist_ok=True)
    with replace_atomically(out / "pack.js") as part:
        part.write_text(f"window.datNetworkPack = {json.dumps(content)};\n", encoding="utf-8")


def _half(numbers: np.ndarray) -> str:
    return _base64(numbers.astype("<f2"))


def _base64(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode("ascii")


def main(arguments: list[str] | None = None) -> int:
    """Make the files from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.network.pack",
        description="Train the network of the page and make the files that the page loads.",
        epilog="Exit codes: 0 made or unchanged, 1 problems, 2 wrong use.",
    )
    parser.add_argument("--size", default="small", help="of the simulated cohort (small)")
    parser.add_argument("--seed", type=int, default=2026, help="of the simulated cohort (2026)")
    parser.add_argument("--out", type=Path, default=Path("build/network"), help="(build/network)")
    options = parser.parse_args(arguments)

    def make() -> str:
        exams = {kind: Chosen(name, 1, kind) for kind, name in EXAMS.items()}
        cohort = open_cohort("simulated", size=options.size, seed=options.seed)
        prepared = prepare_cohort(cohort, progress=False)
        seen = see_exams(exams, prepared)
        model = train_network(prepared, exams)
        write_pack(options.out, model.network_, exams, seen)
        others = _held_out(prepared, exams)
        shown = {kind: Shown(load_exam(one.volume), places_of(one)) for kind, one in seen.items()}
        write_measured(
            options.out / "measured.md",
            model,
            shown,
            prepared.volumes[others][(slice(None), *SEEN)],
            prepared.labels.to_numpy()[others],
        )
        return f"a network and {len(exams)} exams for its page"

    return make_unless_made(options.out, f"{options.size} {options.seed}", make)


if __name__ == "__main__":
    sys.exit(main())
