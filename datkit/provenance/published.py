"""Check this folder: ``python check.py`` hashes each file, and predicts exams that are made up.

It needs what ``requirements.txt`` names: ``pip install -r requirements.txt``. The exams
are the normal template in ``datkit/resources``, whose striata are dimmed, with noise drawn by
seed: no patient is in them. Their probabilities must be those in ``expected.json``, to 1e-6.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

HERE = Path(__file__).resolve().parent
SEEDS, NEAR = (0, 1, 2), 1e-6
BACKGROUND = 90.0  # of the template's 255: above it lie the striata


def changed_files() -> list[str]:
    """Return the names of files that are not as published."""
    graph = json.loads((HERE / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    listed = {unquote(one["@id"]): one["sha256"] for one in graph if "sha256" in one}
    return [name for name, sha256 in listed.items() if not (HERE / name).is_file()
            or hashlib.sha256((HERE / name).read_bytes()).hexdigest() != sha256]  # fmt: skip


def make_exam(seed: int, path: Path) -> None:
    """Write a made-up exam; the higher its seed, the dimmer its striata."""
    import nibabel as nib
    import numpy as np

    template = nib.nifti1.load(HERE / "datkit" / "resources" / "template.nii.gz")
    counts = np.asarray(template.dataobj, np.float32)
    over = np.clip(counts - BACKGROUND, 0, None)
    noise = 5 * np.random.default_rng(seed).random(counts.shape)
    values = (counts - over * seed / len(SEEDS) + noise).astype(np.float32)
    nib.nifti1.save(nib.nifti1.Nifti1Image(values, template.affine), path)


def predict_made_up() -> dict[str, float]:
    """Return the probability of each made-up exam, by the main.py of this folder."""
    main = importlib.import_module("main")
    main.silence_libraries()
    predict, _ = main.load_predictor(HERE / "weights")
    found = {}
    with TemporaryDirectory() as scratch:
        for seed in SEEDS:
            make_exam(seed, exam := Path(scratch) / "exam.nii.gz")
            found[f"{seed}"] = predict(exam)
    return found


def check() -> list[str]:
    """Return a sentence for each fault."""
    if changed := changed_files():
        return [f"{name} is not as it was published." for name in changed]
    expected = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    try:
        found = predict_made_up()
    except ModuleNotFoundError as error:
        needed = "the packages of requirements.txt; pip install -r requirements.txt"
        return [f"Expected {needed}. Found: {error}."]
    return [f"Exam {seed}: expected the probability {p}, found {found.get(seed)}."
            for seed, p in expected.items() if not abs(found.get(seed, 2) - p) <= NEAR]  # fmt: skip


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if sys.argv[1:] == ["--write"]:
        (HERE / "expected.json").write_text(f"{json.dumps(predict_made_up(), indent=1)}\n")
        print(*{name.partition(".")[0] for name in sys.modules})  # for requirements.txt
        sys.exit(0)
    faults = check()
    print("\n".join(faults) or "Every file and every probability is as published.")
    sys.exit(bool(faults))
