"""Rebuild the README's picture: a normal and an abnormal simulated exam.

``python .ci/readme_picture.py book/static/normal_abnormal.png`` writes it.
"""

from __future__ import annotations

import sys

import numpy as np

from datkit.io.scan import Scan
from datkit.prepare import prepare_scan
from datkit.simulate.exam import Exam, simulate_exam
from datkit.view.canvas import Picture
from datkit.view.slices import plot_pair

# Exams of seed 2026 from one centre, on which all five readers agree.
EXAMPLES = {"normal": 13, "abnormal": 1}


def simulate_examples(seed: int = 2026) -> dict[str, Exam]:
    """Simulate a normal and an abnormal exam, by name."""
    return {name: simulate_exam(seed, index) for name, index in EXAMPLES.items()}


def plot_examples(exams: dict[str, Exam]) -> Picture:
    """Prepare and plot a normal and an abnormal simulated exam."""
    scans = [
        Scan(exam.volume.astype(np.float32), exam.acquisition.affine) for exam in exams.values()
    ]
    normal, abnormal = (prepare_scan(scan).volume for scan in scans)
    return plot_pair(normal, abnormal, names=[f"{name} (simulated exam)" for name in exams])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python .ci/readme_picture.py PICTURE.png")
    print(plot_examples(simulate_examples()).save(sys.argv[1], colours=192))
